"""Whole sessions against the published data: every byte of the handshake, sealed frames of others opened."""

import base64
import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from covey import _core
from covey.proto.mood import frame_of

Read = Callable[[str], Any]
Json = dict[str, Any]

HANDSHAKE = "v2/published/conformance/v2/handshake-v2.json"
E2E = "v2/published/conformance/v2/e2e-v2.json"
CONTROL = "v2/update1/control-encrypted-v2.json"


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def framed(frame: Json) -> bytes:
    body = json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode()
    return len(body).to_bytes(4, "big") + body


def identity(fixture: Json, side: str) -> _core.Identity:
    offer = fixture["handshake"][side]
    return _core.Identity(
        offer["nodeId"], offer["name"], unpadded(fixture[f"{side}IdentityPrivateSeedBase64url"])
    )


def session(fixture: Json, side: str) -> _core.Session:
    offer = fixture["handshake"][side]
    start = _core.Session.client if side == "client" else _core.Session.server
    return start(
        identity(fixture, side),
        room=fixture["handshake"]["room"],
        extensions=offer["extensions"],
        implementation=(offer["implementation"]["name"], offer["implementation"]["version"]),
        entropy=unpadded(fixture[f"{side}E2EPrivateKeyBase64url"]) + unpadded(offer["nonce"]),
    )


def opened(fixture: Json) -> tuple[_core.Session, _core.Session]:
    client, server = session(fixture, "client"), session(fixture, "server")
    server.receive(client.take_output())
    client.receive(server.take_output())
    server.receive(client.take_output())
    assert (client.state, server.state) == ("open", "open")
    return client, server


def record_frame(e2e: Json, case: Json) -> Json:
    return {
        "type": "cmb-encrypted",
        "protocolVersion": "2.0",
        "suite": e2e["suite"],
        "sessionId": e2e["sessionId"],
        "sequence": case["sequence"],
        "direction": case["direction"],
        "metadata": e2e["metadata"],
        "sealed": case["sealedBase64url"],
    }


def frames_of(vectors: Read, direction: str) -> list[Json]:
    """Every published frame of one direction, in its sequence."""
    e2e, control = vectors(E2E), vectors(CONTROL)
    records = [record_frame(e2e, case) for case in e2e["cases"] if case["direction"] == direction]
    sealed = [case["frame"] for case in control["cases"] if case["direction"] == direction]
    return records + sealed


@pytest.mark.parametrize("name", [HANDSHAKE, "v2/earlier/handshake-v2.json"])
def test_the_handshake_byte_for_byte(vectors: Read, name: str) -> None:
    data = vectors(name)
    fixture, frames = data["fixture"], data["fixture"]["frames"]
    client, server = session(fixture, "client"), session(fixture, "server")
    hello = client.take_output()
    assert hello == framed(frames["clientHello"])
    assert server.receive(hello) == []
    answer = server.take_output()
    assert answer == framed(frames["serverHello"])
    (greeted,) = client.receive(answer)
    finish = client.take_output()
    assert finish == framed(frames["clientFinish"])
    (accepted,) = server.receive(finish)
    for event, side in ((greeted, "server"), (accepted, "client")):
        assert isinstance(event, _core.Authenticated)
        assert event.peer.session_id == data["expected"]["sessionId"]
        assert event.peer.extensions == tuple(fixture["handshake"]["selectedExtensions"])
        assert event.peer.public_key == unpadded(fixture["handshake"][side]["identityPublicKey"])


@pytest.mark.parametrize("direction", ["client-to-server", "server-to-client"])
def test_published_frames_open_in_their_order(vectors: Read, direction: str) -> None:
    client, server = opened(vectors(HANDSHAKE)["fixture"])
    receiver = server if direction == "client-to-server" else client
    heard: list[str] = []
    for frame in frames_of(vectors, direction):
        (event,) = receiver.receive(framed(frame))
        if isinstance(event, _core.Records):
            heard.append(f"{len(event.batch)} record")
        else:
            assert isinstance(event, _core.Control)
            heard.append(json.loads(event.frame)["type"])
    expected = {
        "client-to-server": ["1 record", "1 record", "cmb-fetch", "ping"],
        "server-to-client": ["1 record", "mood", "cmb-fetch-result"],
    }
    assert heard == expected[direction]


def test_a_mood_is_said_in_the_published_bytes(vectors: Read) -> None:
    (case,) = [each for each in vectors(CONTROL)["cases"] if each["inner"]["type"] == "mood"]
    said = case["inner"]
    assert frame_of(said["mood"], said["context"], said["timestamp"]) == case["plaintextUtf8"].encode()


def test_a_forbidden_inner_frame_opens_and_is_refused(vectors: Read) -> None:
    client, _ = opened(vectors(HANDSHAKE)["fixture"])
    for frame in frames_of(vectors, "server-to-client"):
        client.receive(framed(frame))
    refused = vectors(CONTROL)["innerRefused"]
    (event,) = client.receive(framed(refused["frame"]))
    assert isinstance(event, _core.Refused)
    assert event.reason == "forbidden_inner"
    assert client.state == "open" and refused["expected"]["sessionOpen"]
    # Its place in the sequence is used: the same frame again is a replay.
    (again,) = client.receive(framed(refused["frame"]))
    assert isinstance(again, _core.Refused)
    assert again.reason == "replay"


def bent(frame: Json) -> Iterator[tuple[str, Json]]:
    """Every published frame with one member wrong, and the reason that refuses it."""
    changes = [
        ("direction", "server-to-client" if frame["direction"] == "client-to-server" else "client-to-server"),
        ("sessionId", "0" * 32),
        ("suite", "none"),
        ("protocolVersion", "2.1"),
        ("sequence", "0" + frame["sequence"]),
        ("sequence", int(frame["sequence"])),
        ("sequence", "9" * 30),
        ("sealed", frame["sealed"] + "="),
        ("sealed", frame["sealed"][:-4]),
        ("sealed", frame["sealed"][:20]),
        ("sealed", frame["sealed"][::-1]),
        ("note", "one more"),
    ]
    for member, value in changes:
        yield f"{member}={value!s:.12}", {**frame, member: value}
    for member in frame:
        yield f"no {member}", {name: value for name, value in frame.items() if name != member}
    for member in ("key", "assertionId", "createdByNodeId", "room", "to"):
        if "metadata" in frame:
            changed = copy.deepcopy(frame)
            changed["metadata"][member] = None if member == "to" else frame["metadata"][member][:-1] + "0"
            yield f"metadata.{member}", changed


@pytest.mark.parametrize("direction", ["client-to-server", "server-to-client"])
def test_no_bent_frame_opens_or_moves_anything(vectors: Read, direction: str) -> None:
    client, server = opened(vectors(HANDSHAKE)["fixture"])
    receiver = server if direction == "client-to-server" else client
    for frame in frames_of(vectors, direction):
        for what, changed in bent(frame):
            (event,) = receiver.receive(framed(changed))
            assert isinstance(event, _core.Refused), what
            assert receiver.state == "open", what
        (event,) = receiver.receive(framed(frame))
        assert isinstance(event, _core.Records | _core.Control), frame["type"]


def test_a_published_frame_out_of_its_place_ends_the_session(vectors: Read) -> None:
    _, server = opened(vectors(HANDSHAKE)["fixture"])
    (event,) = server.receive(framed(frames_of(vectors, "client-to-server")[2]))
    assert isinstance(event, _core.Closed)
    assert (event.reason, event.code, server.state) == ("gap", 1010, "closed")
