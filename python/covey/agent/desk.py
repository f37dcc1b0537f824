"""The desk: what every step of a wake works with, and the one place where steps leave their record.

Rules: pure state. Steps (hearing, asking, ending) are functions over a desk and a wake,
and the engine calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from covey.agent import effects as fx
from covey.agent.guards import Guards
from covey.agent.hands import Hands
from covey.agent.options import EngineOptions, Tally
from covey.agent.prompt import Persona
from covey.agent.threads import ThreadBook
from covey.model import Block, OfferedTool, PeerView

if TYPE_CHECKING:
    from covey.ports import Memory
    from covey.proto.effects import Now


_SKIPS: Mapping[str, str | None] = {
    "stopping": None,
    "queue-full": "unexecuted",
    "call-budget": "unexecuted",
    "interrupted": "unexecuted",
    "expired": "expired",
}
"""How a block ends that wakes nobody; every other reason is the agent's own decision: executed."""
_DECISIONS = frozenset({"call-spared", "answer-held-back"})
"""The ends of a wake that are decisions; the others are failures."""


@dataclass(slots=True)
class Wake:
    """One wake on its way from its blocks to an answer. `retry_at` is set while it pauses."""

    token: int
    root: str
    blocks: list[Block]
    attempts: int = 0
    retry_at: float | None = None
    hands: Hands = field(default_factory=Hands)

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the content keys of the waking blocks, in order."""
        return tuple(block.key for block in self.blocks)


@dataclass(slots=True)
class Desk:
    """One agent's working state.

    `tools` are those the model may use, by name, None until the shell said; `fences` counts delimiters, so
    that no two texts share one. `spent` says that this run may not think any more; `active` holds the wakes
    between claim and end.
    """

    persona: Persona
    options: EngineOptions
    memory: Memory
    guards: Guards
    peers: Callable[[], Sequence[PeerView]]
    secret: bytes
    threads: ThreadBook
    tally: Tally = field(default_factory=Tally)
    active: dict[int, Wake] = field(default_factory=dict)
    tools: Mapping[str, OfferedTool] | None = None
    fences: int = 0
    spent: bool = False
    effects: list[fx.Effect] = field(default_factory=list)

    def calls_left(self) -> int | None:
        """Return how many model calls this run may still make; None without a bound."""
        if self.options.max_calls is None:
            return None
        return max(0, self.options.max_calls - self.tally.calls)

    def next_fence(self) -> int:
        """Return a number that no delimiter of this run was made from yet."""
        self.fences += 1
        return self.fences

    def want(self, effect: fx.Effect) -> None:
        """Ask the shell for something."""
        self.effects.append(effect)

    def note(self, level: str, event: str, **facts: Any) -> None:
        """Leave one line of record."""
        self.effects.append(fx.Note(level, event, facts))

    def save(self, now: Now) -> None:
        """Keep the safety state where a restart finds it."""
        self.effects.append(fx.Save(self.guards.state(now)))

    def conclude(self, blocks: Iterable[Block], how: str, why: str) -> None:
        """Say to the senders of blocks addressed to this peer that the agent has finished with them."""
        for block in blocks:
            if block.to == self.persona.node_id:
                self.effects.append(fx.Conclude(block.assertion_id, how, why))

    def skip(self, blocks: Iterable[Block], reason: str) -> None:
        """Say why blocks wake nobody. What a stop leaves, the next run takes up."""
        how = _SKIPS.get(reason, "executed")
        for block in blocks:
            self.tally.skipped += 1
            self.note("info", "wake-skipped", key=block.key, author=block.author, reason=reason)
            if how is not None:
                self.conclude([block], how, f"not answered: {reason}")

    def drop(
        self,
        wake: Wake,
        reason: str,
        detail: str,
        *,
        event: str = "wake-ended",
        level: str = "warn",
        **facts: Any,
    ) -> None:
        """End a wake without a block, and say why."""
        self.tally.suppressed += 1
        self.guards.ledger.suppressed()
        self.note(level, event, keys=list(wake.keys), reason=reason, detail=detail, **facts)
        if reason != "claim-failed":  # unmarked, so the next run takes it up
            how = "executed" if event in _DECISIONS else "unexecuted"
            self.conclude(wake.blocks, how, f"not answered: {reason}")
        self.active.pop(wake.token, None)

    def has_closed(self, block: Block) -> bool:
        """Say whether this agent has closed its part of the block's thread."""
        return self.threads.has_closed(self.persona.node_id, self.threads.root(block))

    def answers_own(self, block: Block) -> bool:
        """Say whether a block answers one of this agent's own."""
        above = (self.threads.block(key) for key in block.parents)
        return any(parent is not None and parent.node_id == self.persona.node_id for parent in above)
