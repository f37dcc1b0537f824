"""What the shell of questions needs: a node, and the peer's own store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from covey import _core
    from covey.model import Block, Decided, EmissionResult, PeerView, Proposal
    from covey.proto.options import NodeOptions

Logger = Callable[[str, str, Mapping[str, Any]], None]


class Speaker(Protocol):
    """What a node does for questions."""

    options: NodeOptions
    identity: _core.Identity

    async def emit(self, proposal: Proposal) -> EmissionResult:
        """Make a block durable, and send it."""
        ...

    def ended(self, assertion_id: str, how: str, why: str | None = None) -> None:
        """Say how a record that was addressed here ended."""

    def peers(self) -> Sequence[PeerView]:
        """Return the peers with an open session."""
        ...


class Shelf(Protocol):
    """What is read of the peer's own store; every call blocks, and raises StoreError."""

    def block(self, key: str) -> Block | None:
        """Return a held block."""
        ...

    def recent(self, limit: int, *, own: bool | None = None, room: str | None = None) -> Sequence[Block]:
        """Return stored blocks, newest first."""
        ...

    def recall(self, query: str, limit: int) -> Sequence[Block]:
        """Return blocks whose text matches, best first."""
        ...

    def feedback_for_own(self, limit: int, room: str) -> Sequence[Any]:
        """Return what others say of own blocks."""
        ...

    def decisions(self, key: str, limit: int) -> Sequence[Decided]:
        """Return what was decided about a block, newest first."""
        ...

    def children(self, key: str) -> Sequence[str]:
        """Return the keys of held blocks that descend from one directly."""
        ...

    def signed(self, key: str) -> bytes | None:
        """Return a held block as its author signed it."""
        ...

    def keys(self) -> Mapping[str, bytes]:
        """Return the key that each node is bound to."""
        ...

    def keep(self, records: Sequence[_core.Record], now_ms: int) -> None:
        """Hold these, as evidence of an answer."""
