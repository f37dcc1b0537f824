"""What the attestation extension and its shell say to each other: frozen values, no rule of their own."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core

RowKind = Literal["attestation", "checkpoint", "witness", "evidence"]


@dataclass(frozen=True, slots=True)
class Row:
    """A verified frame on its way to the disk, and then to the peers but `origin`."""

    kind: RowKind
    signer: str
    frame: bytes
    origin: str = ""
    quiet: bool = False
    """Kept for this peer's own operator only."""


# --- what the engine wants ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keep:
    """Make rows and the head of the own chain durable together; answer with Kept of the same token."""

    token: int
    rows: tuple[Row, ...]
    chain: bytes | None
    now_ms: int


@dataclass(frozen=True, slots=True)
class Count:
    """Say how many records the store holds; answer with Counted."""


# --- what the engine is told --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restored:
    """What the disk kept, verified again under the keys of its signers.

    `chain` is the head of the own chain; `begun` tells that attestations of our own were kept.
    """

    chain: bytes | None = None
    begun: bool = False
    attestations: tuple[_core.AttestFrame, ...] = ()
    checkpoints: tuple[_core.AttestFrame, ...] = ()
    witnesses: tuple[_core.AttestFrame, ...] = ()
    evidence: tuple[_core.AttestFrame, ...] = ()
    refused: tuple[tuple[int, str], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to a Keep; `problem` says why nothing of it was stored."""

    token: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """The answer to a Count: own records, those of others, all."""

    emitted: int
    admitted: int
    memory: int
