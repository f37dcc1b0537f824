"""Attestations between peers: what is decided is signed, chained and told; a second history is shown."""

import json

import pytest

from covey import _core, limits
from covey.proto import effects as fx
from covey.proto.attest import words
from covey.proto.attest.engine import AttestExtension
from tests.unit.proto.virtual import Mesh, identity

KEY, ASSERTION = "cmb-" + "a" * 64, "asrt-" + "b" * 64
SEVEN = ["admit"] * 7
LIAR = identity(3)


class Attested:
    """A host that attests, and a disk that is a list."""

    def __init__(self, mesh, number, disk=None, chain=None, room="default", **options):
        self.mesh = mesh
        self.extension = AttestExtension(identity(number), room)
        self.host = mesh.host(number, extensions=[self.extension], room=room, **options)
        self.disk, self.chain, self.full = list(disk or []), chain, False
        self.host.shells["attest"] = self._do
        kinds = {kind: [] for kind in ("attestation", "checkpoint", "witness", "evidence")}
        for row in self.disk:
            kind = "checkpoint" if row.kind == "evidence" else row.kind
            kinds[row.kind].append(_core.AttestFrame.parse(f"sym-attest-{kind}", row.frame))
        own = any(row.kind == "attestation" and row.signer == self.host.identity.node_id for row in self.disk)
        self.tell(
            words.Restored(
                chain,
                own,
                *(tuple(kinds[kind]) for kind in ("attestation", "checkpoint", "witness", "evidence")),
            )
        )

    def tell(self, what):
        self.host.feed(fx.Told("attest", what, bytes(32)))
        self.mesh.settle()

    def _do(self, what):
        if isinstance(what, words.Count):
            self.host.feed(fx.Told("attest", words.Counted(1, 2, 3), bytes(32)))
            return
        if not self.full:
            self.disk += what.rows
            self.chain = what.chain
        self.host.feed(fx.Told("attest", words.Kept(what.token, "disk full" if self.full else ""), bytes(32)))

    def rows(self, kind, signer=None):
        who = signer and signer.host.identity.node_id
        return [row for row in self.disk if row.kind == kind and who in (None, row.signer)]

    def parsed(self, kind, signer=None):
        return [_core.AttestFrame.parse(f"sym-attest-{kind}", row.frame) for row in self.rows(kind, signer)]

    def count(self, name):
        return self.host.counts[f"attest.{name}"]


def room_of(*numbers, **options):
    mesh = Mesh()
    found = [Attested(mesh, number, **options) for number in numbers]
    mesh.introduce(*(each.host for each in found))
    return mesh, found


def emit(node, count, start=0):
    for n in range(start, start + count):
        node.host.emit(f"subject number {n} of {node.host.identity.name}")


def bring(node, frames, *known_by):
    """Let a peer say any frames to a node; `known_by` have met it too, and hear of them from the node."""
    mesh = node.mesh
    liar = mesh.host(3, extensions=[AttestExtension(LIAR, "default")])
    mesh.introduce(liar, node.host, *(each.host for each in known_by))
    links = liar.engine._sessions.links.values()
    session = next(link for link in links if link.node_id == node.host.identity.node_id).speaking
    for frame in frames:
        session.send_control(frame.to_json())
    for link in liar.engine._sessions.links.values():
        liar.engine._sessions.touch(link)
    liar.feed(fx.Timer(bytes(32)))
    mesh.settle()
    return liar


def chained(count, *, by=LIAR, verdict="aligned", every=8, room="default"):
    """Sign a chain of a node's own: attestations and their checkpoints."""
    chain = _core.AttestChain(by.node_id, room)
    found = []
    for n in range(count):
        found.append(
            chain.attest(
                by,
                key=KEY,
                assertion_id="asrt-" + f"{n:064x}",
                decision=verdict,
                verdicts=SEVEN,
                method="heuristic",
                role="participant",
                at_ms=n,
            )
        )
        if chain.pending == every:
            found.append(chain.checkpoint(by, at_ms=n))
    return [frame for frame in found if frame is not None]


def test_what_is_decided_is_attested_told_and_committed_to():
    mesh, (one, two, three) = room_of(1, 2, 4)
    emit(one, limits.ATTEST_CHECKPOINT_EVERY)
    mesh.settle()
    told = three.parsed("attestation", two)
    assert [frame.range[0] for frame in told] == list(range(1, 9))
    assert [json.loads(f.to_json())["attestation"]["prev"] for f in told][1:] == [f.link for f in told[:-1]]
    (checkpoint,) = three.parsed("checkpoint", two)
    assert checkpoint.covers(told)
    assert not checkpoint.covers(told[:-1])
    assert one.count("signed") == 0, "nobody attests its own words"
    assert {row.signer for row in one.rows("witness")} == {n.host.identity.node_id for n in (one, two, three)}
    told_two = [json.loads(row.frame)["witness"]["attester"] for row in two.rows("witness")]
    assert told_two.count(two.host.identity.node_id) == 2, (
        "an attester holds what others say of its checkpoints"
    )
    for frame in told:
        frame.verify(two.host.identity.public_key)
    assert three.extension.status()["pending"] == 0


def test_a_quiet_room_is_committed_to_after_a_while():
    mesh, (one, _) = room_of(1, 2)
    emit(one, 3)
    assert one.rows("checkpoint") == []
    mesh.advance(limits.ATTEST_CHECKPOINT_SECONDS + 1)
    (checkpoint,) = one.parsed("checkpoint")
    assert checkpoint.range == (1, 3)
    mesh.advance(limits.ATTEST_CHECKPOINT_SECONDS + 1)
    assert len(one.rows("checkpoint")) == 1


def test_a_directed_block_is_never_attested():
    _, (one, two) = room_of(1, 2)
    one.host.emit("for your eyes only", to=two.host.identity.node_id)
    assert (two.count("signed"), two.disk) == (0, [])


def test_nothing_is_told_before_it_is_durable_and_nothing_is_left_out():
    mesh, (one, two) = room_of(1, 2)
    two.full = True
    emit(one, 2)
    assert (two.count("signed"), two.disk, one.disk) == (2, [], [])
    two.full = False
    emit(one, 1, start=2)
    assert [frame.range[0] for frame in one.parsed("attestation")] == [1, 2, 3]
    assert mesh is two.mesh


def test_a_restart_goes_on_with_the_chain_and_says_nothing_twice():
    _, (one, two) = room_of(1, 2)
    emit(one, 3)
    mesh = Mesh()
    again, other = Attested(mesh, 2, two.disk, two.chain), Attested(mesh, 1, one.disk)
    mesh.introduce(again.host, other.host)
    emit(other, 1, start=50)
    assert [frame.range[0] for frame in other.parsed("attestation")] == [1, 2, 3, 4]
    assert again.chain is not None


def test_a_lost_chain_ends_visibly_and_signs_nothing_more():
    _, (one, two) = room_of(1, 2)
    emit(one, 3)
    mesh = Mesh()
    again, other = Attested(mesh, 2, two.disk), Attested(mesh, 1)
    mesh.introduce(again.host, other.host)
    emit(other, 1, start=50)
    assert (again.count("signed"), other.disk) == (0, [])
    assert again.extension.status()["ended"] == "its state is lost"
    assert any(log.event == "attest-chain-ended" for log in again.host.logs)


def test_another_room_continues_the_one_chain():
    _, (one, two) = room_of(1, 2)
    emit(one, 3)
    mesh = Mesh()
    again, other = Attested(mesh, 2, two.disk, two.chain, room="lab"), Attested(mesh, 1, room="lab")
    mesh.introduce(again.host, other.host)
    emit(other, 1, start=50)
    (frame,) = other.parsed("attestation")
    assert (frame.range, frame.room) == ((4, 4), "lab")
    assert [(c.range, c.room) for c in again.parsed("checkpoint")] == [((1, 3), "default")]
    assert other.rows("checkpoint") == [], "what was said in the room before is not told in this one"


def test_a_second_history_is_kept_told_shown_and_never_witnessed():
    _, (one, two) = room_of(1, 2)
    first, second = chained(8), chained(8, verdict="guarded")
    bring(one, [*first, second[-1]], two)
    assert (one.count("equivocation"), two.count("equivocation")) == (1, 1)
    assert [row.signer for row in two.rows("evidence")] == [LIAR.node_id]
    assert any(log.event == "equivocation" and log.level == "error" for log in two.host.logs)
    assert len(two.rows("checkpoint")) == 1, "the copy that was held first stays"
    witnesses = len(two.rows("witness"))
    assert witnesses == 2, "what was witnessed before stands"
    mesh = Mesh()
    again = Attested(mesh, 1, one.disk)
    bring(again, chained(16)[9:])
    assert again.count("dropped.forked") == 1, "evidence outlives a restart"


def test_a_broken_link_is_discarded_and_is_no_evidence():
    _, (one, _) = room_of(1, 2)
    whole = chained(24)
    skipping = json.loads(whole[-1].to_json())
    skipping["checkpoint"]["prev"] = whole[8].root
    bent = _core.AttestFrame.parse("sym-attest-checkpoint", json.dumps(skipping).encode())
    bring(one, [whole[8], bent])
    assert (one.count("dropped.broken_link"), one.count("equivocation")) == (1, 0)


def test_forged_frames_cost_only_who_brings_them_and_are_never_kept():
    _, (one, two) = room_of(1, 2)
    forged = []
    for n, frame in enumerate(chained(limits.ATTEST_FAILURES + 4, every=99)):
        value = json.loads(frame.to_json())
        value["attestation"]["by"] = two.host.identity.node_id
        value["attestation"]["at"] = n
        forged.append(_core.AttestFrame.parse("sym-attest-attestation", json.dumps(value).encode()))
    bring(one, forged)
    assert one.count("refused.bad_signature") == limits.ATTEST_FAILURES
    assert one.count("dropped.muted") == 4
    assert one.disk == []
    emitted = [log for log in one.host.logs if log.event == "attestation-refused"]
    assert len(emitted) == 1
    # An honest frame of the same signer through another peer is taken.
    emit(one, 1)
    assert [row.signer for row in one.rows("attestation")] == [two.host.identity.node_id]


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        (lambda: chained(1, by=identity(77)), "unknown_signer"),
        (lambda: chained(1, room="elsewhere"), "other_room"),
        (lambda: chained(1) * 2, "duplicate"),
        (lambda: [chained(8)[-1].witnessed(LIAR2, role="participant", at_ms=1)], "nothing_witnessed"),
    ],
)
def test_what_is_not_worth_a_check_is_discarded_before_one(frames, why):
    _, (one, _) = room_of(1, 2)
    bring(one, frames())
    assert one.count(f"dropped.{why}") == 1


LIAR2 = identity(2)


def test_a_witness_that_contradicts_a_held_checkpoint_tells_on_itself():
    _, (one, _) = room_of(1, 2)
    first, second = chained(8), chained(8, verdict="guarded")
    witness = second[-1].witnessed(LIAR2, role="participant", at_ms=1)
    bring(one, [first[-1], witness])
    assert one.count("dropped.disagrees") == 1
    assert one.count("equivocation") == 0, "a witness is only its signer's word"


def test_one_record_is_not_attested_by_one_node_without_end():
    _, (one, two) = room_of(1, 2)
    bring(one, chained(limits.ATTEST_REPEATS + 5, every=99), two)
    assert one.count("dropped.repeated") == 5
    assert len(two.rows("attestation")) == limits.ATTEST_REPEATS


def test_a_flood_of_frames_costs_what_its_lane_pays():
    _, (one, _) = room_of(1, 2)
    chain = chained(limits.ATTEST_FRAMES_BURST + 40, every=9_999)
    bring(one, chain)
    assert one.count("dropped.over_budget") >= 40


def test_a_busy_stream_is_attested_at_its_own_pace():
    _, (one, two) = room_of(1, 2)
    emit(one, limits.ATTEST_OWN_BURST + 20)
    assert two.count("signed") <= limits.ATTEST_OWN_BURST + 2
    assert two.count("skipped") >= 18


def test_statistics_are_told_attributed_and_of_no_consequence():
    mesh, (one, two) = room_of(1, 2)
    mesh.advance(3)
    told = one.extension.status()["stats"][two.host.identity.node_id]
    assert (told["emitted"], told["admitted"], told["memory"]) == (1, 2, 3)
    assert one.disk == []
    sent = one.count("stats")
    mesh.advance(limits.ATTEST_STATS_SECONDS / 2)
    assert one.count("stats") == sent, "no more often than it is asked for"


def test_a_peer_without_the_extension_hears_and_says_nothing():
    mesh = Mesh()
    one, plain = Attested(mesh, 1), mesh.host(2)
    mesh.introduce(one.host, plain)
    plain.emit("is anybody attesting")
    assert one.count("signed") == 1
    assert not any(name.startswith("frames.control.sym-attest") for name in plain.counts)
