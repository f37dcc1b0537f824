"""The section [prompt]: what the peer is told to do, and the variables that its text may use.

In the text `{{ name }}` stands for a variable: `name`, `role`, `room` and `model` of the peer itself, and
what [prompt.variables] adds. An unknown one is an error with its line, never an empty place. Values are put
in as they are and not looked at again; a text that needs two braces themselves takes them from a variable.

Rules: values and their grammar only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from covey import limits
from covey.settings.rules import MapOf, Text, key
from covey.values import dataclass

_PLACE = re.compile(r"\{\{[ \t]*([^{}\n]*?)[ \t]*\}\}")
OWN_VARIABLES = ("name", "role", "room", "model")
"""The variables that every peer has, from its own settings."""


@dataclass(frozen=True, slots=True)
class PromptSettings:
    """What the peer is told to do; once read, `system` is the instruction itself, wherever it stood."""

    system: str = key(Text(1, limits.PROMPT_BYTES), "instructions for the model", default="", older="text")
    file: Path | None = key(
        Text(1, 4_096, parse=Path), "file with the instructions; relative to agent.toml", default=None
    )
    variables: Mapping[str, str] = key(
        MapOf(Text(0, limits.PROMPT_VARIABLE_CHARS), limits.PROMPT_VARIABLES),
        "words that {{ name }} stands for in the instructions, beside name, role, room and model",
        factory=lambda: MappingProxyType({}),
    )


def places(text: str) -> Iterator[tuple[str, int]]:
    """Yield each variable that a text uses, with its line, counted from 1."""
    for found in _PLACE.finditer(text):
        yield found[1], text.count("\n", 0, found.start()) + 1


def filled(text: str, known: Mapping[str, str]) -> str:
    """Return a text with its variables put in; every one of them is known."""
    return _PLACE.sub(lambda found: known[found[1]], text)
