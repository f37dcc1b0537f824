"""Citations: every sentence is checked before anybody sees it (MMP 2.0 §12.12, I-Ask-4).

Rules: pure. A sentence counts only with a citation; a citation only where it names a claim of this answer
and the claim's words bear the sentence. Every number must stand in what is cited. What fails is withheld
whole and named, never repaired. Words show that a sentence is about what it cites, not that it follows from
it: that stays the reader's judgement, for which the sources are listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from covey import limits
from covey.cognition.ask.values import Claim, Draft, Sentence, Withheld
from covey.cognition.terms import numbers, terms

_KEY: Final = re.compile(r"cmb-[0-9a-f]{4,64}")
_END: Final = re.compile(r"(?<=[.!?…])\s+(?=\S)")
_REST: Final = " .!?…;,"
"""What may stand behind a citation and belongs to the sentence before it."""
_MARK: Final = re.compile(r"\[ ?\d{1,4}(?: ?, ?\d{1,4})* ?\]")


def check(
    drafts: Iterable[Draft], claims: Sequence[Claim], question: str
) -> tuple[tuple[Sentence, ...], tuple[Withheld, ...]]:
    """Hold every sentence against what it cites.

    Args:
        drafts: Sentences with the numbers of the claims they cite.
        claims: What may be cited.
        question: Its words and numbers may be repeated without a source.

    Returns:
        The sentences that stand, each with the claims that bear it, and those that are withheld.
    """
    by_number = {claim.number: claim for claim in claims}
    kept: list[Sentence] = []
    withheld: list[Withheld] = []
    for draft in drafts:
        for text in sentences(draft.text):
            found = _checked(text, draft.numbers, by_number, question)
            if isinstance(found, Sentence) and len(kept) >= limits.ASK_SENTENCES:
                found = Withheld(text, "too-many", f"{limits.ASK_SENTENCES} sentences make an answer")
            if isinstance(found, Sentence):
                kept.append(found)
            else:
                withheld.append(found)
    return tuple(kept), tuple(withheld[: limits.ASK_SENTENCES])


def sentences(text: str) -> list[str]:
    """Split a text at the ends of its sentences."""
    return [part for line in text.splitlines() for part in _END.split(line.strip()) if part]


def read_marks(text: str) -> list[Draft]:
    """Read prose in which `[1]` or `[1, 3]` stands behind what it cites; without one nothing is cited."""
    drafts: list[Draft] = []
    for line in text.splitlines():
        place = 0
        for mark in _marks(line):
            *before, last = sentences(line[place : mark.start]) or [""]
            drafts += [Draft(each, ()) for each in before]
            if last.strip(_REST):
                drafts.append(Draft(last, mark.numbers))
            place = mark.end + len(line[mark.end :]) - len(line[mark.end :].lstrip(_REST))
        rest = line[place:].strip(_REST)
        drafts += [Draft(each, ()) for each in sentences(rest)]
    return drafts


class _Marks:
    """Citations that stand together, and where."""

    __slots__ = ("end", "numbers", "start")

    def __init__(self, start: int, end: int, numbers: tuple[int, ...]) -> None:
        self.start, self.end, self.numbers = start, end, numbers


def _marks(line: str) -> list[_Marks]:
    found: list[_Marks] = []
    for match in _MARK.finditer(line):
        cited = tuple(int(each) for each in re.findall(r"\d+", match[0]))
        if found and not line[found[-1].end : match.start()].strip():
            found[-1] = _Marks(found[-1].start, match.end(), found[-1].numbers + cited)
        else:
            found.append(_Marks(match.start(), match.end(), cited))
    return found


def _checked(
    text: str, cited: tuple[int, ...], claims: dict[int, Claim], question: str
) -> Sentence | Withheld:
    """Return a sentence with the claims that bear it, or why it is withheld."""
    # a model may escape halves of characters, which nothing after it could write
    whole = text.encode("utf-8", "replace").decode()
    bare = " ".join(_MARK.sub("", whole).split())
    if len(bare) > limits.ASK_SENTENCE_CHARS:
        return Withheld(bare[: limits.ASK_SENTENCE_CHARS], "too-long", "no sentence is that long")
    if not cited:
        return Withheld(bare, "uncited", "it cites nothing")
    unknown = [number for number in cited if number not in claims]
    if unknown:
        return Withheld(bare, "forged", f"it cites what was not contributed: {unknown[0]}")
    named = [claims[number] for number in dict.fromkeys(cited)]
    keys = [key for claim in named for key in claim.cites]
    if any(not any(key.startswith(each) for key in keys) for each in _KEY.findall(bare)):
        return Withheld(bare, "forged", "it names a block that it does not cite")
    bearing = [claim for claim in named if _bears(claim, bare, question)]
    if not bearing:
        return Withheld(bare, "unsupported", "what it cites says nothing of it")
    there = numbers(question).union(*(numbers(claim.text) for claim in bearing))
    strange = numbers(_KEY.sub("", bare)) - there
    if strange:
        return Withheld(bare, "unsupported", f"what it cites does not say {min(strange)}")
    cites = tuple(dict.fromkeys(key for claim in bearing for key in claim.cites))
    return Sentence(bare, tuple(claim.number for claim in bearing), cites)


def _bears(claim: Claim, text: str, question: str) -> bool:
    """Tell whether a claim's words show that a sentence is about it; the question's own do not count."""
    if text in claim.text:
        return True
    shared = terms(text) & terms(claim.text)
    return bool(shared - terms(question)) or (bool(shared) and terms(claim.text) <= terms(question))
