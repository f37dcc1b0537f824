"""Succession in virtual time: one standby goes on, late writes are refused, a minority does nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from covey.proto.continuity import wants
from covey.proto.continuity.case import Promise
from covey.proto.continuity.line import Line, read_line
from covey.proto.continuity.values import ProofError, make_release, make_term, read_plan, read_term
from covey.proto.continuity.voting import Ruling, judge
from tests.unit.proto.continuity_world import World


def declared(size: int, standbys: list[int], witnesses: list[int] = (), seed: int = 1) -> World:  # type: ignore[assignment]  # an empty default
    world = World(size, seed)
    world.consent(*standbys)
    answer = world.declare(standbys, witnesses)
    assert answer is not None and not answer.reason, answer
    world.run(3.0)
    return world


def test_a07_exactly_one_standby_goes_on_when_its_owner_dies_and_late_writes_are_refused():
    world = declared(3, [1, 2])
    for _ in range(5):
        assert world.write(0)
        world.run(1.0)
    owner = world.nodes[0].case(world.agent)
    assert owner.acknowledged(world.agent) == (1, 10)
    world.part({0}, {1, 2})
    assert world.run(30.0, lambda: world.holders()[1] == world.holders()[2] == (2, "peer-1"))
    assert world.write(1) and not world.write(2)
    assert world.write(0), "it does not know yet"
    world.heal()
    world.replicate(world.nodes[0])
    assert world.run(30.0, lambda: world.holders()[0] == (2, "peer-1"))
    assert not world.write(0)
    world.run(5.0)
    assert world.refused > 0
    assert world.nodes[2].replicas[f"agent:{world.agent}:{world.nodes[2].author}:session"] == 5
    assert world.accepted == {(1, True): {world.agent}, (2, True): {world.nodes[1].author}}


def test_a_minority_never_adopts_by_itself_and_does_when_the_operator_says_so():
    world = declared(5, [1, 2], [3, 4])
    world.part({0, 2, 3, 4}, {1})
    world.run(120.0)
    assert world.holders()[1] == (1, "peer-0")
    assert world.nodes[1].case(world.agent).promise.epoch == 0, "it used up no epoch"
    plain = world.ask(1, lambda token: wants.Adopt(token, world.agent, False))
    assert plain is not None and plain.reason == "no_majority"
    forced = world.ask(1, lambda token: wants.Adopt(token, world.agent, True))
    assert forced is not None and not forced.reason
    assert world.holders()[1][1] == "peer-1"
    assert not world.nodes[1].case(world.agent).line.decided
    world.heal()
    assert world.run(10.0, lambda: {name for _, name in world.holders().values()} == {"peer-1"})
    assert not world.write(0), "fenced by the operator's word too"


def test_below_three_voters_nobody_takes_over_by_itself():
    world = declared(2, [1])
    assert not world.nodes[0].case(world.agent).plan.automatic
    world.crash(0)
    world.run(200.0)
    assert world.holders() == {1: (1, "peer-0")}
    assert world.ask(1, lambda token: wants.Adopt(token, world.agent, True)).reason == ""
    world.restart(0)
    assert world.run(10.0, lambda: world.holders()[0] == (2, "peer-1"))


def test_a_standby_that_did_not_consent_is_passed_over():
    world = World(3)
    world.consent(2)
    assert not world.declare([1, 2]).reason
    world.run(1.0)
    world.crash(0)
    assert world.run(60.0, lambda: world.holders()[1] == world.holders()[2] == (2, "peer-2"))


def test_hand_back_waits_until_the_owner_has_everything():
    world = declared(3, [1], [2])
    world.write(0)
    world.run(3.0)
    world.crash(0)
    assert world.run(30.0, lambda: world.holders()[1] == (2, "peer-1"))
    for _ in range(3):
        world.write(1)
    world.restart(0)
    world.run(5.0)
    answer = world.ask(1, lambda token: wants.HandOn(token, world.agent, ""))
    assert answer is not None and not answer.reason, answer
    world.run(2.0)
    assert set(world.holders().values()) == {(3, "peer-0")}
    assert world.write(0) and not world.write(1)
    (term,) = [term for term in world.terms if term.epoch == 3]
    assert (term.why, term.mark, term.source) == ("released", (2, 3), world.nodes[1].author)


def test_the_fresher_standby_goes_on_also_where_the_other_is_preferred():
    world = declared(4, [1, 2], [3])
    world.part({0, 2, 3}, {1})
    for _ in range(4):
        world.write(0)
    world.run(5.0)
    assert world.nodes[0].case(world.agent).acknowledged(world.agent) == (1, 8)
    world.crash(0)
    world.part({1, 2, 3})
    world.heal()
    assert world.run(60.0, lambda: set(world.holders().values()) == {(world.holders()[2][0], "peer-2")})


def test_a_plan_is_replaced_by_its_voters_and_not_without_them():
    world = declared(4, [1, 2])
    changed = world.declare([2, 3])
    assert changed is not None and not changed.reason and changed.facts["plan"] == 2
    world.run(2.0)
    assert set(world.holders().values()) == {(2, "peer-0")}
    world.consent(3)
    world.part({0}, {1, 2, 3})
    stuck = world.declare([3, 2])
    assert stuck is not None and stuck.reason == "no_majority"
    assert world.run(60.0, lambda: world.holders()[3][1] in ("peer-2", "peer-3"))
    assert world.holders()[1] == world.holders()[3], "who was left out hears of it"
    world.heal()
    assert world.run(20.0, lambda: len(set(world.holders().values())) == 1)
    assert world.holders()[0][1] != "peer-0"


def test_a_goodbye_is_no_failure_until_it_lasts():
    world = declared(3, [1, 2])
    world.crash(0)
    for number in (1, 2):
        world.nodes[number].believes[0] = "left"
    world.run(50.0)
    assert set(world.holders().values()) == {(1, "peer-0")}
    assert world.run(30.0, lambda: world.holders()[1][0] == 2)


def test_a26_a_node_is_offered_an_agent_and_says_why_not():
    world = World(2)
    offer = lambda token: wants.Offer(token, "peer-1", ("session",), 1_000)  # noqa: E731 (said twice)
    refused = world.ask(0, offer)
    assert refused is not None and refused.reason == "not_viable" and "consent" in refused.detail
    world.consent(1)
    taken = world.ask(0, offer)
    assert taken is not None and not taken.reason and taken.facts["report"]["free_bytes"] > 0
    big = world.ask(0, lambda token: wants.Offer(token, "peer-1", ("session",), 1 << 40))
    assert big is not None and "too little space" in big.detail


@pytest.mark.parametrize("seed", range(4))
def test_two_that_begin_at_once_end_with_one(seed):
    world = declared(5, [1, 2, 3], [4], seed=seed)
    world.crash(0)
    for node in world.nodes[1:]:
        node.slow_disk = True
    assert world.run(90.0, lambda: len(set(world.holders().values())) == 1 and world.holders()[1][0] > 1)
    assert all(len(holders) == 1 for holders in world.held.values())


def test_a_plan_names_each_member_once_and_no_stranger():
    world = World(3)
    assert (
        "called nobody" in world.ask(0, lambda t: wants.Declare(t, ("nobody",), (), ("session",), 9)).detail
    )
    assert "twice" in world.declare([1, 1]).detail
    assert "standbys" in world.declare([]).detail
    assert "classes" in world.ask(0, lambda t: wants.Declare(t, ("peer-1",), (), (), 9)).detail


def test_who_voted_to_close_a_plan_votes_for_nothing_else_under_it():
    world = declared(4, [1, 2, 3])
    world.part({0, 1}, {2, 3})
    assert world.declare([1, 2]).reason == "no_majority"
    world.crash(0)
    world.heal()
    world.run(60.0)
    assert set(world.holders().values()) == {(1, "peer-0")}, "three of four are here, and one gave its word"
    assert world.nodes[1].counts["continuity.votes.closing"] > 0
    assert world.ask(2, lambda token: wants.Adopt(token, world.agent, True)).reason == ""
    world.run(5.0)
    assert {name for _, name in world.holders().values()} == {"peer-2"}


def test_who_promised_a_later_epoch_confirms_nothing_more_until_the_holder_takes_one():
    world = declared(3, [1, 2])
    owner = world.nodes[0].case(world.agent)
    plan = owner.plan.digest
    world.nodes[1].case(world.agent).promise = Promise(5, "f" * 64, False, plan)
    world.nodes[2].case(world.agent).promise = Promise(5, "f" * 64, False, plan)
    world.write(0)
    world.run(0.3)
    assert owner.acknowledged(world.agent) == (1, 0)
    assert world.nodes[1].case(world.agent).mark == (1, 0)
    assert world.run(10.0, lambda: set(world.holders().values()) == {(6, "peer-0")})
    assert world.run(10.0, lambda: owner.acknowledged(world.agent) == (6, 2))
    assert owner.line.last.why == "renewed"


def test_what_does_not_hold_is_refused():
    world = declared(3, [1], [2])
    world.crash(0)
    assert world.run(30.0, lambda: world.holders()[1][0] == 2)
    line = world.nodes[1].case(world.agent).line
    plan, term = line.plan, line.term
    assert read_line(line.wire()) == line
    for member in ("owner", "witness"):
        votes = {a: v for a, v in term.votes.items() if plan.member(a).role != member}
        if len(votes) < plan.majority:
            with pytest.raises(ProofError, match="too few votes"):
                Line(line.plans).advanced(replace(term, votes=votes))
    forged = {**line.wire(), "term": {**line.wire()["term"], "votes": dict.fromkeys(term.votes, "A" * 86)}}
    with pytest.raises(ProofError, match="signature does not hold"):
        read_line(forged)
    higher = term.body.replace(b'"epoch":2', b'"epoch":9')
    with pytest.raises(ProofError, match="signature does not hold"):
        read_term(higher, term.signature, {}, plan)
    stranger = World(5).nodes[4].identity
    with pytest.raises(ProofError, match="does not know its holder"):
        make_term(stranger, plan, 3, "forced", 0)
    with pytest.raises(ProofError, match="only its owner closes"):
        make_term(world.nodes[1].identity, plan, 3, "closed", 0)
    with pytest.raises(ProofError, match="signature does not hold"):
        read_plan(plan.body.replace(b'"number":1', b'"number":2'), plan.signature)


def test_malformed_frames_are_counted_and_change_nothing():
    world = declared(2, [1])
    before = world.nodes[1].disk
    frames = [b"{}", b'{"type":"x-covey-continuity","op":"line","line":{}}', b"[]", b'{"op":"beat"}']
    frames += [b'{"type":"x-covey-continuity","op":"beat","agent":"a","epoch":true,"write":1,"heads":{}}']
    for frame in frames:
        world.travel(world.nodes[0], 1, frame)
    world.run(1.0)
    assert world.nodes[1].counts["continuity.refused"] == len(frames)
    assert world.nodes[1].disk == before


def test_a_vote_is_given_where_the_agent_is_free_and_once_in_an_epoch():
    world = declared(4, [1, 2], [3])
    one, two = world.nodes[1], world.nodes[2]
    plan, voter = one.case(world.agent).plan, world.nodes[2].author

    def asked(epoch, *, gone=True, release=None, why="failed", by=one, mark=(1, 0)):
        term = make_term(by.identity, plan, epoch, why, 0, mark=mark, source=world.agent)
        return judge(case, term, None, release, voter, lambda: gone), term

    case = two.case(world.agent)
    case.mark = (1, 3)
    assert asked(2, mark=(1, 3))[0].reason == ""
    assert asked(2, mark=(1, 3), gone=False)[0].reason == "alive"
    assert asked(2, mark=(1, 2))[0].reason == "behind"
    assert asked(2, why="forced")[0].reason == "forced"
    assert asked(2, why="released", mark=(1, 3))[0].reason == "alive", "without its word"
    release = make_release(world.nodes[0].identity, plan, 1, one.author, (1, 3))
    assert asked(2, why="released", release=release, gone=False, mark=(1, 3))[0].reason == ""
    assert asked(2, why="released", release=release, gone=False, mark=(1, 2))[0].reason == "alive"
    other = make_release(world.nodes[0].identity, plan, 1, two.author, (1, 3))
    assert asked(2, why="released", release=other, gone=False, mark=(1, 3))[0].reason == "alive"
    assert asked(2, why="renewed", by=world.nodes[0], gone=False)[0].reason == "", "its holder itself"
    _, given = asked(4, mark=(1, 3))
    case.promise = Promise(4, given.digest, False, plan.digest)
    assert asked(4, mark=(1, 3))[0].reason == "", "the vote it gave"
    assert asked(4, by=two, mark=(1, 3))[0] == Ruling("voted", 4)
    assert asked(3, mark=(1, 3))[0] == Ruling("voted", 4)
    case.promise = Promise(4, given.digest, True, plan.digest)
    assert asked(5, mark=(1, 3))[0] == Ruling("closing", 4)
    case.promise = Promise(4, given.digest, True, "of an earlier plan")
    assert asked(5, mark=(1, 3))[0].reason == ""
    case.line = case.line.advanced(replace(given, votes=dict.fromkeys("abc", b"")))
    assert asked(3, mark=(1, 3))[0].reason == "stale"


def test_an_owner_that_came_back_goes_on_when_its_standby_dies_with_what_that_one_wrote():
    world = declared(3, [1], [2])
    world.write(0)
    world.run(3.0)
    world.crash(0)
    assert world.run(30.0, lambda: world.holders()[1] == (2, "peer-1"))
    world.restart(0)
    world.write(1)
    world.run(5.0)
    assert world.nodes[1].case(world.agent).acknowledged(world.nodes[1].author) == (2, 1)
    world.crash(1)
    assert world.run(30.0, lambda: set(world.holders().values()) == {(3, "peer-0")})
    assert world.nodes[0].case(world.agent).line.last.mark == (2, 1)
