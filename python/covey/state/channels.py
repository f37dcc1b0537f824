"""All channels that an agent takes part in, read from the scopes that lie here.

Rules: pure but for a memory of opened epochs, on which no result depends. An epoch is opened once for what
its register holds; messages are opened when they are asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from covey import limits
from covey.state.channel import ChannelId, Epoch, Message, Place, open_epoch, open_message, place
from covey.values import dataclass

if TYPE_CHECKING:
    from covey._core import StateMap
    from covey.ports import ChannelKeys

Scopes = Mapping[str, "StateMap"]
"""The scopes of this class that lie here, by whose they are."""
_REMEMBERED = 4_096


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as one agent knows it."""

    at: ChannelId
    epochs: Mapping[int, Epoch]
    """Those that it has the key of, by number."""
    newest: int

    @property
    def current(self) -> Epoch | None:
        """Return the epoch to speak in; None for whoever is no member any more."""
        return self.epochs.get(self.newest)

    @property
    def last(self) -> Epoch:
        """Return the last epoch that this agent was a member of."""
        return self.epochs[max(self.epochs)]

    @property
    def standing(self) -> str:
        """Say how this agent stands to it: `member` or `removed`."""
        return "member" if self.current is not None else "removed"

    def hears(self, epoch: int, author: str, number: int) -> bool:
        """Tell whether a message counts: by a member of its epoch, and not after that member went."""
        spoken = self.epochs.get(epoch)
        if spoken is None or author not in spoken.members or number < 1:
            return False
        later = (each for at, each in self.epochs.items() if at > epoch)
        return all(number <= each.cut.get(author, number) for each in later)


@dataclass(slots=True)
class Reader:
    """Reads channels as one agent.

    Args:
        author: The agent.
        keys: What it opens boxes and seals with.
    """

    author: str
    keys: ChannelKeys
    _opened: dict[bytes, Epoch | None] = field(default_factory=dict)

    def channels(self, scopes: Scopes) -> dict[ChannelId, Channel]:
        """Return every channel that this agent is or was a member of."""
        found: dict[ChannelId, Channel] = {}
        for owner, state in sorted(scopes.items()):
            for at, epochs in self._owned(owner, state).items():
                opened = {number: self._epoch(at, number, state) for number in epochs}
                mine = {number: epoch for number, epoch in opened.items() if epoch is not None}
                if mine:
                    found[at] = Channel(at, mine, max(epochs))
        return found

    def messages(self, channel: Channel, scopes: Scopes) -> Iterator[Message]:
        """Give what was said in a channel and lies here, of each author in order."""
        for author, found in self.spoken(channel, scopes):
            message = self.opened(channel, author, found, scopes[author])
            if message is not None:
                yield message

    def spoken(self, channel: Channel, scopes: Scopes) -> Iterator[tuple[str, Place]]:
        """Give the place of every message that counts, unopened: (author, place)."""
        members = {member for epoch in channel.epochs.values() for member in epoch.members}
        for author in sorted(members & scopes.keys()):
            for found in places(scopes[author], channel.at):
                if found.message and channel.hears(found.epoch, author, found.message):
                    yield author, found

    def opened(self, channel: Channel, author: str, found: Place, state: StateMap) -> Message | None:
        """Return the message at a place; None where there is none that opens."""
        held = state.get(channel.at.message(found.epoch, found.message))
        epoch = channel.epochs.get(found.epoch)
        if held is None or epoch is None:
            return None
        return open_message(self.keys, epoch, author, found.message, held[1])

    def _owned(self, owner: str, state: StateMap) -> dict[ChannelId, list[int]]:
        """Return the channels of one owner: the numbers of their last epochs."""
        found: dict[ChannelId, list[int]] = {}
        for each in places(state):
            if each.channel.owner != owner or each.message or each.word or not each.epoch:
                continue
            if each.channel in found or len(found) < limits.CHANNELS:
                epochs = found.setdefault(each.channel, [])
                epochs.append(each.epoch)
                del epochs[: -limits.CHANNEL_EPOCHS]
        return found

    def _epoch(self, at: ChannelId, number: int, state: StateMap) -> Epoch | None:
        held = state.get(at.epoch(number))
        if held is None:
            return None
        mark = hashlib.sha256(at.epoch(number).encode() + b"\n" + held[1]).digest()
        if mark not in self._opened:
            while len(self._opened) >= _REMEMBERED:
                del self._opened[next(iter(self._opened))]
            self._opened[mark] = open_epoch(self.keys, at, number, self.author, held[1])
        return self._opened[mark]


def places(state: StateMap, at: ChannelId | None = None) -> Iterator[Place]:
    """Give what the names of a scope say, in order; of one channel where it is named."""
    prefix = "c/" if at is None else at.prefix
    for name in state.names():
        found = place(name) if name.startswith(prefix) else None
        if found is not None:
            yield found
