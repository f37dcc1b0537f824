"""The same work without the native core: the standard library, with curves and AEAD from PyNaCl.

Each function gives exactly what the core gives (the benches assert it before they measure), so that a ratio
compares equal work. Sections are those of the Mesh Memory Protocol 2.0.
"""

import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from nacl.signing import SigningKey, VerifyKey

from covey.model import CAT7


def lp(item: str | bytes | int) -> bytes:
    """Return one length-prefixed item (§8.2.1)."""
    body = item if isinstance(item, bytes) else str(item).encode()
    return b"%d:%b" % (len(body), body)


def sha256(*parts: bytes) -> bytes:
    """Hash the parts as one text."""
    return hashlib.sha256(b"".join(parts)).digest()


def category_key(name: str, text: str) -> bytes:
    """Return the address of one category's text (§8.2.1)."""
    return sha256(b"mmp-cmb-v1\n", lp(name), lp(unicodedata.normalize("NFC", text)))


def content_key(categories: Mapping[str, str]) -> str:
    """Return a block's address: the Merkle root of its categories, an odd node promoted (§8.8.2)."""
    level = [sha256(b"\x00", category_key(name, categories[name])) for name in CAT7]
    while len(level) > 1:
        pairs = [sha256(b"\x01", *level[at : at + 2]) for at in range(0, len(level) - 1, 2)]
        level = pairs + (level[-1:] if len(level) % 2 else [])
    return "cmb-" + level[0].hex()


def payload(key: str, node_id: str, author: str, created_ms: int, room: str, parents: Sequence[str]) -> bytes:
    """Return what a signature signs, for a broadcast block without application data (§8.8.4)."""
    no_parents = b"".join(lp(name) + lp(0) for name in CAT7)
    head: Iterable[str | int] = ("2.0", "mmp-cmb-merkle-v2", key, node_id, author, created_ms, room, "")
    tail = [len(parents), *sorted(parents)]
    commitments = [sha256(b"mmp-fp-v1\n", no_parents).hex(), sha256(b"mmp-app-v1\n", lp("0")).hex()]
    return b"mmp-sig-v2.0\n" + b"".join(lp(item) for item in [*head, *tail, *commitments])


def sign(
    categories: Mapping[str, str], node_id: str, author: str, created_ms: int, room: str, key: SigningKey
) -> bytes:
    """Address a block and sign it; return the signature."""
    return key.sign(payload(content_key(categories), node_id, author, created_ms, room, ())).signature


def verify(wire: bytes, key: VerifyKey) -> str:
    """Read a record's JSON, check its addresses and its signature; return its assertion id (§8.8.5)."""
    record = json.loads(wire)
    meta = record["metadata"]
    texts = {name: record["categories"][name]["text"] for name in CAT7}
    for name in CAT7:
        if record["categories"][name]["meta"]["key"] != category_key(name, texts[name]).hex():
            raise ValueError(name)
    if meta["key"] != content_key(texts):
        raise ValueError("key")
    parents = (meta["lineage"] or {"parents": []})["parents"]
    signed = payload(
        meta["key"],
        meta["createdByNodeId"],
        meta["createdBy"],
        meta["createdTimestamp"],
        meta["room"],
        parents,
    )
    assertion_id = "asrt-" + sha256(signed).hex()
    if meta["assertionId"] != assertion_id:
        raise ValueError("assertionId")
    key.verify(signed, base64url(meta["sig"]))
    return assertion_id


def base64url(text: str) -> bytes:
    """Decode unpadded base64url."""

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def base64url_text(data: bytes) -> str:
    """Encode as unpadded base64url."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
