"""M-37: which blocks are left out, in which direction, and what never gets in."""

from __future__ import annotations

import pytest

from covey import limits
from covey.substrate.identity import IdentityFilter, known_identities, scrub
from tests.unit.substrate.kit import episode, learned

DAVE = "met Dave at the market"
TWO = "met Dave and Anna at the market"


def left_out(text: str, **how: object) -> bool:
    return IdentityFilter(**how).complaint([text]) is not None  # type: ignore[arg-type] # by keyword


def test_m37_a_lower_threshold_leaves_out_more_and_two_is_the_usual_one() -> None:
    assert limits.IDENTITY_MARKS == 2
    assert left_out(DAVE, threshold=1) and not left_out(DAVE, threshold=2)
    assert left_out(TWO) and not left_out(TWO, threshold=3)
    for text in (DAVE, TWO, "mr owner of the house", "nobody"):
        said = [left_out(text, threshold=number) for number in range(1, 6)]
        assert said == sorted(said, reverse=True), "what a threshold leaves out, every lower one does"


def test_m37_one_hit_of_a_known_identity_is_enough_also_without_guessing() -> None:
    known = known_identities(["Dave Miller", "李雷", "01900000-0000-7000-8000-000000000001"])
    for text in (
        "met dave at the market",
        "MILLER's plan",
        "我和李雷去市场",
        "as 01900000-0000-7000-8000-000000000001 said",
    ):
        assert left_out(text, known=known, guess=False), text
    assert not left_out("the market is closed", known=known, guess=False)
    assert not left_out(TWO, guess=False)


def test_m37_keywords_count_and_first_words_of_sentences_do_not() -> None:
    assert left_out("my user is called so")
    assert not left_out("Frames are lost. Bursts are long. Parsers fail.")


def test_m37_what_was_left_out_is_said_to_the_exporter_with_its_reason() -> None:
    found = learned(
        episode(TWO, key="cmb-1"),
        episode("dave again", key="cmb-2"),
        identities=IdentityFilter(known_identities(["dave"])),
    )
    assert found.dropped[0] == ("cmb-1", "known identity: dave")
    assert [key for key, _ in found.dropped] == ["cmb-1", "cmb-2"]


def test_long_texts_without_a_space_are_scrubbed_at_once() -> None:
    assert scrub({"focus": "a" * 262_144, "mood": "1" + "(" * 262_143}) == {"focus": "", "mood": ""}


@pytest.mark.parametrize(
    "secret",
    [
        "anna@example.org",
        "https://example.org/anna",
        "@anna",
        "/srv/anna/notes.txt",
        "~/notes",
        "C:\\Users\\anna",
        "share\\anna",
        "cmb-0123456789abcdef",
        "01900000-0000-7000-8000-000000000001",
        "deadbeefdeadbeefdeadbeef",
        "sk-live4242abcdefgh",
        "+49 170 1234567",
    ],
)
def test_m37_the_content_scrub_takes_it_out_whatever_the_filter_is_told(secret: str) -> None:
    assert secret not in scrub({"focus": f"call {secret} about the parser"})["focus"]
    plain = learned(episode("call about the parser"), episode("call about the parser"))
    dirty = learned(episode(f"call {secret} about the parser"), episode(f"call {secret} about the parser"))
    assert plain.substrate.concepts == dirty.substrate.concepts
