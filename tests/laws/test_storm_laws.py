"""No storm: whatever the room looks like, one root causes a bounded number of emissions, and of forwards."""

from __future__ import annotations

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from covey import limits
from covey.cognition.novelty import UNRESOLVED, NoveltyGate
from covey.memory.lineage import ancestors
from covey.model import Block, Proposal
from tests.unit.proto.forwarding_world import World

PER_ROOT, CUT_OFF = 3, 1


@st.composite
def rooms(draw):
    """Who hears whom, in any shape: a line, a star, a ring, islands, everybody."""
    count = draw(st.integers(1, 5))
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    links = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return count, {*links, *((b, a) for a, b in links)}


class Peer:
    """One that answers everything it hears, as often as its gate lets it."""

    def __init__(self, number):
        self.number, self.gate, self.held = number, NoveltyGate(PER_ROOT, CUT_OFF), {}

    def answer(self, heard, key, *, severed):
        proposal = Proposal({"focus": f"words {key}"}, (heard.key,), fresh="model")
        walk = ancestors(self.held.get, [heard], depth=256)
        ends = [each.block.key for each in walk.ancestors if not each.block.parents]
        roots = [*ends, *([] if heard.parents else [heard.key]), *([] if walk.complete else [UNRESOLVED])]
        if self.gate.judge(proposal, [heard], roots) is not None:
            return None
        if severed and self.gate.cut_off(proposal) is not None:
            self.gate.undone(proposal, roots)
            return None
        return block(key, self.number, () if severed else (heard.key,))


def block(key, author, parents=()):
    said = {"focus": f"words {key}"}
    return Block(str(key), f"a{key}", str(author), "n", key, "r", None, tuple(parents), said)


def run(count, links, severs):
    """Let one root loose; return how many emissions it caused. `severs` is asked in turn, over and over."""
    peers = [Peer(number) for number in range(count)]
    root = block(1, 0)
    peers[0].held[root.key] = root
    waiting = deque((other, root) for other in range(count) if (0, other) in links)
    emitted = 0
    while waiting:
        number, heard = waiting.popleft()
        peer = peers[number]
        if heard.key in peer.held:
            continue
        peer.held[heard.key] = heard
        said = peer.answer(heard, emitted + 2, severed=bool(severs) and severs[emitted % len(severs)])
        if said is not None:
            emitted += 1
            peer.held[said.key] = said
            waiting.extend((other, said) for other in range(count) if (number, other) in links)
    return emitted


@settings(max_examples=150, deadline=None)
@given(rooms(), st.lists(st.booleans(), max_size=7))
def test_one_root_causes_a_bounded_number_of_emissions(room, severs):
    count, links = room
    # The first, what machines may cut off from their lineage, and all whose root nobody can reach.
    roots = 1 + count * CUT_OFF + 1
    assert run(count, links, severs) <= count * PER_ROOT * roots


def test_the_bound_is_not_empty_talk_without_the_gate_is_endless():
    everybody = {(a, b) for a in range(3) for b in range(3) if a != b}
    assert run(3, everybody, []) == 3 * PER_ROOT
    assert run(3, everybody, [True]) >= 3


def reach(links, start, far):
    """Who is at most so many links away."""
    seen, edge = {start}, {start}
    for _ in range(far):
        edge = {b for a, b in links if a in edge} - seen
        seen |= edge
    return seen


@settings(max_examples=30, deadline=None)
@given(rooms(), st.sets(st.integers(0, 4)), st.integers(0, 3))
def test_forwarding_sends_a_block_to_each_peer_once_at_most_and_never_too_far(room, silent, replies):
    count, links = room
    world = World(
        count,
        [(a + 1, b + 1) for a, b in sorted(links) if a < b],
        silent={number + 1 for number in silent},
    )
    keys = [world.say(1, "alpha alpha")]
    world.mesh.advance(10)
    for number in range(replies):
        keys.append(world.say(number % count + 1, f"{'bcd'[number] * 9}", keys[-1]))
        world.mesh.advance(10)
    world.mesh.advance(120)
    sent, came = world.total("forward.sent"), world.total("forward.wanted")
    assert sent == came <= len(keys) * (count - 1), "who has it, or what it comes from, is sent nothing"
    pairs = len(links) * len(keys)
    assert world.total("forward.offered") <= pairs, "nothing is offered twice over one link"
    assert world.holders(keys[0]) <= {n + 1 for n in reach(links, 0, limits.FORWARD_HOPS + 1)}
    if not silent:
        assert world.holders(keys[0]) == {n + 1 for n in reach(links, 0, limits.FORWARD_HOPS + 1)}


@settings(max_examples=100, deadline=None)
@given(rooms(), st.lists(st.booleans(), max_size=7))
def test_one_root_causes_a_bounded_number_of_emissions_also_where_everybody_hands_on(room, severs):
    count, links = room
    roots = 1 + count * CUT_OFF + 1
    # What is handed on reaches peers as if there were a link: at worst, everybody hears everybody.
    everybody = {(a, b) for a in range(count) for b in reach(links, a, limits.FORWARD_HOPS + 1) if a != b}
    assert run(count, everybody, severs) <= count * PER_ROOT * roots
