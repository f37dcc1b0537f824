"""An extension that is loaded at its first frame: its engine hears all, in order, as if it had been there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.proto import deferred
from covey.proto.ask.engine import AskEngine
from covey.proto.continuity.engine import Continuity
from covey.proto.deferred import Deferred, Described, Load, Loaded
from covey.proto.door.engine import DoorCalls
from covey.proto.effects import Now
from covey.proto.substrate import SubstrateExchange
from covey.proto.turn import Turn

HELLO = Described("echo", "x-covey-echo-v1", frozenset({"x-covey-echo"}), frozenset({"urn:echo"}))


class Peer:
    """Somebody, by number."""

    def __init__(self, number: int) -> None:
        self.node_id = f"node-{number}"


class Host:
    """Who is here, and what was wanted."""

    def __init__(self) -> None:
        self.here: dict[int, Peer] = {}
        self.wanted: list[object] = []

    def peers(self) -> list[Peer]:
        return list(self.here.values())

    def want(self, what: object, turn: Turn) -> None:
        self.wanted.append(what)


class Echo:
    """Writes down what it is told."""

    name, token, frames, schemas = HELLO.name, HELLO.token, HELLO.frames, HELLO.schemas

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def attach(self, host: Any) -> None:
        self.said.append(("attach",))

    def started(self, turn: Turn) -> None:
        self.said.append(("started",))

    def joined(self, peer: Any, turn: Turn) -> None:
        self.said.append(("joined", peer.node_id))

    def left(self, peer: Any, turn: Turn) -> None:
        self.said.append(("left", peer.node_id))

    def heard(self, peer: Any, kind: str, frame: bytes, turn: Turn) -> None:
        self.said.append(("heard", peer.node_id, frame))

    def addressed(self, record: Any, turn: Turn, *, wakes: bool, expires_ms: int | None) -> None:
        self.said.append(("addressed", record, wakes, expires_ms))

    def due(self, whom: str, turn: Turn) -> None:
        self.said.append(("due", whom))

    def told(self, what: object, turn: Turn) -> None:
        self.said.append(("told", what))


class World:
    """A node's half: peers come and go as the node engine says it to an extension."""

    def __init__(self, extension: Any) -> None:
        self.host, self.extension = Host(), extension
        self.log: list[tuple[Any, ...]] = []
        extension.attach(self.host)
        extension.started(self.turn())

    def turn(self) -> Turn:
        return Turn(Now(1_700_000_000_000, 1.0), bytes(32))

    def does(self, what: str, number: int) -> None:
        """Let something happen that can happen now; who has not come says nothing."""
        peer, turn = self.host.here.get(number), self.turn()
        if what == "join" and peer is None:
            self.host.here[number] = peer = Peer(number)
            self.extension.joined(peer, turn)
        elif what == "leave" and peer is not None:
            del self.host.here[number]
            self.extension.left(peer, turn)
        elif what == "frame" and peer is not None:
            self.extension.heard(peer, "x-covey-echo", bytes([number]), turn)

    def loads(self, *said: object) -> Echo:
        """Let the shell load the engine, which says things while it begins."""
        engine = Echo()
        for what in said:
            self.extension.told(what, self.turn())
        self.extension.told(Loaded(engine), self.turn())
        return engine


STEPS = st.lists(st.tuples(st.sampled_from(["join", "leave", "frame"]), st.integers(0, 3)), max_size=30)


@given(STEPS, STEPS, STEPS)
def test_the_engine_hears_what_it_would_have_heard(before, during, after):
    late, there = World(Deferred(HELLO)), World(Echo())
    for world in (late, there):
        world.does("join", 9)
        for step in before:
            if step[0] != "frame":
                world.does(*step)
    assert late.host.wanted == []
    here = [("joined", peer.node_id) for peer in late.host.peers()]
    start = len(there.extension.said)
    for world in (late, there):
        world.does("frame", 9)
        for step in during:
            world.does(*step)
    assert late.host.wanted == [Load()]
    engine = late.loads("first")
    for world in (late, there):
        for step in after:
            world.does(*step)
    began = [("attach",), ("started",), ("told", "first"), *here]
    assert engine.said == began + there.extension.said[start:]


def test_it_offers_what_its_engine_would():
    for described, engine in (
        (deferred.ASK, AskEngine()),
        (deferred.DOOR, DoorCalls()),
        (deferred.CONTINUITY, Continuity),
        (deferred.SUBSTRATE, SubstrateExchange()),
    ):
        stand_in = Deferred(described)
        for name in ("name", "token", "frames"):
            assert getattr(stand_in, name) == getattr(engine, name)
        assert stand_in.schemas == getattr(engine, "schemas", frozenset())


def test_another_engine_than_was_offered_is_refused():
    world = World(Deferred(HELLO))
    with pytest.raises(ValueError, match="than was offered"):
        world.extension.told(Loaded(DoorCalls()), world.turn())


def test_a_record_has_it_loaded_and_waits():
    world, record = World(Deferred(HELLO)), object()
    world.extension.addressed(record, world.turn(), wakes=True, expires_ms=7)
    assert world.host.wanted == [Load()]
    assert world.loads().said[-1] == ("addressed", record, True, 7)


def test_what_waits_is_bounded_and_what_is_dropped_is_told():
    world, turn = World(Deferred(HELLO)), None
    peer, frame = Peer(1), bytes(65_536)
    world.host.here[1] = peer
    fits = limits.DEFERRED_BYTES // len(frame)
    for _ in range(fits + 3):
        turn = world.turn()
        world.extension.heard(peer, "x-covey-echo", frame, turn)
    effects = [repr(each) for each in turn.effects()]
    assert any("extensions.echo.unloaded" in each for each in effects)
    assert any("extension-loads-too-slowly" in each and "node-1" in each for each in effects)
    engine = world.loads()
    assert sum(each[0] == "heard" for each in engine.said) == fits
    world.extension.heard(peer, "x-covey-echo", frame, world.turn())
    assert engine.said[-1] == ("heard", "node-1", frame)


def test_after_a_failure_the_next_frame_tries_again():
    world = World(Deferred(HELLO))
    world.does("join", 1)
    world.does("frame", 1)
    world.extension.failed()
    world.does("join", 2)
    world.does("frame", 2)
    assert world.host.wanted == [Load(), Load()]
    said = world.loads().said
    assert [each for each in said if each[0] in ("joined", "heard")] == [
        ("joined", "node-1"),
        ("joined", "node-2"),
        ("heard", "node-2", b"\x02"),
    ]


def test_deadlines_and_words_go_straight_to_a_loaded_engine():
    world = World(Deferred(HELLO))
    engine = world.loads()
    world.extension.due("x", world.turn())
    world.extension.told("later", world.turn())
    assert engine.said == [("attach",), ("started",), ("due", "x"), ("told", "later")]
