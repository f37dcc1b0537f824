"""JSON that is read back, from a file or from somebody: nothing ambiguous in it, and each member of its type.

A reader that unpacks what it met (`Rule(**row)`, `int(row["at"])`) takes a list for a text, `true` for 1, or
half a character that nothing can write again, and breaks far from where that came in. Whoever reads with
these functions meets one error, which names the member and says what was expected; it never shows a value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from typing import Any

from covey import limits


class WrongTypeError(ValueError):
    """What was read is not what was written: it names the member, and what was expected."""


def loaded(data: bytes | str) -> Any:
    """Return a JSON value.

    Args:
        data: UTF-8, or a text.

    Raises:
        WrongTypeError: It is no JSON, nested too deeply, says a name twice, or has a number that is none.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise WrongTypeError(f"not JSON: {str(error)[:120]}") from error


def members(value: object, what: str, names: Collection[str], more: Collection[str] = ()) -> dict[str, Any]:
    """Return an object that has these members, perhaps some of `more`, and no others.

    Raises:
        WrongTypeError: It is none.
    """
    if not isinstance(value, dict) or not set(names) <= value.keys() <= {*names, *more}:
        raise WrongTypeError(f"{what}: expected the members {', '.join(sorted(names))}, and no others")
    return value


def text(value: object, what: str, most: int, least: int = 0, *, halves: bool = False) -> str:
    """Return a text of so many characters.

    Args:
        value: What was read.
        what: Its name, for the error.
        most: Characters at most.
        least: Characters at least.
        halves: Take halves of surrogate pairs too: what covey cut itself may end with one.

    Raises:
        WrongTypeError: It is none.
    """
    fits = isinstance(value, str) and least <= len(value) <= most and (halves or is_whole_text(value))
    if not isinstance(value, str) or not fits:
        raise WrongTypeError(f"{what}: expected a text of {least} to {most} characters")
    return value


def texts(value: object, what: str, most: int, chars: int) -> tuple[str, ...]:
    """Return a list of at most `most` texts of at most `chars` characters.

    Raises:
        WrongTypeError: It is none.
    """
    return tuple(text(each, what, chars) for each in listed(value, what, most))


def listed(value: object, what: str, most: int) -> list[Any]:
    """Return a list of at most `most` values.

    Raises:
        WrongTypeError: It is none.
    """
    if not isinstance(value, list) or len(value) > most:
        raise WrongTypeError(f"{what}: expected a list of at most {most}")
    return value


def exactly(value: object, what: str, count: int) -> list[Any]:
    """Return a list of exactly so many values.

    Raises:
        WrongTypeError: It is none.
    """
    if not isinstance(value, list) or len(value) != count:
        raise WrongTypeError(f"{what}: expected a list of {count}")
    return value


def whole(value: object, what: str, most: int = limits.JSON_INTEGER, least: int = 0) -> int:
    """Return a whole number within its bounds; `true` is none, and neither is 1.0.

    Raises:
        WrongTypeError: It is none.
    """
    if type(value) is not int or not least <= value <= most:
        wanted = least if least == most else f"a whole number from {least} to {most}"
        raise WrongTypeError(f"{what}: expected {wanted}")
    return value


def amount(value: object, what: str, most: float = limits.JSON_INTEGER, least: float = 0.0) -> float:
    """Return a finite number within its bounds.

    Raises:
        WrongTypeError: It is none.
    """
    # Compared before it is converted: a whole number may be past every float.
    if type(value) not in (int, float) or not isinstance(value, int | float) or not least <= value <= most:
        raise WrongTypeError(f"{what}: expected a number from {least:g} to {most:g}")
    return float(value)


def flag(value: object, what: str) -> bool:
    """Return true or false.

    Raises:
        WrongTypeError: It is neither.
    """
    if not isinstance(value, bool):
        raise WrongTypeError(f"{what}: expected true or false")
    return value


def is_whole_text(value: str) -> bool:
    """Tell whether a text can be written: JSON may say half of a surrogate pair, UTF-8 cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands there twice")
    return made


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError("a number past every bound")
    return number
