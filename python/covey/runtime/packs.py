"""The shell of tool packs: the own ones stand in the agent's scope, those of others are read from theirs.

Rules: only its owner writes an agent's scope, so a pack is whose it says. An agent without packs has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.errors import UsageError
from covey.fleet.packs import CLASS, Pack, read
from covey.proto.state.scopes import ANYBODY, agent_scope, read_scope

if TYPE_CHECKING:
    from covey._core import Identity, StateValue
    from covey.runtime.state import SharedState


class Packs:
    """The tool packs of a room, as one agent sees them.

    Args:
        identity: The agent.
        state: Its peer's shared state.
        packs: What it has; what it had before and is not among them is deleted.
    """

    def __init__(self, identity: Identity, state: SharedState, packs: Sequence[Pack]) -> None:
        self._identity = identity
        self._state = state
        self._own = {pack.name: pack for pack in packs}
        self._scope = agent_scope(identity.author, ANYBODY, CLASS).name

    async def start(self) -> None:
        """Let the room see what this agent has now.

        Raises:
            StateError: It cannot be written.
        """
        await self._publish()

    async def offer(self, pack: Pack) -> None:
        """Have a further pack, for as long as this peer runs, in place of one of this name.

        Raises:
            CoveyError: There are too many, or nothing can be written.
        """
        if pack.name not in self._own and len(self._own) >= limits.PACKS:
            raise UsageError(f"pack: {limits.PACKS} fit one agent")
        self._own[pack.name] = pack
        await self._publish()

    def own(self) -> list[str]:
        """Return what this agent says it can do now, sorted."""
        return sorted({each for pack in self._own.values() for each in pack.capabilities})

    def listed(self, capability: str | None = None) -> list[dict[str, Any]]:
        """Return the packs of every agent, or those with a capability; `here` says who can be asked now."""
        here = {author: (node, name) for node, name, author in self._state.present()}
        here[self._identity.author] = (self._identity.node_id, self._identity.name)
        found = []
        for name, held in sorted(self._state.sync.replicas.scopes.items()):
            scope = read_scope(name, "")
            if scope is None or scope.label != CLASS or scope.to != ANYBODY:
                continue
            for pack in (read(each, (held.map.get(each) or ("", b""))[1]) for each in held.map.names()):
                if pack is None or capability not in (None, *pack.capabilities):
                    continue
                node, called = here.get(scope.owner, (None, None))
                found.append(
                    {
                        "pack": pack.name,
                        "capabilities": list(pack.capabilities),
                        "about": pack.about,
                        "author": scope.owner,
                        "node_id": node,
                        "name": called,
                        "here": node is not None,
                    }
                )
        return found[: limits.PACKS_LISTED]

    def here(self) -> set[str]:
        """Return the nodeIds of the peers that can be asked now, this one among them."""
        return {self._identity.node_id, *(node for node, _, _ in self._state.present())}

    async def changed(self) -> None:
        """Wait until something of a pack changes, or a moment: who is here changes too."""
        news = asyncio.Event()
        end = self._state.watch(lambda event: news.set() if event["scope"].endswith(f":{CLASS}") else None)
        try:
            async with asyncio.timeout(limits.PACKS_LOOK_SECONDS):
                await news.wait()
        except TimeoutError:
            pass  # looked at again in any case
        finally:
            end()

    async def answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request of the control socket.

        Raises:
            UsageError: The capability is no text.
        """
        capability = arguments.get("capability")
        if not isinstance(capability, str | None):
            raise UsageError("capability: expected text")
        return {"packs": self.listed(capability)}

    async def _publish(self) -> None:
        held = self._state.sync.held(self._scope)
        there = {} if held is None else {name: held.map.get(name) for name in held.map.names()}
        writes: list[tuple[str, str, StateValue]] = [
            ("put_json", name, pack.to_json())
            for name, pack in sorted(self._own.items())
            if there.get(name) != ("json", pack.to_json())
        ]
        writes += [("delete", name, None) for name in sorted(there.keys() - self._own.keys())]
        if writes:
            await self._state.write(writes, self._scope)
        if writes or self._own:
            self._state.serve(CLASS, frozenset({self._scope}))
