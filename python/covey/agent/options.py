"""What an agent engine is configured with, and what it counts: plain values."""

from __future__ import annotations

from dataclasses import asdict, field

from covey.agent.context import ContextLimits
from covey.model import Usage
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How one agent behaves.

    `participants` are the nodeIds of all agents of a run that ends by itself, this one included; empty for a
    peer that stays. `max_calls` bounds the model calls of the run, `idle_seconds` how long it may be quiet.
    `awaits_tools` says that no wake begins before the shell said which tools there are; `max_tool_calls`
    bounds those of one wake, refused ones counted too.
    """

    context: ContextLimits = field(default_factory=ContextLimits)
    routing: str = "broadcast"
    max_tokens: int = 1024
    timeout_seconds: float = 60.0
    first_token_seconds: float | None = None
    temperature: float | None = None
    awaits_tools: bool = False
    max_tool_calls: int = 8
    max_in_flight: int = 1
    max_coalesced: int = 8
    max_waiting: int = 256
    max_retries: int = 2
    max_calls: int | None = None
    participants: frozenset[str] = field(default_factory=frozenset)
    idle_seconds: float | None = None


@dataclass(slots=True)
class Tally:
    """What happened in this run. Each number is raised where the thing happened and nowhere else."""

    heard: int = 0
    wakes: int = 0
    calls: int = 0
    calls_failed: int = 0
    silent: int = 0
    suppressed: int = 0
    emitted: int = 0
    duplicates: int = 0
    refused: int = 0
    skipped: int = 0
    retries: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0
    cached_tokens: int = 0
    repairs: int = 0
    tool_calls: int = 0
    tool_failures: int = 0
    tool_refusals: int = 0

    def add_usage(self, usage: Usage) -> None:
        """Add what one answered call used; a call without a known price is counted as such, not as free."""
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.cached_tokens += usage.cached_tokens
        if usage.cost_usd is None:
            self.unpriced_calls += 1
        else:
            self.cost_usd += usage.cost_usd

    def as_dict(self) -> dict[str, int | float]:
        """Return every number by its name."""
        return asdict(self)
