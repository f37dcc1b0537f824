"""Votes: quorum, majority, ties, deadlines; signed ballots that can be counted again by anybody."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import _core
from covey.fleet.vote import ABSTAIN, STATEMENT, Ballot, Question, Vote, VoteError, count, recount

VOTERS = {
    f"01900000-0000-7000-8000-{n:012x}": _core.Identity(
        f"01900000-0000-7000-8000-{n:012x}", f"v{n}", hashlib.sha256(f"voter {n}".encode()).digest()
    )
    for n in range(1, 6)
}
NAMES = tuple(VOTERS)


def question(**changes):
    plain = {
        "id": "q1",
        "text": "ship it?",
        "options": ("yes", "no"),
        "electorate": NAMES,
        "deadline_ms": 1_000,
    }
    return Question(**{**plain, **changes})


def ballot(asked, voter, option, signer=None):
    unsigned = Ballot(asked.digest(), voter, option)
    return replace(unsigned, signature=VOTERS[signer or voter].sign_statement(STATEMENT, unsigned.body()))


def verify(cast):
    try:
        _core.verify_statement(STATEMENT, cast.body(), cast.signature, VOTERS[cast.voter].public_key)
    except _core.CoreError:
        return False
    return True


def held(asked, *options):
    vote = Vote(asked, verify)
    for voter, option in zip(NAMES, options, strict=False):
        if option is not None:
            assert vote.cast(ballot(asked, voter, option), 500) is None
    return vote


def test_s11_a_dead_voter_cannot_hang_a_vote():
    vote = held(question(), "yes", "yes", "no")
    assert not vote.over(1_000)
    assert vote.over(1_001)
    outcome = vote.outcome()
    assert (outcome.kind, outcome.winner) == ("decided", "yes")
    assert outcome.missing == tuple(sorted(NAMES[3:]))
    assert outcome.confidence == pytest.approx(2 / 5)


def test_s11_a_double_vote_is_counted_once_and_two_different_ones_not_at_all():
    asked = question()
    vote = held(asked, "yes")
    again = ballot(asked, NAMES[0], "yes")
    assert vote.cast(again, 600) is None
    assert vote.outcome().counts == {"yes": 1, "no": 0}
    assert vote.cast(ballot(asked, NAMES[0], "no"), 700) == "second-ballot"
    assert vote.cast(again, 800) == "second-ballot"
    outcome = vote.outcome()
    assert outcome.counts == {"yes": 0, "no": 0}
    assert outcome.twice == (NAMES[0],)
    assert {b.option for b in vote.evidence()[NAMES[0]]} == {"yes", "no"}


@pytest.mark.parametrize(
    ("change", "now", "why"),
    [
        ({"voter": "01900000-0000-7000-8000-00000000ffff"}, 500, "not-in-electorate"),
        ({"option": "maybe"}, 500, "unknown-option"),
        ({}, 1_001, "late"),
        ({"signature": bytes(64)}, 500, "bad-signature"),
        ({"vote": "0" * 64}, 500, "other-vote"),
    ],
)
def test_s11_what_does_not_count_is_refused_with_its_reason(change, now, why):
    asked = question()
    vote = Vote(asked, verify)
    assert vote.cast(replace(ballot(asked, NAMES[0], "yes"), **change), now) == why
    assert vote.outcome().missing == tuple(sorted(NAMES))


def test_s11_nobody_votes_in_anothers_name():
    asked = question()
    assert Vote(asked, verify).cast(ballot(asked, NAMES[0], "yes", signer=NAMES[1]), 500) == "bad-signature"


@pytest.mark.parametrize(
    ("options", "changes", "kind", "winner"),
    [
        (("yes", "yes"), {}, "no-quorum", None),
        (("yes", "yes", ABSTAIN), {}, "decided", "yes"),
        ((ABSTAIN, ABSTAIN, ABSTAIN), {}, "no-majority", None),
        ((), {"quorum": 0.0}, "no-quorum", None),
        (("yes", "no", "yes", "no"), {}, "tie", None),
        (("yes", "no", "yes", "no"), {"tie": "first-option"}, "decided", "yes"),
        (("a", "a", "b", "c", "d"), {"options": ("a", "b", "c", "d")}, "no-majority", None),
        (("a", "a", "b", "c", "d"), {"options": ("a", "b", "c", "d"), "majority": 0.0}, "decided", "a"),
        (("yes", "yes", "yes", "no"), {"majority": 2 / 3}, "decided", "yes"),
        (("yes", "yes", "no"), {"majority": 2 / 3}, "no-majority", None),
    ],
)
def test_s11_quorum_majority_and_tie_policy(options, changes, kind, winner):
    outcome = held(question(**changes), *options).outcome()
    assert (outcome.kind, outcome.winner) == (kind, winner)


def test_s11_a_tie_by_hash_is_the_same_for_everybody_and_not_the_first_for_all():
    winners = {
        held(question(id=f"q{n}", tie="by-hash"), "yes", "no", "yes", "no").outcome().winner
        for n in range(12)
    }
    assert winners == {"yes", "no"}


def test_s11_whoever_holds_the_ballots_counts_them_again_and_a_changed_outcome_does_not_hold():
    outcome = held(question(), "yes", "yes", "no", ABSTAIN).outcome()
    assert outcome.abstained == (NAMES[3],)
    assert recount(outcome, verify)
    assert not recount(replace(outcome, winner="no"), verify)
    assert not recount(replace(outcome, ballots=outcome.ballots[1:]), verify)
    forged = replace(outcome.ballots[0], option="no")
    assert not recount(replace(outcome, ballots=(forged, *outcome.ballots[1:])), verify)
    other = replace(outcome, question=question(deadline_ms=2_000))
    assert not recount(other, verify)


@given(
    st.lists(st.sampled_from(["yes", "no", ABSTAIN]), max_size=5),
    st.permutations(range(5)),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    st.sampled_from([0.0, 0.5, 0.66]),
    st.sampled_from(["undecided", "first-option", "by-hash"]),
)
def test_s11_the_count_does_not_depend_on_the_order_and_a_winner_has_the_most(
    options, order, quorum, majority, tie
):
    asked = question(quorum=quorum, majority=majority, tie=tie)
    ballots = [Ballot(asked.digest(), voter, option) for voter, option in zip(NAMES, options, strict=False)]
    outcome = count(asked, ballots)
    assert count(asked, [ballots[n] for n in order if n < len(ballots)]) == outcome
    assert (outcome.winner is not None) == (outcome.kind == "decided")
    if outcome.winner is not None:
        assert outcome.counts[outcome.winner] == max(outcome.counts.values())
        assert len(ballots) >= quorum * len(NAMES)


@pytest.mark.parametrize(
    "wrong",
    [
        {"options": ("yes",)},
        {"options": ("yes", "yes")},
        {"options": ("yes", "")},
        {"electorate": ()},
        {"quorum": 1.5},
        {"majority": 1.0},
        {"text": ""},
        {"id": ""},
    ],
)
def test_a_vote_that_cannot_be_held_is_refused(wrong):
    with pytest.raises(VoteError, match="expected"):
        question(**wrong)


@pytest.mark.parametrize(
    ("options", "said"),
    [(("yes", "yes"), "the same one twice"), (("yes", ""), "an empty one"), (("yes",), "got 1")],
)
def test_what_is_wrong_with_options_is_said(options, said):
    with pytest.raises(VoteError, match=said):
        Question("v", "ship it?", options, ("a",), 1)
