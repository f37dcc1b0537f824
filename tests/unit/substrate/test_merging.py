"""M-41, M-42, M-43: merging is a join, its fold has no order, what is learned here stays stronger."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey import limits
from covey.substrate.folding import DISCOUNT, Contribution, TrustClass, fold
from covey.substrate.merging import Act, Merged, appended, joined, state_of, undone, verdict
from covey.substrate.values import BundleError, ShareableSubstrate
from tests.unit.substrate.kit import LEXIS, PARSER, SPAM, WORDS, contribution, substrate

MATTERS = (*PARSER, *SPAM, "the choir sings on sunday", "release notes are late", "rent is due on friday")
OUTCOMES = ("validated", "admitted", "dismissed", "verified", "failed")
OWN = "f" * 64


def merged(name: str, sequence: int = 1, signer: str = "a") -> Merged:
    digest = hashlib.sha256(f"{name} {sequence} {signer}".encode()).hexdigest()
    return Merged(name, signer * 64, digest, sequence)


def acts(*bundles: Merged) -> tuple[Act, ...]:
    return tuple(Act("merge", bundle, 0) for bundle in bundles)


bundles_ = st.builds(
    merged, st.sampled_from(["ann", "bob", "cid"]), st.integers(1, 4), st.sampled_from(["a", "b"])
)
substrates = st.lists(
    st.tuples(st.sampled_from(MATTERS), st.integers(2, 40), st.sampled_from(OUTCOMES)),
    min_size=1,
    max_size=5,
    unique_by=lambda each: each[0],
).map(lambda said: substrate(*said))
trusts = st.sampled_from(["trusted", "known", "unknown"])


@settings(max_examples=80, deadline=None)
@given(st.lists(bundles_, max_size=5), st.data())
def test_m41_merging_in_any_order_and_twice_is_the_same_state(
    said: list[Merged], data: st.DataObject
) -> None:
    state = state_of(acts(*said))
    shuffled = data.draw(st.permutations(said))
    assert state_of(acts(*shuffled, *said)) == state
    cut = data.draw(st.integers(0, len(said)))
    one, other = state_of(acts(*said[:cut])), state_of(acts(*said[cut:]))
    assert dict(sorted(joined(one, other).items())) == dict(sorted(joined(other, one).items())) == state
    assert joined(state, state) == state
    third = state_of(acts(*shuffled[:cut]))
    assert joined(joined(one, other), third) == joined(one, joined(other, third))


@settings(max_examples=60, deadline=None)
@given(st.lists(bundles_, max_size=4), bundles_)
def test_m41_taking_a_contributor_back_is_exact(said: list[Merged], last: Merged) -> None:
    before = [each for each in said if each.key != last.key]
    journal = acts(*before, last)
    gone = undone(journal, last.contributor, last.signer)
    after = appended(journal, Act("undo", gone, 1))
    assert state_of(after) == state_of(acts(*before))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(substrates, trusts), min_size=1, max_size=5), st.data())
def test_m41_the_fold_of_many_depends_on_no_order(
    said: list[tuple[ShareableSubstrate, TrustClass]], data: st.DataObject
) -> None:
    every = [contribution(f"c{place}", what, trust) for place, (what, trust) in enumerate(said)]
    folded = fold(every, LEXIS.kernel, LEXIS.dimensions)
    assert fold(data.draw(st.permutations(every)), LEXIS.kernel, LEXIS.dimensions) == folded
    ids = {link.cause for link in folded.links}
    assert len(ids) <= len(folded.concepts) and all(each.startswith("c-") for each in ids)


def test_m41_every_permutation_of_four_folds_to_the_same_bits() -> None:
    every = [
        contribution(
            f"c{place}", substrate((text, 3 + place, "validated"), (MATTERS[7 - place], 2, "failed"))
        )
        for place, text in enumerate(MATTERS[:4])
    ]
    folds = {repr(fold(order, LEXIS.kernel, LEXIS.dimensions)) for order in itertools.permutations(every)}
    assert len(folds) == 1


def test_m41_likes_of_two_contributors_become_one_and_links_follow() -> None:
    ada = contribution("ada", substrate((PARSER[0], 10, "validated")))
    bob = contribution("bob", substrate((PARSER[0], 30, "validated")))
    folded = fold([ada, bob], LEXIS.kernel, LEXIS.dimensions)
    ((_, pull, members),) = folded.concepts
    (link,) = folded.links
    assert (members, link.count, link.effect) == (40, 40, "validated")
    assert 0 < pull <= limits.CONFIDENCE


def test_m41_verdicts_say_what_merging_would_do() -> None:
    first, newer = merged("ann", 1), merged("ann", 2)
    assert verdict((), first, own=OWN) == "new"
    assert verdict(acts(first), first, own=OWN) == "known"
    assert verdict(acts(first), newer, own=OWN) == "newer"
    assert verdict(acts(newer), first, own=OWN) == "older"
    assert verdict(acts(first), merged("ann", 1, "b"), own=OWN) == "new", "another key is somebody else"
    back = (*acts(first), Act("undo", first, 1))
    refused(back, first, "taken_back")
    assert verdict(back, first, own=OWN, again=True) == "new"
    assert verdict(back, newer, own=OWN) == "new", "what it learned since may be merged"
    refused((), merged("me", 1, "f"), "own")
    full = acts(*(merged(f"c{number}") for number in range(limits.CONTRIBUTORS)))
    refused(full, first, "full")


def refused(journal: tuple[Act, ...], bundle: Merged, code: str) -> None:
    with pytest.raises(BundleError) as caught:
        verdict(journal, bundle, own=OWN)
    assert caught.value.code == code


def test_undo_names_whom_it_cannot_tell_apart_and_what_is_not_there() -> None:
    two = acts(merged("ann", 1, "a"), merged("ann", 1, "b"))
    with pytest.raises(BundleError, match="several keys"):
        undone(two, "ann", None)
    assert undone(two, "ann", "bb").signer == "b" * 64
    with pytest.raises(BundleError, match="nothing of bob"):
        undone(two, "bob", None)


def test_m41_a_full_journal_merges_nothing_more_and_still_takes_everybody_back() -> None:
    journal: tuple[Act, ...] = ()
    with pytest.raises(BundleError, match="holds no more"):
        for number in range(limits.JOURNAL_ENTRIES):
            journal = appended(journal, Act("merge", merged(f"c{number % 7}", number), number))
    assert len(state_of(journal)) == 7
    for bundle in state_of(journal).values():
        journal = appended(journal, Act("undo", bundle, 0))
    assert state_of(journal) == {} and len(journal) <= limits.JOURNAL_ENTRIES


HOSTILE = substrate(*((text, limits.COUNT, "canonical") for text in SPAM))
MEMORY = ("the parser is slow today", "we count frames of a burst", "release on thursday")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(substrates, min_size=1, max_size=4), st.sampled_from([0, 3, 20, 200]), st.sampled_from(MATTERS)
)
def test_m42_local_learning_moves_by_no_more_than_the_stated_bound(
    said: list[ShareableSubstrate], held: int, text: str
) -> None:
    folded = fold(
        [contribution(f"c{place}", what) for place, what in enumerate([*said, HOSTILE])],
        LEXIS.kernel,
        LEXIS.dimensions,
    )
    memory = [(WORDS.traces({"focus": f"{MEMORY[at % 3]} {at}"}), 1.0) for at in range(held)]
    incoming, prior = WORDS.traces({"focus": text}), folded.prior(LEXIS)
    assert prior is not None
    alone = WORDS.judge(incoming, memory)
    told = WORDS.judge(incoming, memory, prior=(prior, {"focus": text}))
    assert abs(told.total_drift - alone.total_drift) <= folded.share(held) + 1e-12
    assert folded.share(held) <= limits.PRIOR_BLOCKS / (limits.PRIOR_BLOCKS + limits.PRIOR_OWN + held)
    assert told.max_nearest_drift == alone.max_nearest_drift
    if alone.decision == "redundant":
        assert told.decision == "redundant"


def test_m42_with_110_blocks_held_nothing_moves_a_drift_by_more_than_a_twentieth() -> None:
    many = [contribution(f"c{place}", HOSTILE) for place in range(limits.CONTRIBUTORS)]
    folded = fold(many, LEXIS.kernel, LEXIS.dimensions)
    assert folded.mass == pytest.approx(limits.PRIOR_BLOCKS, rel=1e-6)
    assert folded.share(110) <= 0.05 + 1e-9 and folded.share(4_096) < 0.002
    prior = folded.prior(LEXIS)
    assert prior is not None and prior.share(110) == pytest.approx(folded.share(110))


def test_m43_trust_discounts_confidence_and_the_weight_of_a_whole_class() -> None:
    said = substrate((PARSER[0], limits.COUNT, "validated"))

    def folded(trust: TrustClass, count: int = 1) -> tuple[float, float]:
        many = [contribution(f"c{place}", said, trust) for place in range(count)]
        found = fold(many, LEXIS.kernel, LEXIS.dimensions)
        return found.mass, found.concepts[0][1]

    for trust, discount in DISCOUNT.items():
        mass, pull = folded(trust)
        assert pull == pytest.approx(limits.CONFIDENCE * discount)
        assert mass <= limits.PRIOR_BLOCKS * discount
        assert folded(trust, 30)[0] <= limits.PRIOR_BLOCKS * discount, "however many speak for a class"


def test_m43_strangers_alone_turn_nothing_away_from_a_peer_that_holds_nothing() -> None:
    strangers = [contribution(f"c{place}", HOSTILE, "unknown") for place in range(limits.CONTRIBUTORS)]
    prior = fold(strangers, LEXIS.kernel, LEXIS.dimensions).prior(LEXIS)
    assert prior is not None
    for text in MATTERS:
        said = WORDS.judge(WORDS.traces({"focus": text}), [], prior=(prior, {"focus": text}))
        assert said.accepted, text


def test_what_is_of_another_encoder_is_left_out_and_counted() -> None:
    other = ShareableSubstrate("table-x", 64, 1, HOSTILE.concepts)
    lying = ShareableSubstrate(LEXIS.kernel, 64, 1)
    found = fold([contribution("ada", other), contribution("bob", lying)], LEXIS.kernel, LEXIS.dimensions)
    assert (found.concepts, found.mass, found.left_out["other_encoder"]) == ((), 0.0, 2)
    assert found.prior(LEXIS) is None


def test_no_room_is_counted_and_trusted_concepts_have_it_first() -> None:
    kept = substrate((PARSER[0], 9, "validated"))
    found = fold(
        [Contribution("z", "1" * 64, "trusted", kept), Contribution("a", "2" * 64, "unknown", HOSTILE)],
        LEXIS.kernel,
        LEXIS.dimensions,
    )
    assert found.left_out["no_room"] == 0 and len(found.concepts) >= 2
