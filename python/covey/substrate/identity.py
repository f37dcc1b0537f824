"""What is left out because it seems to be about somebody, and what never gets in whatever is left out.

The identity filter guesses: it counts marks of persons in a block's texts and leaves the block out at
`threshold` of them or more. **A lower threshold leaves out more: 1 is the strictest.** It reads capitals, so
scripts without them and names in small letters pass it; the list of known identities is for those, and one
hit there is enough. The content scrub is neither asked nor turned off: it takes addresses, paths, handles,
ids and numbers out of every text before anything is learned from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from covey import limits
from covey.values import dataclass

_STOP_WORDS: Final = """
a an and are as at be but by for from had has have he her his how i i'd i'll i'm i've if in is it it's its
no not of on or our she so that the their them then there they this to two three was we were what when where
which who why will with yes you your
"""
_STOP: Final = frozenset(_STOP_WORDS.split())
_MARK_WORDS: Final = """
mr mrs ms dr prof captain sir madam lady lord my mine user owner named called aka alias surname
"""
_KEYWORDS: Final = frozenset(_MARK_WORDS.split())
_SENTENCE_END: Final = (".", "!", "?", ":")
_EDGES: Final = "\"'“”‘’`()[]{}<>,;:.!?…*_"
_SCRUBBED_WORD: Final = re.compile(
    r""".*(?:
        @                                 # addresses, handles
      | ://                               # links
      | \\                                # paths of one kind
      | ^[^\w]*(?:~?/|\.{1,2}/|[A-Za-z]:)  # and of the other
      | cmb-[0-9a-f]                      # blocks
      | [0-9a-f]{8}-[0-9a-f]{4}-          # nodeIds
      | [0-9a-fA-F]{16}                   # keys, digests
    )""",
    re.VERBOSE | re.DOTALL,
)
_SCRUBBED_NUMBER: Final = re.compile(r"\+?\d[\d ().-]{5,}\d")
"""Telephone and card numbers, dates."""
_TOKEN_CHARS: Final = 12
"""From here on a word of letters and digits is taken for a token."""
_WORD_CHARS: Final = 48
"""No word is longer; what is, says nothing in common, or something secret."""


@dataclass(frozen=True, slots=True)
class IdentityFilter:
    """How blocks about somebody are left out.

    Args:
        known: Identities in small letters; one of them leaves a block out, also where `guess` is off.
        threshold: Marks at which a block is left out; a lower number leaves out more.
        guess: False turns the counting off (`--no-identity-filter`), and nothing else.
    """

    known: frozenset[str] = frozenset()
    threshold: int = limits.IDENTITY_MARKS
    guess: bool = True

    def complaint(self, texts: Iterable[str]) -> str | None:
        """Say why a block is left out, or None where it may be learned from."""
        whole = " \n ".join(texts)
        found = self._known_in(whole)
        if found is not None:
            return f"known identity: {found}"
        if not self.guess:
            return None
        names, words = _names(whole), _keywords(whole)
        for kind, marks in (("capitalised", names), ("words", words)):
            if len(marks) >= self.threshold:
                return f"{len(marks)} {kind}, left out from {self.threshold}: {', '.join(marks[:4])}"
        return None

    def _known_in(self, whole: str) -> str | None:
        folded = whole.casefold()
        words = {word.strip(_EDGES) for word in folded.split()}
        parts = {part for word in words for part in re.split(r"[^\w]+", word)} | words
        hits = [each for each in self.known if each in parts or (_inside(each) and each in folded)]
        return min(hits, default=None)


def known_identities(words: Iterable[str]) -> frozenset[str]:
    """Return names, nodeIds and fingerprints as they are looked for: whole, and each longer word of them."""
    known: set[str] = set()
    for word in words:
        whole = word.strip().casefold()
        if len(whole) >= 2:
            known.add(whole)
            known.update(part for part in whole.split() if len(part) >= 3 and part not in _STOP)
    return frozenset(known)


def scrub(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the texts without what may name a person, a machine, a file or a secret. Always done."""
    return {name: _scrubbed(text[: limits.LEARNED_CHARS]) for name, text in texts.items()}


def _scrubbed(text: str) -> str:
    """Return one text, its words judged one by one: no pattern ever runs over more than one word's length."""
    kept = " ".join(word for word in text.split() if not _secret(word))
    return " ".join(_SCRUBBED_NUMBER.sub(" ", kept).split())


def _secret(word: str) -> bool:
    bare = word.strip(_EDGES)
    mixed = any(map(str.isdigit, bare)) and any(map(str.isalpha, bare))
    if len(word) > _WORD_CHARS or (mixed and len(bare) >= _TOKEN_CHARS):
        return True
    return _SCRUBBED_WORD.match(word) is not None


def _names(whole: str) -> list[str]:
    """Return capitalised words inside of sentences; a sentence's first word says nothing by its capital."""
    found: list[str] = []
    begins = True
    for word in whole.replace("\n", " . ").split():
        bare = word.strip(_EDGES)
        if bare and not begins and len(bare) > 1 and bare[0].isupper() and bare.casefold() not in _STOP:
            found.append(bare)
        begins = word.endswith(_SENTENCE_END)
    return found


def _keywords(whole: str) -> list[str]:
    words = (word.strip(_EDGES).casefold() for word in whole.split())
    return [word for word in words if word in _KEYWORDS]


def _inside(word: str) -> bool:
    """Tell whether an identity is looked for inside of words: it has several, or its script no spaces."""
    return not word.isalnum() or word.upper() == word.lower()
