"""The metrics of one open peer: the verb, the page where one is wanted, and what feeds them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from covey.runtime.first_use import FirstUse
from covey.runtime.metrics.meter import Meter
from covey.system.clock import SystemClock
from covey.system.process import usage

if TYPE_CHECKING:
    from covey.runtime.agent import Note
    from covey.runtime.metrics.peer import PeerMetrics
    from covey.runtime.node import Node
    from covey.system.log import Log

Facts = Mapping[str, Any]


class Metering:
    """What a peer shows to those who watch many.

    Args:
        node: The peer on the mesh.
    """

    def __init__(self, node: Node) -> None:
        self.url: str | None = None
        self._meter = Meter(SystemClock())
        self._status: Callable[[], Awaitable[Facts]] | None = None
        self._node = node
        self._metrics = FirstUse(("covey.runtime.metrics.peer",), self._shown)
        self.verbs: Mapping[str, Callable[[Facts], Awaitable[dict[str, Any]]]] = {
            "metrics": self._metrics.verb(lambda metrics: metrics.answer)
        }

    def asks(self, status: Callable[[], Awaitable[Facts]]) -> None:
        """Take the way to what `status` says."""
        self._status = status

    def take(self, note: Note) -> None:
        """Take one line of the agent's record."""
        self._meter.take(note.level, note.event, note.facts)

    @asynccontextmanager
    async def served(self, address: tuple[str, int] | None, log: Log) -> AsyncIterator[None]:
        """Serve the page for as long as the context lasts; without an address serve none.

        Raises:
            NetworkError: The address cannot be bound.
        """
        if address is None:
            yield
            return
        from covey.net.pages import Page, PageServer
        from covey.net.tcp import is_loopback
        from covey.runtime.metrics import view
        from covey.runtime.metrics.page import CONTENT_TYPE

        host, port = address
        pages = {"/metrics": Page(CONTENT_TYPE, self._metrics.now().text)}
        if host == "localhost" or is_loopback(host):
            # It names peers and says why they were not answered: for this machine's own people only.
            pages["/"] = Page(view.CONTENT_TYPE, self._view)
        server = PageServer(pages, lambda error: log.error("page-failed", reason=error))
        bound = await server.listen(host, port)
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{bound}/metrics"
        log.info("metrics-served", url=self.url)
        try:
            yield
        finally:
            self.url = None
            await server.stop()

    def _shown(self) -> PeerMetrics:
        from covey.runtime.metrics.peer import PeerMetrics

        def states() -> list[str]:
            return [member.state for member in self._node.members()]

        return PeerMetrics(self._found, states, usage, self._meter)

    async def _view(self) -> str:
        from covey.runtime.metrics import view

        return view.page(await self._found())

    async def _found(self) -> Facts:
        if self._status is None:
            raise RuntimeError("the control socket is not open: nobody can ask yet")
        return await self._status()
