"""The ports: what the capability floor needs from the world, as protocols and nothing else.

Rules: typing.Protocol only. An adapter on floor 4 implements a port; floor 6 hands it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from covey.model import Block, EmissionResult, ModelReply, ModelRequest, PeerView, Proposal


class Clock(Protocol):
    """Time, in the two forms the product needs."""

    def now_ms(self) -> int:
        """Return wall-clock milliseconds since the epoch (signed times, storage)."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back (timers, budgets)."""
        ...


class Entropy(Protocol):
    """Randomness for keys, nonces and jitter."""

    def bytes(self, count: int) -> bytes:
        """Return `count` bytes from the system's secure source."""
        ...


class Model(Protocol):
    """A language model, or rules that stand in for one."""

    @property
    def label(self) -> str:
        """Return `adapter/model` for logs and status."""
        ...

    async def warm(self) -> None:
        """Load whatever is slow to import, off the event loop."""
        ...

    async def call(self, request: ModelRequest) -> ModelReply:
        """Answer one request. Raises ModelError, which says whether trying again can help."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class Mesh(Protocol):
    """What an agent may do on the mesh: emit, and see who is there."""

    async def emit(self, proposal: Proposal) -> EmissionResult:
        """Mint, store and send a block; return the typed end of it."""
        ...

    def peers(self) -> Sequence[PeerView]:
        """Return the peers with an open session."""
        ...


class Memory(Protocol):
    """What an agent may read of its own store."""

    def block(self, key: str) -> Block | None:
        """Return the stored block with this content key, if held."""
        ...

    def recent(self, limit: int, *, own: bool | None = None, room: str | None = None) -> Sequence[Block]:
        """Return stored blocks, newest first; `own` filters by authorship."""
        ...

    def recall(self, query: str, limit: int) -> Sequence[Block]:
        """Return blocks whose text matches, best first."""
        ...
