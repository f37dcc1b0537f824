"""What is learned: a function of what is held, of two blocks at least, with what became of them."""

from __future__ import annotations

from covey import limits
from covey.substrate.values import Tally
from tests.unit.substrate.kit import LEXIS, PARSER, SPAM, concept, episode, learned, usual


def test_concepts_are_of_several_blocks_and_say_what_became_of_them() -> None:
    found = usual()
    assert [each.members for each in found.concepts] in ([3, 2], [2, 3])
    said = {(link.effect, link.count, link.valence) for link in found.links}
    assert said == {("validated", 3, 1), ("dismissed", 2, -1)}
    assert all(link.confidence <= limits.CONFIDENCE and link.predicted == 1.0 for link in found.links)
    near = LEXIS.traces({"focus": "the parser and a burst of frames"}).code
    assert near is not None


def test_one_block_alone_is_no_concept_and_nothing_of_it_alone_is_in_one() -> None:
    alone = learned(episode(PARSER[0], "validated")).substrate
    assert alone.concepts == () and alone.links == ()
    two = learned(episode("parser burst zebra"), episode("parser burst")).substrate
    (only,) = two.concepts
    both = concept("parser burst").vector
    assert all(not mine or theirs for mine, theirs in zip(only.vector, both, strict=True))


def test_what_followed_what_is_counted_by_concepts() -> None:
    first = [episode(text, key=f"cmb-{at}") for at, text in enumerate(PARSER)]
    then = [
        episode(text, key=f"cmb-1{at}", parents=[f"cmb-{at}", "cmb-unheld"])
        for at, text in enumerate(("choir practice on sunday", "the choir sings on sunday"))
    ]
    found = learned(*first, *then).substrate
    (link,) = [each for each in found.links if each.effect.startswith("c-")]
    assert (link.count, link.valence) == (2, 0)
    assert link.cause != link.effect


def test_the_same_is_learned_of_the_same_and_counts_are_bounded() -> None:
    assert usual() == usual()
    many = learned(*(episode(PARSER[0], "validated") for _ in range(limits.COUNT + 5))).substrate
    assert [each.members for each in many.concepts] == [limits.COUNT]
    assert max(each.count for each in many.links) == limits.COUNT


def test_blocks_that_say_nothing_teach_nothing() -> None:
    found = learned(episode("???"), episode("user@example.org /etc/passwd"))
    assert (found.blocks, found.substrate.concepts) == (0, ())


def test_tallies_join_as_if_they_had_been_counted_together() -> None:
    def tally(*values: float) -> Tally:
        made = Tally()
        for value in values:
            made = made.with_value(value)
        return made

    joined, whole = tally(0.1, 0.4).joined(tally(0.2)), tally(0.1, 0.4, 0.2)
    assert joined.count == whole.count
    assert abs(joined.mean - whole.mean) < 1e-12 and abs(joined.spread - whole.spread) < 1e-12
    assert Tally().joined(Tally()) == Tally()


def test_what_was_dismissed_stands_apart() -> None:
    found = learned(
        *(episode(text, "validated") for text in PARSER), *(episode(text, "dismissed") for text in PARSER)
    ).substrate
    effects = {link.cause: link.effect for link in found.links}
    assert len(effects) in (1, 2), "the same words for and against are one vector, or two"
    assert SPAM
