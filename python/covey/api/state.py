"""Shared state from Python: names and values that merge at every peer of the room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from covey.runtime.state import SharedState


class State:
    """The shared map of a peer's room. Values are JSON or bytes.

    Every write is durable at this peer when the call returns, and on its way to the others.
    """

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared

    async def set(self, name: str, value: object) -> None:
        """Write one value; of two concurrent writes every peer keeps the same one.

        Raises:
            CoveyError: The name or value is past its bound, or the store cannot keep it.
        """
        await self._shared.set(name, value)

    async def delete(self, name: str) -> None:
        """Delete one name; an older write does not bring it back."""
        await self._shared.delete(name)

    def get(self, name: str) -> object:
        """Return what this peer holds under a name, or None."""
        return self._shared.get(name)

    def watch(self, listener: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
        """Call `listener` with every change, on the loop's thread; return the way to end it."""
        return self._shared.watch(listener)

    def status(self) -> Mapping[str, Any]:
        """Return how far each peer is: equal, behind, or diverged since when."""
        return self._shared.status()
