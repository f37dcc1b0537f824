"""Use a vendor's SDK without paying for it before it is needed.

Rules: an SDK is imported on a thread, on first use or by `warm`; never at module import, never on the loop.
One call of ours is one request of theirs: the SDK's own retries are off, because the loop, the breaker and
the cost guard must see every attempt. The raw answer is read by `wire`, not by the SDK's models.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping
from importlib.util import find_spec
from typing import Any

from covey.errors import ModelError, ModelErrorKind
from covey.models import failures


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
        make: Makes the client from the imported package, and touches what is imported lazily.
    """

    def __init__(self, package: str, make: Callable[[Any], Any]) -> None:
        self._package = package
        self._make = make
        self._lock = asyncio.Lock()
        self._module: Any = None
        self._client: Any = None

    async def client(self) -> Any:
        """Return the client, importing the SDK on a thread the first time.

        Raises:
            ModelError: The SDK is not installed, or does not accept its settings.
        """
        async with self._lock:
            if self._client is None:
                self._module, self._client = await asyncio.to_thread(self._load)
        return self._client

    async def ask(
        self, label: str, timeout_s: float, secret: str | None, send: Callable[[Any], Awaitable[Any]]
    ) -> bytes:
        """Send one request; return the body of a successful answer.

        Args:
            label: `adapter/model`, for messages.
            timeout_s: Seconds until the whole call is given up.
            secret: The key, kept out of messages.
            send: Gets the client, returns the SDK's raw response.

        Raises:
            ModelError: Whatever kept the answer away, classified.
        """
        client = await self.client()
        try:
            async with asyncio.timeout(timeout_s):
                response = await send(client)
                return bytes(response.http_response.content)
        except TimeoutError:
            raise failures.timed_out(label, timeout_s) from None
        except self._module.APITimeoutError:
            raise failures.timed_out(label, timeout_s) from None
        except self._module.APIStatusError as error:
            answer = error.response
            raise failures.from_status(
                label, int(answer.status_code), bytes(answer.content), _lower(answer.headers), secret=secret
            ) from None
        except self._module.APIConnectionError as error:
            why = str(error.__cause__ or error)
            raise failures.unreachable(label, str(client.base_url), why) from None
        except self._module.APIError as error:
            raise failures.unreadable(label, str(error)) from None

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


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}
