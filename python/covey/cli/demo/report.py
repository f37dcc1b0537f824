"""What a demo leaves behind: one JSON document for programs, a tree and a few lines for people.

Rules: pure, over the story and what the stores were found to hold. Counts are counts of events.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from covey.cli.demo.outcome import Outcome, refusal_lines
from covey.cli.demo.scenario import AGENTS
from covey.runtime.console import cost, tree_lines
from covey.runtime.story import Story

if TYPE_CHECKING:
    from covey.cli.demo.stage import Cast

Held = Mapping[str, list[str]]


def document(story: Story, outcome: Outcome, cast: Cast, held: Held) -> dict[str, Any]:
    """Return everything about a demo as JSON values."""
    agents = [story.actors[name] for name in AGENTS]
    return {
        "ok": outcome.done,
        "outcome": {"reason": outcome.reason, "detail": outcome.detail},
        "room": cast.run.room,
        "home": str(cast.home.path),
        "task": cast.task,
        "model": {
            "adapter": cast.run.model.adapter,
            "name": cast.run.model.model_name,
            "reason": cast.run.model.reason,
        },
        "peers": [
            {**asdict(actor), "peers": sorted(actor.peers), "met": sorted(actor.met)}
            for actor in story.actors.values()
        ],
        "blocks": [asdict(told) for told in story.blocks.values()],
        "refusals": refusal_lines(story),
        "calls": {"made": story.calls, "bound": cast.run.max_calls},
        "cost_usd": sum(actor.cost_usd for actor in agents),
        "unpriced_calls": sum(actor.unpriced_calls for actor in agents),
        "stores": {
            name: {"path": str(cast.home.store_path(name)), "holds": held.get(name, [])} for name in AGENTS
        },
    }


def lines(story: Story, outcome: Outcome, cast: Cast, held: Held, program: str = "covey") -> Iterator[str]:
    """Yield the end of a demo for a person: lineage, refusals, who holds what, cost, the reason."""
    yield ""
    yield from tree_lines(story) if story.blocks else ["nothing was said"]
    refused = refusal_lines(story)
    if refused:
        yield ""
        yield from refused
    yield ""
    for name in AGENTS:
        actor, count = story.actors[name], len(held.get(name, []))
        calls = _counted(actor.calls, "call") + (
            f" ({actor.calls_failed} failed)" if actor.calls_failed else ""
        )
        spent = f"{calls}, {_counted(actor.emitted, 'block')}, {cost(actor)}"
        yield f"{name}: {spent}; holds {count} of {len(story.blocks)} blocks in {cast.home.store_path(name)}"
    failed = sum(story.actors[name].calls_failed for name in AGENTS)
    tried = f", {failed} of them failed" if failed else ""
    yield f"model calls: {story.calls} of at most {cast.run.max_calls}{tried}"
    yield f"look again: COVEY_HOME={shlex.quote(str(cast.home.path))} {shlex.quote(program)} recall writer"
    yield f"{'done' if outcome.done else 'not done'}: {outcome.reason}: {outcome.detail}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
