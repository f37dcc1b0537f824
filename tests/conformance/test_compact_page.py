"""The compact profile written a second time, from its page alone: bytes are the vectors' and the core's.

MessagePack is the library's and the cipher libsodium's, so nothing of the core can make the page true.
"""

import base64
import json

import msgpack
import pytest

from covey import _core as core
from covey.conform.reference import (
    CLIENT_TO_SERVER,
    SERVER_TO_CLIENT,
    Puppet,
    framed,
    lp,
    minified,
    open_sealed,
    seal,
)
from covey.model import CAT7
from tests.tidy import tree

VECTORS = tree.ROOT / "rust/core/tests/vectors"
VERSIONS = ((1, "compact.json", b"\xc1"), (2, "compact-2.json", b"\xc0"))
TOKENS = ["x-covey-compact-v1", "x-covey-compact-v2"]
PEER, OTHER = "018f47a0-7b21-7abc-8def-0123456789ab", "018f47a0-7b21-7abc-8def-fedcba987654"
AUTHOR = "018f47a0-7b21-7abc-8def-111111111111"


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
    sequence = int(vector["sequence"])
    sealed = seal(bytes.fromhex(vector["keyHex"]), sequence, batch, head + place)
    assert (first + sequence.to_bytes(12, "big") + sealed).hex() == vector["frameHex"]


def identity(node_id, number):
    return core.Identity(node_id, f"peer {number}", bytes([number]) * 32)


def signed(number, **more):
    """Return a block of the core's, with all that a record can have where it is asked for."""
    said = {name: f"{name} é {number}" for name in CAT7[: number + 1]}
    draft = core.Draft(
        said,
        node_id=AUTHOR,
        author="the ähm author",
        created_ms=1_760_000_000_000 + number,
        room="den",
        **more,
    )
    return core.sign(draft, identity(AUTHOR, 5))


def blocks(to):
    keys = [f"cmb-{mark * 32}" for mark in ("07", "a9")]
    application = core.Application("application/json", "urn:x:y:1", b'{"n":1}' * 40)
    return [
        signed(0),
        signed(3, to=to),
        signed(6, parents=keys, category_parents={"focus": keys, "mood": keys[:1]}),
        signed(5, to=to, parents=keys[:1], application=application),
    ]


class Met:
    """A session of the core's, and the other end of it as the kit plays it."""

    def __init__(self, tokens):
        self.session = core.Session.server(
            identity(OTHER, 2), room="den", extensions=TOKENS, entropy=bytes(64)
        )
        self.puppet = Puppet(
            node_id=PEER,
            name="peer 1",
            seed=bytes([1]) * 32,
            room="den",
            e2e_secret=bytes([3]) * 32,
            nonce=bytes([4]) * 32,
            extensions=tokens,
        )
        self.session.receive(framed(minified(self.puppet.hello).encode()))
        hello = json.loads(self.session.take_output()[4:])
        self.session.receive(framed(minified(self.puppet.finish(hello)).encode()))
        self.session.send_anchors([])
        self.session.take_output()
        self.made = self.puppet.schedule

    def associated(self, version, direction, sequence):
        head = f"x-covey-compact-v{version}\n".encode()
        return head + b"".join(map(lp, ("2.0", self.made.session_id, direction, sequence)))


@pytest.mark.parametrize("version", [1, 2])
def test_what_the_core_sends_is_what_the_page_says_whatever_a_record_has(version):
    met, records = Met(TOKENS[:version]), blocks(PEER)
    met.session.send_records(records)
    frame = met.session.take_output()[4:]
    assert frame[:1] == (b"\xc1" if version == 1 else b"\xc0")
    sequence = int.from_bytes(frame[1:13], "big")
    aad = met.associated(version, SERVER_TO_CLIENT, sequence)
    batch = open_sealed(met.made.keys[SERVER_TO_CLIENT], sequence, frame[13:], aad)
    written = [packed(json.loads(record.to_json()), version) for record in records]
    assert batch == msgpack.packb(written)


@pytest.mark.parametrize("version", [1, 2])
def test_what_the_page_says_is_read_by_the_core_whatever_a_record_has(version):
    met, records = Met(TOKENS[:version]), blocks(OTHER)
    batch = msgpack.packb([packed(json.loads(record.to_json()), version) for record in records])
    sealed = seal(met.made.keys[CLIENT_TO_SERVER], 0, batch, met.associated(version, CLIENT_TO_SERVER, 0))
    first = b"\xc1" if version == 1 else b"\xc0"
    events = met.session.receive(framed(first + bytes(12) + sealed))
    (heard,) = [event.batch for event in events if isinstance(event, core.Records)]
    intake = core.Intake(OTHER, "den", [1.0] * 7)
    intake.bind(AUTHOR, identity(AUTHOR, 5).public_key)
    judged = intake.evaluate(heard, session_node_id=PEER, now_ms=1_760_000_001_000)
    assert [outcome.record.to_json() for outcome in judged] == [record.to_json() for record in records]
