"""Continuity of one peer's agents, loaded where something of it is kept or somebody speaks of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from covey.proto import deferred
from covey.runtime.deferred import DeferredPlugin
from covey.runtime.first_use import FirstUse

if TYPE_CHECKING:
    from covey.cli.parts import Ground
    from covey.runtime.continuity import Keeper
    from covey.runtime.continuity_desk import ContinuityDesk
    from covey.runtime.state import SharedState
    from covey.runtime.syndication import Syndicator

_MODULES: Final = ("covey.runtime.continuity", "covey.runtime.continuity_desk")
_KEPT: Final = "continuity"
"""The name under which the shell of continuity keeps what it knows."""


class Moves:
    """What moves agents. A peer that knows of no other agent's holder, and was asked nothing, has none of it.

    Args:
        ground: What it stands on.
        state: What it shares.
        syndicator: What its agent, and the agents it holds, let others have.
        facts: What this node says of itself when it is offered an agent.
    """

    def __init__(
        self,
        ground: Ground,
        state: SharedState,
        syndicator: Syndicator,
        facts: Callable[[], Mapping[str, str | int]],
    ) -> None:
        self._ground, self._state, self._syndicator, self._facts = ground, state, syndicator, facts
        self._look: Callable[[str], str | None] = lambda _: None
        self._publish: Callable[[Mapping[str, Any]], None] = lambda _: None
        self._began = False
        self._part = FirstUse(_MODULES, self._made)
        self.plugin = DeferredPlugin(deferred.CONTINUITY, self._part, ground.log.write, wanted=self._kept)

    def attach(self, look: Callable[[str], str | None], publish: Callable[[Mapping[str, Any]], None]) -> None:
        """Take the failure detector, and what hands events to who listens; called before the node starts."""
        self._look, self._publish = look, publish

    def begin(self) -> None:
        """Act on what terms bring, now or from the first use on: the policy of what is shared is read."""
        self._began = True
        if self._part.made is not None:
            self._part.made.begin()

    async def continuity(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the verb `continuity`.

        Raises:
            CoveyError: An argument is wrong, or it was not done.
        """
        return await (await self._desk()).continuity(arguments)

    async def agent(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the verb `agent`.

        Raises:
            CoveyError: An argument is wrong, or it was not done.
        """
        return await (await self._desk()).agent(arguments)

    async def _desk(self) -> ContinuityDesk:
        keeper = await self.plugin.soon()
        from covey.runtime.continuity_desk import ContinuityDesk  # loaded on a thread by now

        return ContinuityDesk(keeper)

    def _kept(self) -> bool:
        return self._ground.store.state_get(_KEPT) is not None

    def _made(self) -> Keeper:
        from covey.runtime.continuity import Keeper

        ground = self._ground
        keeper = Keeper(
            ground.identity,
            ground.options.room,
            self._state,
            self._syndicator,
            ground.store,
            ground.clock,
            facts=self._facts,
        )
        keeper.attach(self._look, self._publish)
        if self._began:
            keeper.begin()
        return keeper
