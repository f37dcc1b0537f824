"""Solving together, the rules: whatever members do or not, it ends, in time, and says how."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import _core, limits
from covey.fleet import signed_word as sw
from covey.fleet.solve import NONE, Ask, Over, Poll, Solve, option, options
from covey.fleet.transcript import (
    PHASES,
    SAID,
    Item,
    Problem,
    SolveError,
    entry_dict,
    lineage,
    read_entries,
    read_problem,
    said_body,
    standing,
)

WHO = {
    f"01900000-0000-7000-8000-{n:012x}": _core.Identity(
        f"01900000-0000-7000-8000-{n:012x}", f"m{n}", hashlib.sha256(f"m {n}".encode()).digest()
    )
    for n in range(1, 5)
}
NAMES = tuple(WHO)
SECONDS = {"brainstorm": 10.0, "critique": 15.0, "vote": 5.0, "implement": 60.0}


def problem(members=NAMES):
    return Problem("0" * 12, "a problem", members, SECONDS)


def said(solve, by, phase, *items):
    body = said_body(solve.problem.digest(), phase, items)
    return sw.say(WHO[by], SAID, NAMES[0], body)


def begun():
    solve = Solve(problem())
    asks = solve.begin(0.0, NAMES)
    assert [each.member for each in asks] == list(NAMES) and {each.phase for each in asks} == {"brainstorm"}
    return solve


def test_s15_phases_have_deadlines_and_end_early_when_everybody_here_has_spoken():
    solve = begun()
    assert solve.said(said(solve, NAMES[0], "brainstorm", Item("one")), 1.0) is None
    assert solve.tick(9.9, NAMES) == []
    (first, *_) = solve.tick(10.0, NAMES)
    assert (first.phase, [each.text for each in first.entries]) == ("critique", ["one"])
    idea = solve.ideas()[0].id
    assert solve.said(said(solve, NAMES[1], "critique", Item("good", (idea,), 0.9)), 11.0) is None
    *asks, poll = solve.tick(11.0, NAMES[:2][1:])  # the others are gone: nobody is waited for
    assert isinstance(poll, Poll) and poll.options == (f"{idea[:12]} one", NONE)
    assert [each.member for each in asks] == [NAMES[1]] and solve.next_deadline() is None
    (ask,) = solve.polled(poll.options[0], 12.0, NAMES)
    assert isinstance(ask, Ask) and (ask.member, ask.phase) == (NAMES[0], "implement")
    assert solve.said(said(solve, NAMES[1], "implement", Item("mine", (idea,))), 13.0) == "second-word"
    assert solve.said(said(solve, NAMES[0], "implement", Item("made", (idea,))), 13.0) is None
    (over,) = solve.tick(13.0, NAMES)
    assert (over.stage, over.result.text) == ("solved", "made")
    assert ("critique", NAMES[0]) in over.silent and ("brainstorm", NAMES[3]) in over.silent
    assert [each.text for each in lineage(solve.entries, over.result.id)] == ["one", "made"]


def test_s15_who_comes_while_a_phase_lasts_is_asked_then_for_the_time_that_is_left():
    solve = Solve(problem())
    asks = solve.begin(0.0, NAMES[:1])
    assert [each.member for each in asks] == list(NAMES[:1])
    assert solve.said(said(solve, NAMES[0], "brainstorm", Item("one")), 0.1) is None
    (ask,) = solve.tick(0.5, NAMES[:2])
    assert (ask.member, ask.phase, ask.seconds) == (NAMES[1], "brainstorm", 9.5)
    assert solve.tick(0.6, NAMES[:2]) == [], "once"
    assert solve.tick(0.7, NAMES[:1]) == []
    (again,) = solve.tick(0.8, NAMES[:2])
    assert again.member == NAMES[1], "who was gone may have lost what it was asked"
    assert solve.said(said(solve, NAMES[1], "brainstorm", Item("two")), 1.0) is None
    assert [each.phase for each in solve.tick(limits.SOLVE_GATHER_SECONDS, NAMES[:2])] == ["critique"] * 2
    for each in NAMES[:2]:
        assert solve.said(said(solve, each, "critique"), 3.0) is None
    *_, poll = solve.tick(3.0, NAMES[:2])
    assert isinstance(poll, Poll)
    (late,) = solve.tick(4.0, NAMES[:3])
    assert (late.member, late.phase, late.seconds) == (NAMES[2], "vote", 4.0)
    assert [each.text for each in late.entries] == ["one", "two"]


def test_s15_the_first_phase_waits_a_moment_for_members_who_have_not_been_here():
    solve = Solve(problem())
    solve.begin(0.0, NAMES[:1])
    assert solve.said(said(solve, NAMES[0], "brainstorm", Item("one")), 0.1) is None
    assert solve.next_deadline() == limits.SOLVE_GATHER_SECONDS
    assert solve.tick(limits.SOLVE_GATHER_SECONDS - 0.1, NAMES[:1]) == []
    assert [each.phase for each in solve.tick(limits.SOLVE_GATHER_SECONDS, NAMES[:1])] == ["critique"]
    assert solve.next_deadline() == limits.SOLVE_GATHER_SECONDS + SECONDS["critique"]
    whole = Solve(problem(NAMES[:1]))
    whole.begin(0.0, NAMES[:1])
    assert whole.said(said(whole, NAMES[0], "brainstorm", Item("one")), 0.1) is None
    assert whole.tick(0.1, NAMES[:1]) != [], "where all are here nobody waits"


@pytest.mark.parametrize(
    ("by", "phase", "items", "now", "why"),
    [
        (0, "critique", [], 1.0, "wrong-phase"),
        (0, "vote", [], 1.0, "wrong-phase"),
        (0, "brainstorm", [Item("x")], 10.5, "wrong-phase"),
        (1, "brainstorm", [Item("x")], 1.0, "second-word"),
        (0, "brainstorm", [Item("x", ("0" * 64,))], 1.0, "unknown-parent"),
        (0, "brainstorm", [Item("x" * 8_000)] * 4, 1.0, "too-large"),
        (0, "brainstorm", [Item("x")] * 17, 1.0, "malformed"),
        (0, "brainstorm", [Item("")], 1.0, "malformed"),
    ],
)
def test_s15_what_does_not_count_is_refused_with_its_reason(by, phase, items, now, why):
    solve = begun()
    assert solve.said(said(solve, NAMES[1], "brainstorm", Item("x")), 1.0) is None
    assert solve.said(said(solve, NAMES[by], phase, *items), now) == why
    other = sw.say(WHO[NAMES[0]], SAID, NAMES[0], said_body("0" * 64, "brainstorm", []))
    assert solve.said(other, 1.0) == "other-solve"
    few = Solve(problem(NAMES[:1]))
    few.begin(0.0, NAMES)
    assert few.said(said(few, NAMES[1], "brainstorm"), 1.0) == "not-a-member"


@given(st.data())
def test_s15_whatever_members_do_it_ends_in_time_with_a_typed_end(data):
    solve, now = Solve(problem()), 0.0
    effects = solve.begin(now, NAMES)
    for _ in range(400):
        if any(isinstance(each, Over) for each in effects):
            break
        present = data.draw(st.sets(st.sampled_from(NAMES)))
        if any(isinstance(each, Poll) for each in effects):
            poll = next(each for each in effects if isinstance(each, Poll))
            winner = data.draw(st.sampled_from([None, *poll.options]))
            now += SECONDS["vote"]
            effects = solve.polled(winner, now, present)
            continue
        known = [each.id for each in solve.entries]
        for by in data.draw(st.lists(st.sampled_from(NAMES), max_size=3)):
            phase = data.draw(st.sampled_from(PHASES))
            parents = data.draw(st.lists(st.sampled_from(known), max_size=2)) if known else []
            text = data.draw(st.sampled_from(["a", "b"]))
            solve.said(said(solve, by, phase, Item(text, tuple(parents), 0.5)), now)
        now += data.draw(st.sampled_from([0.0, 5.0, 20.0]))
        effects = solve.tick(now, present)
    else:
        # nobody moved the clock: at the deadline it goes on without anybody
        while not any(isinstance(each, Over) for each in effects):
            now = max(now, solve.next_deadline() or now)
            effects = solve.tick(now, ()) if solve.phase != "vote" else solve.polled(None, now, ())
    (over,) = [each for each in effects if isinstance(each, Over)]
    assert solve.next_deadline() is None and solve.tick(now + 1e9, NAMES) == []
    assert now <= 45.0 + SECONDS["implement"] * (limits.SOLVE_BUILDERS + 1) + 20.0 * 5
    assert (over.result is not None) == (over.stage == "solved")
    ids = [each.id for each in solve.entries]
    assert len(set(ids)) == len(ids)
    for number, each in enumerate(solve.entries):
        assert set(each.parents) <= set(ids[:number]), "what something rests on was said before it"


def test_s15_ideas_are_ranked_by_what_was_said_of_them_and_only_so_many_are_voted_on():
    solve = begun()
    for name in NAMES:
        items = [Item(f"{name} {n}") for n in range(5)]
        assert solve.said(said(solve, name, "brainstorm", *items), 1.0) is None
    solve.tick(1.0, NAMES)
    liked = solve.ideas()[-1]
    assert solve.said(said(solve, NAMES[0], "critique", Item("yes", (liked.id,), 1.0)), 2.0) is None
    found = options(solve.entries)
    assert len(found) == limits.VOTE_OPTIONS and found[0] == option(liked) and found[-1] == NONE
    assert standing(liked, solve.remarks()) == 0.75 and standing(solve.ideas()[0], solve.remarks()) == 0.5


def test_what_is_told_to_members_is_read_as_it_was_said_and_anything_else_refused():
    solve = begun()
    solve.said(said(solve, NAMES[0], "brainstorm", Item("one"), Item("two")), 1.0)
    told = json.loads(json.dumps([entry_dict(each) for each in solve.entries]))
    assert read_entries(solve.problem.digest(), told) == solve.entries
    assert read_problem(json.loads(json.dumps(solve.problem.to_dict()))) == solve.problem
    for wrong in (None, [1], [{**told[0], "more": 1}], [{**told[0], "score": 2}], [{**told[0], "by": 1}]):
        with pytest.raises(SolveError):
            read_entries(solve.problem.digest(), wrong)
    whole = solve.problem.to_dict()
    for change in ({"members": []}, {"seconds": {}}, {"text": "\ud800"}, {"id": "a/b"}, {"members": [1]}):
        with pytest.raises(SolveError):
            read_problem({**whole, **change})
