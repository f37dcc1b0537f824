"""Parts of a peer that are made when they are first used.

Loading a room's modules takes tens of milliseconds and some hundred kilobytes, and most peers never use most
rooms. Where the caller can wait, they are imported on a thread, so that the loop goes on; where it cannot, at
once. Either way the part is made on the loop's thread, once, and nothing that was said to it before is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Verb = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


class FirstUse(Generic[T]):
    """One part, made at its first use. On the loop's thread.

    Args:
        modules: What `make` imports: loaded on a thread by `soon`.
        make: Makes it, without waiting for anything.
    """

    def __init__(self, modules: tuple[str, ...], make: Callable[[], T]) -> None:
        self._modules = modules
        self._make = make
        self.made: T | None = None
        """The part, once somebody has used it."""

    def now(self) -> T:
        """Return the part; the first call imports what it needs, here and now."""
        if self.made is None:
            self.made = self._make()
        return self.made

    async def soon(self) -> T:
        """Return the part; the first call imports what it needs on a thread, while the loop goes on."""
        if self.made is None:
            await asyncio.to_thread(self._load)
        return self.now()

    def verb(self, pick: Callable[[T], Verb]) -> Verb:
        """Return a verb of the control socket that has the part made first."""

        async def answer(arguments: Mapping[str, Any]) -> dict[str, Any]:
            return await pick(await self.soon())(arguments)

        return answer

    def _load(self) -> None:
        for name in self._modules:
            import_module(name)
