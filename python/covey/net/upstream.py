"""Servers with models, over HTTP: one client for each, by httpx2, as the vendors' own SDKs bring it.

Rules: no redirects (they would carry a key away) and no proxies of the environment; one call of ours is one
request of theirs. What fails before the answer begins is an `UpstreamError` with a stable word.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

import httpx2

from covey.errors import NetworkError

_CONNECT_SECONDS: Final = 5.0


class UpstreamError(NetworkError):
    """A backend that did not answer; `code` is a stable word."""


class Answer:
    """An answer that has begun: status, type, and its bytes as they come. Close it, also halfway."""

    def __init__(self, response: httpx2.Response, stack: AsyncExitStack) -> None:
        self.status = response.status_code
        self.content_type = response.headers.get("content-type", "application/octet-stream")
        self.retry_after = response.headers.get("retry-after")
        self._response = response
        self._stack = stack

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the answer's bytes as they come.

        Raises:
            UpstreamError: It broke off, or nothing more came in time.
        """
        try:
            async for data in self._response.aiter_bytes():
                yield data
        except httpx2.TimeoutException as error:
            raise UpstreamError("nothing more came in time", code="stalled") from error
        except httpx2.HTTPError as error:
            raise UpstreamError(_told(error), code="interrupted") from error


class Upstream:
    """One server.

    Args:
        url: Its address, usually ending in /v1.
        key: Its key, or None.
        first_byte_seconds: For its answer to begin, and between two pieces of it.
        connections: At once.
    """

    def __init__(self, url: str, key: str | None, first_byte_seconds: float, connections: int) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self.url = url
        self._client = httpx2.AsyncClient(
            headers=headers,
            follow_redirects=False,
            trust_env=False,
            timeout=httpx2.Timeout(first_byte_seconds, connect=_CONNECT_SECONDS, pool=first_byte_seconds),
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
        )

    async def post(self, path: str, body: bytes) -> Answer:
        """Send a request; return its answer once it has begun.

        Args:
            path: Under the address: `/chat/completions`.
            body: JSON.

        Raises:
            UpstreamError: It did not begin to answer.
        """
        return await self._begin(
            self._client.build_request(
                "POST", self.url + path, content=body, headers={"content-type": "application/json"}
            )
        )

    async def get(self, path: str) -> Answer:
        """Ask for a page.

        Raises:
            UpstreamError: It did not begin to answer.
        """
        return await self._begin(self._client.build_request("GET", self.url + path))

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _begin(self, request: httpx2.Request) -> Answer:
        stack = AsyncExitStack()
        try:
            response = await self._client.send(request, stream=True)
        except httpx2.ConnectError as error:
            raise UpstreamError(_told(error), code="unreachable") from error
        except httpx2.TimeoutException as error:
            raise UpstreamError("did not begin to answer in time", code="timeout") from error
        except httpx2.HTTPError as error:
            raise UpstreamError(_told(error), code="protocol") from error
        stack.push_async_callback(response.aclose)
        return Answer(response, stack)


def _told(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
