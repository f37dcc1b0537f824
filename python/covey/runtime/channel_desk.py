"""What a running peer answers about channels on its control socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.errors import UsageError

if TYPE_CHECKING:
    from covey.runtime.channels import Channels
    from covey.state.channels import Channel


class ChannelDesk:
    """The verb `channel` of the control socket.

    Args:
        channels: The agent's channels.
    """

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request.

        Raises:
            CoveyError: An argument is wrong, or it could not be done.
        """
        op, word = arguments.get("op"), str(arguments.get("channel") or "")
        channels = self._channels
        if op == "list":
            return {"channels": [self._view(each) for each in channels.listed()], "trouble": channels.trouble}
        if op == "topics":
            return {"topics": channels.topics(), "names": channels.names()}
        if op == "open":
            members = arguments.get("members") or []
            if not isinstance(members, list) or not all(isinstance(each, str) for each in members):
                raise UsageError("members: expected a list of texts")
            kind = str(arguments.get("kind") or "group")
            return self._view(await channels.open(word, members, kind))
        if op == "members":
            return self._view(channels.channel(word))
        if op in ("add", "remove"):
            change = channels.add if op == "add" else channels.remove
            return self._view(await change(word, str(arguments.get("member") or "")))
        if op == "send":
            return channels.shown(await channels.send(word, arguments.get("value")))
        if op == "read":
            return await self._read(word, arguments.get("limit") or limits.CHANNEL_LISTED)
        if op in ("join", "leave", "close"):
            await {"join": channels.join, "leave": channels.leave, "close": channels.close}[op](word)
            return {"op": op, "channel": word}
        raise UsageError(f"channel: unknown operation: {str(op)[:64]}")

    async def _read(self, word: str, limit: object) -> dict[str, Any]:
        if not isinstance(limit, int) or not 1 <= limit <= limits.CHANNEL_LISTED_MOST:
            raise UsageError(f"limit: expected 1 to {limits.CHANNEL_LISTED_MOST}")
        said = [
            self._channels.shown(each) for each in await asyncio.to_thread(self._channels.read, word, limit)
        ]
        size = 0
        for place, each in enumerate(reversed(said)):
            size += len(json.dumps(each, ensure_ascii=False).encode())
            if size > limits.CHANNEL_ANSWER_BYTES:
                return {"channel": word, "messages": said[len(said) - place :], "whole": False}
        return {"channel": word, "messages": said, "whole": len(said) < limit}

    def _view(self, channel: Channel) -> dict[str, Any]:
        """Return a channel as plain values; its members as its last epoch here names them."""
        names, epoch = self._channels.names(), channel.last
        return {
            "name": epoch.name,
            "id": channel.at.id,
            "owner": channel.at.owner,
            "kind": epoch.kind,
            "epoch": epoch.number,
            "standing": channel.standing,
            "members": [{"author": each, "name": names.get(each)} for each in epoch.members],
        }
