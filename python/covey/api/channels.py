"""Channels from Python: named conversations whose keys only their members have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.runtime.channel_desk import ChannelDesk

if TYPE_CHECKING:
    from covey.runtime.channels import Channels as Shell


class Channels:
    """The channels of a peer's agent. A channel is meant by its name, or the beginning of its id."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._desk = ChannelDesk(shell)

    async def open(self, name: str, *members: str, kind: str = "group") -> Mapping[str, Any]:
        """Begin a channel.

        Args:
            name: What people call it.
            members: Connected peers' names or nodeIds, or authors.
            kind: `group`; `direct` with one other, for ever; `topic`, which whoever is in the room may join.

        Raises:
            CoveyError: A member is not known, or nothing can be written.
        """
        asked = {"op": "open", "channel": name, "members": list(members), "kind": kind}
        return await self._desk.answer(asked)

    async def send(self, channel: str, value: object) -> Mapping[str, Any]:
        """Say a JSON value to the members; it is durable here when this returns.

        Raises:
            CoveyError: This agent is no member any more (`not_member`), or the value is none.
        """
        return await self._desk.answer({"op": "send", "channel": channel, "value": value})

    async def read(self, channel: str, limit: int = limits.CHANNEL_LISTED) -> Sequence[Mapping[str, Any]]:
        """Return the newest messages, oldest first: author, name, number, at_ms, value."""
        asked = {"op": "read", "channel": channel, "limit": limit}
        found: Sequence[Mapping[str, Any]] = (await self._desk.answer(asked))["messages"]
        return found

    async def list(self) -> Sequence[Mapping[str, Any]]:
        """Return every channel this agent is or was a member of."""
        found: Sequence[Mapping[str, Any]] = (await self._desk.answer({"op": "list"}))["channels"]
        return found

    async def add(self, channel: str, member: str) -> Mapping[str, Any]:
        """Let a further agent into an own channel; it reads what is said from now on."""
        return await self._desk.answer({"op": "add", "channel": channel, "member": member})

    async def remove(self, channel: str, member: str) -> Mapping[str, Any]:
        """Let a member out of an own channel: a new key is made, which it does not get."""
        return await self._desk.answer({"op": "remove", "channel": channel, "member": member})

    async def join(self, topic: str) -> None:
        """Ask to be let into a topic of the room."""
        await self._shell.join(topic)

    async def leave(self, channel: str) -> None:
        """Be a member no more."""
        await self._shell.leave(channel)

    async def close(self, channel: str) -> None:
        """End an own channel, and delete its keys and what was said in it, at its members too."""
        await self._shell.close(channel)

    def watch(self, listener: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
        """Call `listener` with every message from now on, own ones too, on the loop's thread."""
        return self._shell.watch(listener)
