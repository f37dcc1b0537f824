"""What the engine of shared state and its shell say to each other: frozen values, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from covey.values import dataclass

if TYPE_CHECKING:
    from covey._core import StateValue

SNAPSHOT: Final = 0
DELTA: Final = 1
KEY: Final = 2
GONE: Final = 3

Row = tuple[str, int, bytes]
"""A row of the store: scope, kind (snapshot, delta, an author's key, an author that is gone), bytes."""


# --- the shell says ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restored:
    """What the store holds, in the order it was written."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """An application's wish: write these, in one flush, and answer with `Wrote`."""

    token: int
    scope: str
    writes: tuple[tuple[str, str, StateValue], ...]


@dataclass(frozen=True, slots=True)
class Forget:
    """The operator's word that an author is gone: tombstones wait for it no more. Answered with `Wrote`."""

    token: int
    scope: str
    author: str


@dataclass(frozen=True, slots=True)
class Serve:
    """The scopes of this peer's own agent that may be spoken of, all of them; before this is said, none."""

    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Persisted:
    """Everything up to this number is durable."""

    number: int


@dataclass(frozen=True, slots=True)
class PersistFailed:
    """Nothing from this number on is durable, and why."""

    number: int
    reason: str


# --- the engine says ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Persist:
    """Make rows durable, in one transaction, after forgetting those of the scopes in `clear`."""

    number: int
    clear: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Reload:
    """Say again what the store holds: what memory had beyond it is given up."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """What became of a wish: durable where `reason` is empty."""

    token: int
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """What left of this peer's own agent since it was said last: (scope, nodeId, frames, bytes)."""

    rows: tuple[tuple[str, str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """Something of a scope changed; `delta` is what did it, where one delta did; `over` is who brought it."""

    scope: str
    delta: bytes | None
    over: str | None = None
    """A nodeId; None for what was written here."""
