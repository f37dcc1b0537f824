"""What a program hands to votes, auctions, solving and tasks, checked before anything is done with it.

Rules: pure. What is none is one `UsageError` that says where, which argument, what was expected, what came
and what to do; never a TypeError out of the middle of a call.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final, TypeGuard

from covey.errors import UsageError

WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}\Z")
"""What a capability may be: one word, the same in an offer, in a task, in a lot and on the wire."""
WORD_EXPECTED: Final = "one word of 1 to 64 letters, digits and _ . : / - that begins with a letter or digit"
_SHOWN: Final = 40


def seconds(where: str, name: str, value: object, most: float, *, usual: float | None = None) -> float:
    """Return a number of seconds, more than 0 and at most `most`.

    Args:
        where: The call it belongs to.
        name: The argument.
        value: What came.
        most: The bound.
        usual: What holds where the caller leaves it out.

    Raises:
        UsageError: It is none: None, text, infinity, not a number, 0 or less, or too long.
    """
    if is_number(value) and 0 < value <= most:
        return float(value)
    hint = "give a number of seconds" if usual is None else f"leave it out for {usual:g} seconds"
    raise _wrong(where, name, f"seconds, more than 0 and at most {most:g}", value, hint)


def share(where: str, name: str, value: object, *, below_one: bool = False) -> float:
    """Return a share of 0 to 1; with `below_one` less than 1.

    Raises:
        UsageError: It is none.
    """
    if is_number(value) and 0 <= value <= 1 and not (below_one and value == 1):
        return float(value)
    expected = "a share from 0 to 1" + ", less than 1" * below_one
    raise _wrong(where, name, expected, value, "0.5 is a half")


def whole(where: str, name: str, value: object, least: int, most: int) -> int:
    """Return an integer within its bounds.

    Raises:
        UsageError: It is none.
    """
    if type(value) is int and least <= value <= most:
        return value
    raise _wrong(where, name, f"an integer from {least} to {most}", value, "give a number in that range")


def text(where: str, name: str, value: object, most: int) -> str:
    """Return a text of 1 to `most` characters.

    Raises:
        UsageError: It is none, or cannot be sent: it holds half a character.
    """
    if not isinstance(value, str):
        raise _wrong(where, name, f"text of 1 to {most} characters", value, "give it as text")
    if not 0 < len(value) <= most:
        raise UsageError(
            f"{where}: {name}: expected 1 to {most} characters, got {len(value)}",
            hint="say it shorter, or name where the rest is" if value else "say what it is about",
        )
    if not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
        raise _wrong(where, name, "text without halves of characters", value, "give it as Unicode text")
    return value


def texts(where: str, name: str, value: object) -> list[str]:
    """Return a list of texts; one text alone is none, it would be read letter by letter.

    Raises:
        UsageError: It is none.
    """
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        listed = list(value)
        if all(isinstance(each, str) for each in listed):
            return listed
    raise _wrong(where, name, "a list of texts", value, f'for one write {name}=["…"]')


def capability(where: str, value: object) -> str:
    """Return a capability.

    Raises:
        UsageError: It is none: nobody can offer it, so nobody could ever answer.
    """
    if is_capability(value):
        return value
    raise _wrong(where, "capability", WORD_EXPECTED, value, "covey capabilities shows what is offered")


def capabilities(where: str, name: str, value: object) -> frozenset[str]:
    """Return capabilities.

    Raises:
        UsageError: They are no list, or one of them is none.
    """
    return frozenset(capability(f"{where}: {name}", each) for each in texts(where, name, value))


def one_of(where: str, name: str, value: object, known: Sequence[str]) -> str:
    """Return one of a few words.

    Raises:
        UsageError: It is none of them.
    """
    if isinstance(value, str) and value in known:
        return value
    raise _wrong(where, name, f"one of {', '.join(known)}", value, f"{known[0]} is the usual one")


def function(where: str, name: str, value: object, *, optional: bool = False) -> None:
    """Refuse what cannot be called; None is nothing to call where it is optional.

    Raises:
        UsageError: It cannot be.
    """
    if not callable(value) and not (optional and value is None):
        raise _wrong(where, name, "a function", value, "give the function itself, not what it returns")


def is_capability(value: object) -> TypeGuard[str]:
    """Tell whether something can be a capability."""
    return isinstance(value, str) and WORD.match(value) is not None


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether something is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(where: str, name: str, expected: str, value: object, hint: str) -> UsageError:
    return UsageError(f"{where}: {name}: expected {expected}, got {_shown(value)}", hint=hint)


def _shown(value: object) -> str:
    """Return a few characters of what came; of an object of a program only its kind, which cannot fail."""
    if isinstance(value, str):
        return ascii(value[:_SHOWN])[: 2 * _SHOWN]
    if value is None or type(value) in (bool, float) or (type(value) is int and abs(value) < 1 << 64):
        return repr(value)
    return f"a number of {value.bit_length()} bits" if type(value) is int else f"a {type(value).__name__}"
