"""One MCP server as a source of tools, by the official SDK: a process on its standard streams, or an address.

Rules: the SDK is imported on a thread, when the server starts. The server may neither use our model nor ask
our operator: it gets no sampling, no elicitation, no roots. A process gets the few variables every program
needs and those that agent.toml names, never the peer's keys. A server that ends is started again when it is
next needed, and not more often than every few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
from collections.abc import AsyncIterator, Mapping
from importlib.util import find_spec
from typing import Any

from covey import limits
from covey.model import ToolOutcome, ToolSpec
from covey.settings import McpServerSettings
from covey.tools.bounds import one_line
from covey.tools.stderr import LastWords


class McpServer:
    """One server.

    Args:
        name: Its name in agent.toml.
        settings: How it is reached.
        env: The peer's environment: tokens, and the variables to pass on.
    """

    def __init__(self, name: str, settings: McpServerSettings, env: Mapping[str, str]) -> None:
        self.name = name
        self._settings = settings
        self._env = env
        self._client: Any = None
        self._keeper: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self._began = float("-inf")
        self._lock = asyncio.Lock()
        self._refused = ""
        self._closed = False

    async def start(self) -> list[ToolSpec]:
        """Start or reach the server and return its tools.

        Raises:
            Exception: It did not come up; the message says why, on one line.
        """
        self._closed = False
        await self._up()
        tools, cursor = [], None
        for _ in range(limits.TOOL_PAGES):
            page = await self._client.list_tools(cursor=cursor)
            tools += [ToolSpec(each.name, each.description or "", each.input_schema) for each in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                break
        return tools

    async def call(self, tool: str, arguments: Mapping[str, object], timeout_s: float) -> ToolOutcome:
        """Call one tool, to its end or its deadline."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._up()
                return _outcome(await self._client.call_tool(tool, dict(arguments)))
        except TimeoutError:
            return ToolOutcome(f"no result within {timeout_s:g} s", failed=True, reason="timeout")
        except Exception as error:  # what the SDK raises is many things; the model reads one line
            said = _said(error)
            if _protocol_says_so(error):
                return ToolOutcome(said, failed=True, reason="tool-error")
            await self._down()
            return ToolOutcome(f"the server is gone: {said}", failed=True, reason="unavailable")

    async def close(self) -> None:
        """End the server, or the conversation with it; a call that comes later does not start it again."""
        self._closed = True
        await self._down()

    # --- up and down ----------------------------------------------------------------------------

    async def _up(self) -> None:
        async with self._lock:
            if self._closed:
                raise ConnectionError("it was closed")
            if self._keeper is not None and not self._keeper.done() and self._client is not None:
                return
            now = asyncio.get_running_loop().time()
            if now < self._began + limits.TOOL_RESTART_SECONDS:
                raise ConnectionError("it ended, and is started again in some seconds")
            self._began = now
            await self._end()
            ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._leave = asyncio.Event()
            self._keeper = asyncio.create_task(self._keep(ready), name=f"mcp-{self.name}")
            try:
                await ready
            except asyncio.CancelledError:
                await self._end()
                raise

    async def _keep(self, ready: asyncio.Future[None]) -> None:
        """Hold the connection: the SDK wants it opened and closed by one and the same task."""
        words = LastWords()
        try:
            sdk = await asyncio.to_thread(_load)
            async with self._connected(sdk, words) as client:
                self._client = client
                ready.set_result(None)
                await self._leave.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(_why(error, words.text() or self._refused))
            elif isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._client = None
            words.close()

    @contextlib.asynccontextmanager
    async def _connected(self, sdk: _Sdk, words: LastWords) -> AsyncIterator[Any]:
        settings = self._settings
        if settings.url is not None:
            headers = {}
            if settings.token_env is not None:
                token = self._env.get(settings.token_env, "").strip()
                if not token:
                    raise LookupError(f"{settings.token_env} is not set")
                headers["Authorization"] = f"Bearer {token}"
            async with sdk.http_client(headers=headers) as http:
                http.event_hooks = {"response": [self._note_status]}
                transport = sdk.streamable_http(settings.url, http_client=http)
                async with sdk.client(transport, cache=None) as client:
                    yield client
            return
        passed = {name: self._env[name] for name in settings.pass_env if name in self._env}
        parameters = sdk.parameters(
            command=settings.command[0],
            args=list(settings.command[1:]),
            env={**passed, **settings.env},
            cwd=settings.folder,
        )
        transport = sdk.stdio(parameters, errlog=words.file)
        async with sdk.client(transport, cache=None) as client:
            yield client

    async def _note_status(self, response: Any) -> None:
        """Remember a refusal: the SDK says only that there was one."""
        if response.status_code >= 400:
            self._refused = f"answered {response.status_code}"

    async def _down(self) -> None:
        async with self._lock:
            await self._end()

    async def _end(self) -> None:
        keeper, client, self._keeper, self._client = self._keeper, self._client, None, None
        if keeper is None:
            return
        self._leave.set()
        if client is None:  # it is not up, and may never be
            keeper.cancel()
        _, waiting = await asyncio.wait((keeper,), timeout=limits.TOOL_STOP_SECONDS)
        for task in waiting:
            task.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


class _Sdk:
    """What is used of the SDK."""

    def __init__(self) -> None:
        client = importlib.import_module("mcp.client.client")
        stdio = importlib.import_module("mcp.client.stdio")
        http = importlib.import_module("mcp.client.streamable_http")
        self.client = client.Client
        self.parameters = stdio.StdioServerParameters
        self.stdio = stdio.stdio_client
        self.streamable_http = http.streamable_http_client
        self.http_client = http.create_mcp_http_client


def _load() -> _Sdk:
    if find_spec("mcp") is None:
        raise ImportError("the MCP library is not installed: pip install 'covey[mcp]'")
    return _Sdk()


def _why(error: BaseException, last_words: str) -> Exception:
    """Return one error for whatever kept a server from coming up, with its own last words."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    if isinstance(error, asyncio.CancelledError):
        return ConnectionError("its start was given up")
    said = _said(error)
    last = one_line(last_words)
    return ConnectionError(f"{said} ({last})" if last else said)


def _said(error: BaseException) -> str:
    message = getattr(error, "message", None)
    return one_line(message if isinstance(message, str) else str(error)) or type(error).__name__


def _protocol_says_so(error: Exception) -> bool:
    """Say whether the server itself refused the call, so that it is there and stays."""
    code = getattr(getattr(error, "error", error), "code", None)
    return isinstance(code, int) and code not in _GONE


_GONE = (-32000, -32001)
"""The SDK's codes for a connection that closed and for a request that ran out of time."""


def _outcome(result: Any) -> ToolOutcome:
    """Return a result as text; what is no text is named in its place."""
    parts = [
        part.text if getattr(part, "type", "") == "text" else f"[{getattr(part, 'type', 'part')} left out]"
        for part in result.content
    ]
    if not parts and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False, default=str)]
    failed = bool(result.is_error)
    return ToolOutcome("\n".join(parts), failed, "tool-error" if failed else "ok")
