"""The desk: what every step of a wake works with, and the one place where steps leave their record.

Rules: pure state. Steps (hearing, asking, ending) are functions over a desk and a wake,
and the engine calls them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from covey.agent import effects as fx
from covey.agent.decisions import Decisions
from covey.agent.guards import Guards
from covey.agent.hands import Hands
from covey.agent.options import EngineOptions, Tally
from covey.agent.prompt import Persona
from covey.agent.routes import Sends
from covey.agent.threads import ThreadBook
from covey.agent.waiting import STATE_NAME, Waiting, pack
from covey.model import Block, ModelRequest, OfferedTool, PeerView
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import Memory
    from covey.proto.effects import Now


_SKIPS: Mapping[str, str] = {
    "queue-full": "unexecuted",
    "call-budget": "unexecuted",
    "interrupted": "unexecuted",
    "waited-too-long": "unexecuted",
    "expired": "expired",
}
"""How a block ends that wakes nobody; every other reason is the agent's own decision: executed."""
_DECISIONS = frozenset({"call-spared", "answer-held-back"})
"""The ends of a wake that are decisions; the others are failures."""


@dataclass(slots=True)
class Wake:
    """One wake on its way from its blocks to an answer.

    `retry_at` is set while it pauses; `for_calls` says that it pauses until a call under way has ended;
    `request` is what its call will ask once the money for it is secured.
    """

    token: int
    root: str
    blocks: list[Block]
    attempts: int = 0
    retry_at: float | None = None
    hands: Hands = field(default_factory=Hands)
    for_calls: bool = False
    waits_for: str = ""
    since: float = 0.0
    request: ModelRequest | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the content keys of the waking blocks, in order."""
        return tuple(block.key for block in self.blocks)

    @property
    def paused(self) -> bool:
        """Say whether it waits to be asked."""
        return self.retry_at is not None or self.for_calls


@dataclass(slots=True)
class Release:
    """A quarantined answer on its way out, and whom to tell: `ref` is None after a restart."""

    name: str
    ref: int | None


@dataclass(slots=True)
class Desk:
    """One agent's working state.

    `tools` are those the model may use, by name, None until the shell said; `fences` counts delimiters, so
    that no two texts share one. `spent` says that this run may not think any more. `active` holds the wakes
    between claim and end, `releasing` the quarantined answers between approval and end, by token, and
    `kept` what an earlier run had claimed and never asked.
    """

    persona: Persona
    options: EngineOptions
    memory: Memory
    guards: Guards
    peers: Callable[[], Sequence[PeerView]]
    secret: bytes
    threads: ThreadBook
    waiting: Waiting
    tally: Tally = field(default_factory=Tally)
    sends: Sends = field(default_factory=Sends)
    decisions: Decisions = field(default_factory=Decisions)
    active: dict[int, Wake] = field(default_factory=dict)
    tools: Mapping[str, OfferedTool] | None = None
    fences: int = 0
    releasing: dict[int, Release] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    spent: bool = False
    stopping: str | None = None
    tokens: int = 0
    effects: list[fx.Effect] = field(default_factory=list)
    now_ms: int = 0

    def token(self) -> int:
        """Return a token nobody had before."""
        self.tokens += 1
        return self.tokens

    def chance(self) -> float:
        """Return a number from 0 to 1 that only this process could have told beforehand."""
        self.tokens += 1
        drawn = hashlib.sha256(self.secret + b"chance" + self.tokens.to_bytes(8, "big")).digest()
        return int.from_bytes(drawn[:6], "big") / 2**48

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
        """Leave one line of record; one with a reason is a decision, and is counted."""
        self.decisions.take(event, facts, self.now_ms)
        self.effects.append(fx.Note(level, event, facts))

    def save(self) -> None:
        """Keep the safety state where a restart finds it."""
        self.effects.append(fx.Save())

    def state(self, now: Now) -> dict[str, bytes]:
        """Return what a restart needs, by name: safety, and what still waits to be asked."""
        # A wake whose first round was answered is paid for; after a crash it is not begun anew.
        unasked = [wake for wake in self.active.values() if wake.paused and not wake.hands.rounds]
        waits = [(key, wake.since) for wake in unasked for key in wake.keys] + self.waiting.since()
        claimed = [key for wake in unasked for key in wake.keys]
        claimed += [key for key, _ in self.waiting.since() if key in self.kept]
        return {**self.guards.state(now), STATE_NAME: pack(waits, claimed, self.guards.moment(now))}

    def keep(self, wake: Wake, reason: str, detail: str) -> None:
        """Let a wake that could not be asked wait for another run; its blocks are claimed already.

        One in the middle of its rounds ends instead: to begin anew would be to pay its first ones twice.
        """
        if wake.hands.rounds:
            self.drop(wake, reason, detail)
            return
        self.note("warn", "wake-kept", reason=reason, detail=detail, keys=list(wake.keys))
        self.active.pop(wake.token, None)
        self.kept.update(wake.keys)
        self.skip(self.waiting.put_back(wake.blocks, wake.since), "queue-full")

    def conclude(self, blocks: Iterable[Block], how: str, why: str) -> None:
        """Say to the senders of blocks addressed to this peer that the agent has finished with them."""
        for block in blocks:
            if block.to == self.persona.node_id:
                self.effects.append(fx.Conclude(block.assertion_id, how, why))

    def skip(self, blocks: Iterable[Block], reason: str) -> None:
        """Say why blocks wake nobody. What a stop leaves is kept, and the next run takes it up."""
        how = _SKIPS.get(reason, "executed")
        for block in blocks:
            self.tally.skipped += 1
            self.note("info", "wake-skipped", key=block.key, author=block.author, reason=reason)
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
        # One that could not be marked is taken up by the next run; one in quarantine ends when that does.
        if reason != "claim-failed" and event != "answer-quarantined":
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
