"""M-39: a corpus of hostile bundles, each refused for its own reason, with nothing written."""

from __future__ import annotations

import base64
import json
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey import limits
from covey.cli.substrate import files
from covey.substrate.bundle import read
from covey.substrate.container import members_of
from covey.substrate.values import BundleError
from tests.unit.substrate.kit import bundle_of, usual
from tests.unit.substrate.test_bundle import changed

GOOD = bundle_of(usual())
PLAIN = bundle_of(usual(), by=None)


def zipped(
    *entries: tuple[str, bytes], mode: int = stat.S_IFREG | 0o600, how: int = zipfile.ZIP_STORED
) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", how) as file:
        for name, body in [*((name, body) for name, body in members_of(GOOD).items()), *entries]:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr, info.compress_type = 3, mode << 16, how
            file.writestr(info, body)
    return out.getvalue()


def lying(size: int) -> bytes:
    """Return a bundle whose directory says another size of its last member than there is."""
    raw = bytearray(GOOD)
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 20 : at + 28] = struct.pack("<II", size, size)
    return bytes(raw)


def ec(**change: object) -> bytes:
    (first, *rest) = json.loads(members_of(PLAIN)["ec.json"])["concepts"]
    return changed(PLAIN, "ec.json", concepts=[{**first, **change}, *rest])


def nac(**change: object) -> bytes:
    (first, *rest) = json.loads(members_of(PLAIN)["nac.json"])["links"]
    return changed(PLAIN, "nac.json", links=[{**first, **change}, *rest])


CORPUS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "absolute": ("zip_slip", lambda: zipped(("/etc/cron.d/x.json", b"{}"))),
    "upwards": ("zip_slip", lambda: zipped(("../../x.json", b"{}"))),
    "windows": ("zip_slip", lambda: zipped(("C:x.json", b"{}"))),
    "nested": ("zip_slip", lambda: zipped(("a/b.json", b"{}"))),
    "name": ("bad_member", lambda: zipped(("run.sh", b""))),
    "symlink": ("symlink", lambda: zipped(("link.json", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777)),
    "duplicate": ("duplicate", lambda: _twice()),
    "declared bomb": ("too_large", lambda: lying(0xFFFFFFF0)),
    "actual bomb": ("compressed", lambda: zipped(("z.json", bytes(50_000_000)), how=zipfile.ZIP_DEFLATED)),
    "too many": ("too_many", lambda: zipped(*((f"{word}.json", b"{}") for word in "abcdefgh"))),
    "too large": ("too_large", lambda: zipped(("z.json", bytes(limits.BUNDLE_BYTES)))),
    "shorter than it says": ("not_a_bundle", lambda: lying(4)),
    "before": ("not_canonical", lambda: b"#!/bin/sh\n" + GOOD),
    "behind": ("not_canonical", lambda: GOOD + b"x"),
    "comment": ("not_canonical", lambda: _commented()),
    "undeclared": ("undeclared", lambda: _beside()),
    "cut": ("not_a_bundle", lambda: GOOD[:-30]),
    "empty": ("not_a_bundle", lambda: b""),
    "no manifest": ("no_manifest", lambda: _only_slices()),
    "infinite": ("malformed", lambda: _raw_nac(b"Infinity")),
    "not a number": ("malformed", lambda: _raw_nac(b"NaN")),
    "too sure": ("malformed", lambda: nac(confidence=1.5)),
    "negative": ("malformed", lambda: nac(count=-1)),
    "a bool for a count": ("malformed", lambda: nac(count=True)),
    "a float for a count": ("malformed", lambda: nac(count=1.5)),
    "another valence": ("malformed", lambda: nac(valence=0)),
    "a link to nowhere": ("malformed", lambda: nac(cause="c-" + "0" * 24)),
    "an unknown outcome": ("malformed", lambda: nac(effect="obeyed")),
    "free text": ("malformed", lambda: nac(note="met Dave")),
    "another vector": ("malformed", lambda: ec(vector=base64.b64encode(bytes([1]) * 1024).decode())),
    "a short vector": ("malformed", lambda: ec(vector="AAAA")),
    "no base64": ("malformed", lambda: ec(vector="*")),
    "one member": ("malformed", lambda: ec(members=1)),
    "weights": ("malformed", lambda: changed(PLAIN, "admission.json", weights={"focus": 99})),
    "a drift of nothing": ("malformed", lambda: changed(PLAIN, "admission.json", drifts={"total": {}})),
}


def _twice() -> bytes:
    raw = zipped(("zz.json", b"{}"))
    return raw.replace(b"zz.json", b"ec.json")


def _commented() -> bytes:
    out = BytesIO(GOOD)
    with zipfile.ZipFile(out, "a") as file:
        file.comment = b"hello"
    return out.getvalue()


def _beside() -> bytes:
    from covey.substrate.container import written

    return written({**members_of(PLAIN), "more.json": b"{}"})


def _only_slices() -> bytes:
    from covey.substrate.container import written

    return written({name: body for name, body in members_of(PLAIN).items() if name != "manifest.json"})


def _raw_nac(number: bytes) -> bytes:
    import hashlib

    from covey.substrate.container import written
    from covey.substrate.strict_json import dumped

    members = members_of(PLAIN)
    body = members["nac.json"].replace(b'"predicted":1.0', b'"predicted":' + number)
    assert body != members["nac.json"]
    manifest = json.loads(members["manifest.json"])
    manifest["contents"]["nac"] = {
        "bytes": len(body),
        "file": "nac.json",
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return written({**members, "nac.json": body, "manifest.json": dumped(manifest)})


@pytest.mark.parametrize("name", CORPUS)
def test_m39_hostile_bundles_are_refused_with_nothing_written(name: str, tmp_path: Path) -> None:
    code, make = CORPUS[name]
    raw = make()
    file = tmp_path / "hostile.zip"
    file.write_bytes(raw)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(BundleError) as caught:
        files.extract(file, tmp_path / "out", console=None)  # type: ignore[arg-type] # never reached
    assert caught.value.code == code, caught.value.message
    assert sorted(tmp_path.iterdir()) == before
    assert not os.path.lexists("/etc/cron.d/x.json")


def test_m39_the_bundles_that_the_corpus_is_made_of_are_good() -> None:
    assert read(GOOD).substrate == read(PLAIN).substrate
    assert read(nac()).substrate == read(PLAIN).substrate


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_m39_any_bytes_are_a_bundle_or_a_refusal(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([GOOD, PLAIN])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    try:
        found = read(bytes(raw))
    except BundleError as error:
        assert error.code
    else:
        assert found.signer is None or bytes(raw) == GOOD, "nothing signed was changed"
