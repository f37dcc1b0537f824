"""Spans to OpenTelemetry, by its own SDK; the only place that imports it.

A block's key gives the trace and the span of its own small root span, so that an author's span and those of
everybody who heard the block link to one place, although no peer tells another anything about spans.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import Final

from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import (
    Link,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind as OtelKind

from covey import __version__
from covey.model import Span, SpanKind

_KINDS: Final = {
    SpanKind.INTERNAL: OtelKind.INTERNAL,
    SpanKind.CLIENT: OtelKind.CLIENT,
    SpanKind.CONSUMER: OtelKind.CONSUMER,
    SpanKind.PRODUCER: OtelKind.PRODUCER,
}


def block_context(key: str) -> SpanContext:
    """Return trace and span of a block: the same at every peer, from its content key alone."""
    drawn = hashlib.sha256(b"covey-block-span:" + key.encode()).digest()
    trace = int.from_bytes(drawn[:16], "big") or 1
    span = int.from_bytes(drawn[16:24], "big") or 1
    return SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


class _Ids(IdGenerator):
    """Random ids, but for the next span where a block gives them."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()
        self.next: SpanContext | None = None

    def generate_trace_id(self) -> int:
        return self._random.generate_trace_id() if self.next is None else self.next.trace_id

    def generate_span_id(self) -> int:
        return self._random.generate_span_id() if self.next is None else self.next.span_id


class _Complaints(logging.Handler):
    """What the SDK has to say (a collector that is away), on its way into the peer's own log."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.getMessage())


class OtelSpans:
    """Sends trees of spans where the SDK's own OTEL_* variables say.

    Args:
        peer: Name of the peer.
        node_id: Its nodeId, as `service.instance.id`.
        tell: Takes what the SDK complains of; called from its thread too.
        processor: Where spans go; None is OTLP over HTTP, in batches, on a thread of the SDK.
    """

    def __init__(
        self, peer: str, node_id: str, tell: Callable[[str], None], processor: SpanProcessor | None = None
    ) -> None:
        self._ids = _Ids()
        told = {SERVICE_INSTANCE_ID: node_id, SERVICE_VERSION: __version__, "covey.peer": peer}
        resource = Resource.create({SERVICE_NAME: "covey"}).merge(Resource(told))
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(_otlp() if processor is None else processor)
        self._tracer = self._provider.get_tracer("covey", __version__)
        self._logger, self._handler = logging.getLogger("opentelemetry"), _Complaints(tell)
        self._logger.addHandler(self._handler)
        self._logger.propagate = False  # a terminal is no place for tracebacks of a library

    def give(self, root: Span) -> None:
        """Take one whole tree; never blocks."""
        self._make(root, None)

    def close(self) -> None:
        """Send what waits and end the SDK's thread; blocks for some seconds where the collector is away."""
        self._provider.shutdown()
        self._logger.removeHandler(self._handler)

    def _make(self, span: Span, parent: OtelSpan | None) -> None:
        links = [Link(block_context(key)) for key in (span.heard, span.said) if key is not None]
        made = self._tracer.start_span(
            span.name,
            context=None if parent is None else set_span_in_context(parent),
            kind=_KINDS[span.kind],
            attributes=dict(span.attributes),
            links=links,
            start_time=span.start_ns,
        )
        for step in span.steps:
            self._make(step, made)
        if span.error is not None:
            made.set_attribute("error.type", span.error)
            made.set_status(Status(StatusCode.ERROR, span.error))
        made.end(span.end_ns)
        if span.said is not None:
            self._block(span.said, span.end_ns, made)

    def _block(self, key: str, at_ns: int, emission: OtelSpan) -> None:
        """Leave the span that everybody's links lead to."""
        self._ids.next = block_context(key)
        try:
            made = self._tracer.start_span(
                "covey.block",
                attributes={"covey.block.key": key},
                links=[Link(emission.get_span_context())],
                start_time=at_ns,
            )
        finally:
            self._ids.next = None
        made.end(at_ns)


def _otlp() -> SpanProcessor:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return BatchSpanProcessor(OTLPSpanExporter())
