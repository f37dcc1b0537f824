"""What one value of agent.toml may be: the rules that both the reader and the JSON Schema are made from.

Rules: a rule reads one TOML value and gives the parsed value, or reports problems and gives MISSING; it also
describes itself as JSON Schema. One object does both, so that what is documented is what is enforced.
Nothing here knows a key of the file; those stand in `values`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from enum import Enum
from types import MappingProxyType
from typing import Any, Protocol

from covey.values import dataclass

Path = tuple[str | int, ...]
"""Where a value stands: section, key, index."""


class Missing(Enum):
    """The one value that means: nothing usable was read here (its problem is already reported)."""

    MISSING = "missing"


MISSING = Missing.MISSING


class Report(Protocol):
    """Where rules report what is wrong."""

    def __call__(self, at: Path, expected: str, found: str | None = None, hint: str | None = None) -> None:
        """Take one problem."""
        ...


class Rule(Protocol):
    """One value's grammar."""

    def read(self, value: object, at: Path, report: Report) -> Any:
        """Return the parsed value, or report and return MISSING."""
        ...

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of this value."""
        ...


def toml_type(value: object) -> str:
    """Return the TOML word for a value's type."""
    words: tuple[tuple[type, str], ...] = (
        (bool, "boolean"),
        (int, "integer"),
        (float, "float"),
        (str, "string"),
        (list, "array"),
        (dict, "table"),
    )
    return next((word for kind, word in words if isinstance(value, kind)), "date or time")


def shown(value: object) -> str:
    """Return a value as a message shows it: short, on one line, ASCII."""
    if isinstance(value, int) and value.bit_length() > 200:
        return "a huge integer"  # Python itself refuses to write out the hugest
    text = ascii(value) if isinstance(value, str | int | float) else toml_type(value)
    return text if len(text) <= 60 else text[:57] + "..."


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Return the known word a typing mistake most likely meant, or None."""
    import difflib  # only a mistake needs it, and every start reads this file

    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return close[0] if close else None


@dataclass(frozen=True, slots=True)
class Text:
    """A string; `parse` turns it into its value and raises ValueError(what was expected).

    `secret` keeps the found value out of every message.
    """

    min_chars: int = 0
    max_chars: int = 4_096
    parse: Callable[[str], Any] | None = None
    pattern: str | None = None
    secret: bool = False

    def read(self, value: object, at: Path, report: Report) -> Any:
        """Return the parsed string, or report."""
        found = "a value that is not shown" if self.secret else shown(value)
        if not isinstance(value, str):
            report(at, "a string", toml_type(value))
            return MISSING
        if not self.min_chars <= len(value) <= self.max_chars:
            report(at, f"{self.min_chars} to {self.max_chars} characters", f"{len(value)}")
            return MISSING
        if self.parse is None:
            return value
        try:
            return self.parse(value)
        except ValueError as error:
            report(at, str(error), found)
            return MISSING

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of this value."""
        made: dict[str, Any] = {"type": "string", "maxLength": self.max_chars}
        if self.min_chars:
            made["minLength"] = self.min_chars
        if self.pattern:
            made["pattern"] = self.pattern
        return made


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer within bounds."""

    minimum: int
    maximum: int

    def read(self, value: object, at: Path, report: Report) -> int | Missing:
        """Return the integer, or report."""
        if isinstance(value, bool) or not isinstance(value, int):
            report(at, "an integer", toml_type(value))
            return MISSING
        if not self.minimum <= value <= self.maximum:
            report(at, f"an integer from {self.minimum} to {self.maximum}", shown(value))
            return MISSING
        return value

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of this value."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Real:
    """A finite number within bounds; integers are welcome."""

    minimum: float
    maximum: float

    def read(self, value: object, at: Path, report: Report) -> float | Missing:
        """Return the number as a float, or report."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            report(at, "a number", toml_type(value))
            return MISSING
        if not self.minimum <= value <= self.maximum:  # nan is in no range
            report(at, f"a number from {self.minimum:g} to {self.maximum:g}", shown(value))
            return MISSING
        return float(value)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of this value."""
        return {"type": "number", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    def read(self, value: object, at: Path, report: Report) -> bool | Missing:
        """Return the boolean, or report."""
        if isinstance(value, bool):
            return value
        report(at, "true or false", toml_type(value))
        return MISSING

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of this value."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class OneOf:
    """One word of a closed list."""

    words: tuple[str, ...]

    def read(self, value: object, at: Path, report: Report) -> str | Missing:
        """Return the word, or report with the nearest known one."""
        if isinstance(value, str) and value in self.words:
            return value
        guess = nearest(value, self.words) if isinstance(value, str) else None
        report(
            at, "one of " + ", ".join(self.words), shown(value), f"did you mean {guess!r}?" if guess else None
        )
        return MISSING

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of this value."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class OneOfOr:
    """One word of a list, or another of a given form, which is looked up elsewhere."""

    words: tuple[str, ...]
    form: re.Pattern[str]

    def read(self, value: object, at: Path, report: Report) -> str | Missing:
        """Return the word, or report as `OneOf` does."""
        if isinstance(value, str) and self.form.match(value):
            return value
        return OneOf(self.words).read(value, at, report)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of this value."""
        pattern = self.form.pattern.removesuffix(r"\Z")
        return {"anyOf": [{"enum": list(self.words)}, {"type": "string", "pattern": f"^{pattern}$"}]}


@dataclass(frozen=True, slots=True)
class ListOf:
    """An array of one kind, read as a tuple; `or_single` also takes the bare item."""

    item: Rule
    max_items: int
    or_single: bool = False

    def read(self, value: object, at: Path, report: Report) -> tuple[Any, ...] | Missing:
        """Return every item parsed, or report each that is wrong."""
        if self.or_single and not isinstance(value, list):
            item = self.item.read(value, at, report)
            return MISSING if item is MISSING else (item,)
        if not isinstance(value, list):
            report(at, "an array", toml_type(value))
            return MISSING
        if len(value) > self.max_items:
            report(at, f"at most {self.max_items} items", f"{len(value)}")
            return MISSING
        items = [self.item.read(item, (*at, index), report) for index, item in enumerate(value)]
        return MISSING if MISSING in items else tuple(items)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of this value."""
        array = {"type": "array", "items": self.item.schema(), "maxItems": self.max_items}
        return {"anyOf": [self.item.schema(), array]} if self.or_single else array


@dataclass(frozen=True, slots=True)
class MapOf:
    """A table whose keys the operator chooses; read as a frozen mapping."""

    value: Rule
    max_items: int = 256

    def read(self, value: object, at: Path, report: Report) -> Mapping[str, Any] | Missing:
        """Return every entry parsed, or report each that is wrong."""
        if not isinstance(value, dict):
            report(at, "a table", toml_type(value))
            return MISSING
        if len(value) > self.max_items:
            report(at, f"at most {self.max_items} entries", f"{len(value)}")
            return MISSING
        read = {key: self.value.read(item, (*at, key), report) for key, item in value.items()}
        return MISSING if MISSING in read.values() else MappingProxyType(read)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of this value."""
        return {
            "type": "object",
            "additionalProperties": self.value.schema(),
            "maxProperties": self.max_items,
        }


@dataclass(frozen=True, slots=True)
class Key:
    """What stands beside a dataclass field: its rule, what it is for, and its older names.

    `unsupported` is the advice for a key that the format knows and this build does not do.
    """

    rule: Rule
    about: str
    older: str | None = None
    unsupported: str | None = None


def key(rule: Rule, about: str, *, default: Any = MISSING, older: str | None = None, **more: Any) -> Any:
    """Return a dataclass field that carries its own rule and description.

    Args:
        rule: What the value may be.
        about: One line for the schema and the documentation.
        default: The value where the file says nothing; without it the key is required.
        older: A name this key had before; read with the same rule.
        more: `unsupported` (why this build refuses the key), `factory`, `secret` (hidden in repr).
    """
    kept = {"key": Key(rule, about, older, more.get("unsupported"))}
    shown_in_repr = not more.get("secret", False)
    if "factory" in more:
        return field(default_factory=more["factory"], metadata=kept, repr=shown_in_repr)
    if default is MISSING:
        return field(metadata=kept, repr=shown_in_repr)
    return field(default=default, metadata=kept, repr=shown_in_repr)
