"""What a door asks of the world, as protocols, and the values that go through it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import field
from types import TracebackType
from typing import Any, Protocol, Self

from covey.inference.keys import Entry, KeyBook, Priority
from covey.values import dataclass


class BackendAnswer(Protocol):
    """An answer that has begun. Close it, also halfway."""

    status: int
    content_type: str
    retry_after: str | None

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield its bytes as they come; raises NetworkError where it breaks off."""
        ...


class Backend(Protocol):
    """One server with models. Both calls raise NetworkError where it does not begin to answer."""

    async def post(self, path: str, body: bytes) -> BackendAnswer:
        """Send a request."""
        ...

    async def get(self, path: str) -> BackendAnswer:
        """Ask for a page."""
        ...

    async def close(self) -> None:
        """Let go of its connections."""
        ...


class Keys(Protocol):
    """The keys as they stand now."""

    def current(self) -> KeyBook:
        """Return them. Raises StoreError where they cannot be read: then nobody comes in."""
        ...


class Keeper(Protocol):
    """Where accounts and switches survive a restart."""

    def save(self, members: Mapping[str, Any]) -> None:
        """Write them whole; called on a thread. Raises StoreError."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One request for a model, by somebody who may ask.

    `deadline_s` is how long it is of any use, in seconds from now; `way` is `http` or `mesh`.
    """

    entry: Entry
    path: str
    body: Mapping[str, Any]
    size: int
    priority: Priority | None = None
    deadline_s: float | None = None
    way: str = "http"


@dataclass(slots=True)
class Reply:
    """An answer on its way to whoever asked: `chunks` has its bytes, and must be closed."""

    status: int
    content_type: str
    chunks: AsyncIterator[bytes]
    headers: dict[str, str] = field(default_factory=dict)
    """What the door adds: which lane answered, how long it waited."""
    length: int | None = None
    """Bytes, where the whole answer is there already."""
