"""Approval gates: patterns in an answer that a person should have seen before it goes out.

Rules: pure. Every category is looked at, after Unicode tricks (compatibility forms, invisible characters,
runs of blanks) are taken out of it. A text too long to be looked at is held. `none` means none, and shows.
Gates are a seat belt against a careless model, not a wall against a hostile one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from covey.limits import GATE_TEXT_CHARS
from covey.model import CAT7


@dataclass(frozen=True, slots=True)
class Gate:
    """One pattern with the name it is reported by."""

    name: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class GateHit:
    """What was found where; `found` is the matching text, cut to 80 characters."""

    category: str
    gate: str
    found: str


@dataclass(frozen=True, slots=True)
class GatesPassed:
    """No gate holds the block."""


@dataclass(frozen=True, slots=True)
class GatesHeld:
    """The block must not go out by itself; every hit is named."""

    hits: tuple[GateHit, ...]


_WORDS = r"(?:\w+ ){0,3}?"
_DEFAULTS: Mapping[str, str] = {
    "git push": r"\bgit\b[^;|&]{0,80}?\bpush\b|\bforce[- ]?push",
    "commit to main": rf"\bcommit(?:s|ted|ting)? {_WORDS}to (?:the )?(?:main|master|trunk)\b",
    "deploy": r"\b(?:re)?deploy(?:s|ed|ing|ment|ments)?\b",
    "publish": r"\b(?:npm|pnpm|yarn|cargo|twine|poetry|uv|gem|docker|helm) (?:\w+ )?(?:publish|upload|push)\b"
    rf"|\bpublish(?:es|ed|ing)? {_WORDS}(?:package|release|crate|image|artifact|version)s?\b",
    "rm -rf": r"\brm (?:--?[\w-]+ )*--?(?:\w*[rf]\w*|recursive|force)\b",
    ".env file": r"(?<!\w)\.env\b",
    "secrets": r"\bsecrets?\b",
    "production config": r"\bprod(?:uction)? config(?:s|uration|urations)?\b",
    "drop data": r"\b(?:drop (?:table|database|schema)|truncate table)\b",
}


class Gates:
    """The gates of one peer.

    Args:
        mode: `default` or `none`, as `safety.approval_gates` says.
        extra: The operator's own regular expressions; they hold in both modes.
    """

    def __init__(self, mode: str = "default", extra: Sequence[str] = ()) -> None:
        if mode not in ("default", "none"):
            raise ValueError(f"gates: {mode}")
        usual = _DEFAULTS if mode == "default" else {}
        own = {f"own pattern {index}": source for index, source in enumerate(extra, start=1)}
        self.mode = mode
        self.gates = tuple(
            Gate(name, re.compile(source, re.IGNORECASE)) for name, source in {**usual, **own}.items()
        )

    def check(self, categories: Mapping[str, str]) -> GatesPassed | GatesHeld:
        """Look at every category of a block that is about to go out."""
        hits = [hit for name in CAT7 if name in categories for hit in self._hits(name, categories[name])]
        return GatesHeld(tuple(hits)) if hits else GatesPassed()

    def describe(self) -> str:
        """Return what status shows: the number of gates, or plainly that there are none."""
        return f"{len(self.gates)} gates ({self.mode})" if self.gates else "none: nothing is held back"

    def _hits(self, category: str, text: str) -> list[GateHit]:
        if not self.gates:
            return []
        if len(text) > GATE_TEXT_CHARS:
            return [GateHit(category, "too long to check", f"{len(text)} characters")]
        plain = _plain(text)
        found = ((gate.name, gate.pattern.search(plain)) for gate in self.gates)
        return [GateHit(category, name, match.group(0)[:80]) for name, match in found if match is not None]


def _plain(text: str) -> str:
    """Return text as a shell or a reader would understand it."""
    visible = (char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    return " ".join("".join(visible).split())
