"""What the authority extension and its shell say to each other: frozen values, no rule of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.authority.signing import Wish

# --- what the engine wants ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keep:
    """Make statements (id, JSON) durable and forget others by id; answer with Kept of the same token."""

    token: int
    statements: tuple[tuple[str, bytes], ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request; `problem` says why it was not done, `statement` is JSON."""

    token: int
    id: str = ""
    statement: bytes = b""
    standing: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """Other statements are in force than before."""


# --- what the engine is told --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restored:
    """The disk was read into the engine's authority; `refused` are (id, reason, detail) of the rest."""

    kept: frozenset[str]
    refused: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to a Keep; `problem` says why nothing of it was stored."""

    token: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SignRequest:
    """The operator wants a statement signed by this peer; answered with Answer."""

    token: int
    wish: Wish


@dataclass(frozen=True, slots=True)
class TakeRequest:
    """The operator hands over a signed statement as JSON; answered with Answer."""

    token: int
    statement: bytes
