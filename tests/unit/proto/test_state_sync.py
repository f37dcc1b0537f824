"""Peers that share state, simulated: they end with the same, whatever is lost, cut, slow or hostile."""

import json
import math

import pytest

from benches.state_gossip import ROUND, converge
from benches.state_world import EPOCH_MS, ROOM, Member, World
from covey import core, limits
from covey.proto.state import frames, wants


def put(name: str, value: bytes = b"1") -> tuple[str, str, bytes]:
    return ("put", name, value)


def line(size: int, seed: int = 1, **how: float) -> World:
    world = World(size, seed, **how)
    for number in range(size - 1):
        world.link(number, number + 1)
    return world


def test_a02_a_write_is_readable_where_it_was_not_written():
    world = World(3, 1)
    world.mesh(2)
    world.write(0, put("x"))
    assert world.run(1.0, world.equal), "pushed at once"
    assert world.members[2].state.get("x") == ("bytes", b"1")


def test_a09_with_every_link_cut_reads_and_writes_go_on():
    world = World(2, 1)
    world.link(0, 1)
    world.write(0, put("x"))
    assert world.run(5.0, world.equal)
    world.cut(0, 1)
    world.write(1, put("y"))
    world.run(5.0)
    assert (world.members[0].state.names(), world.members[1].state.names()) == (["x"], ["x", "y"])
    world.link(0, 1)
    assert world.run(5.0, world.equal)


@pytest.mark.parametrize("seed", range(5))
def test_a10_replicas_end_byte_identical_after_loss_partitions_and_clocks_that_lie(seed):
    world = World(8, seed, loss=0.25)
    world.mesh(3)
    for number in range(8):
        world.skew_ms[number] = world.random.randrange(-40_000, 20_000)
    for step in range(40):
        writer = world.random.randrange(8)
        name, value = f"n{world.random.randrange(6)}", world.random.randbytes(4)
        act = world.random.choice([put(name, value), ("delete", name, None), ("count", name, 3)])
        world.write(writer, act, ("add", "s", value), ("remove", "s", value[:1]))
        if step % 8 == 3:
            one, other = world.random.sample(range(8), 2)
            world.cut(one, other)
        world.run(0.4)
    world.mesh(3)
    rounds, _, _ = converge(world, 30)
    assert rounds <= 30
    assert len({(m.state.counter("n1"), tuple(m.state.elements("s"))) for m in world.members}) == 1
    assert all(not member.sync.refusals.listed() for member in world.members)


def test_a10_what_happened_later_wins_whatever_the_wall_clocks_say():
    world = line(2)
    world.skew_ms = {0: 40_000, 1: -15_000}
    world.write(0, put("x", b"first"))
    assert world.run(5.0, world.equal)
    world.write(1, put("x", b"second"))
    assert world.run(5.0, world.equal)
    assert world.members[0].state.get("x") == ("bytes", b"second")


def test_a11_an_update_reaches_all_of_a_line_whose_ends_never_meet():
    world = line(6, loss=0.2)
    world.write(0, put("x"))
    world.write(5, put("y"))
    rounds, _, _ = converge(world)
    assert rounds <= 12


def test_a12_whoever_dies_the_others_go_on():
    for victim in range(4):
        world = World(4, victim)
        world.mesh(3)
        world.write(victim, put("before"))
        assert world.run(5.0, world.equal)
        for other in range(4):
            if other != victim:
                world.cut(victim, other)
        rest = [number for number in range(4) if number != victim]
        world.write(rest[0], put("after"))
        assert world.run(5.0, lambda rest=rest, world=world: world.equal(rest))


def test_forty_peers_converge_in_logarithmic_rounds_at_a_fifth_lost():
    world = World(40, 3, loss=0.2)
    world.mesh(8)
    world.write(0, put("x", b"v" * 100))
    rounds, _, most = converge(world)
    assert rounds <= 2 * math.log2(40)
    bound = (limits.STATE_GOSSIP_PEERS + limits.STATE_PUSH_PEERS) * 4_096 * 2
    assert most <= bound, "bytes of one peer in one round"


def test_a_newcomer_gets_everything_and_whoever_has_it_sends_nothing_again():
    world = World(2, 1)
    for number in range(60):
        world.write(0, *(put(f"k{number}-{place}", bytes(1_000)) for place in range(16)))
    world.run(1.0)
    world.link(0, 1)
    assert world.run(30.0, world.equal)
    teller = world.members[0]
    size = sum(len(row[2]) for row in teller.rows if row[1] != wants.KEY)
    assert teller.counts["state.deltas"] >= size // limits.STATE_CHUNK_BYTES, "in pieces"
    assert world.members[1].counts["state.duplicates"] == 0, "nothing came twice"
    before = teller.counts["state.deltas"]
    world.run(60.0)
    assert teller.counts["state.deltas"] == before, "nothing more is sent once they are equal"


def test_two_halves_heal_after_writing_apart():
    world = World(10, 2, loss=0.1)
    for group in (range(5), range(5, 10)):
        for number in group:
            world.link(number, group[(number + 1) % 5])
    world.write(0, put("x", b"left"), put("l"))
    world.write(7, put("x", b"right"), put("r"))
    world.run(10 * ROUND)
    assert not world.equal()
    world.link(2, 8)
    converge(world)
    assert world.members[4].state.names() == ["l", "r", "x"]


def test_tombstones_go_once_all_have_seen_them_and_bring_nothing_back():
    world = World(3, 5)
    world.mesh(2)
    world.write(0, put("x"))
    assert world.run(5.0, world.equal)
    world.write(1, ("delete", "x", None))
    world.run(4 * limits.STATE_COLLECT_SECONDS)
    assert [member.state.tombstones for member in world.members] == [0, 0, 0]
    assert world.members[2].state.names() == []


def forget(world: World, number: int, gone: Member) -> None:
    member = world.members[number]
    said = wants.Forget(0, ROOM, gone.identity.author)
    world._turn(member, lambda turn: member.sync.told(said, turn))


def test_who_was_away_while_tombstones_went_starts_anew_and_loses_nothing():
    world = World(3, 6)
    world.mesh(2)
    world.write(0, put("x"), put("old"))
    world.write(2, put("third"))
    assert world.run(5.0, world.equal)
    world.cut(2, 0)
    world.cut(2, 1)
    world.write(2, put("mine"))  # nobody has seen it
    forget(world, 0, world.members[1])
    assert world.members[0].wrote[-1].reason == "state_author", "it is here"
    held = world.members[0].sync.held(ROOM)
    assert held is not None
    world.write(0, ("delete", "old", None))
    world.run(3 * limits.STATE_COLLECT_SECONDS)
    assert world.members[0].state.tombstones == 1, "memory waits for whoever is away"
    forget(world, 0, world.members[2])
    forget(world, 1, world.members[2])
    world.run(2 * limits.STATE_COLLECT_SECONDS)
    assert world.members[0].state.tombstones == 0
    world.start(world.members[0])
    again = world.members[0].sync.held(ROOM)
    assert again is not None and again.gone == {world.members[2].identity.author}
    world.link(2, 0)
    world.run(4 * ROUND)
    assert world.run(40.0, world.equal)
    assert world.members[0].state.names() == ["mine", "third", "x"]
    assert world.members[2].counts["state.snapshots.taken"] == 1


def test_a_restarted_peer_goes_on_where_its_disk_stands():
    world = World(2, 8)
    world.link(0, 1)
    for number in range(700):  # past the rows after which a snapshot takes their place
        world.write(0, put(f"k{number % 50}", str(number).encode()))
        world.run(0.05)
    member = world.members[0]
    assert len(member.rows) < limits.STATE_ROWS + 10
    assert member.counts["state.compacted"] >= 1
    before = member.state.state_hash
    world.start(member)
    assert member.state.state_hash == before
    world.write(0, put("again"))
    assert world.run(5.0, world.equal)
    assert world.members[1].sync.refusals.listed() == [], "no number is used twice"


def test_a_restarted_peer_passes_on_whose_key_it_met_before():
    world = World(3, 8)
    world.link(0, 1)
    world.write(0, put("x"))
    assert world.run(5.0, lambda: world.equal((0, 1)))
    world.cut(0, 1)
    world.start(world.members[1])
    world.link(1, 2)
    assert world.run(5.0, lambda: world.equal((1, 2)))
    assert refused(world, 2) == set()
    assert world.members[2].state.names() == ["x"]


def test_nothing_is_told_that_the_disk_does_not_have():
    world = World(2, 9)
    world.link(0, 1)
    world.members[0].disk_fails = True
    world.write(0, put("x"))
    world.run(5.0)
    (wrote,) = world.members[0].wrote
    assert wrote.reason == "store_failed"
    assert world.members[1].state.names() == [] == world.members[0].state.names()
    world.members[0].disk_fails = False
    world.write(0, put("x", b"2"))
    assert world.run(10.0, lambda: world.equal() and world.members[1].state.get("x") == ("bytes", b"2"))
    assert world.members[1].sync.refusals.listed() == [], "the number of the lost write was free again"


# --- hostile peers ----------------------------------------------------------------------------------


def refused(world: World, number: int) -> set[str]:
    return {str(each["reason"]) for each in world.members[number].sync.refusals.listed()}


def rewrite(world: World, sender: int, change) -> None:
    """Let one peer's deltas be changed on their way out."""

    def tamper(here: int, _to: int, frame: bytes) -> bytes:
        said = frames.read(frame)
        if here != sender or not isinstance(said, frames.Delta):
            return frame
        return frames.write(change(said))

    world.tamper = tamper


def test_a_forged_operation_is_refused_and_reported():
    world = line(2)

    def forge(said: frames.Delta) -> frames.Delta:
        changed = said.delta.replace(b"honest", b"forged")
        return frames.Delta(said.scope, changed, said.keys, said.push, said.ack)

    rewrite(world, 0, forge)
    world.write(0, put("x", b"honest"))
    world.run(10.0)
    assert refused(world, 1) == {"bad_proof"}
    assert world.members[1].state.names() == []
    world.tamper = lambda _here, _to, frame: frame
    assert world.run(2 * limits.STATE_STALL_SECONDS, world.equal), "the honest word is taken when it comes"


def test_a_far_future_clock_is_refused_and_reported():
    world = line(2)
    world.skew_ms[0] = 120_000
    world.write(0, put("x"))
    world.run(10.0)
    assert refused(world, 1) == {"future_timestamp"}


def test_an_author_that_signs_two_histories_is_named_and_both_sides_see_that_they_differ():
    world = line(3)
    liar, scope = world.members[1], ROOM
    for number in (0, 2):
        replica = core.StateMap(scope, liar.identity.author, seed=bytes(16))
        delta = replica.commit([put("x", bytes([number]))], now_ms=EPOCH_MS, identity=liar.identity)
        frame = frames.Delta(scope, delta, (liar.identity.public_key,), push=False, ack=False)
        world.travel(liar, number, frames.write(frame))
    world.run(1.0)
    world.link(0, 2)
    world.run(10 * ROUND)
    assert "equivocation" in refused(world, 0) | refused(world, 2)
    states = {peer["state"] for peer in world.members[0].sync.status(ROOM)[0]["peers"]}
    assert "diverged" in states
    assert world.members[0].counts["state.diverged"] >= 1


@pytest.mark.parametrize(
    "frame",
    [
        {"kind": "digest", "scope": ROOM, "digest": "AAAA", "answer": True},
        {"kind": "delta", "scope": ROOM, "delta": "AAAA", "keys": "", "push": True, "ack": True},
        {"kind": "delta", "scope": ROOM, "delta": "AA", "keys": "AA", "push": True, "ack": True},
        {"kind": "digest", "scope": ROOM, "digest": "AAAA", "answer": 1},
        {"kind": "digest", "scope": ROOM, "digest": "AB", "answer": True},
        {"kind": "part", "scope": ROOM, "of": "x", "part": 3, "parts": 2, "data": "", "keys": ""},
        {"kind": "none"},
        {"kind": ["digest"]},
    ],
)
def test_malformed_frames_are_counted_and_change_nothing(frame):
    world = line(2)
    world.run(1.0)
    before = world.members[1].state.state_hash
    world.travel(world.members[0], 1, json.dumps({"type": frames.TYPE, **frame}).encode())
    world.run(1.0)
    assert refused(world, 1) & {"malformed_frame", "malformed_state"}
    assert world.members[1].state.state_hash == before


def test_a_room_of_another_name_and_what_is_for_somebody_else_are_not_opened():
    world = line(2)
    world.run(1.0)
    sender = world.members[0]
    foreign = f"agent:{sender.identity.author}:{sender.identity.author}:session"
    for scope in ("room:other", foreign, "agent:x", "nonsense"):
        world.travel(sender, 1, frames.write(frames.Digest(scope, sender.state.digest(), True)))
    world.run(1.0)
    assert list(world.members[1].sync.replicas.scopes) == [ROOM]
    assert world.members[1].counts["state.dropped.scope"] == 4


def test_names_one_peer_vouches_for_are_bounded():
    world = line(2)
    world.run(1.0)
    sender = world.members[0]
    keys = [core.SigningKey(number.to_bytes(32, "big")).public_key for number in range(1, 301)]
    replica = core.StateMap(ROOM, sender.identity.author, seed=bytes(16))
    delta = replica.commit([put("x")], now_ms=EPOCH_MS, identity=sender.identity)
    world.travel(sender, 1, frames.write(frames.Delta(ROOM, delta, tuple(keys), False, False)))
    world.run(1.0)
    receiver = world.members[1]
    assert len(receiver.sync.replicas.keys) == limits.STATE_INTRODUCED + 2
    assert receiver.counts["state.keys.full"] == 300 - limits.STATE_INTRODUCED


def test_who_sends_more_than_its_pace_is_dropped_and_heard_again_later():
    world = line(2)
    world.run(1.0)
    sender = world.members[0]
    lump = frames.write(frames.Delta(ROOM, bytes(700_000), (), False, False))
    for _ in range(40):
        world.travel(sender, 1, lump)
    world.run(0.2)
    assert world.members[1].counts["state.dropped.pace"] > 0
    world.write(0, put("x"))
    assert world.run(60.0, world.equal)


def test_one_peer_cannot_take_every_place_for_scopes():
    world = line(2)
    world.run(1.0)
    sender = world.members[0]
    for number in range(limits.STATE_SCOPES_OF_PEER + 5):
        scope = f"agent:{sender.identity.author}:*:memory:m{number}"
        world.travel(sender, 1, frames.write(frames.Digest(scope, sender.state.digest(), True)))
    world.run(1.0)
    receiver = world.members[1]
    assert len(receiver.sync.replicas.scopes) == limits.STATE_SCOPES_OF_PEER + 1
    assert receiver.counts["state.scopes.full"] == 5


def test_what_does_not_fit_is_refused_and_said(monkeypatch):
    monkeypatch.setattr(limits, "STATE_REPLICA_BYTES", 1_000)
    world = line(2)
    world.run(1.0)
    world.write(0, put("x", bytes(400)))
    world.run(1.0)
    world.write(0, put("y", bytes(400)))
    world.run(10.0)
    assert world.members[1].state.names() == ["x"]
    assert refused(world, 1) == {"too_large"}
    for name in ("z", "w"):
        world.write(0, put(name, bytes(400)))
        world.run(1.0)
    assert [wrote.reason for wrote in world.members[0].wrote] == ["", "", "", "too_large"]
