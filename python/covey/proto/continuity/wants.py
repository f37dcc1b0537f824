"""What the engine of continuity and its shell say to each other: frozen values, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from covey.proto.continuity.line import Line
from covey.proto.continuity.values import Term
from covey.values import dataclass

# --- the shell says ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restored:
    """What the disk holds: cases by agent, and whose agents this peer agreed to take."""

    data: bytes | None


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything up to this number is durable."""

    number: int


@dataclass(frozen=True, slots=True)
class KeepFailed:
    """It is not, and why: nothing is promised from here on."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ready:
    """What a term brings is ready on this peer: it may be told."""

    agent: str
    term: str
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Declare:
    """The operator's wish for this peer's own agent: these names, in this order. Answered with `Answer`."""

    token: int
    standbys: tuple[str, ...]
    witnesses: tuple[str, ...]
    classes: tuple[str, ...]
    epochs: int
    force: bool = False


@dataclass(frozen=True, slots=True)
class Adopt:
    """The operator's wish to hold an agent here; with `force` on its word alone, without a majority."""

    token: int
    agent: str
    force: bool


@dataclass(frozen=True, slots=True)
class HandOn:
    """The operator's wish that another member holds an agent that is held here; by default its owner."""

    token: int
    agent: str
    to: str
    payload: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """The question whether a node would take this peer's agent; answered with `Answer`."""

    token: int
    to: str
    classes: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Consent:
    """Whose agents this peer takes: an author, or `*`."""

    token: int
    author: str
    given: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What this node says of itself when it is offered an agent; told again as it changes."""

    facts: Mapping[str, str | int]


# --- the engine says ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keep:
    """Make this durable, in place of what was kept before."""

    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make ready what a term brings to this peer, then say `Ready`: its votes are in, nobody knows yet.

    `source` is the scope owner whose replica is taken over, and `heads` how far it has come here.
    """

    agent: str
    term: Term
    source: str
    payload: Mapping[str, Any] | None = None
    """The holder's signed description of what it hands on, where it gave one."""


@dataclass(frozen=True, slots=True)
class Changed:
    """An agent's line is another one; `before` is None where it is new."""

    line: Line
    before: Line | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a wish: done where `reason` is empty."""

    token: int
    reason: str = ""
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
