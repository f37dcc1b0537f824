"""`covey trace PEER ID` for messages between agents: a task's or a vote's whole tree, from logs, offline."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from covey.cli.console import Console, printable
from covey.errors import StoreError, UsageError
from covey.fleet import tracing
from covey.fleet.tracing import EVENTS, Hop, Step
from covey.system.home import Home
from covey.system.log_reader import Backwards

Lines = Callable[[], Iterator[Mapping[str, Any]]]


def show(home: Home, console: Console, peer: str, word: str, logs: Sequence[Path]) -> int:
    """Print the tree of the trace that a word names, of every log here and of those given.

    Raises:
        UsageError: The peer has no log, or the word names no trace or several.
        StoreError: A log cannot be read.
    """
    if not home.log_path(peer).exists():
        raise UsageError(f"{peer} has no log here", hint="name a peer that has run in this home")
    paths = [home.log_path(name) for name in home.peers()]
    for path in logs:
        if not path.exists():
            raise StoreError(f"cannot read {path}: no such file")
    lines = _reader([*paths, *logs])
    found = sorted(tracing.named(lines(), word))
    if not found:
        raise UsageError(
            f"no log tells of a message {word[:64]}",
            hint="its lines may have been rotated away; logs of other machines are given with --log",
        )
    if len(found) > 1:
        raise UsageError(f"{len(found)} traces begin with {word[:64]}", hint="give more of its letters")
    tree = tracing.gathered(lines(), found[0])
    flat = list(tracing.walked(tree))
    names = _names(lines())
    steps = [
        {
            "level": level,
            "id": step.id,
            "re": step.parent,
            "type": step.type,
            "sender": step.sender,
            "recipient": step.recipient,
            "hops": [
                {"at": h.at, "peer": h.peer, "event": h.event, "facts": dict(h.facts)} for h in step.hops
            ],
        }
        for level, step in flat
    ]
    text = [f"trace: {tree.trace}, {len(flat)} messages"]
    for level, step in flat:
        text += _told(console, level, step, names, orphan=step.id in tree.orphans)
    if tree.cut:
        text.append(f"{tree.cut} more messages are not shown")
    console.result({"trace": tree.trace, "steps": steps, "cut": tree.cut}, "\n".join(text))
    return 0


def _reader(paths: Sequence[Path]) -> Lines:
    def lines() -> Iterator[Mapping[str, Any]]:
        for path in paths:
            with Backwards(path) as log:
                for text in log:
                    if not any(event in text for event in EVENTS):
                        continue
                    try:
                        line = json.loads(text)
                    except (ValueError, RecursionError):
                        continue  # a torn line, or a file that is no log: it tells of nothing
                    if isinstance(line, dict):
                        yield line

    return lines


def _names(lines: Iterator[Mapping[str, Any]]) -> dict[str, str]:
    """Return peers' names by nodeId, where some log says which peer heard under it."""
    found: dict[str, str] = {}
    for line in lines:
        facts = line.get("data")
        if line.get("evt") == "bus-heard" and isinstance(facts, dict):
            found.setdefault(str(facts.get("peer", "")), str(facts.get("name", "")))
    return {node: name for node, name in found.items() if name}


def _told(
    console: Console, level: int, step: Step, names: Mapping[str, str], *, orphan: bool
) -> Iterator[str]:
    who = f"{printable(step.sender)} to {printable(step.recipient)}"
    lost = console.style("  (what it answers is in no log here)", "dim") if orphan else ""
    head = console.style(printable(step.type), "bold")
    yield "  " * level + f"{head} {who} {console.style(step.id[:12], 'cyan')}{lost}"
    for hop in step.hops:
        yield "  " * level + f"    {hop.at} {printable(hop.peer)}: {_hop(hop, names)}"


def _hop(hop: Hop, names: Mapping[str, str]) -> str:
    facts = hop.facts
    there = printable(names.get(str(facts.get("peer", "")), str(facts.get("peer", ""))))
    why = printable(str(facts.get("reason", "")))
    if hop.event == "bus-sent":
        peers = facts.get("peers")
        shown = (
            [printable(names.get(str(each), str(each))) for each in peers] if isinstance(peers, list) else []
        )
        return f"sent to {', '.join(shown)}"
    return {
        "bus-delivered": "delivered here",
        "bus-heard": f"heard from {there}",
        "bus-lost": f"{printable(str(facts.get('state', 'lost')))} at {there}: {why}",
        "bus-turned-away": f"turned away, from {there}: {why}",
        "bus-dead-letter": f"reached nobody: {why}",
        "bus-chain": f"stopped, the same went round too often: {why}",
    }.get(hop.event) or _task_hop(hop, why)


def _task_hop(hop: Hop, why: str) -> str:
    """Say what happened to a task, at its submitter."""
    facts = {name: printable(str(value)) for name, value in hop.facts.items()}
    by, fence = facts.get("by", ""), facts.get("fence", "")
    return {
        "task-submitted": "submitted",
        "task-granted": f"given to {facts.get('to', '')} under fence {fence}",
        "task-refused": f"refused by {by}: {why}",
        "task-lost": f"lost at {by}: {why}",
        "task-failed": f"failed at {by}: {why}",
        "task-fenced": f"result of {by} not accepted: {why}",
        "task-ended": f"{facts.get('state', 'over')}" + (f" by {by}" if by else f": {why}"),
    }[hop.event]
