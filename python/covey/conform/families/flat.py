"""The frames of MMP 1.1 under their published schemas, read as the legacy profile reads them.

Those schemas are open: a member that a reader does not use says nothing to it. What it does use must be of
its kind, and a record must have the address of its texts, so that only the frame itself can be taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from covey.conform.folder import Artifact, Collection
from covey.conform.reference import CATEGORIES, lp, minified
from covey.conform.subject import Subject

Json = dict[str, Any]
_NODE: Final = "018f47a0-7b21-7abc-8def-111111111111"
_KEY: Final = "IVL40Zt5HSRFMkLhXy6rbLfP-ntqXtMAl5YOBpiB2xI"  # of the published test key
_AT_MS: Final = 1_751_000_000_000


def is_flat(artifact: Artifact, collection: Collection) -> bool:
    """Tell whether a schema is of MMP 1.1: the records beside it have `fields`, not `categories`."""
    record = collection.schemas_beside(artifact).get("cmb.schema.json", {}).get("properties", {})
    return "fields" in record and artifact.name in _FRAMES


def reader(name: str, subject: Subject) -> tuple[Any, Callable[[Any], bool | None]]:
    """Return a valid value of a schema, and what tells whether the implementation takes another."""
    base, whole = _FRAMES[name]

    def taken(value: Any) -> bool | None:
        answer = subject.ask("read_legacy_frame", json=minified(whole(value)), room="default")
        return None if answer.unsupported else answer.ok

    return base, taken


def flat_key(texts: dict[str, str]) -> str:
    """Return the address of a root in 1.1 (§8.2.1 there)."""
    said = [*(texts[name] for name in CATEGORIES), "root"]
    return "cmb1-" + hashlib.sha256(b"mmp-cmb-v1\n" + b"".join(map(lp, said))).hexdigest()


def _record() -> Json:
    texts = {name: f"about {name}" for name in CATEGORIES}
    return {
        "key": flat_key(texts),
        "createdBy": "vector-author",
        "createdAt": _AT_MS,
        "fields": {name: {"text": text} for name, text in texts.items()},
    }


_HELLO: Final[Json] = {
    "type": "handshake",
    "nodeId": _NODE,
    "name": "vector-peer",
    "version": "0.2.3",
    "publicKey": _KEY,
}
_CMB: Final = _record()
_FETCH: Final[Json] = {"type": "cmb-fetch", "reqId": "cf-1", "key": _CMB["key"]}
_RESULT: Final[Json] = {**_FETCH, "type": "cmb-fetch-result", "found": True, "cmb": _CMB}
_FRAMES: Final[dict[str, tuple[Any, Callable[[Any], Any]]]] = {
    "handshake.schema.json": (_HELLO, lambda value: value),
    "cmb.schema.json": (_CMB, lambda value: {"type": "cmb", "cmb": value}),
    "cmb-frame.schema.json": ({"type": "cmb", "cmb": _CMB}, lambda value: value),
    "cmb-fetch.schema.json": (_FETCH, lambda value: value),
    "cmb-fetch-result.schema.json": (_RESULT, lambda value: value),
}
