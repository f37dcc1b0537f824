"""Relays behind one backplane are one relay: presence, frames, failures; what loss and partition leave."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from covey import limits
from covey.proto.relay import events, frames, words
from covey.proto.relay import server as relay
from covey.proto.relay.cluster import Cluster
from covey.proto.relay.reserve import Reserve
from tests.unit.proto.virtual_cluster import FRAME, World, node

SETTLE = limits.CLUSTER_SILENCE_SECONDS + 2 * limits.CLUSTER_BEAT_SECONDS + limits.CLUSTER_ASK_SECONDS


def test_clients_of_two_relays_see_each_other_come_and_go() -> None:
    world = World(2)
    alice = world.join(0, 1)
    bob = world.join(1, 2)
    assert alice.present == {node(2): "peer 2"} and bob.present == {node(1): "peer 1"}
    world.leave(1, bob)
    assert alice.present == {}


def test_a_frame_finds_its_addressee_at_another_relay_byte_for_byte() -> None:
    world = World(3)
    alice, bob = world.join(0, 1), world.join(2, 2)
    world.send(0, alice, 2)
    assert bob.frames == [(node(1), FRAME)]


def test_a_frame_longer_than_one_part_arrives_whole_and_lost_parts_never_as_something_else() -> None:
    world = World(2)
    alice, bob = world.join(0, 1), world.join(1, 2)
    long = b'{"x":"' + b"y" * (limits.CLUSTER_PART_BYTES + 100_000) + b'"}'
    world.send(0, alice, 2, long)
    assert bob.frames == [(node(1), long)]
    world.lose = 1  # the first part
    world.send(0, alice, 2, long)
    world.send(0, alice, 2)
    assert bob.frames == [(node(1), long), (node(1), FRAME)]
    assert world.relays[1].engine.counters["cluster.parts_lost"] == 1


def test_a_broadcast_reaches_every_relay_and_not_its_sender() -> None:
    world = World(3)
    alice, bob, carol = world.join(0, 1), world.join(1, 2), world.join(2, 3)
    world.send(1, bob, None)
    assert [len(each.frames) for each in (alice, bob, carol)] == [1, 0, 1]


def test_a_frame_for_one_who_has_just_gone_comes_back_as_absent() -> None:
    world = World(2)
    alice, bob = world.join(0, 1), world.join(1, 2)
    world.lose = 1  # its goodbye
    world.leave(1, bob)
    world.send(0, alice, 2)
    assert alice.errors == [("absent", node(2))]


def test_a_frame_while_the_backplane_is_gone_is_told_as_busy_and_its_peers_leave_soon() -> None:
    world = World(2)
    alice = world.join(0, 1)
    world.join(1, 2)
    world.link(0, False)
    world.send(0, alice, 2)
    assert alice.errors == [("busy", node(2))]
    world.later(SETTLE)
    assert alice.present == {}
    world.send(0, alice, 2)
    assert alice.errors[-1] == ("absent", node(2))
    world.link(0, True)
    world.later(SETTLE)
    assert alice.present == {node(2): "peer 2"}
    assert [note.event for note in world.relays[0].notes if note.level == "error"] == [
        "backplane-lost",
        "cluster-relay-lost",
    ]


def test_a_lost_change_of_presence_is_healed_by_the_next_beat() -> None:
    world = World(2)
    alice = world.join(0, 1)
    world.lose = 1
    world.join(1, 2)
    assert alice.present == {}
    world.later(2 * limits.CLUSTER_BEAT_SECONDS)
    assert alice.present == {node(2): "peer 2"}


def test_the_clients_of_a_killed_relay_leave_in_seven_seconds_and_those_of_one_that_ends_at_once() -> None:
    world = World(3)
    alice = world.join(0, 1)
    world.join(1, 2)
    world.join(2, 3)
    world.do(world.relays[2], events.Leave())
    world.carry()
    world.kill(2)
    assert node(3) not in alice.present
    world.kill(1)
    world.later(limits.CLUSTER_SILENCE_SECONDS + limits.CLUSTER_BEAT_SECONDS)
    assert alice.present == {}


def test_a_client_whose_relay_was_killed_comes_in_elsewhere_although_it_was_fresh_there() -> None:
    world = World(2)
    bob = world.join(1, 2)
    world.join(0, 1)
    world.kill(0)
    alice = world.join(1, 1)
    assert alice.present == {}, "not yet: the dead relay is asked first"
    world.later(limits.CLUSTER_PROBE_SECONDS)
    assert alice.code is None and alice.present == {node(2): "peer 2"}
    assert bob.present == {node(1): "peer 1"}
    assert world.relays[1].engine.counters["cluster.probes_unanswered"] == 1


def test_a_silent_relay_is_asked_once_and_not_for_each_of_its_clients() -> None:
    world = World(2)
    for who in (1, 2, 3):
        world.join(0, who)
    world.kill(0)
    first = world.join(1, 1)
    world.later(limits.CLUSTER_PROBE_SECONDS)
    others = [world.join(1, who) for who in (2, 3)]
    assert first.code is None and all(set(each.present) >= {node(1)} for each in others)
    assert world.relays[1].engine.counters["cluster.probes_unanswered"] == 1


def test_a_second_process_with_a_fresh_node_id_is_refused_at_any_relay() -> None:
    world = World(2)
    first = world.join(0, 1)
    second = world.join(1, 1)
    assert second.code == frames.DUPLICATE and first.code is None


def test_an_older_connection_is_replaced_from_another_relay_and_nobody_is_told_that_it_left() -> None:
    world = World(2)
    bob = world.join(0, 2)
    first = world.join(0, 1)
    world.later(limits.RELAY_FRESH_SECONDS)
    second = world.join(1, 1)
    assert first.code == frames.REPLACED and second.code is None
    assert bob.present == {node(1): "peer 1"}
    world.send(0, bob, 1)
    assert second.frames == [(node(2), FRAME)]


def test_two_places_of_one_node_id_after_a_partition_become_one() -> None:
    world = World(2)
    world.cut.add(frozenset((0, 1)))
    world.later(SETTLE)
    first, second = world.join(0, 1), world.join(1, 1)
    world.cut.clear()
    world.later(SETTLE)
    assert sorted((first.code or 0, second.code or 0)) == [0, frames.REPLACED]


def test_channels_do_not_meet_and_their_names_are_not_on_the_backplane() -> None:
    access = relay.Access({relay.digest("t1"): "secret-garden", relay.digest("t2"): "other"})
    world = World(2, access)
    seen: list[bytes] = []
    carry = world.carry
    world.carry = lambda: (seen.extend(message for _, _, message in world.wire), carry())[1]  # type: ignore[method-assign]  # to look at what passes
    alice, bob = world.join(0, 1, token="t1"), world.join(1, 2, token="t2")
    carol = world.join(1, 3, token="t1")
    world.send(0, alice, None)
    assert alice.present == {node(3): "peer 3"} and bob.present == {} and bob.frames == []
    assert len(carol.frames) == 1
    assert seen and not any(b"secret-garden" in each or b"t1" in each.split() for each in seen)


def test_what_nobody_of_the_cluster_would_say_is_refused_and_counted() -> None:
    world = World(1)
    alice = world.join(0, 1)
    engine = world.relays[0].engine
    key = Cluster("0" * 16, "test").key("default")
    injected = words.Pass(key, node(9), "x", node(1), 0, False, b'1},{"type":"relay-peer-left"')
    for message in (b"", b"\xc1", b"\x93\x02\xa4beat", words.write("f" * 16, injected)):
        world.do(world.relays[0], events.Carried(message))
    assert engine.counters["cluster.malformed"] == 4
    assert alice.frames == []


@given(st.binary(max_size=200))
def test_no_bytes_of_the_backplane_break_a_relay(message: bytes) -> None:
    world = World(1)
    world.do(world.relays[0], events.Carried(message))
    assert world.relays[0].engine.counters["cluster.malformed"] == 1


@given(
    st.sampled_from([words.Beat(3), words.Ask(), words.Bye(), words.Probe(b"k" * 16, node(1))]),
    st.integers(0, 15),
)
def test_words_are_read_as_they_were_written_and_not_with_a_byte_less(
    word: words.Word, relay_id: int
) -> None:
    message = words.write(f"{relay_id:016x}", word)
    assert words.read(message) == words.Said(f"{relay_id:016x}", word)
    try:
        words.read(message[:-1])
    except words.BadWordError:
        return
    raise AssertionError("a truncated message was read")


def test_of_one_cluster_one_relay_serves_and_the_next_when_it_is_gone() -> None:
    reserve = Reserve()
    assert reserve.admit(0, "eu") and not reserve.admit(1, "eu")
    assert reserve.admit(2, "") and reserve.admit(3, "us")
    assert reserve.ended(2, None) == [] and reserve.ended(0, 1006) == [1]
    assert reserve.admit(1, "eu") and not reserve.admit(0, "eu")
    assert reserve.ended(1, frames.REPLACED) == [], "a quarrel about a nodeId is not carried to the next door"


class Presence(RuleBasedStateMachine):
    """Whatever is lost: once the line is whole for a while, every client knows exactly who is there."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(3)
        self.placed: dict[int, tuple[int, object]] = {}

    @rule(at=st.integers(0, 2), who=st.integers(1, 5))
    def join(self, at: int, who: int) -> None:
        self.world.join(at, who)

    @precondition(lambda self: self.world.living())
    @rule(pick=st.integers(0, 30))
    def leave(self, pick: int) -> None:
        client = self.world.living()[pick % len(self.world.living())]
        at = next(n for n, each in enumerate(self.world.relays) if client in each.clients.values())
        self.world.leave(at, client)

    @rule(count=st.integers(1, 4))
    def lose(self, count: int) -> None:
        self.world.lose += count

    @rule(one=st.integers(0, 2), other=st.integers(0, 2))
    def part(self, one: int, other: int) -> None:
        if one != other:
            self.world.cut.add(frozenset((one, other)))

    @rule(at=st.integers(0, 2), up=st.booleans())
    def link(self, at: int, up: bool) -> None:
        self.world.link(at, up)

    @rule(seconds=st.sampled_from([0.5, 3.0, 10.0]))
    def later(self, seconds: float) -> None:
        self.world.later(seconds)

    @invariant()
    def no_queue_grows(self) -> None:
        assert all(each.engine.gauges()["cluster_queued_bytes"] == 0 for each in self.world.relays)

    def teardown(self) -> None:
        world = self.world
        world.lose, world.cut = 0, set()
        for number in range(3):
            world.link(number, True)
        world.later(2 * SETTLE)
        here = [client.node_id for client in world.living()]
        assert len(here) == len(set(here)), "one place for each nodeId"
        for client in world.living():
            assert set(client.present) == set(here) - {client.node_id}


Presence.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestPresence = Presence.TestCase
