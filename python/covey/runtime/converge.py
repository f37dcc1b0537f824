"""Convergence's shell: looks at shared state now and then, and says when it does not converge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.errors import UsageError
from covey.state.convergence import Convergence, Lag

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from covey.ports import Clock
    from covey.runtime.state import SharedState

Logger = Callable[[str, str, Mapping[str, Any]], None]
Publish = Callable[[Mapping[str, Any]], None]


class Converge:
    """How this peer's shared state stands to everybody else's.

    Args:
        state: What is looked at.
        clock: Wall time.
        log: Takes alarms.
        state_of: What membership holds of a nodeId. The session of a dead member stays open for up to two
            minutes, and is nobody who could converge.
        after_seconds: How long a peer that is here may differ.
    """

    def __init__(
        self,
        state: SharedState,
        clock: Clock,
        log: Logger,
        state_of: Callable[[str], str | None] = lambda _: None,
        after_seconds: float = limits.CONVERGE_ALARM_SECONDS,
    ) -> None:
        self._state = state
        self._clock = clock
        self._log = log
        self._state_of = state_of
        self._publish: Publish = lambda _: None
        self._follows = Convergence(int(after_seconds * 1000))

    @asynccontextmanager
    async def watched(self, publish: Publish) -> AsyncIterator[None]:
        """Look every few seconds, and say alarms to the log and to who listens on the control socket."""
        self._publish = publish
        task = asyncio.get_running_loop().create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def look(self) -> list[Lag]:
        """Return how every peer stands now; new alarms are said."""
        found, fresh = self._follows.look(self._scopes(), self._clock.now_ms())
        for lag in fresh:
            facts = asdict(lag)
            self._log("warn", "state-not-converging", facts)
            self._publish({"event": "state-not-converging", **facts})
        return found

    async def answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the verb `converge` of the control socket.

        Raises:
            UsageError: It has arguments.
        """
        if arguments:
            raise UsageError("converge: expected no arguments")
        scopes = {each["scope"]: each["hash"] for each in self._state.status()["scopes"]}
        found = [asdict(each) for each in self.look()]
        return {
            "now_ms": self._clock.now_ms(),
            "alarm_after_seconds": self._follows.after_ms / 1000,
            "scopes": [
                {"scope": name, "hash": digest, "peers": [each for each in found if each["scope"] == name]}
                for name, digest in scopes.items()
            ],
        }

    def _scopes(self) -> list[dict[str, Any]]:
        def told(peer: Mapping[str, Any]) -> dict[str, Any]:
            return {**peer, "here": peer["here"] and self._state_of(str(peer["node_id"])) != "dead"}

        scopes = self._state.status()["scopes"]
        return [{**scope, "peers": [told(each) for each in scope["peers"]]} for scope in scopes]

    async def _watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(limits.CONVERGE_LOOK_SECONDS)
