"""Approval gates: patterns in an answer that a person should have seen before it goes out.

Rules: pure. Every category is looked at, and every text in the application payload, in each of the plain
forms that `disguise` makes of it. What is too long, or cannot be read, is held. `none` means none, and
shows. Gates are a seat belt against a careless model, not a wall against a hostile one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from covey.limits import GATE_TEXT_CHARS, GATE_TEXTS
from covey.model import CAT7
from covey.safety.disguise import views
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Gate:
    """One pattern with the name it is reported by."""

    name: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class GateHit:
    """What was found where; `found` is the matching text, cut to 80 characters.

    `category` is one of the seven, or `application` with the place in it.
    """

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
DEFAULT_GATES: Mapping[str, str] = {
    "git push": r"\bgit\b[^;|&]{0,80}?\bpush\b|\b(?:git|force)[- ]?push",
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
        without: Names of default gates that this peer does without.
    """

    def __init__(self, mode: str = "default", extra: Sequence[str] = (), without: Sequence[str] = ()) -> None:
        if mode not in ("default", "none"):
            raise ValueError(f"gates: {mode}")
        usual = DEFAULT_GATES if mode == "default" else {}
        usual = {name: source for name, source in usual.items() if name not in without}
        own = {f"own pattern {index}": source for index, source in enumerate(extra, start=1)}
        self.mode = mode
        self.gates = tuple(
            Gate(name, re.compile(source, re.IGNORECASE)) for name, source in {**usual, **own}.items()
        )

    def check(
        self, categories: Mapping[str, str], application: bytes | None = None
    ) -> GatesPassed | GatesHeld:
        """Look at everything in a block that is about to go out.

        Args:
            categories: What it says.
            application: The data of its application payload, if it has one.
        """
        if not self.gates:
            return GatesPassed()
        hits = [hit for name in CAT7 if name in categories for hit in self._hits(name, categories[name])]
        if application is not None:
            hits += self._in_payload(application)
        return GatesHeld(tuple(hits)) if hits else GatesPassed()

    def describe(self) -> str:
        """Return what status shows: the number of gates, or plainly that there are none."""
        return f"{len(self.gates)} gates ({self.mode})" if self.gates else "none: nothing is held back"

    def _hits(self, place: str, text: str) -> list[GateHit]:
        if len(text) > GATE_TEXT_CHARS:
            return [GateHit(place, "too long to check", f"{len(text)} characters")]
        forms = views(text)
        found = (
            (gate.name, next((match for form in forms if (match := gate.pattern.search(form))), None))
            for gate in self.gates
        )
        return [GateHit(place, name, match.group(0)[:80]) for name, match in found if match is not None]

    def _in_payload(self, data: bytes) -> list[GateHit]:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            return [GateHit("application", "cannot be read", f"{len(data)} bytes that are no text")]
        try:
            texts = list(_texts(json.loads(text), "application"))
        except (ValueError, RecursionError):
            texts = [("application", text)]
        if len(texts) > GATE_TEXTS:
            return [GateHit("application", "too much to check", f"{len(texts)} texts")]
        return [hit for place, each in texts for hit in self._hits(place, each)]


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Yield every text of a JSON value, member names among them, with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{place}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield f"{place} (a name)", name
            yield from _texts(item, f"{place}.{name[:40]}")
