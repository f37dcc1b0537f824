"""Continuity from Python: who goes on with a peer's agent, and moving it to another node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from covey.cli.moving import Moves


class Continuity:
    """Who holds a peer's agent and the agents it is a standby of (docs/continuity.md).

    Peers are meant by name, nodeId or author; classes of state are `session`, `ontology`, `memory:<layer>`.
    """

    def __init__(self, desk: Moves) -> None:
        self._desk = desk

    async def declare(
        self,
        standbys: Sequence[str],
        classes: Sequence[str],
        *,
        witnesses: Sequence[str] = (),
        epochs: int | None = None,
        force: bool = False,
    ) -> Mapping[str, Any]:
        """Sign in advance who goes on with this peer's agent.

        Args:
            standbys: In the order of preference; each must agree (`allow`) before it takes the agent.
            classes: What of the agent's state is handed on.
            witnesses: Peers that only vote.
            epochs: The last epoch under this plan; None leaves the usual one.
            force: Replace a plan without its voters' word.

        Returns:
            `voters`, `majority`, `automatic` (False below three voters: nobody takes over by itself), and
            `unable`: which standbys would not take it now, and why.

        Raises:
            CoveyError: Somebody named is not known, or the old plan's voters did not agree.
        """
        asked: dict[str, Any] = {
            "op": "declare",
            "standbys": list(standbys),
            "witnesses": list(witnesses),
            "classes": list(classes),
            "force": force,
        }
        if epochs is not None:
            asked["epochs"] = epochs
        return await self._desk.continuity(asked)

    async def status(self) -> Mapping[str, Any]:
        """Return every agent known here: its holder, epoch, members, and up to where nothing can be lost."""
        return await self._desk.continuity({"op": "status"})

    async def adopt(self, agent: str, *, force: bool = False) -> Mapping[str, Any]:
        """Ask the voters to let this standby hold an agent.

        Args:
            agent: Its author, or its owner's name or nodeId.
            force: Hold it without their votes: an operator's word, marked as such.

        Raises:
            CoveyError: It was not decided, and why.
        """
        return await self._desk.continuity({"op": "adopt", "agent": agent, "force": force})

    async def hand_back(self, agent: str, to: str = "") -> Mapping[str, Any]:
        """Give an agent that is held here back to its owner, or to another of its standbys.

        Raises:
            CoveyError: It is not held here, or the other did not take it in time.
        """
        return await self._desk.continuity({"op": "handback", "agent": agent, "to": to})

    async def push(
        self, to: str, classes: Sequence[str] = (), *, config: str | None = None
    ) -> Mapping[str, Any]:
        """Move this peer's agent to a node that has agreed; nothing is ever moved without being asked.

        Args:
            to: A connected peer.
            classes: What moves; none leaves what the plan says.
            config: An agent.toml that goes along, as text.

        Returns:
            `report` (the node's version, system, free bytes, capabilities), `classes` (entries and hash of
            each), `holder` and `epoch`.

        Raises:
            CoveyError: The node has not agreed, or cannot; the reason is its own.
        """
        asked: dict[str, Any] = {"op": "push", "to": to, "classes": list(classes)}
        return await self._desk.agent(asked if config is None else {**asked, "config": config})

    async def allow(self, peer: str) -> None:
        """Agree to take agents of a peer in; `*` agrees for everybody."""
        await self._desk.agent({"op": "allow", "from": peer})

    async def deny(self, peer: str) -> None:
        """Take that back."""
        await self._desk.agent({"op": "deny", "from": peer})

    async def allowed(self) -> Sequence[str]:
        """Return the authors whose agents this node takes; `*` is everybody."""
        found: Sequence[str] = (await self._desk.agent({"op": "show"}))["allowed"]
        return found

    async def config(self, agent: str) -> str | None:
        """Return the agent.toml that came along with an agent; nothing runs it."""
        found: str | None = (await self._desk.agent({"op": "config", "agent": agent}))["config"]
        return found
