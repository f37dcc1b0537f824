"""The shell of an agent's tools: starts them, calls them as the engine wants, asks a person where it must.

Rules: the calls of one wake are made one after the other, in the model's order. A call that needs a person
waits for a yes, a no, or its deadline, which is a no; nothing else lets it through. Whatever happens, each
call ends in an outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from covey import limits
from covey.agent import effects as fx
from covey.agent.hands import argument_text
from covey.model import Equipment, ToolOutcome
from covey.ports import Clock, Tools
from covey.values import dataclass

Tell = Callable[[str, str, Mapping[str, Any]], None]
"""Leaves one line of the run's record: level, event, facts."""

_SHOWN_CHARS = 4_000  # of a call's arguments, to the person who decides; longer ones say so


@dataclass(frozen=True, slots=True)
class Waiting:
    """One call that waits for a person."""

    id: str
    tool: str
    arguments: str
    why: str
    since_ms: int
    until_ms: int
    answer: asyncio.Future[bool]

    def as_dict(self) -> dict[str, Any]:
        """Return what a person sees."""
        shown = self.arguments[:_SHOWN_CHARS]
        return {
            "id": self.id,
            "tool": self.tool,
            "arguments": shown,
            "arguments_cut": len(self.arguments) - len(shown),
            "why": self.why,
            "since_ms": self.since_ms,
            "until_ms": self.until_ms,
        }


class HandsShell:
    """The tools of one agent at work.

    Args:
        tools: What there is to use.
        ask_seconds: How long a call waits for a person.
        clock: Wall time, for what a person is shown.
        tell: Where lines of the record go.
    """

    def __init__(self, tools: Tools, ask_seconds: float, clock: Clock, tell: Tell) -> None:
        self._tools = tools
        self._ask_seconds = ask_seconds
        self._clock = clock
        self._tell = tell
        self._waiting: dict[str, Waiting] = {}
        self._number = 0
        self._closing = False
        self._equipment = Equipment()

    async def start(self) -> Equipment:
        """Start the tools; whatever goes wrong is a problem that is named."""
        try:
            self._equipment = await self._tools.start()
        except Exception as error:  # a bug in a source costs the tools, not the peer
            self._equipment = Equipment(problems=(f"{type(error).__name__}: {error}"[:300],))
        return self._equipment

    async def use(self, uses: Sequence[fx.ToolUse]) -> tuple[ToolOutcome, ...]:
        """Make the calls, in order; return what each came to."""
        return tuple([await self._one(use) for use in uses])

    def waiting(self) -> list[dict[str, Any]]:
        """Return the calls that wait for a person, oldest first."""
        return [each.as_dict() for each in self._waiting.values()]

    def decide(self, word: str, *, approve: bool) -> dict[str, Any] | None:
        """Take a person's word on a call.

        Args:
            word: The call's id, or a beginning that only it has.
            approve: True lets it be made.

        Returns:
            `result` (allowed, denied or refused) with its facts; None where no call begins so.
        """
        found = [each for name, each in self._waiting.items() if word and name.startswith(word)]
        if not found:
            return None
        if len(found) > 1:
            detail = f"{word[:40]}: {len(found)} calls begin so"
            return {"result": "refused", "reason": "ambiguous", "detail": detail}
        (waiting,) = found
        if not waiting.answer.done():
            waiting.answer.set_result(approve)
        return {"result": "allowed" if approve else "denied", "id": waiting.id, "tool": waiting.tool}

    def status(self) -> dict[str, Any]:
        """Return what `status` shows: each tool with its permission, what is missing, what waits."""
        offered = self._equipment.offered
        return {
            "offered": {tool.spec.name: tool.permission for tool in offered},
            "missing": list(self._equipment.problems),
            "waiting": len(self._waiting),
        }

    def give_up(self) -> None:
        """Let no call wait for a person any longer: the peer stops."""
        self._closing = True
        for waiting in self._waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_result(False)

    async def close(self) -> None:
        """End the tools."""
        self.give_up()
        try:
            await self._tools.close()
        except Exception as error:  # what cannot be ended well must not keep the peer from ending
            self._tell("warn", "tools-not-closed", {"detail": f"{type(error).__name__}: {error}"[:300]})

    async def _one(self, use: fx.ToolUse) -> ToolOutcome:
        if use.ask is not None:
            refused = await self._asked(use, use.ask)
            if refused is not None:
                return refused
        try:
            return await self._tools.call(use.call.name, use.call.arguments or {})
        except Exception as error:  # the port promises that it does not raise; a bug costs the call
            said = f"{type(error).__name__}: {error}"[:300]
            return ToolOutcome(said, failed=True, reason="tool-error")

    async def _asked(self, use: fx.ToolUse, why: str) -> ToolOutcome | None:
        """Wait for a person; return the refusal, or None for a yes."""
        if self._closing or len(self._waiting) >= limits.TOOL_ASKS:
            reason = "the peer stops" if self._closing else "too many calls wait already"
            return _denied(f"Nobody could be asked: {reason}.")
        waiting = self._wait_for(use, why)
        self._tell("warn", "tool-asks", {**waiting.as_dict(), "reason": why})
        try:
            async with asyncio.timeout(self._ask_seconds):
                approved = await waiting.answer
            said = "A person refused this call." if not self._closing else "The peer stops."
        except TimeoutError:
            approved, said = False, f"Nobody allowed this call within {self._ask_seconds:g} s."
        finally:
            del self._waiting[waiting.id]
        facts = {"id": waiting.id, "tool": waiting.tool, "approved": approved}
        self._tell("info", "tool-decided", facts if approved else {**facts, "detail": said})
        return None if approved else _denied(said)

    def _wait_for(self, use: fx.ToolUse, why: str) -> Waiting:
        self._number += 1
        now = self._clock.now_ms()
        waiting = Waiting(
            f"t-{self._number}",
            use.call.name,
            argument_text(use.call),
            why,
            now,
            now + int(self._ask_seconds * 1000),
            asyncio.get_running_loop().create_future(),
        )
        self._waiting[waiting.id] = waiting
        return waiting


def _denied(text: str) -> ToolOutcome:
    return ToolOutcome(text, failed=True, reason="denied")
