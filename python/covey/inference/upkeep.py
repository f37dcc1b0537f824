"""What an update would do, and whether it may: decided from facts, before anything is touched. Pure.

Rules: a dirty tree, a tree that has commits of its own, and what cannot be gone back to are refused. A plan
names its steps and how each is undone; whoever carries it out undoes them in reverse where one fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from covey.values import dataclass

Kind = Literal["git", "pip"]
SHOWN_FILES: Final = 5


@dataclass(frozen=True, slots=True)
class Facts:
    """How covey is installed here.

    `old` is the commit, or the version; `new` is the commit that comes, or empty for the newest version.
    `ahead` and `behind` count commits against where the branch is pulled from.
    """

    kind: Kind
    folder: str
    old: str
    new: str = ""
    branch: str = ""
    dirty: tuple[str, ...] = ()
    ahead: int = 0
    behind: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and the one that undoes it; None where nothing has to be undone."""

    command: tuple[str, ...]
    undo: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done. With `refused` nothing is; without steps there is nothing to do."""

    facts: Facts
    steps: tuple[Step, ...] = ()
    refused: str = ""


def plan(facts: Facts, installer: Sequence[str], check: Sequence[str]) -> Plan:
    """Return what an update would do.

    Args:
        facts: How covey is installed.
        installer: The command that installs what is named after it.
        check: The command that must work afterwards.
    """
    if facts.kind == "pip":
        back = (*installer, f"covey=={facts.old}")
        return Plan(facts, (Step((*installer, "--upgrade", "covey"), back), Step(tuple(check))))
    if facts.dirty:
        shown = ", ".join(facts.dirty[:SHOWN_FILES])
        more = f" and {len(facts.dirty) - SHOWN_FILES} more" if len(facts.dirty) > SHOWN_FILES else ""
        return Plan(facts, refused=f"the tree has changes of its own: {shown}{more}")
    if not facts.new:
        return Plan(facts, refused=f"the branch {facts.branch or 'of this tree'} is pulled from nowhere")
    if facts.ahead:
        return Plan(facts, refused=f"the branch {facts.branch} has {facts.ahead} commits of its own")
    if not facts.behind:
        return Plan(facts)
    git, install = ("git", "-C", facts.folder), (*installer, facts.folder)
    return Plan(
        facts,
        (
            Step((*git, "merge", "--ff-only", facts.new), (*git, "reset", "--hard", facts.old)),
            Step(install, install),
            Step(tuple(check)),
        ),
    )


def undoing(steps: Sequence[Step]) -> list[tuple[str, ...]]:
    """Return what takes steps back: the tree first, then what was installed from it, in the steps' order.

    The step that failed is among them: nobody knows how far it came.
    """
    return [step.undo for step in steps if step.undo is not None]
