"""Texts as a reader or a shell would take them, whatever was done to their letters.

Rules: pure and total. `views` gives a text in a few plain forms; a pattern that matches one of them matches
the text. Undone are: case, compatibility forms, accents, invisible characters, every kind of blank and
dash, letters of other scripts that look like ours, digits in the place of letters, quotes and backslashes
inside words, and words spelt out letter by letter. What only means the same in other words is not undone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import partial
from typing import Final

_LOOKALIKES: Final = {
    # what is left after compatibility decomposition, without marks, in lower case
    "a": "аɑα⍺ᴀꭺ",
    "b": "ьʙвꮟᏼƅ",
    "c": "сϲᴄꮯⲥↄ",
    "d": "ԁɗđᴅꭰᏧꮷ",
    "e": "еєҽɛεᴇ℮ꭼэ",
    "f": "ƒғꜰϝք",
    "g": "ɡցɢꮐԍǥ",
    "h": "һհнʜꮋħꮒ",
    "i": "іıιɪɩꭵɨ",
    "j": "јϳᴊȷꭻ",
    "k": "кκᴋꮶƙ",
    "l": "ӏʟłꮮǀ",
    "m": "мᴍꮇⲙ",
    "n": "пηոɴŋռⲛ",
    "o": "оοօөᴏøσჿⲟᎾ",
    "p": "рρᴘꮲⲣ",
    "q": "ԛգզ",
    "r": "гʀᴦꮢɾɼⲅ",
    "s": "ѕꜱꮪʂտ",
    "t": "тτᴛꭲŧƭⲧ",
    "u": "υսᴜʋμ",
    "v": "ѵνᴠꮩ",
    "w": "ѡԝᴡաɯωꮃш",
    "x": "хχҳⲭ×",
    "y": "уүγʏꭹყɣ",
    "z": "ᴢʐꮓζⲍ",
    "-": "‐‑‒–—―−⁃﹘",
    "/": "∕⁄⧸",
    ".": "․·∙⋅",
    "'": "‘’‛ʼ′´`",
    '"': "“”„″",
}
_PLAIN: Final = {
    ord(form): plain
    for plain, forms in _LOOKALIKES.items()
    for char in forms
    for form in {char, char.casefold()}
}
_IN_WORDS: Final = re.compile(r"(?<=\w)[\"'\\]+(?=\w)|\\(?=\s)")
_SPELT: Final = (
    re.compile(r"(?<!\w)\w(?:[^\w\s]{1,2}\w){2,}(?!\w)"),
    re.compile(r"(?<!\w)\w(?: \w){2,}(?!\w)"),
)
_TOKEN: Final = re.compile(r"[\w@$]+")
_FOR_LETTERS: Final = frozenset("013457@$")
_DIGITS: Final = str.maketrans("03457@$", "oeastas")
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f")


def views(text: str) -> tuple[str, ...]:
    """Return the forms of a text that patterns look at, the one nearest to the text first.

    Patterns are expected to ignore case: a form that differs in nothing else is left out.

    Args:
        text: What a model wrote; the caller bounds its length.
    """
    shown = text if text.isascii() else _visible(unicodedata.normalize("NFKC", text))
    folded = text.lower() if text.isascii() else _letters(shown)
    forms = [" ".join(shown.split())]
    for form in (folded, *_respelt(folded)):
        plain = " ".join(form.split())
        if plain not in forms and plain != forms[0].lower():
            forms.append(plain)
    return tuple(forms)


def _respelt(folded: str) -> Iterator[str]:
    """Yield a lower-case text with words put together again, and then with letters for digits."""
    joined = _IN_WORDS.sub("", folded)
    for spelling in _SPELT:
        joined = spelling.sub(_join, joined)
    yield joined
    if not _FOR_LETTERS.isdisjoint(joined):
        for one in "il" if "1" in joined else "i":
            yield _TOKEN.sub(partial(_undigit, one), joined)


def _visible(text: str) -> str:
    return "".join(char for char in text if not _is_hidden(char))


def _is_hidden(char: str) -> bool:
    # Blank letters (Hangul fillers, Braille blank) and variation selectors are seen as nothing too.
    if char.isascii():
        return False
    selector = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return selector or char in _BLANK_LETTERS or unicodedata.category(char) == "Cf"


def _letters(text: str) -> str:
    """Return text in lower-case Latin letters, as far as they only look otherwise."""
    bare = (char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return "".join(bare).casefold().translate(_PLAIN)


def _join(spelt: re.Match[str]) -> str:
    return re.sub(r"[\W_]", "", spelt.group(0))


def _undigit(one: str, word: re.Match[str]) -> str:
    """Return a word with letters for its digits, where it has both; a number stays a number."""
    text = word.group(0)
    if _FOR_LETTERS.isdisjoint(text) or not any(char.isalpha() for char in text):
        return text
    return text.translate(_DIGITS).replace("1", one)
