"""The relay's centre, driven without a socket: what each client is told, and with which code it goes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.proto.relay import frames
from covey.proto.relay import server as relay

ALICE = "018f47a0-7b21-7abc-8def-111111111111"
BOB = "018f47a0-7b21-7abc-8def-222222222222"
CAROL = "018f47a0-7b21-7abc-8def-333333333333"
FRAME = b'{"type":"cmb-encrypted","n":1.50e1,"x":"\\ud800","deep":[[[]]]}'


class Room:
    """A relay with its clock, its clients by number, and everything it said to each."""

    def __init__(self, access: relay.Access | None = None) -> None:
        self.engine = relay.RelayServer(access or relay.Access(open=True))
        self.now = 100.0
        self.said: dict[int, list[dict[str, Any]]] = {}
        self.raw: dict[int, list[bytes]] = {}
        self.dropped: dict[int, int] = {}
        self.held: dict[int, float] = {}
        self.unread: set[int] = set()

    def do(self, event: relay.Event) -> None:
        for effect in self.engine.handle(event, self.now):
            if isinstance(effect, relay.Say):
                self.raw.setdefault(effect.conn, []).append(effect.message)
                self.said.setdefault(effect.conn, []).append(json.loads(effect.message))
                if effect.conn not in self.unread:
                    self.do(relay.Written(effect.conn, len(effect.message)))
            elif isinstance(effect, relay.Drop):
                self.dropped[effect.conn] = effect.code
            elif isinstance(effect, relay.Hold):
                self.held[effect.conn] = effect.seconds

    def open(self, conn: int) -> None:
        self.do(relay.Opened(conn, f"10.0.0.{conn}:1"))

    def hear(self, conn: int, message: Any) -> None:
        raw = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.do(relay.Heard(conn, raw))

    def join(self, conn: int, node_id: str, name: str, **more: Any) -> None:
        self.open(conn)
        self.hear(conn, {"type": "relay-auth", "nodeId": node_id, "name": name, **more})

    def send(self, conn: int, to: str | None, payload: bytes = FRAME) -> None:
        prefix = b"{" if to is None else b'{"to":"' + to.encode() + b'",'
        self.hear(conn, prefix + b'"payload":' + payload + b"}")

    def later(self, seconds: float) -> None:
        """Let time pass, one deadline after the other."""
        end = self.now + seconds
        while (at := self.engine.next_timer()) is not None and at <= end:
            self.now = max(self.now, at)
            self.do(relay.Tick())
        self.now = end

    def last(self, conn: int) -> dict[str, Any]:
        return self.said[conn][-1]

    def types(self, conn: int) -> list[str]:
        return [said.get("type", "forwarded") for said in self.said.get(conn, [])]


def two() -> Room:
    room = Room()
    room.join(1, ALICE, "alice")
    room.join(2, BOB, "bob")
    return room


def test_presence_is_told_both_ways():
    room = two()
    assert room.said[1] == [
        {"type": "relay-peers", "peers": []},
        {"type": "relay-peer-joined", "nodeId": BOB, "name": "bob"},
    ]
    assert room.said[2] == [{"type": "relay-peers", "peers": [{"nodeId": ALICE, "name": "alice"}]}]
    room.do(relay.Gone(2))
    assert room.last(1) == {"type": "relay-peer-left", "nodeId": BOB, "name": "bob"}


def test_a14_a_payload_is_forwarded_byte_for_byte_and_only_its_sender_is_added():
    room = two()
    room.send(1, BOB)
    assert (
        room.raw[2][-1] == b'{"from":"' + ALICE.encode() + b'","fromName":"alice","payload":' + FRAME + b"}"
    )
    assert room.types(1) == ["relay-peers", "relay-peer-joined"]


def test_a_broadcast_reaches_everybody_else():
    room = two()
    room.join(3, CAROL, "carol")
    room.send(1, None)
    assert room.types(1)[-1] == "relay-peer-joined"
    assert (room.types(2)[-1], room.types(3)[-1]) == ("forwarded", "forwarded")


def test_a_frame_for_nobody_is_answered():
    room = two()
    room.send(1, CAROL)
    said = room.last(1)
    assert (said["type"], said["kind"], said["reason"]) == ("relay-error", "absent", CAROL)
    room.send(1, "carol")
    assert room.last(1)["kind"] == "malformed"
    assert room.dropped == {}


@pytest.mark.parametrize(
    "first",
    [
        b"null",
        b"[]",
        b"7",
        b"",
        b"\xff",
        b'{"type":"relay-auth"}',
        b'{"type":"relay-ping"}',
        b'{"payload":{}}',
        b'{"type":"relay-auth","nodeId":null,"name":"x"}',
        b'{"type":"relay-auth","nodeId":"' + ALICE.encode() + b'","name":""}',
        b'{"type":"relay-auth","nodeId":"' + ALICE.encode() + b'","name":"x","extra":1}',
        b'{"type":"relay-auth","nodeId":"' + ALICE.encode() + b'","name":"x","name":"y"}',
        b'{"type":"relay-auth","nodeId":"' + ALICE.encode() + b'","name":"\\ud800"}',
        b'{"type":"relay-auth","nodeId":"' + ALICE.upper().encode() + b'","name":"x"}',
        b'{"type":"relay-auth","wakeChannel":' + b"[" * 9_000 + b"]" * 9_000 + b"}",
    ],
)
def test_a_first_message_that_is_no_auth_closes_4002(first):
    room = Room()
    room.open(1)
    room.do(relay.Heard(1, first))
    assert room.dropped == {1: frames.AUTH_INVALID}
    assert room.last(1)["type"] == "relay-error"


def test_a_binary_message_is_malformed():
    room = two()
    room.do(relay.Heard(1, None))
    assert room.last(1)["kind"] == "malformed"
    room.open(3)
    room.do(relay.Heard(3, None))
    assert room.dropped == {3: frames.AUTH_INVALID}


def test_silence_before_auth_closes_4001():
    room = Room()
    room.open(1)
    room.later(limits.RELAY_AUTH_SECONDS + 0.1)
    assert room.dropped == {1: frames.AUTH_TIMEOUT}


def test_tokens_open_their_channel_and_no_other():
    access = relay.Access({relay.digest("t-one"): "one", relay.digest("t-two"): "two"})
    room = Room(access)
    room.join(1, ALICE, "alice", token="t-one")
    room.join(2, BOB, "bob", token="t-two")
    assert room.said[2] == [{"type": "relay-peers", "peers": []}]
    room.send(1, BOB)
    assert room.last(1)["kind"] == "absent"
    room.send(1, None)
    assert room.types(2) == ["relay-peers"]
    for conn, token in ((3, "t-three"), (4, "")):
        room.join(conn, CAROL, "carol", **({"token": token} if token else {}))
        assert room.last(conn)["message"] == "Invalid token"
        assert room.dropped[conn] == frames.BAD_TOKEN
    room.join(5, ALICE, "elsewhere", token="t-two")
    assert 1 not in room.dropped  # another channel's tokens move nobody here


def test_two_missed_pings_close_4005_and_a_pong_keeps():
    room = two()
    room.later(limits.RELAY_PING_SECONDS * 2 + 1)
    assert room.types(1).count("relay-ping") == 2
    room.hear(1, {"type": "relay-pong"})
    room.later(limits.RELAY_PING_SECONDS)
    assert room.dropped == {2: frames.HEARTBEAT_TIMEOUT}
    assert "relay-peer-left" in room.types(1)


def test_a_fresh_holder_keeps_its_name_and_a_stale_one_is_replaced():
    room = two()
    room.now += limits.RELAY_FRESH_SECONDS - 0.1
    room.join(3, BOB, "bob again")
    assert room.dropped == {3: frames.DUPLICATE}
    room.now += 0.2
    room.join(4, BOB, "bob again")
    assert room.dropped[2] == frames.REPLACED
    room.do(relay.Gone(2))
    assert "relay-peer-left" not in room.types(1)
    assert room.last(1) == {"type": "relay-peer-joined", "nodeId": BOB, "name": "bob again"}
    room.send(1, BOB)
    assert room.types(4)[-1] == "forwarded"


def test_auth_again_is_answered_with_the_peers():
    room = two()
    room.hear(1, {"type": "relay-auth", "nodeId": ALICE, "name": "alice"})
    assert room.last(1) == {"type": "relay-peers", "peers": [{"nodeId": BOB, "name": "bob"}]}
    room.hear(1, {"type": "relay-auth", "nodeId": CAROL, "name": "alice"})
    assert room.dropped == {1: frames.AUTH_INVALID}


def test_a_wake_channel_outlives_its_peer():
    wake = {"platform": "apns", "token": "push", "environment": "production"}
    room = Room()
    room.join(1, ALICE, "alice", wakeChannel=wake)
    room.do(relay.Gone(1))
    room.join(2, BOB, "bob")
    there = {"nodeId": ALICE, "name": "alice", "wakeChannel": wake, "offline": True}
    assert room.said[2] == [{"type": "relay-peers", "peers": [there]}]
    room.join(3, ALICE, "alice")
    assert room.types(2)[-1] == "relay-peer-joined"
    room.do(relay.Gone(3))
    room.join(4, CAROL, "carol")
    assert room.said[4][0]["peers"] == [{"nodeId": BOB, "name": "bob"}]


def test_a_slow_client_is_seen_and_its_senders_are_told():
    room = two()
    room.unread.add(2)
    big = b'{"a":"' + b"x" * 900_000 + b'"}'
    for _ in range(6):
        room.send(1, BOB, big)
    assert room.engine.gauges()["slow_peers"] == 1
    assert room.last(1)["kind"] == "slow"
    assert room.engine.gauges()["queued_bytes"] <= limits.RELAY_QUEUE_BYTES
    for message in room.raw[2][1:]:
        room.do(relay.Written(2, len(message)))
    assert room.engine.gauges()["slow_peers"] == 0
    room.send(1, BOB)
    assert room.types(2)[-1] == "forwarded"
    room.do(relay.Gone(2))
    assert room.engine.gauges()["queued_bytes"] == 0


def test_what_waits_for_everybody_has_a_bound():
    room = Room()
    room.join(1, ALICE, "alice")
    ids = [f"018f47a0-7b21-7abc-8def-{index:012d}" for index in range(40)]
    for index, node_id in enumerate(ids):
        room.unread.add(10 + index)
        room.join(10 + index, node_id, "idle")
    big = b'{"a":"' + b"x" * 1_000_000 + b'"}'
    for node_id in ids * 3:
        room.send(1, node_id, big)
    assert room.engine.gauges()["queued_bytes"] < limits.RELAY_QUEUED_BYTES + 1_000_000
    assert room.last(1)["kind"] == "busy"


def test_of_a_channel_that_speaks_at_once_each_copy_arrives_or_its_sender_is_told():
    room = Room()
    ids = [f"018f47a0-7b21-7abc-8def-{index:012d}" for index in range(30)]
    for conn, node_id in enumerate(ids):
        room.unread.add(conn)
        room.join(conn, node_id, "all")
    big = b'{"a":"' + b"x" * 200_000 + b'"}'
    for _ in range(15):
        for conn in range(len(ids)):
            room.send(conn, None, big)
    arrived = sum(room.types(conn).count("forwarded") for conn in range(len(ids)))
    told = [said for conn in range(len(ids)) for said in room.said[conn] if said.get("type") == "relay-error"]
    assert {said["kind"] for said in told} == {"busy"}
    assert arrived + len(told) == 15 * len(ids) * (len(ids) - 1)


def test_a_flood_is_held_not_dropped():
    room = two()
    for _ in range(limits.RELAY_FRAMES_BURST + 50):
        room.send(1, BOB)
    assert room.held[1] > 0.0
    assert 2 not in room.held
    assert room.types(2).count("forwarded") == limits.RELAY_FRAMES_BURST + 50


def test_a_full_relay_turns_strangers_away():
    room = Room()
    for conn in range(limits.RELAY_STRANGERS + 1):
        room.open(conn)
    assert room.dropped == {limits.RELAY_STRANGERS: frames.OVERLOADED}
    for conn in range(limits.RELAY_STRANGERS + 1):
        room.do(relay.Gone(conn))
    assert room.engine.gauges()["strangers"] == room.engine.gauges()["connections"] == 0


MEMBERS = ["type", "to", "payload", "nodeId", "name", "token", "from", "x"]
MESSAGES = st.one_of(
    st.binary(max_size=80),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "to", "payload", "nodeId", "name", "token", "from", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [
            b'{"type":"relay-auth","nodeId":"' + CAROL.encode() + b'","name":"carol"}',
            b'{"type":"relay-pong"}',
            b'{"to":"' + BOB.encode() + b'","payload":{}}',
            b'{"payload":{"a":null}}',
            b"null",
        ]
    ),
)


@given(st.lists(st.tuples(st.sampled_from(["hear", "gone", "open", "wait"]), st.integers(1, 5), MESSAGES)))
def test_any_bytes_leave_the_relay_standing_and_its_books_right(steps):
    room = two()
    for what, conn, message in steps:
        if what == "hear":
            room.do(relay.Heard(conn, message))
        elif what == "gone":
            room.do(relay.Gone(conn))
        elif what == "open" and conn > 2:
            room.do(relay.Gone(conn))
            room.open(conn)
        elif what == "wait":
            room.later(3.0)
    for said in (frame for heard in room.said.values() for frame in heard):
        assert isinstance(said, dict)
    for conn in range(1, 6):
        room.do(relay.Gone(conn))
    gauges = room.engine.gauges()
    assert {name: gauges[name] for name in ("connections", "strangers", "slow_peers", "queued_bytes")} == {
        "connections": 0,
        "strangers": 0,
        "slow_peers": 0,
        "queued_bytes": 0,
    }
    assert room.engine.next_timer() is None
