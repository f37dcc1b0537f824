"""Spans are an extra: without the SDK nothing of it is imported, and wanting it says what to install."""

from __future__ import annotations

import asyncio

import pytest

from covey.cli import tracing
from covey.errors import CoveyError
from tests.tidy.test_light_imports import loaded_by


def test_a_peer_that_wants_no_spans_loads_nothing_of_the_sdk() -> None:
    assert "opentelemetry" not in loaded_by("import covey.cli.peer, covey.cli.run, covey.cli.dry_run")


def test_a_collectors_headers_are_secrets() -> None:
    env = {
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=abc%20def, other = ghi",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "t=u=v",
    }
    assert tracing.header_values(env) == ["abc%20def", "ghi", "u=v"]
    assert tracing.header_values({}) == []


def test_wanting_spans_without_the_sdk_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "missing", lambda: True)

    async def work(model: str | None) -> str:
        log: list[str] = []
        async with tracing.Tracing().exported("ann", "node", model, log):
            return "ran"

    assert asyncio.run(work(None)) == "ran"
    with pytest.raises(CoveyError, match="not installed") as caught:
        asyncio.run(work("scripted/rules"))
    assert "covey[otel]" in str(caught.value.hint)
