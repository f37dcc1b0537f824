"""The story of a run, told from the events of several peers: who is there, what was said, who judged it how.

Rules: a pure fold, events in and facts out; it opens and prints nothing. Nothing is inferred: an emitted
block is one whose author's mesh said so, a verdict is one whose receiver said so. Peers' text is data and is
made harmless where it becomes a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any

from covey.values import dataclass

Event = Mapping[str, Any]


@dataclass(slots=True)
class Verdict:
    """What one receiver made of one block.

    `outcome` is admitted, redundant, rejected, refused or duplicate.
    """

    outcome: str
    decision: str | None
    total_drift: float | None
    reason: str | None

    @property
    def taken(self) -> bool:
        """Say whether the receiver's memory took the block."""
        return self.outcome == "admitted"

    def words(self) -> str:
        """Return the verdict for a person: `aligned 0.134`, `rejected 0.612`."""
        word = self.decision if self.decision and self.outcome != "refused" else self.outcome
        drift = "" if self.total_drift is None else f" {self.total_drift:.3f}"
        return f"{word}{drift}" + (f" ({self.reason})" if self.outcome == "refused" and self.reason else "")


@dataclass(slots=True)
class Told:
    """One block of the run: who said it, in answer to what, and what each receiver made of it."""

    key: str
    author: str
    parents: tuple[str, ...]
    said: Mapping[str, str]
    closing: bool = False
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    settled: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Actor:
    """One peer of the run and what it did so far. `state` is what a person should see."""

    name: str
    state: str = "starting"
    node_id: str = ""
    model: str = ""
    peers: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)
    wakes: int = 0
    calls: int = 0
    calls_failed: int = 0
    emitted: int = 0
    silent: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0
    closed: bool = False
    out_of_calls: bool = False
    end_reason: str | None = None
    failure: str | None = None
    exit_code: int | None = None

    @property
    def thinking(self) -> bool:
        """Say whether something is in its hands now."""
        return self.state in ("woken", "thinking", "emitting", "waiting")


class Story:
    """Everything the events of a run said.

    Args:
        names: The peers whose events come in, in the order a person should see them.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Begin with everybody starting and nothing said."""
        self.actors = {name: Actor(name) for name in names}
        self.blocks: dict[str, Told] = {}
        self._early: dict[str, dict[str, Verdict]] = {}
        self._tellers: dict[str, Callable[[Actor, Event], str | None]] = {
            "ready": self._ready,
            "peer-joined": self._joined,
            "peer-left": self._left,
            "judged": self._judged,
            "emitted": self._emitted,
            "send-settled": self._settled,
            "agent-woke": self._woke,
            "agent-model-call": self._called,
            "agent-model-replied": self._replied,
            "agent-model-failed": self._call_failed,
            "agent-model-not-ready": self._not_ready,
            "agent-no-answer": self._silent,
            "agent-emitted": self._answered,
            "agent-wake-deferred": self._deferred,
            "agent-wake-skipped": self._skipped,
            "agent-resting": self._resting,
            "agent-quarantine-approved": self._judged_by_a_person,
            "agent-quarantine-denied": self._judged_by_a_person,
            "agent-run-ended": self._run_ended,
        }

    def take(self, name: str, event: Event) -> str | None:
        """Take one event of one peer; return a line for a person where there is something to say."""
        actor, kind = self.actors[name], str(event.get("event", ""))
        teller = self._tellers.get(kind)
        if teller is not None:
            return teller(actor, event)
        if kind.startswith("agent-") and event.get("level") in ("warn", "error"):
            return self._trouble(actor, kind.removeprefix("agent-"), event)
        return None

    def exited(self, name: str, exit_code: int) -> str:
        """Take the end of a peer's process."""
        actor = self.actors[name]
        actor.exit_code = exit_code
        fine = exit_code == 0 and actor.end_reason is not None
        actor.state = "ended" if fine else "died"
        return f"{name} ended: {actor.end_reason}" if fine else f"{name} died: exit code {exit_code}"

    # --- what a driver asks ---------------------------------------------------------------------

    @property
    def calls(self) -> int:
        """Return the model calls of all peers."""
        return sum(actor.calls for actor in self.actors.values())

    def everybody_meets(self) -> bool:
        """Say whether each peer sees all the others."""
        others = len(self.actors) - 1
        return all(actor.state != "starting" and len(actor.peers) >= others for actor in self.actors.values())

    def everybody_closed(self, names: Iterable[str]) -> bool:
        """Say whether each of these peers emitted its closing block."""
        return all(self.actors[name].closed for name in names)

    def anybody_busy(self) -> bool:
        """Say whether a peer thinks, or a block has not met its end at every peer."""
        return any(actor.thinking for actor in self.actors.values()) or any(
            state == "accepted" for told in self.blocks.values() for state in told.settled.values()
        )

    def refusals(self) -> list[tuple[Told, str, Verdict]]:
        """Return every block that a receiver's memory did not take, with who and why."""
        return [
            (told, receiver, verdict)
            for told in self.blocks.values()
            for receiver, verdict in told.verdicts.items()
            if not verdict.taken
        ]

    # --- the mesh -------------------------------------------------------------------------------

    def _ready(self, actor: Actor, event: Event) -> str | None:
        actor.state = "ready"
        actor.node_id = str(event.get("node_id", ""))
        actor.model = str(event.get("model") or "")
        actor.peers.update(str(peer["node_id"]) for peer in event.get("peers", ()))
        actor.met.update(actor.peers)
        return f"{actor.name} is ready" + (f", model {line(actor.model)}" if actor.model else "")

    def _joined(self, actor: Actor, event: Event) -> str | None:
        peer = event["peer"]
        actor.peers.add(str(peer["node_id"]))
        actor.met.add(str(peer["node_id"]))
        return f"{actor.name} meets {line(peer['name'])}"

    def _left(self, actor: Actor, event: Event) -> str | None:
        actor.peers.discard(str(event["node_id"]))
        return None

    def _emitted(self, actor: Actor, event: Event) -> str | None:
        block = event["block"]
        told = Told(
            key=str(block["key"]),
            author=actor.name,
            parents=tuple(block["parents"]),
            said={k: v for k, v in block["categories"].items() if v and v != "neutral"},
        )
        told.closing = bool(told.parents) and "commitment" in told.said
        told.verdicts.update(self._early.pop(told.key, {}))
        for send in event["sends"]:
            told.settled[str(send["name"])] = str(send["state"])
        self.blocks[told.key] = told
        actor.emitted += 1
        actor.closed = actor.closed or told.closing
        summary = line(next(iter(told.said.values()), ""), 90)
        return f"{actor.name} emits {short(told.key)}{' (closing)' if told.closing else ''}: {summary}"

    def _judged(self, actor: Actor, event: Event) -> str | None:
        judgement = event.get("judgement") or {}
        verdict = Verdict(
            outcome=str(event["outcome"]),
            decision=judgement.get("decision"),
            total_drift=judgement.get("total_drift"),
            reason=event.get("reason"),
        )
        key = event.get("key")
        if key is None:
            return f"{actor.name} refuses a record: {line(event.get('reason') or '')}"
        told = self.blocks.get(key)
        verdicts = told.verdicts if told is not None else self._early.setdefault(key, {})
        if verdict.outcome == "duplicate" and actor.name in verdicts:
            return None
        verdicts[actor.name] = verdict
        by, why = line(event.get("author") or "?"), ""
        if verdict.outcome in ("redundant", "rejected", "refused"):
            why = "; " + line(str(event.get("detail") or "").removeprefix(f"{verdict.outcome}: "))
        return f"{actor.name} judges {short(key)} by {by}: {line(verdict.words())}{why}".removesuffix("; ")

    def _settled(self, actor: Actor, event: Event) -> str | None:
        told, send = self.blocks.get(event["key"]), event["send"]
        if told is not None:
            told.settled[str(send["name"])] = str(send["state"])
        return None

    # --- the agents -----------------------------------------------------------------------------

    def _woke(self, actor: Actor, event: Event) -> str | None:
        actor.state, actor.wakes = "woken", actor.wakes + 1
        blocks = ", ".join(
            f"{short(key)} by {line(author)}"
            for key, author in zip(event["keys"], event["authors"], strict=True)
        )
        return f"{actor.name} wakes on {blocks}" + (", an answer to its own" if event["answers_own"] else "")

    def _called(self, actor: Actor, event: Event) -> str | None:
        actor.state, actor.calls = "thinking", actor.calls + 1
        return None

    def _replied(self, actor: Actor, event: Event) -> str | None:
        actor.state = "emitting"
        actor.input_tokens += event["input_tokens"]
        actor.output_tokens += event["output_tokens"]
        cost = event["cost_usd"]
        if cost is None:
            actor.unpriced_calls += 1
        else:
            actor.cost_usd += cost
        return None

    def _call_failed(self, actor: Actor, event: Event) -> str | None:
        actor.calls_failed += 1
        if event["final"]:
            actor.failure = line(event["message"], 200)
            hint = f"; {line(event['hint'])}" if event.get("hint") else ""
            return f"{actor.name}'s model failed: {actor.failure}{hint}"
        actor.state = "waiting"
        return (
            f"{actor.name}'s model failed, again in {event['retry_in_seconds']} s: {line(event['message'])}"
        )

    def _not_ready(self, actor: Actor, event: Event) -> str | None:
        actor.failure = line(event["message"], 200)
        return f"{actor.name}'s model is not ready: {actor.failure}"

    def _silent(self, actor: Actor, event: Event) -> str | None:
        actor.silent += 1
        return f"{actor.name} says nothing" + (f": {line(event['text'])}" if event["text"] else "")

    def _answered(self, actor: Actor, event: Event) -> str | None:
        actor.closed = actor.closed or bool(event["closing"])
        return None

    def _deferred(self, actor: Actor, event: Event) -> str | None:
        actor.state = "waiting"
        return f"{actor.name} waits: {line(event['detail'])}"

    def _skipped(self, actor: Actor, event: Event) -> str | None:
        actor.out_of_calls = actor.out_of_calls or event["reason"] == "call-budget"
        return None

    def _resting(self, actor: Actor, event: Event) -> str | None:
        actor.state = "closed" if actor.closed else "resting"
        return None

    def _judged_by_a_person(self, actor: Actor, event: Event) -> str | None:
        why = f": {line(event['detail'])}" if event.get("detail") else ""
        return f"a person {line(event['reason'])} {actor.name}'s answer {line(event['id'])}{why}"

    def _run_ended(self, actor: Actor, event: Event) -> str | None:
        actor.end_reason, actor.state = str(event["reason"]), "ending"
        return None

    def _trouble(self, actor: Actor, kind: str, event: Event) -> str:
        if event.get("reason") == "thread-calls-used":
            actor.out_of_calls = True
        detail = line(event.get("detail") or event.get("message") or "")
        reason = line(event.get("reason") or "")
        return f"{actor.name} {kind.replace('-', ' ')}: " + ", ".join(
            part for part in (reason, detail) if part
        )


def short(key: str) -> str:
    """Return a content key as a person reads it: its first ten digits."""
    return line(key[:14])


def line(text: object, limit: int = 120) -> str:
    """Return a peer's text as one harmless line: nothing in it can steer a terminal."""
    shown = "".join(char if char.isprintable() else " " for char in str(text)[: 4 * limit])
    shown = " ".join(shown.split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
