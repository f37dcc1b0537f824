"""The ZIP around a bundle: written the same way every time, and read only if it was written so.

Rules: members are stored, not compressed, because compressors differ between machines; names are a closed
form; times, modes and order are fixed. So a bundle is a function of its members, and a file that is not just
what this module would write of what it found in it is refused, whatever a lenient reader would make of it.
Nothing is read past its bound, and nothing is believed of what a directory of the file says of sizes.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Final

from covey import limits
from covey.substrate.values import BundleError

_MEMBER: Final = re.compile(r"[a-z][a-z_]{0,31}\.json")
_TIME: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = stat.S_IFREG | 0o600
_UNIX: Final = 3
_BROKEN: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    ValueError,
    NotImplementedError,
    EOFError,
    OverflowError,
    RuntimeError,
    OSError,
    LookupError,
)
"""What the standard library raises on bytes that somebody chose."""


def written(members: Mapping[str, bytes]) -> bytes:
    """Return the file of these members.

    Raises:
        BundleError: It would be too large.
    """
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(members, key=_place):
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system, info.external_attr = _UNIX, _MODE << 16
            file.writestr(info, members[name])
    whole = out.getvalue()
    if len(whole) > limits.BUNDLE_BYTES:
        raise BundleError(f"bundle: {len(whole)} bytes, at most {limits.BUNDLE_BYTES}", code="too_large")
    return whole


def members_of(raw: bytes) -> dict[str, bytes]:
    """Return the members of a file, none of which is believed yet.

    Raises:
        BundleError: It is no bundle; the code says why.
    """
    if len(raw) > limits.BUNDLE_BYTES:
        raise BundleError(f"bundle: over {limits.BUNDLE_BYTES} bytes", code="too_large")
    try:
        found = _read(raw)
    except _BROKEN as error:
        raise BundleError(f"not a bundle: {error}", code="not_a_bundle") from error
    if written(found) != raw:
        raise BundleError(
            "not written as a bundle is: something stands beside or behind its members", code="not_canonical"
        )
    return found


def _read(raw: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    total = 0
    with zipfile.ZipFile(BytesIO(raw)) as file:
        entries = file.infolist()
        if len(entries) > limits.BUNDLE_MEMBERS:
            raise BundleError(f"{len(entries)} members, at most {limits.BUNDLE_MEMBERS}", code="too_many")
        for entry in entries:
            _check(entry, found)
        for entry in entries:
            with file.open(entry) as member:
                found[entry.filename] = member.read(limits.BUNDLE_BYTES - total + 1)
            total += len(found[entry.filename])
            if total > limits.BUNDLE_BYTES:
                raise BundleError(f"members: over {limits.BUNDLE_BYTES} bytes", code="too_large")
    return found


def _check(entry: zipfile.ZipInfo, found: dict[str, bytes]) -> None:
    """Refuse an entry by its directory alone, before a byte of it is read."""
    name = entry.filename
    shown = ascii(name[:64])
    if name in found:
        raise BundleError(f"member: twice: {shown}", code="duplicate")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise BundleError(f"member: a link: {shown}", code="symlink")
    if _MEMBER.fullmatch(name) is None:
        leads_away = name.startswith(("/", "\\")) or ".." in name or ":" in name
        code = "zip_slip" if leads_away or "/" in name else "bad_member"
        raise BundleError(f"member: not a name of one: {shown}", code=code)
    if entry.flag_bits & 1:
        raise BundleError(f"member: encrypted: {shown}", code="encrypted")
    if entry.compress_type != zipfile.ZIP_STORED:
        raise BundleError(f"member: compressed, and bundles are not: {shown}", code="compressed")
    if entry.file_size > limits.BUNDLE_BYTES:
        raise BundleError(f"member: {entry.file_size} bytes: {shown}", code="too_large")
    found[name] = b""


def _place(name: str) -> tuple[int, str]:
    """Order members: the manifest first, the signature last."""
    return ({"manifest.json": 0, "signature.json": 2}.get(name, 1), name)
