"""Spans: trees made of an agent's notes, and what OpenTelemetry's own SDK makes of them in memory."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from covey import limits
from covey.model import Span
from covey.runtime.spans import SpanBook
from covey.system.otel import OtelSpans, block_context


class Clock:
    now = 100.0

    def now_ms(self) -> int:
        return 1_000_000

    def monotonic(self) -> float:
        return self.now

    def era(self) -> str:
        return "one"


class World:
    def __init__(self) -> None:
        self.clock, self.trees = Clock(), list[Span]()
        self.book = SpanBook(self.clock, "scripted/rules", self.trees.append)

    def note(self, event: str, later: float = 0.0, **facts: Any) -> None:
        self.clock.now += later
        self.book.take("info", event, facts)

    def heard(self, key: str) -> None:
        told = {"author_node_id": "node-1", "decision": "aligned", "directed": False}
        self.note("heard", key=key, received_ms=999_990, categories={"focus": "a canary"}, **told)

    def woke(self, *keys: str) -> None:
        self.note("woke", keys=list(keys), thread="root", authors=["canary"])

    def called(self, *keys: str, seconds: float = 0.5) -> None:
        self.note("model-call", keys=list(keys), attempt=1, round=1)
        used = {"input_tokens": 7, "output_tokens": 3, "cost_usd": 0.01}
        end = {"model": "rules-1", "stop_reason": "end", "seconds": seconds}
        self.note("model-replied", seconds, keys=list(keys), **used, **end)

    def emitted(self, key: str, *parents: str) -> None:
        sends = [{"node_id": "n", "state": "accepted"}]
        self.note(
            "emitted", 0.25, key=key, parents=list(parents), sends=sends, categories={"focus": "canary"}
        )


@pytest.fixture
def world() -> World:
    return World()


def test_a_wake_is_a_tree_from_admission_to_emission(world: World) -> None:
    world.heard("cmb-a")
    world.heard("cmb-b")
    world.woke("cmb-a", "cmb-b")
    world.called("cmb-a", "cmb-b")
    world.note("tool-used", 0.125, keys=["cmb-a", "cmb-b"], tool="look_up", failed=False, reason="ok")
    world.emitted("cmb-c", "cmb-a", "cmb-b")
    (wake,) = world.trees
    assert (wake.name, wake.start_ns) == ("covey.wake", 999_990_000_000)
    assert wake.end_ns - 1_000_000_000_000 == 875_000_000
    names = [step.name for step in wake.steps]
    assert names == [
        "covey.admission",
        "covey.admission",
        "chat rules",
        "execute_tool look_up",
        "covey.emission",
    ]
    assert [step.heard for step in wake.steps[:2]] == ["cmb-a", "cmb-b"] and wake.steps[-1].said == "cmb-c"
    call, tool, emission = wake.steps[2:]
    assert call.end_ns - call.start_ns == 500_000_000 and call.end_ns == tool.start_ns
    assert tool.end_ns == emission.start_ns and emission.end_ns == wake.end_ns
    assert call.attributes["gen_ai.usage.input_tokens"] == 7


def test_no_text_of_a_block_or_name_of_a_peer_is_in_a_span(world: World) -> None:
    world.heard("cmb-a")
    world.woke("cmb-a")
    world.called("cmb-a")
    world.emitted("cmb-c", "cmb-a")
    assert "canary" not in repr(world.trees)


def test_a_block_that_wakes_nobody_is_an_admission_alone(world: World) -> None:
    world.heard("cmb-a")
    world.note("wake-skipped", key="cmb-a", reason="stranger")
    (admission,) = world.trees
    assert admission.name == "covey.admission" and admission.attributes["covey.wake.skipped"] == "stranger"


def test_a_failed_call_is_an_error_and_its_retry_a_step_of_its_own(world: World) -> None:
    world.heard("cmb-a")
    world.woke("cmb-a")
    world.note("model-call", keys=["cmb-a"], attempt=1, round=1)
    world.note("model-failed", 0.1, keys=["cmb-a"], reason="rate-limit")
    world.called("cmb-a")
    world.note("answer-held-back", keys=["cmb-a"], reason="self-ancestor")
    (wake,) = world.trees
    assert [step.error for step in wake.steps] == [None, "rate-limit", None]
    assert wake.error is None and wake.attributes["covey.wake.reason"] == "self-ancestor"


def test_an_ended_run_leaves_no_wake_open(world: World) -> None:
    world.woke("cmb-a", "cmb-b")
    world.note("run-ended", reason="SIGTERM")
    world.note("emitted", key="cmb-c", parents=["cmb-a"], sends=[])
    (wake,) = world.trees
    assert wake.error is not None and wake.attributes["covey.wake.reason"] == "SIGTERM"


def test_what_never_ends_is_kept_in_a_bounded_number(world: World) -> None:
    for number in range(limits.AGENT_WOKEN + 10):
        world.heard(f"cmb-{number}")
        world.woke(f"cmb-{number}")
    world.note("run-ended", reason="x")
    assert len(world.trees) == limits.AGENT_WOKEN


# --- through the SDK --------------------------------------------------------------------------------


def exported(world: World) -> dict[str, ReadableSpan]:
    memory = InMemorySpanExporter()
    spans = OtelSpans("writer", "node-2", print, SimpleSpanProcessor(memory))
    for tree in world.trees:
        spans.give(tree)
    found = memory.get_finished_spans()
    spans.close()
    return {span.name: span for span in found}


def test_the_sdk_exports_the_tree_with_block_ids_as_links(world: World) -> None:
    world.heard("cmb-a")
    world.woke("cmb-a")
    world.called("cmb-a")
    world.emitted("cmb-c", "cmb-a")
    found = exported(world)
    wake, block = found["covey.wake"], found["covey.block"]
    assert set(found) == {"covey.wake", "covey.admission", "chat rules", "covey.emission", "covey.block"}
    for name in ("covey.admission", "chat rules", "covey.emission"):
        assert found[name].parent is not None and found[name].parent.span_id == wake.context.span_id
        assert found[name].context.trace_id == wake.context.trace_id
    heard = found["covey.admission"].links[0].context
    assert (heard.trace_id, heard.span_id) == (
        block_context("cmb-a").trace_id,
        block_context("cmb-a").span_id,
    )
    said = found["covey.emission"].links[0].context
    # What everybody who hears the block links to is a span that its author really left.
    assert (said.trace_id, said.span_id) == (block.context.trace_id, block.context.span_id)
    assert block.parent is None and block.links[0].context.span_id == found["covey.emission"].context.span_id
    assert wake.resource.attributes["service.instance.id"] == "node-2"
    assert wake.start_time == world.trees[0].start_ns and wake.end_time == world.trees[0].end_ns


def test_an_error_is_the_spans_status(world: World) -> None:
    world.woke("cmb-a")
    world.note("wake-ended", keys=["cmb-a"], reason="model-failed")
    wake = exported(world)["covey.wake"]
    assert not wake.status.is_ok and wake.attributes["error.type"] == "model-failed"


def test_every_peer_gives_a_block_the_same_span_and_blocks_differ() -> None:
    assert block_context("cmb-a") == block_context("cmb-a")
    assert block_context("cmb-a").span_id != block_context("cmb-b").span_id
    assert block_context("cmb-a").is_valid
