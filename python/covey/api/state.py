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

    async def increment(self, name: str, by: int = 1) -> None:
        """Count: each agent's share adds up, also of those that cannot reach each other."""
        await self._shared.answer({"op": "incr", "name": name, "by": by})

    async def add(self, name: str, element: str) -> None:
        """Put an element into a set; it stays where somebody else removes it at the same time."""
        await self._shared.answer({"op": "add", "name": name, "element": element})

    async def remove(self, name: str, element: str) -> None:
        """Take an element out of a set: every addition of it that was seen here."""
        await self._shared.answer({"op": "remove", "name": name, "element": element})

    async def find(self, name: str, scope: str | None = None) -> Mapping[str, Any] | None:
        """Return what stands under a name with its kind (register, bytes, counter, set, budget), or None.

        Args:
            name: Which.
            scope: Another state than the room's, as `status` names it.

        Raises:
            CoveyError: No such state is held here.
        """
        asked = {"op": "get", "name": name, "scope": scope}
        found: Mapping[str, Any] | None = (await self._shared.answer(asked))["found"]
        return found

    def get(self, name: str, scope: str | None = None) -> object:
        """Return the value of a register, or None; `scope` as for `find`.

        Raises:
            CoveyError: No such state is held here.
        """
        return self._shared.get(name, scope)

    def watch(self, listener: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
        """Call `listener` with every change, on the loop's thread; return the way to end it."""
        return self._shared.watch(listener)

    def status(self) -> Mapping[str, Any]:
        """Return how far each peer is: equal, behind, or diverged since when."""
        return self._shared.status()
