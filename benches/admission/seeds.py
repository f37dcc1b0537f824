"""Hand-written seeds: what agents of a domain say, how they restate it, and what only sounds like it.

A line is `category | focus | sentence`. `~` restates the statement above it; `!` shares words with the topic
and is about something else. Domains of tuning.txt and of held_back.txt have nothing in common.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

Part = Literal["tuning", "held back"]
PARTS: Final[tuple[Part, ...]] = ("tuning", "held back")
_FOLDER: Final = Path(__file__).parent / "seeds"
_FILES: Final = {"tuning": "tuning.txt", "held back": "held_back.txt"}

Texts = dict[str, str]


@dataclass(slots=True)
class Topic:
    """One matter: statements about it, restatements of some of them, and lookalikes."""

    name: str
    statements: list[Texts] = field(default_factory=list)
    restated: dict[int, Texts] = field(default_factory=dict)
    lookalikes: list[Texts] = field(default_factory=list)


@dataclass(slots=True)
class Domain:
    """A field of work, the published profile its agents weigh by, and its topics."""

    name: str
    profile: str = "uniform"
    topics: list[Topic] = field(default_factory=list)


def domains(part: Part) -> list[Domain]:
    """Read the domains of one part."""
    found: list[Domain] = []
    for line in _lines(_FILES[part]):
        kind, _, value = line.partition(":")
        if kind == "domain":
            found.append(Domain(value.strip()))
        elif kind == "profile":
            found[-1].profile = value.strip()
        elif kind == "topic":
            found[-1].topics.append(Topic(value.strip()))
        else:
            _take(found[-1].topics[-1], line)
    return found


def payloads(part: Part) -> list[str]:
    """Read what hostile blocks of one part carry."""
    found: dict[str, list[str]] = {}
    for line in _lines("payloads.txt"):
        if line.startswith("["):
            current = found.setdefault(line.strip("[]"), [])
        else:
            current.append(line)
    return found[part]


def _take(topic: Topic, line: str) -> None:
    category, focus, sentence = (each.strip() for each in line.lstrip("~! ").split("|"))
    texts = {"focus": focus, category: sentence}
    if line.startswith("~"):
        topic.restated[len(topic.statements) - 1] = texts
    elif line.startswith("!"):
        topic.lookalikes.append(texts)
    else:
        topic.statements.append(texts)


def _lines(name: str) -> list[str]:
    text = (_FOLDER / name).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
