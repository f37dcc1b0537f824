"""The line to a vendor, as its adapter sees it: a request body goes out, one answer comes back.

Rules: what an adapter asks and how it reads the answer are its own; who carries both is behind this line: an
SDK, plain HTTP, or a tape that replays what was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from covey.errors import ModelError
from covey.model import ModelRequest
from covey.models import failures
from covey.models.incoming import Incoming
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call may take, and how long until its first word (None: as long as the call)."""

    total_s: float
    first_s: float | None = None

    @staticmethod
    def of(request: ModelRequest) -> Patience:
        """Return what a request allows."""
        first = request.first_token_seconds
        sooner = first is not None and first < request.timeout_seconds
        return Patience(request.timeout_seconds, first if sooner else None)

    def error(self, label: str, first_missing: bool) -> ModelError:
        """Return the error for time that ran out."""
        if first_missing and self.first_s is not None:
            return failures.no_first_word(label, self.first_s)
        return failures.timed_out(label, self.total_s)


class Line(Protocol):
    """One way to a vendor."""

    async def warm(self) -> None:
        """Load what is slow to load."""
        ...

    async def ask(
        self, asked: Mapping[str, Any], patience: Patience, reader: Callable[[], Incoming]
    ) -> Mapping[str, object]:
        """Send one request; return the answer in the form it has without streaming.

        Args:
            asked: The request's body, as the vendor's API documents it.
            patience: How long it may take.
            reader: Makes what reads the answer.

        Raises:
            ModelError: No usable answer; it says whether later may help.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
