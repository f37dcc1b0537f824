"""The compact profile written a second time, from docs/protocol.md alone: bytes are those of the vectors.

MessagePack is the library's and the cipher libsodium's, so nothing of the core can make the page true.
"""

import base64
import json

import msgpack
import pytest
from nacl.bindings import crypto_aead_chacha20poly1305_ietf_encrypt as seal

from covey.model import CAT7
from tests.tidy import tree

VECTORS = tree.ROOT / "rust/core/tests/vectors"
VERSIONS = ((1, "compact.json", b"\xc1"), (2, "compact-2.json", b"\xc0"))


def lp(item):
    body = item if isinstance(item, bytes) else str(item).encode()
    return b"%d:%b" % (len(body), body)


def raw(spelled):
    return bytes.fromhex(spelled.partition("-")[2] if spelled[:4] in ("cmb-", "asrt") else spelled)


def node(spelled):
    return None if spelled is None else bytes.fromhex(spelled.replace("-", ""))


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def packed(record, version):
    """Return a record as the page's table has it: eleven values, or in version 2 the last nine of them."""
    meta, said = record["metadata"], record["categories"]
    application = meta["application"]
    if application is not None:
        application = [application["mediaType"], application["schema"], unpadded(application["data"])]
    categories = []
    for name in CAT7:
        about = said[name]["meta"]
        digests = [raw(about["key"])] if version == 1 else []
        categories += [said[name]["text"], *digests, sorted(about["parents"])]
    parents = sorted(raw(parent) for parent in (meta["lineage"] or {"parents": []})["parents"])
    author = [node(meta["createdByNodeId"]), meta["createdBy"], meta["createdTimestamp"]]
    rest = [meta["room"], node(meta["to"]), parents, unpadded(meta["sig"]), application, categories]
    digests = [raw(meta["key"]), raw(meta["assertionId"])] if version == 1 else []
    return [*digests, *author, *rest]


@pytest.mark.parametrize(("version", "file", "first"), VERSIONS)
def test_the_page_is_enough_to_write_the_vectors_byte_for_byte(version, file, first):
    vector = json.loads((VECTORS / file).read_text())
    assert vector["records"], "a vector without records proves nothing"
    batch = msgpack.packb([packed(record, version) for record in vector["records"]])
    assert batch.hex() == vector["batchHex"]
    head = f"x-covey-compact-v{version}\n".encode() + lp("2.0")
    place = lp(vector["sessionId"]) + lp(vector["direction"]) + lp(vector["sequence"])
    nonce = int(vector["sequence"]).to_bytes(12, "big")
    sealed = seal(batch, head + place, nonce, bytes.fromhex(vector["keyHex"]))
    assert (first + nonce + sealed).hex() == vector["frameHex"]
