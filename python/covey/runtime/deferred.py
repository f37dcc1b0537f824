"""The shell of a conversation that is loaded at its first use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from covey.proto.deferred import Deferred, Described, Load, Loaded
from covey.runtime.plugin import Plugin

if TYPE_CHECKING:
    from covey.proto.extension import Extension
    from covey.runtime.first_use import FirstUse
    from covey.runtime.plugin import Tell

P = TypeVar("P", bound=Plugin)
Verb = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


class DeferredPlugin(Generic[P]):
    """A `Plugin` in place of one that is not loaded yet; the node never knows the difference.

    Args:
        described: What the hello offers, and which frames are its own.
        part: The plugin.
        log: Called with level, event word and facts.
        wanted: Tells, on a thread, whether it has something to do from the start.
    """

    def __init__(
        self,
        described: Described,
        part: FirstUse[P],
        log: Callable[[str, str, Mapping[str, Any]], None],
        wanted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._deferred = Deferred(described)
        self.extension: Extension = self._deferred
        self._part = part
        self._log = log
        self._wanted = wanted
        self._tell: Tell | None = None
        self._opening: asyncio.Task[P] | None = None

    async def start(self, tell: Tell) -> None:
        """Load it where it is used already, or has something to do; else at the first frame or wish."""
        self._tell = tell
        if self._part.made is not None or await asyncio.to_thread(self._wanted):
            await self.soon()

    def perform(self, what: object) -> None:
        """Load the plugin, or have it do what its engine wants."""
        if isinstance(what, Load):
            self._open()
        elif self._part.made is not None:
            self._part.made.perform(what)

    async def stop(self) -> None:
        """End it, where it was ever begun."""
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        self._tell = None
        if self._opening is not None and self._part.made is not None:
            await self._part.made.stop()

    async def soon(self) -> P:
        """Return the plugin; the first call loads it on a thread and, in a node that runs, begins it.

        Raises:
            CoveyError: It cannot begin.
        """
        if self._tell is None:
            return await self._part.soon()
        return await asyncio.shield(self._open())

    def verb(self, pick: Callable[[P], Verb]) -> Verb:
        """Return a verb of the control socket that loads the plugin first."""

        async def answer(arguments: Mapping[str, Any]) -> dict[str, Any]:
            return await pick(await self.soon())(arguments)

        return answer

    def _open(self) -> asyncio.Task[P]:
        if self._opening is None:
            self._deferred.loads()
            self._opening = asyncio.get_running_loop().create_task(self._begin())
            self._opening.add_done_callback(self._opened)
        return self._opening

    async def _begin(self) -> P:
        plugin, tell = await self._part.soon(), self._tell
        if tell is not None:
            await plugin.start(tell)
            tell(Loaded(plugin.extension))
        return plugin

    def _opened(self, task: asyncio.Task[P]) -> None:
        """Say why it could not begin; the next use tries again."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._opening = None
            self._deferred.failed()
            self._log("error", "extension-not-loaded", {"name": self.extension.name, "reason": repr(error)})
