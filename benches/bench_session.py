"""A proved session: the handshake, sealing records, and opening them up to parsed, unverified handles."""

import json
from itertools import count

from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_decrypt as unseal,
)
from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_encrypt as seal,
)

from benches import reference, samples
from covey import core
from covey._core import Records, Session

BATCH = 256
RECORDS = [core.sign(samples.draft(number), samples.IDENTITY) for number in range(BATCH)]
KEY = bytes(range(32))
SESSION_ID = "00112233445566778899aabbccddeeff"


def shaken_hands() -> tuple[Session, Session]:
    """Run both sides of a handshake to its end, without a socket."""
    client = Session.client(samples.IDENTITY, room=samples.ROOM, entropy=bytes(range(64)))
    server = Session.server(samples.OTHER, room=samples.ROOM, entropy=bytes(range(64, 128)))
    while client.state != "open" or server.state != "open":
        server.receive(client.take_output())
        client.receive(server.take_output())
    for one, other in ((client, server), (server, client)):  # what a session sends first (update 1)
        one.send_anchors([])
        other.receive(one.take_output())
    return client, server


def opened(server: Session, sealed: bytes) -> int:
    """Receive bytes and return how many records came out of them."""
    return sum(len(event.batch) for event in server.receive(sealed) if isinstance(event, Records))


def envelope(number: int, record: dict[str, object]) -> bytes:
    """Seal one record as a frame in pure Python, with PyNaCl's AEAD (§18.2.1)."""
    meta = record["metadata"]
    assert isinstance(meta, dict)
    bound = ("2.0", SESSION_ID, "client-to-server", number, meta["key"], meta["assertionId"])
    placed = (meta["createdByNodeId"], meta["room"], meta["to"] or "")
    data = b"mmp-aead-aad-v2\n" + b"".join(reference.lp(item) for item in (*bound, *placed))
    body = json.dumps({"categories": record["categories"]}, separators=(",", ":")).encode()
    frame = {
        "type": "cmb-encrypted",
        "protocolVersion": "2.0",
        "suite": "x25519-hkdf-sha256-chacha20poly1305",
        "sessionId": SESSION_ID,
        "sequence": str(number),
        "direction": "client-to-server",
        "metadata": meta,
        "sealed": reference.base64url_text(seal(body, data, number.to_bytes(12, "big"), KEY)),
    }
    wire = json.dumps(frame, separators=(",", ":")).encode()
    return len(wire).to_bytes(4, "big") + wire


def read(wire: bytes) -> dict[str, object]:
    """Open one frame in pure Python; addresses and signatures are for later, as in a session."""
    frame = json.loads(wire[4:])
    meta, number = frame["metadata"], int(frame["sequence"])
    bound = ("2.0", frame["sessionId"], frame["direction"], number, meta["key"], meta["assertionId"])
    placed = (meta["createdByNodeId"], meta["room"], meta["to"] or "")
    data = b"mmp-aead-aad-v2\n" + b"".join(reference.lp(item) for item in (*bound, *placed))
    body = unseal(reference.base64url(frame["sealed"]), data, number.to_bytes(12, "big"), KEY)
    return {**json.loads(body), "metadata": meta}


def test_handshake_core(measure):
    client, server = shaken_hands()
    assert client.peer is not None
    assert client.peer.node_id == samples.OTHER_NODE_ID
    assert server.state == "open"
    measure("handshake, both sides", "covey", shaken_hands)


def test_seal_core(measure):
    client, _ = shaken_hands()

    def work():
        client.send_records(RECORDS)
        return client.take_output()

    assert len(work()) > BATCH * 500
    measure("seal: record to framed bytes", "covey", work, records=BATCH)


def test_seal_sodium(measure):
    numbers = count()
    records = [json.loads(record.to_json()) for record in RECORDS]
    measure(
        "seal: record to framed bytes",
        "pure Python + PyNaCl",
        lambda: [envelope(next(numbers), record) for record in records],
        records=BATCH,
    )


def test_open_core(measure):
    client, server = shaken_hands()

    def prepare():
        client.send_records(RECORDS)
        return client.take_output()

    assert opened(server, prepare()) == BATCH
    measure(
        "open: framed bytes to parsed record",
        "covey",
        lambda sealed: opened(server, sealed),
        records=BATCH,
        prepare=prepare,
    )


def test_open_sodium(measure):
    records = [json.loads(record.to_json()) for record in RECORDS]
    frames = [envelope(number, record) for number, record in enumerate(records)]
    assert read(frames[0]) == records[0]
    measure(
        "open: framed bytes to parsed record",
        "pure Python + PyNaCl",
        lambda: [read(frame) for frame in frames],
        records=BATCH,
    )
