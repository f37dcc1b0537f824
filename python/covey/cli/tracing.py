"""The spans of one open peer, where its settings want them and the extra is installed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from covey.errors import CoveyError
from covey.system.clock import SystemClock

if TYPE_CHECKING:
    from covey.runtime.agent import Note
    from covey.runtime.spans import SpanBook
    from covey.system.log import Log
    from covey.system.otel import OtelSpans

PACKAGE: Final = "opentelemetry"
MISSING: Final = "the OpenTelemetry SDK is not installed"
NEXT_STEP: Final = "pip install 'covey[otel]', or set [telemetry] spans = false"


def missing() -> bool:
    """Say whether the SDK is not there; nothing of it is imported for that."""
    from importlib.util import find_spec

    return find_spec(PACKAGE) is None or find_spec(f"{PACKAGE}.sdk") is None


def header_values(env: Mapping[str, str]) -> list[str]:
    """Return what the SDK's headers hold: keys of a collector, which no log may show."""
    said = [env.get(name, "") for name in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")]
    return [pair.partition("=")[2].strip() for each in said for pair in each.split(",") if "=" in pair]


class Tracing:
    """Takes the agent's notes, and makes spans of them while somebody wants them."""

    def __init__(self) -> None:
        self._book: SpanBook | None = None

    def take(self, note: Note) -> None:
        """Take one line of the agent's record."""
        if self._book is not None:
            self._book.take(note.level, note.event, note.facts)

    @asynccontextmanager
    async def exported(self, peer: str, node_id: str, model: str | None, log: Log) -> AsyncIterator[None]:
        """Export spans for as long as the context lasts; without a model there is nothing to export.

        Raises:
            CoveyError: The SDK is not installed, or its variables are wrong.
        """
        if model is None:
            yield
            return
        from covey.runtime.spans import SpanBook  # only a peer that exports loads it

        spans = _open(peer, node_id, log)
        self._book = SpanBook(SystemClock(), model, spans.give)
        try:
            yield
        finally:
            self._book = None
            # On a thread: a collector that does not answer must not hold up the loop's last words.
            await asyncio.to_thread(spans.close)


def _open(peer: str, node_id: str, log: Log) -> OtelSpans:
    if missing():
        raise CoveyError(MISSING, hint=NEXT_STEP)
    from covey.system.otel import OtelSpans

    try:
        return OtelSpans(peer, node_id, _on_loop(lambda said: log.warn("spans-trouble", reason=said)))
    except ValueError as error:
        raise CoveyError(
            f"OpenTelemetry cannot start: {error}", hint="look at the OTEL_* variables"
        ) from error


def _on_loop(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Return what brings the words of the SDK's own thread to the loop's: the log belongs to that one."""
    loop = asyncio.get_running_loop()

    def later(said: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody reads on
            loop.call_soon_threadsafe(tell, said)

    return later
