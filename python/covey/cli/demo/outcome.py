"""How a demo ended: in a stable word, a sentence for a person, and an exit code.

Rules: pure, over the story. A demo is done (exit 0) when the thread was closed, or when budget or silence
ended it after somebody's block reached another agent and no model failed; everything else is exit 1.
"""

from __future__ import annotations

from covey.cli.demo.scenario import AGENTS
from covey.errors import EXIT_FAILED, EXIT_OK
from covey.runtime.story import Story, line, short
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a demo."""

    reason: str
    detail: str
    done: bool

    @property
    def exit_code(self) -> int:
        """Return 0 when it did what a demo is for, else 1."""
        return EXIT_OK if self.done else EXIT_FAILED


def closed() -> Outcome:
    """Every agent closed its part."""
    return Outcome("thread-closed", "every agent closed its part of the thread", done=True)


def quiet(story: Story) -> Outcome:
    """Nothing is in anybody's hands and nothing is on its way, but not everybody has closed."""
    agents = [story.actors[name] for name in AGENTS]
    failed = [actor for actor in agents if actor.failure is not None]
    if failed:
        first = failed[0]
        return Outcome("model-failed", f"{first.name}'s model failed: {first.failure}", done=False)
    waiting = ", ".join(actor.name for actor in agents if not actor.closed)
    reached = any(
        verdict.taken and receiver in AGENTS
        for told in story.blocks.values()
        if told.author in AGENTS
        for receiver, verdict in told.verdicts.items()
    )
    if any(actor.out_of_calls for actor in agents):
        return Outcome("budget", f"the model calls are used up; still open: {waiting}", done=reached)
    return Outcome("idle", f"nobody has more to say; still open: {waiting}", done=reached)


def died(story: Story, name: str, complaints: str) -> Outcome:
    """An agent's process ended before the thread did."""
    code = story.actors[name].exit_code
    how = f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    said = f": {line(complaints, 300)}" if complaints else ""
    return Outcome("agent-died", f"{name} ended early ({how}){said}", done=False)


def never_met(story: Story, seconds: float) -> Outcome:
    """Not all peers found each other."""
    others = len(story.actors) - 1
    alone = ", ".join(
        f"{actor.name} sees {len(actor.peers)} of {others}"
        for actor in story.actors.values()
        if len(actor.peers) < others
    )
    return Outcome("never-met", f"the peers did not find each other in {seconds:g} s: {alone}", done=False)


def refusal_lines(story: Story) -> list[str]:
    """Return, for each block that a memory did not take, by whom and why."""
    return [
        f"{short(told.key)} by {told.author} was not taken by {receiver}: {line(verdict.words())}"
        + _why(verdict.decision, verdict.outcome)
        for told, receiver, verdict in story.refusals()
    ]


def _why(decision: str | None, outcome: str) -> str:
    if outcome == "refused":
        return ""
    return {
        "rejected": ", too far from what it knows (over 0.5)",
        "redundant": ", too close to a block it holds",
    }.get(decision or "", "")
