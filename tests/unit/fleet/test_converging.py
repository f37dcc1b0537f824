"""Rows of coordination that shared state answers: gossip that converges, and a room that was split in two."""

import math

from benches.state_gossip import measure
from benches.state_world import EPOCH_MS, World
from covey.state.convergence import Convergence


def test_s13_a_hundred_peers_converge_in_logarithmic_rounds_at_twenty_percent_loss_with_bounded_bytes():
    (one, rounds, _, _), (everybody, all_rounds, _, most) = measure(100, 0.2)
    assert (one, everybody) == ("one writes", "all write at once")
    assert max(rounds, all_rounds) <= math.log2(100)
    assert most < 1_000_000, "bytes that one peer sends in a round, at the worst"


def test_s13_who_comes_back_is_sent_what_it_lacks_and_nothing_that_it_holds():
    world = World(2, 5)
    world.link(0, 1)
    for number in range(60):
        world.write(0, ("put", f"held-{number}", b"x" * 1_000))
    assert world.run(30.0, world.equal)
    world.run(60.0)
    assert world.members[0].sent_bytes > 60_000, "all of it went once"
    world.cut(0, 1)
    world.write(0, ("put", "new", b"y" * 1_000))
    before = sum(member.sent_bytes for member in world.members)
    world.link(0, 1)
    assert world.run(30.0, world.equal)
    world.run(60.0)
    assert sum(member.sent_bytes for member in world.members) - before < 12_000, "digests, and the new one"


def lags(world, number, follows):
    """Return how one member sees everybody else."""
    now_ms = EPOCH_MS + int(world.now * 1000)
    found, fresh = follows.look(world.members[number].sync.status(), now_ms)
    return {lag.node_id: lag for lag in found}, fresh


def test_s21_a_room_split_two_to_three_writes_on_both_sides_shows_it_and_heals_without_loss():
    world = World(5, 3)
    world.mesh(4)
    world.write(0, ("put", "before", b"1"))
    assert world.run(10.0, world.equal)
    world.run(200.0)  # by now everybody has compared digests with everybody
    few, many = (0, 1), (2, 3, 4)
    for one in few:
        for other in many:
            world.cut(one, other)
    for number in range(5):
        world.write(number, ("put", f"by-{number}", b"2"), ("count", "all", 1))
    world.run(10.0)
    acknowledged = [sum(not wrote.reason for wrote in member.wrote) for member in world.members]
    assert acknowledged == [2, 1, 1, 1, 1], "each side goes on alone"
    assert world.equal(few) and world.equal(many) and not world.equal()

    follows = Convergence(60_000)
    seen, _ = lags(world, 0, follows)
    away = {world.members[number].identity.node_id for number in many}
    assert {node_id for node_id, lag in seen.items() if not lag.here} == away
    assert all(lag.synced_ms is not None for lag in seen.values())

    for one in few:
        for other in many:
            world.link(one, other)
    assert world.run(30.0, world.equal)
    expected = ["before", *(f"by-{number}" for number in range(5))]
    for member in world.members:
        assert [name for name in member.state.names() if name != "all"] == expected
    seen, fresh = lags(world, 0, follows)
    assert all(lag.here for lag in seen.values()) and fresh == []
