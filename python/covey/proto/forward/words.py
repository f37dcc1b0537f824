"""What forwarding and its shell say to each other: frozen values, no rule of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core

# --- what the engine wants ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FindRoots:
    """Say where the lineages of held blocks begin; answer with Rooted."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindLacking:
    """Say which of these keys are not held; answer with Lacking of the same token."""

    token: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """Read a held record for a peer, verified again; answer with Loaded."""

    node_id: str
    key: str


# --- what the engine is told --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rooted:
    """The roots of each key, by key; empty where its lineage does not reach them."""

    roots: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Lacking:
    """The answer to FindLacking."""

    token: int
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The answer to Load; None for what is not held, or did not verify."""

    node_id: str
    key: str
    record: _core.Record | None
