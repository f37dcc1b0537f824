"""Shared state, syndication and the desk of the diary, put together for one peer."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from covey import __version__, limits
from covey.cli.moving import Moves
from covey.proto.state.replicas import StateOptions
from covey.runtime.channels import Channels
from covey.runtime.first_use import FirstUse, Verb
from covey.runtime.packs import Packs
from covey.runtime.state import SharedState
from covey.runtime.syndication import Syndicator

if TYPE_CHECKING:
    from covey.cli.parts import Ground
    from covey.runtime.channel_desk import ChannelDesk
    from covey.runtime.diary import DiaryDesk
    from covey.runtime.ledger import Ledger
    from covey.runtime.plugin import Plugin


class Sharing:
    """What a peer shares. A peer that only lives for one command keeps out of it: it would fetch everything.

    Args:
        ground: What it stands on.
    """

    def __init__(self, ground: Ground) -> None:
        options, identity, plan = ground.options, ground.identity, ground.plan
        store, clock = ground.store, ground.clock
        believed = StateOptions(
            options.room,
            strict=options.trust == "strict",
            trusted=options.trusted | frozenset(options.pins.values()),
        )
        self.state = SharedState(identity, believed, ground.writer)
        self.syndicator = Syndicator(identity, self.state, store, clock)
        self._identity, self._store, self._clock = identity, store, clock
        self._ledger = FirstUse(("covey.runtime.ledger",), self._accounts)
        self.channels = Channels(identity, ground.keys, self.state, clock, ground.entropy)
        self.packs = Packs(identity, self.state, plan.packs)
        self.continuity = Moves(
            ground, self.state, self.syndicator, lambda: node_facts(plan.home.path, self.packs.own())
        )
        channels = FirstUse(("covey.runtime.channel_desk",), self._channel_desk)
        diary = FirstUse(("covey.runtime.diary",), self._diary)
        self.plugins: tuple[Plugin, ...] = (self.state, self.continuity.plugin) if ground.stays else ()
        self.verbs: Mapping[str, Verb] = {
            "state": self.state.answer,
            "syndicate": self.syndicator.answer,
            "ledger": self._ledger.verb(lambda accounts: accounts.answer),
            "packs": self.packs.answer,
            "channel": channels.verb(lambda desk: desk.answer),
            "continuity": self.continuity.continuity,
            "agent": self.continuity.agent,
            "diary": diary.verb(lambda desk: desk.answer),
        }

    @property
    def ledger(self) -> Ledger:
        """Return the accounts of its agent."""
        return self._ledger.now()

    def _accounts(self) -> Ledger:
        from covey.runtime.ledger import Ledger

        return Ledger(self._identity, self.state, self._store, self._clock)

    def _channel_desk(self) -> ChannelDesk:
        from covey.runtime.channel_desk import ChannelDesk

        return ChannelDesk(self.channels)

    def _diary(self) -> DiaryDesk:
        from covey.runtime.diary import DiaryDesk

        return DiaryDesk(self._store, self.syndicator.refresh)

    def watch(
        self, watcher: Callable[[Mapping[str, Any]], None]
    ) -> tuple[Callable[[], None], Callable[[], None]]:
        """Call `watcher` with changes of shared state and messages of channels; return the ways to end it."""
        return self.state.watch(watcher), self.channels.watch(watcher)

    async def __aenter__(self) -> Self:
        if self.plugins:
            await self.syndicator.start()
            await self.channels.start()
            await self.packs.start()
            self.continuity.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.plugins:
            await self.channels.stop()
            await self.syndicator.stop()


def node_facts(folder: Path, capabilities: Sequence[str] = ()) -> Mapping[str, str | int]:
    """Return what this node says of itself to whom it may take an agent from.

    Version, system, free space, and what its own agent can do (as many as a line of a report holds).
    """
    machine, python = os.uname(), ".".join(map(str, sys.version_info[:3]))
    system = f"{machine.sysname} {machine.machine}, Python {python}"
    try:
        disk = os.statvfs(folder)
        free = disk.f_bavail * disk.f_frsize
    except OSError:
        free = 0  # an offer is then refused for want of space
    can = _line(capabilities)
    return {"version": __version__, "system": system, "free_bytes": free, "capabilities": can}


def _line(words: Sequence[str]) -> str:
    """Join words to a line of a report; those that do not fit are counted."""
    for fit in range(len(words), -1, -1):
        more = [] if fit == len(words) else [f"and {len(words) - fit} more"]
        line = ", ".join([*words[:fit], *more])
        if len(line) <= limits.CONTINUITY_REPORT_CHARS:
            return line
    return ""
