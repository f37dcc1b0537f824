"""Updating this program from elsewhere: look, say, do, check, and go back where it fails.

Rules: one thing at a time. Without `apply` nothing is changed but what git knows of elsewhere. Whatever fails
is undone, and that is said; so is an undoing that fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from covey.inference.door import Refuse
from covey.inference.upkeep import Facts, Plan, Step, plan, undoing
from covey.runtime.share.going import Refused


class Ran(Protocol):
    """How a command ended."""

    @property
    def code(self) -> int | None:
        """Return its exit code, or None where it has none."""

    @property
    def said(self) -> str:
        """Return what it said."""


Run = Callable[[Sequence[str]], Awaitable[Ran]]


class Upkeep:
    """Updates and installs.

    Args:
        run: Runs a command.
        checkout: The git checkout that runs here; None where covey is a package.
        version: The package's version.
        installer: The command that installs what is named after it.
        check: The command that must work after a change.
    """

    def __init__(
        self,
        run: Run,
        *,
        checkout: str | None,
        version: str,
        installer: Sequence[str],
        check: Sequence[str],
    ) -> None:
        self._run = run
        self._checkout = checkout
        self._version = version
        self._installer = tuple(installer)
        self._check = tuple(check)
        self._busy = asyncio.Lock()
        self._leaving = False
        self._work: asyncio.Task[None] | None = None

    async def update(self, *, apply: bool) -> dict[str, Any]:
        """Say what an update would do, or do it.

        Raises:
            Refused: It may not, or it failed; then everything is as it was, or the message says what is not.
        """
        async with self._alone():
            found = plan(await self._facts(), self._installer, self._check)
            if found.refused:
                raise Refused(Refuse(0, 409, "update-refused", found.refused))
            told = _told(found)
            if not apply or not found.steps:
                return {**told, "applied": False}
            await self._all_of(found.steps)
            now = (await self._facts()).old if found.facts.kind == "git" else await self._installed()
            return {**told, "applied": True, "new": now}

    async def install(self, requirement: str, *, apply: bool) -> dict[str, Any]:
        """Say what would be installed, or install it.

        Raises:
            Refused: It failed.
        """
        async with self._alone():
            step = Step((*self._installer, requirement))
            if apply:
                await self._all_of((step, Step(self._check)))
            return {"command": list(step.command), "applied": apply}

    async def leave(self) -> None:
        """Make sure that a new start would work, and begin nothing more in this life.

        Raises:
            Refused: An update is under way, or what is installed does not start.
        """
        async with self._alone():
            ran = await self._run(self._check)
            if ran.code != 0:
                said = f"what is installed does not start: {_last(ran.said)}"
                raise Refused(Refuse(0, 409, "restart-refused", said))
            self._leaving = True

    async def settled(self) -> None:
        """Wait until what was begun is done or taken back, and begin nothing more."""
        self._leaving = True
        if self._work is not None:
            await asyncio.wait((self._work,))

    async def _all_of(self, steps: Sequence[Step]) -> None:
        """Do the steps to their end, or take them back, even if nobody waits for that any more.

        Raises:
            Refused: One failed.
        """
        self._work = asyncio.ensure_future(self._carry_out(steps))
        await asyncio.shield(self._work)

    async def _installed(self) -> str:
        ran = await self._run(self._check)
        return ran.said.splitlines()[-1] if ran.said else ""

    async def _carry_out(self, steps: Sequence[Step]) -> None:
        """Do the steps; where one fails, undo it and those before it.

        Raises:
            Refused: One failed; it says which, and whether all is as it was.
        """
        for number, step in enumerate(steps, start=1):
            ran = await self._run(step.command)
            if ran.code == 0:
                continue
            back = [await self._run(command) for command in undoing(steps[:number])]
            failed = [each.said for each in back if each.code != 0]
            after = "everything is as it was" if back else "nothing was taken back"
            if failed:
                after = f"going back failed, too: {_last(failed[0])}"
            said = f"{' '.join(step.command)}: {_last(ran.said)}; {after}"
            raise Refused(Refuse(0, 500, "update-failed" if not failed else "update-stuck", said))

    async def _facts(self) -> Facts:
        """Look at how covey is installed; of a checkout, fetch what is known elsewhere."""
        folder = self._checkout
        if folder is None:
            return Facts("pip", "", self._version)
        head = await self._git(folder, "rev-parse", "HEAD")
        branch = await self._git(folder, "rev-parse", "--abbrev-ref", "HEAD")
        status = await self._git(folder, "status", "--porcelain")
        dirty = tuple(line[3:] for line in status.splitlines())
        if (await self._run(("git", "-C", folder, "rev-parse", "--abbrev-ref", "@{u}"))).code != 0:
            return Facts("git", folder, head, branch=branch, dirty=dirty)
        await self._git(folder, "fetch", "--quiet")
        new = await self._git(folder, "rev-parse", "@{u}")
        ahead, behind = (
            await self._git(folder, "rev-list", "--left-right", "--count", "HEAD...@{u}")
        ).split()
        return Facts("git", folder, head, new, branch, dirty, int(ahead), int(behind))

    async def _git(self, folder: str, *words: str) -> str:
        ran = await self._run(("git", "-C", folder, *words))
        if ran.code != 0:
            raise Refused(Refuse(0, 409, "update-refused", f"git {words[0]}: {_last(ran.said)}"))
        return ran.said

    def _alone(self) -> asyncio.Lock:
        if self._leaving:
            raise Refused(Refuse(0, 409, "busy", "it is about to start again, or to end", 30))
        if self._busy.locked() or (self._work is not None and not self._work.done()):
            raise Refused(Refuse(0, 409, "busy", "another update or installation is under way", 30))
        return self._busy


def _told(found: Plan) -> dict[str, Any]:
    facts = found.facts
    return {
        "kind": facts.kind,
        "old": facts.old,
        "new": facts.new or None,
        "branch": facts.branch or None,
        "commits": facts.behind,
        "steps": [" ".join(step.command) for step in found.steps],
    }


def _last(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"
