"""An agent's wakes as spans: from a block's admission over model and tools to the block that goes out.

Rules: fed with notes on the loop's thread, gives whole trees; of open wakes a bounded number is kept. No
text of a block, a prompt or an answer is in a span: content keys say which block is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Final

from covey import limits
from covey.model import Span, SpanKind
from covey.ports import Clock
from covey.runtime.metrics.meter import WITHOUT_BLOCK
from covey.values import dataclass

Told = str | int | float | bool | tuple[str, ...]
"""What an attribute may be."""
_TROUBLES: Final = frozenset({"wake-ended", "answer-unreadable", "emission-refused"})
"""Those of them that somebody should look at; the others are decisions."""


@dataclass(slots=True)
class _Wake:
    keys: tuple[str, ...]
    thread: str
    start_ns: int
    mark_ns: int
    """When the step before the present one ended."""
    steps: list[Span] = field(default_factory=list)
    attempt: Mapping[str, Any] = field(default_factory=dict)


class SpanBook:
    """Puts notes together to trees of spans.

    Args:
        clock: Wall and monotonic time.
        model: Who thinks, as `vendor/model`.
        give: Called with each tree once it is whole.
    """

    def __init__(self, clock: Clock, model: str, give: Callable[[Span], None]) -> None:
        self._clock = clock
        self._vendor, _, self._model = model.partition("/")
        self._give = give
        # Durations come from the clock that never jumps; wall time is read once.
        self._zero_ns = clock.now_ms() * 1_000_000 - round(clock.monotonic() * 1e9)
        self._admitted: dict[str, Span] = {}
        self._wakes: dict[str, _Wake] = {}

    def take(self, level: str, event: str, facts: Mapping[str, Any]) -> None:
        """Take one note."""
        if event == "heard":
            self._heard(facts)
        elif event == "wake-skipped":
            self._skipped(facts)
        elif event == "woke":
            self._woke(facts)
        elif event == "emitted":
            self._emitted(facts)
        elif event == "run-ended":
            for left in {id(wake): wake for wake in self._wakes.values()}.values():
                self._end(left, "run-ended", facts.get("reason"), error="the run ended before this wake did")
        elif (wake := self._of(facts)) is not None:
            self._step(wake, event, facts)

    # --- steps ------------------------------------------------------------------------------------

    def _heard(self, facts: Mapping[str, Any]) -> None:
        now, key = self._now(), facts["key"]
        told = {
            "covey.block.key": key,
            "covey.block.author": facts["author_node_id"],
            "covey.admission.decision": facts["decision"] or "none",
            "covey.block.directed": facts["directed"],
        }
        # Taken from the wire at that wall clock, durable and delivered by now.
        start = min(now, facts["received_ms"] * 1_000_000)
        self._admitted[key] = Span("covey.admission", start, now, SpanKind.CONSUMER, told, heard=key)
        while len(self._admitted) > limits.AGENT_WOKEN:
            del self._admitted[next(iter(self._admitted))]

    def _skipped(self, facts: Mapping[str, Any]) -> None:
        admission = self._admitted.pop(facts["key"], None)
        if admission is not None:
            self._give(admission.saying({"covey.wake.skipped": facts["reason"]}))

    def _woke(self, facts: Mapping[str, Any]) -> None:
        now, keys = self._now(), tuple(facts["keys"])
        steps = [self._admitted.pop(key) for key in keys if key in self._admitted]
        start = min([step.start_ns for step in steps], default=now)
        wake = _Wake(keys, str(facts["thread"]), start, now, steps)
        self._wakes.update(dict.fromkeys(keys, wake))
        while len(self._wakes) > limits.AGENT_WOKEN:
            del self._wakes[next(iter(self._wakes))]

    def _step(self, wake: _Wake, event: str, facts: Mapping[str, Any]) -> None:
        if event == "model-call":
            wake.mark_ns, wake.attempt = self._now(), facts
        elif event == "model-replied":
            self._called(wake, facts, None)
        elif event == "model-failed":
            self._called(wake, facts, str(facts["reason"]))
        elif event == "tool-used":
            told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": facts["tool"]}
            error = str(facts["reason"]) if facts["failed"] else None
            self._add(wake, f"execute_tool {facts['tool']}", SpanKind.INTERNAL, told, error=error)
        elif event in WITHOUT_BLOCK:
            error = str(facts.get("reason") or event) if event in _TROUBLES else None
            self._end(wake, event, facts.get("reason"), error=error)

    def _called(self, wake: _Wake, facts: Mapping[str, Any], error: str | None) -> None:
        told: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": self._vendor,
            "gen_ai.request.model": self._model,
            "covey.call.attempt": wake.attempt.get("attempt", 1),
            "covey.call.round": wake.attempt.get("round", 1),
        }
        if error is None:
            told["gen_ai.response.model"] = facts["model"]
            told["gen_ai.response.finish_reasons"] = (facts["stop_reason"],)
            told["gen_ai.usage.input_tokens"] = facts["input_tokens"]
            told["gen_ai.usage.output_tokens"] = facts["output_tokens"]
            if facts["cost_usd"] is not None:
                told["covey.call.cost_usd"] = facts["cost_usd"]
        self._add(wake, f"chat {self._model}", SpanKind.CLIENT, told, error=error)

    def _emitted(self, facts: Mapping[str, Any]) -> None:
        wake = next((self._wakes[key] for key in facts["parents"] if key in self._wakes), None)
        if wake is None:  # a person let it out of quarantine: its wake ended long ago
            return
        told = {"covey.block.key": facts["key"], "covey.block.sends": len(facts["sends"])}
        self._add(wake, "covey.emission", SpanKind.PRODUCER, told, said=facts["key"])
        self._end(wake, "emitted", None)

    # --- trees ------------------------------------------------------------------------------------

    def _add(
        self,
        wake: _Wake,
        name: str,
        kind: SpanKind,
        told: Mapping[str, Any],
        *,
        error: str | None = None,
        said: str | None = None,
    ) -> None:
        now = self._now()
        wake.steps.append(Span(name, wake.mark_ns, now, kind, told, error=error, said=said))
        wake.mark_ns = now

    def _end(self, wake: _Wake, how: str, reason: object, *, error: str | None = None) -> None:
        for key in wake.keys:
            self._wakes.pop(key, None)
        told: dict[str, Told] = {
            "covey.wake.blocks": wake.keys,
            "covey.thread": wake.thread,
            "covey.wake.end": how,
        }
        if reason:
            told["covey.wake.reason"] = str(reason)
        self._give(
            Span(
                "covey.wake",
                wake.start_ns,
                self._now(),
                SpanKind.INTERNAL,
                told,
                error=error,
                steps=tuple(wake.steps),
            )
        )

    def _of(self, facts: Mapping[str, Any]) -> _Wake | None:
        return next((self._wakes[key] for key in facts.get("keys") or () if key in self._wakes), None)

    def _now(self) -> int:
        return self._zero_ns + round(self._clock.monotonic() * 1e9)
