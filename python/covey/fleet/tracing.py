"""From the logs of many peers to one causal tree: every message of a trace, who sent and heard it, its end.

Rules: pure; lines come in, in any order, from any peer's log. What a log no longer has is missing from the
tree and nothing else: a message whose parent nobody logged stands at the top, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any, Final

from covey import limits
from covey.values import dataclass

EVENTS: Final = (
    "bus-sent",
    "bus-delivered",
    "bus-heard",
    "bus-lost",
    "bus-turned-away",
    "bus-dead-letter",
    "bus-chain",
    "task-submitted",
    "task-granted",
    "task-refused",
    "task-lost",
    "task-failed",
    "task-fenced",
    "task-ended",
)
"""The log events that tell of messages, and of tasks, under whose id their leases stand as answers."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One thing that happened to a message: when, in whose log, which event, and its facts."""

    at: str
    peer: str
    event: str
    facts: Mapping[str, Any]


@dataclass(slots=True)
class Step:
    """One message of a tree."""

    id: str
    parent: str = ""
    type: str = ""
    sender: str = ""
    recipient: str = ""
    depth: int = 0
    hops: list[Hop] = field(default_factory=list)
    children: list[Step] = field(default_factory=list)

    @property
    def at(self) -> str:
        """Return when it was first heard of."""
        return min((hop.at for hop in self.hops), default="")


@dataclass(frozen=True, slots=True)
class Tree:
    """A trace: its first messages, oldest first. `orphans` are ids whose parent no log has; `cut` more were
    left out."""

    trace: str
    roots: tuple[Step, ...]
    orphans: frozenset[str]
    cut: int


def named(lines: Iterable[Mapping[str, Any]], word: str) -> set[str]:
    """Return the traces that a word names: a trace, a message of one, or how either begins."""
    found = set()
    for line in lines:
        facts = _facts(line)
        if facts is not None and any(
            isinstance(facts.get(key), str) and facts[key].startswith(word) for key in ("trace", "id")
        ):
            trace = facts.get("trace")
            if isinstance(trace, str) and trace:
                found.add(trace)
    return found


def gathered(lines: Iterable[Mapping[str, Any]], trace: str) -> Tree:
    """Return one trace's tree."""
    steps: dict[str, Step] = {}
    others: dict[str, list[Hop]] = {}
    cut = 0
    for line in lines:
        facts = _facts(line)
        if facts is None or not isinstance(facts.get("id"), str):
            continue
        hop = Hop(str(line.get("ts", "")), str(line.get("peer", "")), str(line["evt"]), facts)
        if facts.get("trace", "") == "":  # a fate, or a dead letter of an older log: it knows the id alone
            others.setdefault(facts["id"], []).append(hop)
        elif facts["trace"] == trace:
            if facts["id"] not in steps and len(steps) >= limits.TRACE_MESSAGES:
                cut += 1
                continue
            _note(steps.setdefault(facts["id"], Step(facts["id"])), hop)
    for message_id, step in steps.items():
        step.hops += others.get(message_id, [])
        step.hops.sort(key=lambda hop: (hop.at, EVENTS.index(hop.event), hop.peer))
    return _grown(trace, steps, cut)


def walked(tree: Tree) -> Iterator[tuple[int, Step]]:
    """Yield every message under its cause, with how far it stands in; each once, whatever logs claim."""
    stack = [(0, step) for step in reversed(tree.roots)]
    while stack:
        level, step = stack.pop()
        yield level, step
        stack += [(level + 1, child) for child in reversed(step.children)]


def _facts(line: Mapping[str, Any]) -> Mapping[str, Any] | None:
    facts = line.get("data")
    return facts if line.get("evt") in EVENTS and isinstance(facts, Mapping) else None


def _note(step: Step, hop: Hop) -> None:
    step.hops.append(hop)
    facts = hop.facts
    step.parent = step.parent or str(facts.get("re", ""))
    step.type = step.type or str(facts.get("type", ""))
    step.sender = step.sender or str(facts.get("sender", ""))
    step.recipient = step.recipient or str(facts.get("recipient", ""))
    depth = facts.get("depth", 0)
    step.depth = max(step.depth, depth if type(depth) is int else 0)


def _grown(trace: str, steps: dict[str, Step], cut: int) -> Tree:
    """Hang every message under the one it answers; a ring that logs claim is broken at its oldest."""
    roots: list[Step] = []
    orphans: set[str] = set()
    for step in sorted(steps.values(), key=lambda step: (step.at, step.depth, step.id)):
        parent = steps.get(step.parent)
        if parent is None or _above(steps, parent, step):
            roots.append(step)
            if step.parent:
                orphans.add(step.id)
        else:
            parent.children.append(step)
    return Tree(trace, tuple(roots), frozenset(orphans), cut)


def _above(steps: Mapping[str, Step], start: Step, wanted: Step) -> bool:
    """Tell whether `wanted` is among the causes of `start`, or is it."""
    seen: set[str] = set()
    step: Step | None = start
    while step is not None and step.id not in seen:
        if step is wanted:
            return True
        seen.add(step.id)
        step = steps.get(step.parent)
    return step is not None
