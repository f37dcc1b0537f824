"""An IDE for the tests: the real MCP client library against the real `covey mcp`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tests.e2e.program import ROOM, Program

pytest.importorskip("mcp", reason="the optional MCP library")

from mcp.client.client import Client
from mcp.client.extension import ClientExtension, NotificationBinding
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import Implementation, NotificationParams

SECONDS = 30


class _Params(NotificationParams):
    content: str
    meta: dict[str, str]


class _Channel(ClientExtension):
    """Keeps the channel's notifications."""

    identifier = "test/channel"

    def __init__(self) -> None:
        self.heard: asyncio.Queue[_Params] = asyncio.Queue()

    def notifications(self) -> Sequence[NotificationBinding[Any]]:
        return [
            NotificationBinding(
                method="notifications/claude/channel", params_type=_Params, handler=self.heard.put
            )
        ]


class Ide:
    """One window: its client, what was pushed to it, and what it was told otherwise."""

    def __init__(self, client: Client, channel: _Channel, told: asyncio.Queue[Any]) -> None:
        self.client = client
        self._channel = channel
        self._told = told

    async def call(self, tool: str, failed: bool = False, **arguments: Any) -> str:
        """Call a tool, which must end as said, and return its text."""
        async with asyncio.timeout(SECONDS):
            result = await self.client.call_tool(tool, arguments)
        text: str = result.content[0].text
        assert result.is_error is failed, text
        return text

    async def read(self, uri: str) -> str:
        """Return a resource's text."""
        found: str = (await self.client.read_resource(uri, cache_mode="bypass")).contents[0].text
        return found

    async def pushed(self) -> _Params:
        """Return the next channel notification."""
        async with asyncio.timeout(SECONDS):
            return await self._channel.heard.get()

    async def told(self, method: str) -> Any:
        """Return the next notification of this method."""
        async with asyncio.timeout(SECONDS):
            while True:
                message = await self._told.get()
                if getattr(message, "method", None) == method:
                    return message

    async def until(self, tool: str, word: str, **arguments: Any) -> str:
        """Call a tool until its text holds a word: for what takes a moment to happen on the mesh."""
        async with asyncio.timeout(SECONDS):
            while word not in (text := await self.call(tool, **arguments)):
                await self.client.call_tool(
                    "sym_wait_for_reply", {"key": "cmb-" + "0" * 64, "wait_seconds": 0.1}
                )
        return text


@contextlib.asynccontextmanager
async def window(transport: Any, *, mode: str = "legacy", name: str = "claude-code") -> AsyncIterator[Ide]:
    """Connect a window over a transport."""
    channel, told = _Channel(), asyncio.Queue[Any]()
    client = Client(
        transport,
        mode=mode,
        client_info=Implementation(name=name, version="1"),
        extensions=[channel],
        message_handler=told.put,
    )
    async with client:
        yield Ide(client, channel, told)


def on_streams(covey: Program, *words: str) -> Any:
    """Return the transport of a `covey mcp` that the client starts."""
    args = ["-m", "covey", "mcp", "--room", ROOM, *words]
    return stdio_client(StdioServerParameters(command=sys.executable, args=args, env=covey.env))
