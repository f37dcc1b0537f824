"""The shell of moods: an application's wish, and who was told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from covey.errors import CoveyError, RefusedArgumentError, UsageError
from covey.proto.mood import Moods, Said, Say, problem

if TYPE_CHECKING:
    from covey.proto.extension import Extension
    from covey.runtime.plugin import Tell


class MoodPlugin:
    """The extension, and the wishes under way."""

    def __init__(self) -> None:
        self.extension: Extension = Moods()
        self._tell: Tell | None = None
        self._tokens = 0
        self._waiting: dict[int, asyncio.Future[Said]] = {}

    async def start(self, tell: Tell) -> None:
        """Take the way to the engine."""
        self._tell = tell

    def perform(self, what: object) -> None:
        """Hand on who was told."""
        if isinstance(what, Said):
            waiting = self._waiting.pop(what.token, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(what)

    async def stop(self) -> None:
        """Nothing outlives the turn in which it was said."""
        self._tell = None

    async def say(self, mood: str, context: str | None = None) -> Said:
        """Tell everybody who has a session with this peer.

        Args:
            mood: What it is, in words; 1,024 characters at most.
            context: What it is about, or None; 4,096 characters at most.

        Raises:
            UsageError: It is empty or too long.
            CoveyError: It comes too soon after others (`mood_pace`).
        """
        wrong = problem(mood, context)
        if wrong is not None:
            raise UsageError(wrong, code="invalid_mood")
        if self._tell is None:
            raise UsageError("this peer does not run")
        self._tokens += 1
        token = self._tokens
        answer: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        self._waiting[token] = answer
        self._tell(Say(token, mood, context))
        said = await answer
        if said.refused is not None:
            raise CoveyError(f"not said: {said.refused}", code="mood_pace", hint="wait a moment")
        return said

    async def handle(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the verb `mood` of the control socket: `mood`, and perhaps `context`.

        Raises:
            CoveyError: An argument is wrong, or it was not said.
        """
        mood, context = arguments.get("mood"), arguments.get("context")
        known = set(arguments) <= {"mood", "context"}
        if not known or not isinstance(mood, str) or not (context is None or isinstance(context, str)):
            raise RefusedArgumentError("expected mood, a text, and perhaps context, another")
        said = await self.say(mood, context)
        return {"mood": mood, "at_ms": said.at_ms, "told": [asdict(each) for each in said.told]}
