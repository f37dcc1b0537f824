"""`python -m tools.plain_lists dist`: no wheel of a folder says any more where it was built.

maturin's list of what is linked into a wheel (SBOM) refers to our own crates by where they lay, and has no
setting for it: `path+file:///builds/covey/rust/core#covey-core@0.1.0`. That says something of the machine and
nothing of the wheel. Afterwards it is `path+file:///rust/core#…`, and RECORD has the list's size and digest.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import sys
import zipfile
from pathlib import Path

FOLDER = re.compile(rb'path\+file:///[^"#]*?/(?=rust/\w+#)')


def plain(text: bytes) -> bytes:
    """Return a list without the folder it was built in."""
    return FOLDER.sub(b"path+file:///", text)


def recorded(record: bytes, changed: dict[str, bytes]) -> bytes:
    """Return a RECORD with the digests and sizes of what changed."""
    rows = []
    for name, digest, size in csv.reader(io.StringIO(record.decode())):
        if name in changed:
            hashed = base64.urlsafe_b64encode(hashlib.sha256(changed[name]).digest()).rstrip(b"=").decode()
            rows.append((name, f"sha256={hashed}", str(len(changed[name]))))
        else:
            rows.append((name, digest, size))
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue().encode()


def made_plain(wheel: Path) -> bool:
    """Write a wheel anew unless its lists are plain; say whether it was."""
    with zipfile.ZipFile(wheel) as archive:
        files = [(info, archive.read(info)) for info in archive.infolist()]
    lists = {info.filename: (text, plain(text)) for info, text in files if "/sboms/" in info.filename}
    changed = {name: after for name, (before, after) in lists.items() if before != after}
    if not changed:
        return False
    fresh = wheel.with_suffix(".new")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, text in files:
            if info.filename.endswith(".dist-info/RECORD"):
                text = recorded(text, changed)
            archive.writestr(info, changed.get(info.filename, text))
    fresh.replace(wheel)
    return True


def main(arguments: list[str]) -> int:
    """Make the lists of every wheel of the folder plain; print the name of each that was not."""
    for wheel in sorted(Path(arguments[0]).glob("*.whl")):
        if made_plain(wheel):
            print(f"{wheel.name}: its list names no folder of this machine any more")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
