"""Words that carry a text: what is compared where no model is asked.

Rules: pure and the same everywhere. A word is three letters or digits or more, or a number; endings are cut
as far as that can be done without a dictionary, so that `slowing` meets `slows`; words that every text has
count for nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from covey import limits

_WORD: Final = re.compile(r"\d+(?:[.,:]\d+)*%?|[^\W\d_]{3,}", re.UNICODE)
_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*%?")
_ENDINGS: Final = ("ingly", "ings", "edly", "ing", "ies", "ied", "ed", "es", "ly", "s", "e")
_STEM: Final = 3  # letters that stay at least
_SILENT_WORDS: Final = """
a about above after again all also am an and any are as at be because been before being below
between both but by can could did do does doing done down during each either else ever every few for
from further get got had has have having her here hers him his how however into its itself just know
known let like made make many may might more most much must neither neutral nor not now off once one
only other ought our ours out over own per please really said same say says see shall she should
since some such take tell than that the their theirs them themselves then there these they thing
things this those though through too toward under until upon use used using very was way were what
whatever when where whether which while who whom whose why will with within without would yes yet
you your yours
"""
_SILENT: Final = frozenset(_SILENT_WORDS.split())
"""English words without a subject of their own; other languages only lose a little sharpness."""


def terms(text: str) -> frozenset[str]:
    """Return the stems of the words that carry a text, of its first pages where it is longer."""
    return _terms(text[: limits.TERMS_CHARS])


@lru_cache(maxsize=limits.TERMS_TEXTS)
def _terms(text: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in _WORD.findall(text.lower()) if word not in _SILENT)


def forget() -> None:
    """Keep no text that was read before: the owner had blocks forgotten, and theirs may be among them."""
    _terms.cache_clear()


def query(text: str) -> str:
    """Return the carrying words of a text as they stand, for a full-text search."""
    words = (word for word in _WORD.findall(text.lower()) if word not in _SILENT)
    return " ".join(dict.fromkeys(words))


def numbers(text: str) -> frozenset[str]:
    """Return the numbers in a text."""
    return frozenset(_NUMBER.findall(text))


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _STEM:
            cut = word[: -len(ending)]
            # `skipped` is `skip`, and `slowing` is `slow`
            doubled = len(cut) > _STEM and cut[-1] == cut[-2] and cut[-1] not in "ls"
            return cut[:-1] if doubled else cut
    return word
