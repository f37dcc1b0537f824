"""How soon the silent are found, that nobody alive is given up, and what it costs: whole virtual rooms."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benches.members import Room
from covey.proto.membership import frames
from covey.proto.membership.claims import Accusation, Self
from covey.proto.membership.gossip import Gossip
from covey.proto.membership.news import MemberLeft, MemberSuspected
from covey.proto.membership.probing import Probe, by_luck


def found(room, victim, survivors):
    """Seconds until each survivor held a member for dead."""
    began = room.now
    room.run(60, until=lambda: all(each.states()[victim.node_id] == "dead" for each in survivors))
    return [
        at - began
        for each in survivors
        for at, news in each.told(MemberLeft)
        if news.node_id == victim.node_id
    ]


@pytest.mark.parametrize("count", [2, 3, 10, 40])
def test_s16_a_silent_one_is_typically_found_in_less_than_five_seconds_however_many_there_are(count):
    medians = []
    for seed in (1, 2, 3):
        room = Room(seed=seed)
        nodes = room.everybody(count)
        room.run(20)
        nodes[0].alive = False
        took = found(room, nodes[0], nodes[1:])
        assert len(took) == count - 1 and max(took) < 30
        medians.append(statistics.median(took))
    assert statistics.median(medians) < 5


def test_s16_at_ten_percent_loss_forty_give_up_nobody_alive_and_find_the_silent_one():
    room = Room(loss=0.1, seed=4)
    nodes = room.everybody(40)
    room.run(60)
    assert sum(len(node.told(MemberLeft)) for node in nodes) == 0
    nodes[0].alive = False
    took = found(room, nodes[0], nodes[1:])
    assert statistics.median(took) < 6 and max(took) < 30
    assert sum(len(node.told(MemberLeft)) for node in nodes[1:]) == 39, "nobody else"


def test_s16_who_pauses_for_two_seconds_again_and_again_is_not_given_up():
    room = Room(seed=5)
    nodes = room.everybody(12)
    room.run(10)
    for turn in range(12):
        nodes[turn].freeze()
        room.run(2.0)
        nodes[turn].thaw()
        room.run(3.0)
    assert sum(len(node.told(MemberLeft)) for node in nodes) == 0


def test_who_has_no_way_to_a_member_says_nothing_of_it():
    room = Room()
    nodes = room.ring(40, 2)
    room.run(90)
    assert all(len(node.states()) == 39 for node in nodes)
    assert sum(node.counts["members.probes.no_way"] for node in nodes) > 100
    assert sum(len(node.told(MemberSuspected)) for node in nodes) == 0


def test_s16_where_sessions_are_few_most_looks_are_at_those_that_nobody_else_can_look_at():
    room = Room(seed=2)
    nodes = room.ring(150, 1)
    room.run(30)
    looked, begin = [], nodes[0].engine._probes.begin
    nodes[0].engine._probes.begin = lambda target: looked.append(target) or begin(target)
    room.run(30)
    assert len(looked) >= 25
    assert sum(each in nodes[0].links for each in looked) >= len(looked) * 0.6
    nodes[0].alive = False
    took = found(room, nodes[0], nodes[1:])
    assert len(took) == 149 and statistics.median(took) < 12 and max(took) < 30


def test_who_went_with_the_only_one_that_had_a_way_to_it_is_given_up_in_the_end():
    room = Room()
    a, b, c, d = (room.node(number) for number in range(1, 5))
    for one, other in ((a, b), (a, d), (d, b), (b, c)):
        room.connect(one, other)
    room.run(20)
    assert a.states()[c.node_id] == d.states()[c.node_id] == "alive"
    b.kill()
    c.alive = False
    room.run(60)
    assert a.states()[c.node_id] == d.states()[c.node_id] == "dead"
    assert a.states()[d.node_id] == d.states()[a.node_id] == "alive"


def test_an_answer_that_comes_after_its_probe_ends_a_suspicion():
    room = Room()
    a, b = room.node(1), room.node(2)
    room.connect(a, b)
    room.run(5)
    b.freeze()
    room.run(30, until=lambda: a.states()[b.node_id] == "suspect")
    a.turn(lambda turn: a.engine.heard(a.links[b.node_id], "x", frames.write("ack", seq=1), turn))
    assert a.states()[b.node_id] == "alive"


def test_a_newcomer_to_a_full_room_gets_its_table_a_few_times_and_not_from_everybody():
    room = Room()
    nodes = room.everybody(40)
    room.run(120)
    table = sum(len(frames.write("news", [node.engine._own])) for node in nodes)
    new = room.node(100)
    before = sum(node.bytes_out for node in nodes)
    for node in nodes:
        room.connect(new, node)
    room.run(2)
    assert len(new.states()) == 40 and all(new.node_id in node.states() for node in nodes)
    told = sum(node.bytes_out for node in nodes) - before
    assert told < 8 * table, "forty tables is what it was"


@pytest.mark.parametrize(
    ("probe", "session", "suspect", "over", "verdict"),
    [
        ({"waited": False}, True, False, False, "wait"),
        ({"waited": True}, True, False, False, "wait"),
        ({"waited": True}, True, False, True, "silent"),
        ({"waited": True}, True, True, False, "silent"),
        ({"waited": True}, False, False, False, "silent"),
        ({"waited": True, "asked": "ab", "declined": "a"}, True, False, False, "wait"),
        ({"waited": True, "asked": "ab", "declined": "ab"}, True, False, False, "silent"),
        ({"waited": True, "asked": "ab", "away": "ab"}, True, False, False, "wait"),
        ({"waited": True, "asked": "ab", "away": "ab"}, False, False, False, "no-way"),
        ({"waited": True, "asked": "ab", "away": "a"}, False, False, True, "no-way"),
        ({"waited": True, "asked": "ab", "away": "a", "declined": "b"}, False, False, False, "silent"),
        ({"waited": True, "asked": "ab", "away": "ab", "lost": True}, False, False, False, "silent"),
    ],
)
def test_what_a_probe_came_to(probe, session, suspect, over, verdict):
    sets = {name: set(value) if isinstance(value, str) else value for name, value in probe.items()}
    sets["asked"] = frozenset(sets.get("asked", ()))
    assert Probe("x", 1, **sets).verdict(session=session, suspect=suspect, over=over) == verdict


def test_that_nobody_has_a_way_is_luck_for_longer_the_fewer_sessions_there_are():
    assert by_luck(3, 2, 10) and not by_luck(30, 2, 10)
    assert by_luck(30, 20, 1_000) and not by_luck(300, 20, 1_000)
    assert by_luck(10_000, 0, 5), "without a session nobody was asked"


class Naive:
    """The same rules, by sorting everything each time."""

    def __init__(self, factor):
        self.factor, self.items, self.order = factor, {}, 0

    def add(self, claim):
        if isinstance(claim, Self):
            self.drop(claim.node_id)
        self.order += 1
        self.items[claim.node_id, getattr(claim, "accuser", "")] = [0, -self.order, claim]

    def drop(self, node_id):
        self.items = {key: item for key, item in self.items.items() if key[0] != node_id}

    def known(self, node_id):
        if (node_id, "") in self.items:
            self.items[node_id, ""][0] += 2

    def take(self, most):
        self.items = {key: item for key, item in self.items.items() if item[0] < self.factor}
        chosen = sorted(self.items.values(), key=lambda item: item[:2])[:most]
        for item in chosen:
            item[0] += 1
        self.items = {key: item for key, item in self.items.items() if item[0] < self.factor}
        return [item[2] for item in chosen]


def word(member, accuser):
    if accuser:
        return Accusation("suspect", member, 1, accuser)
    return Self(member, 1, member, "{}", b"", b"")


ACTS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from("abcd"), st.sampled_from(["", "x", "y"])),
    st.tuples(st.sampled_from(["drop", "known"]), st.sampled_from("abcd"), st.just("")),
    st.tuples(st.just("take"), st.integers(1, 4), st.just("")),
)


@given(st.lists(ACTS, max_size=60))
def test_what_a_frame_carries_is_what_was_told_least_however_it_is_kept(acts):
    kept, naive = Gossip(4), Naive(4)
    for act, what, accuser in acts:
        if act == "take":
            assert kept.take(5, most=what) == naive.take(what)
        elif act == "add":
            kept.add(word(what, accuser))
            naive.add(word(what, accuser))
        else:
            getattr(kept, act)(what)
            getattr(naive, act)(what)
    assert len(kept) >= len([each for each in naive.items.values() if each[0] < 4])
