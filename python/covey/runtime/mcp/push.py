"""News to clients: compact headers as they come, and updates of the inbox to who subscribed.

Rules: a header goes to clients that say they take channels (Claude Code; `always` for others); everyone else
hears only what it subscribed to. Presence is never pushed. Each queue is bounded: what does not fit is
counted and stays in the inbox, and a client that does not take a push is let go.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

from covey.runtime.mcp import bounds
from covey.runtime.mcp.resources import INBOX, RECORD

CHANNEL: Final = "claude/channel"
METHOD: Final = "notifications/claude/channel"
When = Literal["auto", "always", "never"]
Send = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class Push:
    """Tells clients what came.

    Args:
        when: Who gets headers.
        header: Makes the header of a delivery.
        shown: Says of an author whether its blocks are shown.
        updated: Called with each resource that changed, for subscriptions of the newer protocol.
    """

    def __init__(
        self,
        when: When,
        header: Callable[[Mapping[str, Any]], str],
        shown: Callable[[str], bool],
        updated: Callable[[str], Awaitable[None]],
    ) -> None:
        self._when = when
        self._header = header
        self._shown = shown
        self._updated = updated
        self._channels: OrderedDict[str, Send] = OrderedDict()
        self._subscribers: OrderedDict[tuple[str, str], Send] = OrderedDict()
        self._queue: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(bounds.QUEUE)
        self.counters: Counter[str] = Counter()

    def greet(self, client: str, send: Send, *, name: str, capable: bool) -> None:
        """Take note of a client: its session, the way to it, what it says of itself."""
        wants = capable or name.lower().startswith("claude")
        if self._when == "always" or (self._when == "auto" and wants):
            _bounded(self._channels, client, send, bounds.SESSIONS)

    def subscribe(self, uri: str, client: str, send: Send) -> None:
        """Tell a client when a resource changes."""
        _bounded(self._subscribers, (uri, client), send, bounds.SUBSCRIPTIONS)

    def unsubscribe(self, uri: str, client: str) -> None:
        """Stop telling it."""
        self._subscribers.pop((uri, client), None)

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take one delivery; never blocks."""
        if not self._shown(event["delivery"]["block"]["author"]):
            self.counters["mcp.push.hidden"] += 1
            return
        try:
            self._queue.put_nowait(event["delivery"])
        except asyncio.QueueFull:
            self.counters["mcp.push.dropped"] += 1

    async def run(self) -> None:
        """Push until cancelled."""
        while True:
            await self._tell(await self._queue.get())

    async def _tell(self, delivery: Mapping[str, Any]) -> None:
        kind = "message" if delivery["directed"] else "cmb"
        meta = {"event_type": kind, "source": "covey", "key": delivery["block"]["key"]}
        params = {"content": self._header(delivery), "meta": meta}
        for client, send in tuple(self._channels.items()):
            if not await self._sent(send, METHOD, params):
                self._channels.pop(client, None)
        touched = [INBOX, *(RECORD + parent for parent in delivery["block"]["parents"])]
        for (uri, client), send in tuple(self._subscribers.items()):
            if uri in touched and not await self._sent(send, "notifications/resources/updated", {"uri": uri}):
                self._subscribers.pop((uri, client), None)
        for uri in touched:
            await self._updated(uri)

    async def _sent(self, send: Send, method: str, params: Mapping[str, Any]) -> bool:
        try:
            async with asyncio.timeout(bounds.PUSH_SECONDS):
                await send(method, params)
        except Exception:  # whatever a client's transport raises costs that client its pushes, nobody else
            self.counters["mcp.push.failed"] += 1
            return False
        self.counters["mcp.push.sent"] += 1
        return True


def _bounded(kept: OrderedDict[Any, Send], name: object, send: Send, most: int) -> None:
    kept[name] = send
    kept.move_to_end(name)
    while len(kept) > most:
        kept.popitem(last=False)
