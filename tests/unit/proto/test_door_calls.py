"""Calls to another peer's model, engine against engine: credit, bounds, ends, and whatever bytes may come."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.proto.door import frames, words
from covey.proto.door.engine import DoorCalls
from covey.proto.door.words import From


@dataclass
class Turn:
    """What the engine asks of a turn."""

    now: Any = field(default_factory=lambda: SimpleNamespace(monotonic=0.0))
    counts: Counter[str] = field(default_factory=Counter)
    logs: list[str] = field(default_factory=list)

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] += by

    def log(self, level: str, event: str, **facts: Any) -> None:
        self.logs.append(facts["reason"])


class Host:
    """One end: what it wants of its shell, what it sent, and whether its session takes more."""

    def __init__(self, name: str) -> None:
        self.node_id = name
        self.engine = DoorCalls()
        self.engine.attach(self)  # type: ignore[arg-type]  # as much of a host as an engine asks for
        self.wants: list[Any] = []
        self.sent: list[bytes] = []
        self.full = self.away = False
        self.alarm: float | None = None
        self.turn = Turn()

    def send(self, node_id: str, frame: bytes, turn: Any) -> bool:
        if self.full or self.away:
            return False
        self.sent.append(frame)
        return True

    def peer(self, node_id: str) -> Any:
        return None if self.away else SimpleNamespace(node_id=node_id)

    def want(self, what: Any, turn: Any) -> None:
        self.wants.append(what)

    def timer(self, whom: str, deadline: float) -> None:
        self.alarm = deadline

    def cancel(self, whom: str) -> None:
        self.alarm = None

    def wanted(self, whom: str) -> float | None:
        return self.alarm

    def tell(self, what: Any) -> None:
        self.engine.told(what, self.turn)  # type: ignore[arg-type]  # as much of a turn as it asks for

    def due(self, now: float) -> None:
        self.turn.now.monotonic, self.alarm = now, None
        self.engine.due("look", self.turn)  # type: ignore[arg-type]  # as above

    def left(self, other: str) -> None:
        self.engine.left(SimpleNamespace(node_id=other, name=other), self.turn)  # type: ignore[arg-type]  # as above, so far

    def take(self, kind: type[Any]) -> list[Any]:
        found = [each for each in self.wants if isinstance(each, kind)]
        self.wants = [each for each in self.wants if not isinstance(each, kind)]
        return found


def carry(one: Host, other: Host) -> None:
    """Carry frames both ways until nobody says anything more."""
    while one.sent or other.sent:
        for here, there in ((one, other), (other, one)):
            for raw in here.sent[:]:
                here.sent.remove(raw)
                peer = SimpleNamespace(node_id=here.node_id, name=here.node_id, fingerprint="f" * 64)
                there.engine.heard(peer, frames.FRAME_TYPE, raw, there.turn)  # type: ignore[arg-type]  # the tests own peer


def pair() -> tuple[Host, Host]:
    caller, leader = Host("caller"), Host("leader")
    leader.tell(words.Open(True))
    return caller, leader


def begun(size: int = 3) -> tuple[Host, Host, From]:
    """A call that was let in, its body still to come."""
    caller, leader = pair()
    caller.tell(words.Begin(7, "leader", frames.Ask(0, "/chat/completions", size)))
    carry(caller, leader)
    (knock,) = leader.take(words.Knock)
    leader.tell(words.Let(knock.at))
    carry(caller, leader)
    assert [each.pieces for each in caller.take(words.Room)] == [limits.DOOR_CREDIT]
    return caller, leader, knock.at


def test_m25_a_call_goes_there_and_its_answer_comes_back_in_pieces() -> None:
    caller, leader, at = begun(6)
    for data in (b"abc", b"def"):
        caller.tell(words.Body(7, data))
    carry(caller, leader)
    assert leader.take(words.Whole) == [words.Whole(at, b"abcdef")]
    leader.tell(words.Start(at, 200, "text/event-stream"))
    for data in (b"one", b"two"):
        leader.tell(words.Send(at, data))
    leader.tell(words.Finish(at))
    carry(caller, leader)
    assert caller.take(words.Begun) == [words.Begun(7, 200, "text/event-stream", None)]
    assert [each.data for each in caller.take(words.Came)] == [b"one", b"two"]
    assert caller.take(words.Over) == [words.Over(7)]
    caller.tell(words.More(7))
    assert caller.sent == [], "of a call that is over nothing more is said"


def test_nothing_of_a_body_is_taken_before_its_caller_is_let_in() -> None:
    caller, leader = pair()
    caller.tell(words.Begin(7, "leader", frames.Ask(0, "/chat/completions", 3)))
    caller.tell(words.Body(7, b"abc"))
    carry(caller, leader)
    assert leader.take(words.Whole) == [] and leader.turn.logs == ["past-credit"]
    assert caller.take(words.Over) == [words.Over(7, "past-credit")]
    assert [each.reason for each in leader.take(words.Gone)] == ["past-credit"]


def test_a_body_past_its_size_and_an_answer_past_its_credit_end_the_call() -> None:
    caller, leader, _ = begun(2)
    caller.tell(words.Body(7, b"abc"))
    carry(caller, leader)
    assert caller.take(words.Over) == [words.Over(7, "past-credit")]
    caller, leader, at = begun(1)
    leader.tell(words.Start(at, 200, "text/plain"))
    for _ in range(limits.DOOR_CREDIT + 1):
        leader.tell(words.Send(at, b"x"))
    carry(caller, leader)
    assert len(caller.take(words.Came)) == limits.DOOR_CREDIT
    assert caller.take(words.Over) == [words.Over(7, "past-credit")]
    assert [each.reason for each in leader.take(words.Gone)] == ["cancelled"], "its door hears of it"


def test_more_than_the_bounds_and_a_closed_door_are_refused_at_once() -> None:
    caller, leader = pair()
    for token in range(limits.DOOR_CALLS_PEER + 1):
        caller.tell(words.Begin(token, "leader", frames.Ask(0, "/x", 1)))
    carry(caller, leader)
    assert len(leader.take(words.Knock)) == limits.DOOR_CALLS_PEER
    assert caller.take(words.Over) == [words.Over(limits.DOOR_CALLS_PEER, "busy")]
    leader.tell(words.Open(False))
    caller.tell(words.Begin(999, "leader", frames.Ask(0, "/x", 1)))
    carry(caller, leader)
    assert caller.take(words.Over) == [words.Over(999, "no-door")]
    caller.away = True
    caller.tell(words.Begin(1_000, "leader", frames.Ask(0, "/x", 1)))
    caller.away, caller.full = False, True
    caller.tell(words.Begin(1_001, "leader", frames.Ask(0, "/x", 1)))
    assert caller.take(words.Over) == [words.Over(1_000, "not-here"), words.Over(1_001, "slow")]


def test_what_a_slow_session_does_not_take_goes_later_and_none_is_lost() -> None:
    caller, leader, at = begun(1)
    caller.tell(words.Body(7, b"x"))
    carry(caller, leader)
    leader.full = True
    leader.tell(words.Start(at, 200, "text/plain"))
    leader.tell(words.Send(at, b"one"))
    leader.tell(words.Finish(at))
    assert leader.sent == [] and leader.alarm is not None
    leader.due(leader.alarm)
    assert leader.sent == [] and leader.alarm is not None, "still full: looked at again"
    leader.full = False
    leader.due(leader.alarm)
    carry(caller, leader)
    assert [each.data for each in caller.take(words.Came)] == [b"one"]
    assert caller.take(words.Over) == [words.Over(7)]
    caller.tell(words.Begin(8, "leader", frames.Ask(0, "/x", 1)))
    carry(caller, leader)
    assert len(leader.take(words.Knock)) == 1


def test_a_lost_session_ends_calls_on_both_sides_and_a_cancelled_one_is_told() -> None:
    caller, leader, at = begun(1)
    caller.left("leader")
    leader.left("caller")
    assert caller.take(words.Over) == [words.Over(7, "session-lost")]
    assert leader.take(words.Gone) == [words.Gone(at, "session-lost")]
    caller, leader, at = begun(1)
    caller.tell(words.Stop(7))
    carry(caller, leader)
    assert leader.take(words.Gone) == [words.Gone(at, "cancelled")] and caller.wants == []


def test_a_peer_that_says_nothing_and_a_body_that_does_not_come_are_given_up() -> None:
    caller, leader = pair()
    caller.tell(words.Begin(7, "leader", frames.Ask(0, "/x", 1)))
    assert caller.alarm == limits.DOOR_OPEN_SECONDS
    caller.due(limits.DOOR_OPEN_SECONDS)
    assert caller.take(words.Over) == [words.Over(7, "no-answer")]
    caller, leader, at = begun(5)
    assert leader.alarm == limits.DOOR_STALL_SECONDS
    leader.due(limits.DOOR_STALL_SECONDS)
    carry(caller, leader)
    assert leader.take(words.Gone) == [words.Gone(at, "stalled")]
    assert caller.take(words.Over) == [words.Over(7, "stalled")]


@given(st.sampled_from([frames.Ask(1, "/chat/completions", 9, "k", "high", 5), frames.Ask(2, "/x", 0)]))
def test_frames_read_back(frame: frames.Frame) -> None:
    assert frames.read(frames.write(frame)) == frame


@pytest.mark.parametrize(
    "frame",
    [
        frames.Piece("body", 1, b"\0x"),
        frames.Piece("data", 1, b"x" * limits.DOOR_CHUNK_BYTES),
        frames.Credit("let", 1, 4),
        frames.Credit("more", 1, 1),
        frames.Cancel(1),
        frames.Head(1, 429, "application/json", 3),
        frames.End(1, "no-door"),
    ],
)
def test_every_frame_reads_back_within_its_bound(frame: frames.Frame) -> None:
    raw = frames.write(frame)
    assert frames.read(raw) == frame and len(raw) <= limits.DOOR_FRAME_BYTES


MEMBERS = st.dictionaries(
    st.sampled_from(["type", "op", "call", "data", "pieces", "reason", "path", "size", "status", "kind"]),
    st.one_of(
        st.integers(-1, 2**60),
        st.text("ab/0-é", max_size=8),
        st.none(),
        st.sampled_from(["ask", "body", "data", "let", "more", "cancel", "head", "end"]),
    ),
)


@given(st.one_of(st.binary(max_size=60), MEMBERS.map(lambda value: json.dumps(value).encode())))
def test_whatever_a_peer_sends_is_counted_or_used_and_never_raises(raw: bytes) -> None:
    caller, leader, _ = begun(3)
    peer = SimpleNamespace(node_id="caller", name="caller", fingerprint="f" * 64)
    leader.engine.heard(peer, frames.FRAME_TYPE, raw, leader.turn)  # type: ignore[arg-type]  # test's peer
    caller.engine.heard(peer, frames.FRAME_TYPE, raw, caller.turn)  # type: ignore[arg-type]  # test's peer
    assert len(leader.wants) <= 1
