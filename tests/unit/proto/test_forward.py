"""A block is handed on to who lacks its source, once and so far; every other case has its reason."""

from __future__ import annotations

import json

import pytest

from covey import limits
from covey.proto import effects as fx
from covey.proto import news as nw
from covey.proto.forward import frames, rules
from tests.unit.proto.forwarding_world import World, node_id
from tests.unit.proto.virtual import Host

KEY, OTHER = (f"cmb-{digit * 64}" for digit in "ab")


def line(count: int, *, silent: tuple[int, ...] = ()) -> World:
    return World(count, [(n, n + 1) for n in range(1, count)], silent=silent)


def test_what_one_admits_reaches_who_never_meets_its_author() -> None:
    world = line(3)
    key = world.say(1, "alpha alpha")
    world.mesh.advance(5)
    assert world.holders(key) == {1, 2, 3}
    (heard,) = world.hosts[3].told(nw.Delivered)
    assert heard.delivery.block.node_id == node_id(1), "as its author signed it"
    assert world.hosts[2].counts["forward.sent"] == 1
    assert world.hosts[3].counts["forward.came.admitted"] == 1


def test_it_is_handed_on_so_often_and_no_more() -> None:
    world = line(limits.FORWARD_HOPS + 4)
    key = world.say(1, "alpha alpha")
    world.mesh.advance(30)
    # Its author's neighbour hears it itself; from there it is handed on as often as the bound says.
    assert world.holders(key) == set(range(1, limits.FORWARD_HOPS + 3))
    assert world.total("forward.not.hops") == 1


def test_a_source_that_is_held_is_not_handed_on_again() -> None:
    world = line(3)
    root = world.say(1, "alpha alpha")
    world.mesh.advance(5)
    said = world.say(1, "bravo bravo", root)
    world.mesh.advance(5)
    assert world.holders(said) == {1, 2}, "an echo of a source that is known"
    assert world.hosts[3].counts["forward.declined.known_source"] == 1
    assert world.hosts[2].counts["forward.not.known_source"] == 1


def test_a_remix_with_one_source_that_is_new_is_handed_on() -> None:
    offer = frames.Offer(KEY, node_id(1), (OTHER, f"cmb-{'c' * 64}"), 1)
    lacking = {KEY, OTHER}
    assert rules.declined(offer, lacking, {}) is None
    assert rules.declined(offer, lacking, {OTHER: 0}) == rules.KNOWN_SOURCE, "its new source comes by itself"
    assert rules.declined(offer, {KEY}, {}) == rules.KNOWN_SOURCE
    assert rules.declined(offer, lacking, {KEY: 0}) == rules.COMING
    assert rules.declined(offer, {OTHER}, {}) == rules.HELD


def test_in_a_room_where_all_meet_nothing_is_sent_twice() -> None:
    world = World(4, [(a, b) for a in range(1, 5) for b in range(a + 1, 5)])
    key = world.say(1, "alpha alpha")
    world.mesh.advance(10)
    assert world.holders(key) == {1, 2, 3, 4}
    assert world.total("forward.sent") == 0
    assert world.total("forward.declined.held") == world.total("forward.not.held") == 6


def test_who_comes_later_is_offered_what_it_missed_also_when_its_author_left() -> None:
    world = World(2, [(1, 2)])
    keys = [world.say(1, f"{letter * 9}") for letter in "abc"]
    world.mesh.advance(5)
    world.part(1, 2)
    world.mesh.apart = False
    late = world.add(3)
    world.link(2, 3)
    world.mesh.advance(5)
    assert set(keys) <= late.keys


def test_who_is_not_told_to_hands_nothing_on_but_takes_what_others_do() -> None:
    world = line(3, silent=(2,))
    key = world.say(1, "alpha alpha")
    world.mesh.advance(10)
    assert world.holders(key) == {1, 2}
    assert world.total("forward.offered") == 0
    other = line(3, silent=(1, 3))
    key = other.say(1, "alpha alpha")
    other.mesh.advance(10)
    assert other.holders(key) == {1, 2, 3}


def test_a_peer_that_does_not_speak_it_is_left_alone() -> None:
    world = World(2, [(1, 2)])
    world.add(3, speaks=False)
    world.link(2, 3)
    key = world.say(1, "alpha alpha")
    world.mesh.advance(10)
    assert world.holders(key) == {1, 2}
    assert world.hosts[2].counts["forward.not.unspoken"] == 1
    assert not any(name.startswith("frames.ignored") for name in world.hosts[3].counts)


def test_an_author_whose_key_is_not_known_is_not_asked_for() -> None:
    world = World(2, [(1, 2)])
    world.hosts[9] = world.mesh.host(9)
    world.link(2, 9)
    key, later = world.say(9, "alpha alpha"), world.say(9, "beta beta")
    world.mesh.advance(10)
    assert world.holders(key) == world.holders(later) == {2, 9}
    assert world.hosts[2].counts["forward.not.author_unknown"] == 2
    said = [each for each in world.hosts[1].logs if each.event == "forward-author-unknown"]
    assert len(said) == 1, "once of an author"
    assert dict(said[0].facts)["author"] == world.hosts[9].identity.node_id
    assert "meet it once" in dict(said[0].facts)["hint"]


def test_what_admission_turned_down_stays() -> None:
    world = line(3)
    world.say(1, "alpha alpha")
    world.hosts[1].emit("ALPHA alpha")
    world.mesh.advance(5)
    admitted = world.hosts[2].counts["records.admitted"]
    assert world.hosts[2].counts["forward.sent"] == admitted
    turned_down = world.hosts[2].counts["records.redundant"] + world.hosts[2].counts["records.rejected"]
    assert world.hosts[2].counts["forward.not.not_admitted"] == turned_down


def test_what_was_fetched_as_context_is_not_handed_on() -> None:
    world = World(2, [])
    thread: list[str] = []
    for letter in "abcdefgh":
        thread.append(world.say(1, letter * 9, *thread[-1:]))
    world.link(1, 2)
    world.mesh.advance(30)
    assert set(thread) <= world.hosts[2].keys
    late = world.add(3)
    world.link(2, 3)
    world.mesh.advance(60)
    # The whole thread has one source. What comes of it first brings the rest as its parents.
    assert late.counts["forward.came.admitted"] >= 1
    assert set(thread) <= late.keys


def test_a_lineage_that_does_not_reach_its_roots_is_looked_at_twice_and_not_offered() -> None:
    world = line(3)
    key = world.say(1, "alpha alpha", f"cmb-{'0' * 64}")
    world.mesh.advance(60)
    assert world.holders(key) == {1, 2}
    assert world.hosts[2].counts["forward.not.unresolved"] == 1


def test_asking_for_what_was_not_offered_or_twice_brings_nothing() -> None:
    world = line(3)
    key = world.say(1, "alpha alpha")
    world.mesh.advance(5)
    (peer,) = world.hosts[3].engine._sessions.peers.values()
    for frame in (frames.Answer((key,), {}), frames.Answer((OTHER,), {})):
        peer.active.session.send_control(frames.write_answer(frame))
        world.hosts[3].engine._sessions.touch(peer.active)
        world.hosts[3].feed(fx.Watch(True))
        world.mesh.settle()
    assert world.hosts[2].counts["forward.unasked"] == 2
    assert world.hosts[2].counts["forward.sent"] == 1


def offers(host: Host, rows: list[object]) -> None:
    """Let a host send its only peer an offer of our making."""
    (peer,) = host.engine._sessions.peers.values()
    frame = json.dumps({"type": frames.OFFER, "offers": rows}).encode()
    peer.active.session.send_control(frame)
    host.engine._sessions.touch(peer.active)
    host.feed(fx.Watch(True))
    host.mesh.settle()


def test_a_flood_of_offers_is_declined_beyond_its_pace() -> None:
    world = World(2, [(1, 2)])
    for number in range(limits.FORWARD_FRAMES_BURST + 5):
        offers(world.hosts[1], [[f"cmb-{number:064x}", node_id(1), [f"cmb-{number:064x}"], 1]])
    assert world.hosts[2].counts["forward.declined.pace"] == 5
    assert world.hosts[2].counts["forward.wanted"] == limits.FORWARD_FRAMES_BURST


def test_what_does_not_come_is_given_up_and_no_more_is_awaited_than_so_many() -> None:
    world = World(2, [(1, 2)])
    for page in range(limits.FORWARD_COMING // 64 + 1):
        keys = [f"cmb-{page * 64 + number:064x}" for number in range(64)]
        offers(world.hosts[1], [[key, node_id(1), [key], 1] for key in keys])
    assert world.hosts[2].counts["forward.wanted"] == limits.FORWARD_COMING
    assert world.hosts[2].counts["forward.declined.busy"] == 64
    world.mesh.advance(limits.FORWARD_COMING_SECONDS + 1)
    assert world.hosts[2].counts["forward.missed"] == limits.FORWARD_COMING
    offers(world.hosts[1], [[KEY, node_id(1), [KEY], 1]])
    assert world.hosts[2].counts["forward.wanted"] == limits.FORWARD_COMING + 1


def test_an_offer_that_says_too_many_hops_is_declined() -> None:
    world = World(2, [(1, 2)])
    offers(world.hosts[1], [[KEY, node_id(1), [KEY], limits.FORWARD_HOPS + 1]])
    assert world.hosts[2].counts["forward.declined.hops"] == 1


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [[KEY]],
        [[KEY, "nobody", [KEY], 1]],
        [[KEY, node_id(1), [], 1]],
        [[KEY, node_id(1), [KEY, KEY], 1]],
        [[KEY, node_id(1), [KEY], 0]],
        [[KEY, node_id(1), [KEY], True]],
        [[KEY, node_id(1), [KEY], 10**30]],
        [["cmb-x", node_id(1), [KEY], 1]],
        [[KEY, node_id(1), [KEY], 1]] * (limits.FORWARD_OFFERS + 1),
    ],
)
def test_a_malformed_offer_is_counted_and_changes_nothing(rows: list[object]) -> None:
    world = World(2, [(1, 2)])
    offers(world.hosts[1], rows)
    counts = world.hosts[2].counts
    assert sum(by for name, by in counts.items() if name.startswith("forward.refused.")) == 1
    assert counts["forward.wanted"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"want": [1], "not": {}},
        {"want": [], "not": []},
        {"want": [], "not": {KEY: "because"}},
        {"want": [], "not": {KEY: []}},
        {"want": [], "not": {KEY: {}}},
        [],
    ],
)
def test_a_malformed_answer_is_refused(body: object) -> None:
    with pytest.raises(frames.BadFrameError):
        frames.read_answer(json.dumps(body).encode())


def test_frames_say_what_they_were_made_of() -> None:
    rows = (frames.Offer(KEY, node_id(1), (KEY, OTHER), 2),)
    assert frames.read_offers(frames.write_offers(rows)) == rows
    answer = frames.Answer((KEY,), {OTHER: rules.HELD})
    assert frames.read_answer(frames.write_answer(answer)) == answer
