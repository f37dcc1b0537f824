"""A peer's side of one relay, driven without a socket: what it sends and when, and when it comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.proto.effects import Log
from covey.proto.relay import client as rc
from covey.proto.relay import frames
from tests.unit.proto.test_relay_server import ALICE, BOB, CAROL, MESSAGES

PEERS = {"type": "relay-peers", "peers": [{"nodeId": BOB, "name": "bob"}], "features": ["fan-out"]}


class Driven:
    """One client engine with its clock; everything it wanted, in order."""

    def __init__(self, *, written: bool = True) -> None:
        self.engine = rc.RelayClient(frames.Auth(ALICE, "alice", "t-1"), "relay.example")
        self.now = 50.0
        self.written = written
        self.connects = 0
        self.sent: list[bytes] = []
        self.hangups: list[str] = []
        self.told: list[rc.ForNode] = []
        self.logs: list[str] = []

    def do(self, event: rc.Event) -> None:
        for effect in self.engine.handle(event, self.now):
            if isinstance(effect, rc.Connect):
                self.connects += 1
            elif isinstance(effect, rc.Transmit):
                self.sent.append(effect.message)
                if self.written:
                    self.do(rc.Written(len(effect.message)))
            elif isinstance(effect, rc.Hangup):
                self.hangups.append(effect.reason)
            elif isinstance(effect, Log):
                self.logs.append(effect.event)
            else:
                self.told.append(effect)

    def hear(self, message: Any) -> None:
        self.do(rc.Heard(message if isinstance(message, bytes) else json.dumps(message).encode()))

    def until(self, end: float) -> None:
        while (at := self.engine.next_timer()) is not None and at <= end:
            self.now = max(self.now, at)
            self.do(rc.Tick())
        self.now = end

    def until_connect(self) -> float:
        """Let time pass until it connects; return how long that took."""
        start, connects = self.now, self.connects
        while self.connects == connects:
            at = self.engine.next_timer()
            assert at is not None
            self.until(at)
        return self.now - start

    def down(self, code: int | None = None, jitter: float = 0.0) -> None:
        self.do(rc.Down(code, "closed", jitter))

    def types(self) -> list[str]:
        return [json.loads(message).get("type", "frame") for message in self.sent]


def joined(**more: Any) -> Driven:
    client = Driven(**more)
    client.do(rc.Begin())
    client.do(rc.Up())
    client.hear(PEERS)
    return client


def test_it_says_who_it_is_first_and_learns_who_is_there():
    client = joined()
    auth = {"type": "relay-auth", "nodeId": ALICE, "name": "alice", "token": "t-1"}
    assert json.loads(client.sent[0]) == auth
    assert client.told == [rc.Reachable(True), rc.Presence(BOB, "bob", online=True)]
    assert client.engine.features == ("fan-out",)
    client.hear({"type": "relay-peer-joined", "nodeId": BOB, "name": "bob"})
    assert client.told[-1] == rc.Presence(BOB, "bob", online=True, again=True)
    client.hear({"type": "relay-peer-left", "nodeId": BOB, "name": "bob"})
    assert client.told[-1] == rc.Presence(BOB, "bob", online=False)
    client.hear({"type": "relay-reauth"})
    assert json.loads(client.sent[-1]) == auth


def test_the_list_is_the_truth_about_who_is_there():
    client = joined()
    wake = {"platform": "p", "token": "t", "environment": "e"}
    offline = {"nodeId": BOB, "name": "bob", "offline": True, "wakeChannel": wake}
    client.hear({"type": "relay-peers", "peers": [offline, {"nodeId": CAROL, "name": "carol"}]})
    assert client.told[-2:] == [
        rc.Presence(BOB, "bob", online=False),
        rc.Presence(CAROL, "carol", online=True),
    ]


def test_pings_are_answered_and_silence_ends_the_connection():
    client = joined()
    client.hear(frames.PING)
    assert client.sent[-1] == frames.PONG
    before = len(client.sent)
    client.until(client.now + limits.RELAY_PONG_SECONDS + 1)
    assert client.sent[before:] == [frames.PONG]  # unsolicited
    client.until(client.now + limits.RELAY_SILENCE_SECONDS)
    assert client.hangups == ["the relay is silent"]


def test_a_relay_that_never_lets_us_in_is_given_up():
    client = Driven()
    client.do(rc.Begin())
    client.do(rc.Up())
    client.until(client.now + limits.RELAY_AUTH_SECONDS + 0.1)
    assert client.hangups == ["no relay-peers in time"]


def test_a_lost_relay_is_met_again_ever_less_often():
    client = joined()
    waits = []
    for _ in range(8):
        client.down()
        waits.append(client.until_connect())
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert client.engine.features == ()
    client.do(rc.Up())
    client.hear(PEERS)
    client.now += limits.HEALTHY_SECONDS
    client.down(jitter=0.5)
    assert client.until_connect() == pytest.approx(1.05)


@pytest.mark.parametrize(("code", "later"), [(frames.REPLACED, False), (frames.DUPLICATE, True)])
def test_who_comes_to_a_place_that_is_taken_is_the_later_process(code, later):
    client = Driven()
    client.do(rc.Begin())
    client.do(rc.Up())
    client.down(code)
    assert (rc.Collision() in client.told) is later


@pytest.mark.parametrize("code", [frames.REPLACED, frames.DUPLICATE])
def test_another_holder_of_the_identity_is_never_fought(code):
    client = joined()
    client.down(code)
    assert client.told[-1] == rc.Reachable(False)
    assert (client.engine.state, client.engine.next_timer()) == ("stopped", None)
    assert client.logs[-1] == "relay-identity-collision"
    assert rc.Collision() not in client.told, "this process was there: an own connection may hang"
    client.do(rc.Begin())
    assert client.connects == 1


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1009, 1011, 1013, 4001, 4005, 4007, 4008, None])
def test_every_other_close_is_followed_by_another_try(code):
    client = joined()
    client.down(code)
    client.until(client.now + 40)
    assert client.connects == 2


@pytest.mark.parametrize("code", [frames.AUTH_INVALID, frames.BAD_TOKEN])
def test_a_refused_token_is_tried_seldom(code):
    client = joined()
    client.down(code)
    client.until(client.now + limits.RELAY_RETRY_REFUSED_SECONDS - 1)
    assert client.connects == 1
    client.until(client.now + 2)
    assert client.connects == 2


def test_frames_keep_their_pace_and_pongs_count_first():
    client = joined()
    for number in range(400):
        client.do(rc.Send(BOB, b'{"n":%d}' % number))
    assert client.types().count("frame") == limits.RELAY_PACE_BURST - 1  # relay-auth took the first
    client.hear(frames.PING)
    assert client.sent[-1] == frames.PONG
    before = client.types().count("frame")
    client.until(client.now + 2.0)
    assert client.types().count("frame") - before == 2 * limits.RELAY_PACE_PER_SECOND - 1
    client.until(client.now + 10.0)
    numbers = [json.loads(message)["payload"]["n"] for message in client.sent if b"payload" in message]
    assert numbers == list(range(400))


def test_much_for_one_peer_does_not_delay_another():
    client = joined()
    for number in range(limits.RELAY_PACE_BURST + 100):
        client.do(rc.Send(BOB, b'{"n":%d}' % number))
    client.do(rc.Send(CAROL, b'{"type":"client-hello"}'))
    client.until(client.now + 0.2)
    assert any(b"client-hello" in message for message in client.sent[-4:])


def test_too_much_that_waits_is_said_and_more_is_given_back():
    client = joined(written=False)
    big = b'{"x":"' + b"x" * 900_000 + b'"}'
    for _ in range(14):
        client.do(rc.Send(BOB, big))
    assert rc.Pace(True) in client.told
    assert client.told[-1] == rc.Undelivered(BOB, "queue")
    for message in client.sent:  # which grows while it is written
        client.do(rc.Written(len(message)))
    taken = 14 - client.told.count(rc.Undelivered(BOB, "queue"))
    assert client.types().count("frame") == taken
    assert taken * len(big) > limits.RELAY_PACED_BYTES
    assert client.told[-1] == rc.Pace(False)


def test_what_waits_when_the_relay_goes_is_not_sent_to_the_next():
    client = joined(written=False)
    big = b'{"x":"' + b"x" * 900_000 + b'"}'
    for _ in range(4):
        client.do(rc.Send(BOB, big))
    sent = len(client.sent)
    client.down()
    assert client.told[-2:] == [rc.Pace(False), rc.Reachable(False)]
    client.do(rc.Send(BOB, b"{}"))
    assert client.told[-1] == rc.Undelivered(BOB, "disconnected")
    client.until(client.now + 2)
    client.do(rc.Up())
    client.hear(PEERS)
    assert client.types()[sent:] == ["relay-auth"]


def test_frames_arrive_with_what_routes_them():
    client = joined()
    frame = b'{"type":"cmb-encrypted","sessionId":"ab", "n":1.0}'
    client.hear(b'{"from":"' + BOB.encode() + b'","fromName":"bob","payload":' + frame + b"}")
    assert client.told[-1] == rc.Arrived(BOB, "cmb-encrypted", "ab", frame)


def test_a_stated_failure_names_whom_it_did_not_reach():
    client = joined()
    client.hear({"type": "relay-error", "message": "x", "kind": "slow", "reason": BOB})
    assert client.told[-1] == rc.Undelivered(BOB, "slow")
    client.hear({"type": "relay-error", "message": "x", "kind": "absent", "reason": BOB})
    assert client.told[-2:] == [rc.Undelivered(BOB, "absent"), rc.Presence(BOB, "bob", online=False)]
    client.hear({"type": "relay-error", "message": "Invalid token", "code": 4003})
    assert client.logs[-1] == "relay-error"


def test_leaving_sends_what_waits_and_does_not_come_back():
    client = joined()
    for number in range(300):
        client.do(rc.Send(BOB, b'{"n":%d}' % number))
    client.do(rc.End())
    assert client.types().count("frame") == 300
    assert client.hangups == ["leaving"]
    client.down(1000)
    client.until(client.now + 100)
    assert client.connects == 1


FROM_RELAY = st.one_of(
    MESSAGES,
    st.sampled_from(
        [
            json.dumps(PEERS).encode(),
            b'{"type":"relay-peers","peers":[null]}',
            b'{"type":"relay-peers","peers":[{"nodeId":"' + ALICE.encode() + b'","name":"me"}]}',
            b'{"type":"relay-peer-joined","nodeId":"' + CAROL.encode() + b'","name":"c"}',
            b'{"type":"relay-peer-left","nodeId":"' + CAROL.encode() + b'","name":"c"}',
            b'{"type":"relay-error","message":"x","code":true}',
            b'{"type":"relay-ping"}',
            b'{"type":"relay-ping","more":1}',
            b'{"from":"' + BOB.encode() + b'","fromName":"b","payload":{"type":"x"}}',
            b'{"from":"x","payload":{"type":7}}',
        ]
    ),
)


@given(st.lists(st.tuples(st.sampled_from(["hear", "up", "down", "wait", "send"]), FROM_RELAY), max_size=30))
def test_whatever_a_relay_says_the_client_stands_and_can_begin_again(steps):
    client = joined()
    up = True
    for what, message in steps:
        if what == "hear":
            client.hear(message)
        elif what == "up" and not up and client.engine.state == "connecting":
            client.do(rc.Up())
            up = True
        elif what == "down" and up:
            client.down()
            up = False
        elif what == "wait":
            client.until(client.now + 3.0)
        elif what == "send":
            client.do(rc.Send(BOB, b"{}"))
    if up:
        client.down()
    assert client.engine.present == {}
    client.until(client.now + 40.0)
    assert client.engine.state == "connecting"


@pytest.mark.parametrize(
    ("entry", "usable"),
    [
        ({"nodeId": CAROL, "name": "x" * 300}, [BOB]),
        ({"nodeId": CAROL.upper(), "name": "carol"}, [BOB]),
        ({"nodeId": CAROL, "name": "carol", "wakeChannel": {"platform": "apns", "token": "t"}}, [BOB, CAROL]),
        ({"nodeId": CAROL, "name": "carol", "mood": "odd"}, [BOB]),
        (None, [BOB]),
    ],
)
def test_what_one_client_says_of_itself_keeps_nobody_from_joining(entry: object, usable: list[str]) -> None:
    driven = Driven()
    driven.do(rc.Begin())
    driven.do(rc.Up())
    driven.hear({"type": "relay-peers", "peers": [{"nodeId": BOB, "name": "bob"}, entry]})
    assert driven.engine.state == "joined" and list(driven.engine.present) == usable
    assert "relay-peers-malformed" in driven.logs


@pytest.mark.parametrize("frame", [{"type": "relay-peers"}, {"type": "relay-peers", "peers": {}}])
def test_a_frame_without_its_list_joins_nobody(frame: object) -> None:
    driven = Driven()
    driven.do(rc.Begin())
    driven.do(rc.Up())
    driven.hear(frame)
    assert driven.engine.state == "joining"
