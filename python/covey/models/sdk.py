"""Use a vendor's SDK without paying for it before it is needed.

Rules: an SDK is imported on a thread, on first use or by `warm`; never at module import, never on the loop.
One call of ours is one request of theirs: the SDK's own retries are off, because the loop, the breaker and
the cost guard must see every attempt. Nothing is sent anywhere but to the address asked: redirects are not
followed. The raw answer is read by `incoming` and `wire`, not by the SDK's models, so its size is bounded.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from importlib.util import find_spec
from typing import Any

from covey.errors import ModelError, ModelErrorKind
from covey.models import failures
from covey.models.incoming import Incoming
from covey.models.line import Patience


def installed(package: str) -> bool:
    """Say whether a package can be imported, without importing it."""
    return find_spec(package) is not None


def missing(package: str) -> ModelError:
    """Return the error for an SDK that is not installed."""
    return ModelError(
        f"{package}: the vendor's SDK is not installed",
        kind=ModelErrorKind.UNAVAILABLE,
        transient=False,
        hint=f"pip install 'covey[{package}]'",
    )


class Sdk:
    """One SDK client, made on first use on a thread.

    Args:
        package: What to import; also the extra that installs it.
        label: `adapter/model`, for messages.
        secret: The key, kept out of messages.
        make: Makes the client from the imported package, and touches what is imported lazily.
        post: Gets the client and a request body; returns the SDK's streamed raw response to enter.
    """

    def __init__(
        self,
        package: str,
        label: str,
        secret: str | None,
        make: Callable[[Any], Any],
        post: Callable[[Any, Mapping[str, Any], float], AbstractAsyncContextManager[Any]],
    ) -> None:
        self._package = package
        self._label = label
        self._secret = secret
        self._make = make
        self._post = post
        self._lock = asyncio.Lock()
        self._module: Any = None
        self._client: Any = None
        self._lost: tuple[type[Exception], ...] = ()

    async def client(self) -> Any:
        """Return the client, importing the SDK on a thread the first time.

        Raises:
            ModelError: The SDK is not installed, or does not accept its settings.
        """
        async with self._lock:
            if self._client is None:
                self._module, self._client = await asyncio.to_thread(self._load)
                self._lost = _transport_errors()
        return self._client

    async def warm(self) -> None:
        """Import the SDK (about 1.6 s of processor time) on a thread."""
        await self.client()

    async def ask(
        self, asked: Mapping[str, Any], patience: Patience, reader: Callable[[], Incoming]
    ) -> Mapping[str, object]:
        """Send one request; return the answer in the form it has without streaming.

        Raises:
            ModelError: Whatever kept the answer away, classified.
        """
        client, label = await self.client(), self._label
        first: asyncio.Timeout | None = None
        try:
            async with asyncio.timeout(patience.total_s), asyncio.timeout(patience.first_s) as first:
                return await self._exchange(client, asked, patience, reader(), first)
        except TimeoutError:
            raise patience.error(label, first is not None and first.expired()) from None
        except ValueError as error:
            raise failures.misread(label, error, secret=self._secret) from None
        except self._module.APITimeoutError:
            raise failures.timed_out(label, patience.total_s) from None
        except self._module.APIStatusError as error:
            raise self._refused(error) from None
        except self._module.APIConnectionError as error:
            why = failures.hidden(str(error.__cause__ or error), self._secret)
            raise failures.unreachable(label, str(client.base_url), why) from None
        except self._module.APIError as error:
            raise failures.unreadable(label, failures.hidden(str(error), self._secret)) from None
        except self._lost as error:
            why = failures.hidden(str(error), self._secret) or type(error).__name__
            raise failures.interrupted(label, why) from None

    async def _exchange(
        self,
        client: Any,
        asked: Mapping[str, Any],
        patience: Patience,
        incoming: Incoming,
        first: asyncio.Timeout,
    ) -> Mapping[str, object]:
        async with self._post(client, asked, patience.total_s) as response:
            incoming.start(response.headers.get("content-type"))
            async with aclosing(response.http_response.aiter_bytes()) as pieces:
                async for data in pieces:
                    incoming.feed(data)
                    if incoming.begun and first.when() is not None and not first.expired():
                        first.reschedule(None)
        return incoming.finish()

    def _refused(self, error: Any) -> ModelError:
        answer = error.response
        return failures.from_status(
            self._label,
            int(answer.status_code),
            bytes(answer.content),
            _lower(answer.headers),
            secret=self._secret,
        )

    async def close(self) -> None:
        """Close the client's connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _load(self) -> tuple[Any, Any]:
        try:
            module = importlib.import_module(self._package)
        except ImportError:
            raise missing(self._package) from None
        return module, self._make(module)


def without_redirects(module: Any) -> Any:
    """Return the SDK's own HTTP client, told to follow no redirect: it would carry the key away."""
    return module.DefaultAsyncHttpxClient(follow_redirects=False)


def _transport_errors() -> tuple[type[Exception], ...]:
    """Return what the SDK's HTTP library raises in the middle of an answer; the SDK wraps its beginning."""
    libraries = (sys.modules.get(name) for name in ("httpx2", "httpx"))
    return (OSError, *(library.HTTPError for library in libraries if library is not None))


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}
