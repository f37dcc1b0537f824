"""A door that stands open beside an agent: `[share]` of agent.toml, opened by `covey run`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from covey.cli.share import extra
from covey.cli.share.start import Opening, have_files
from covey.errors import UsageError
from covey.runtime.share.lines import Lines
from covey.settings.reader import load_table
from covey.settings.share import HINT, DoorSettings

if TYPE_CHECKING:
    from pathlib import Path

    from covey.cli.console import Console
    from covey.cli.peer import OpenPeer, PeerPlan
    from covey.cli.share.start import Served

_AGAIN: Final = "this door stands beside an agent, which does not start again by itself"
_NEXT_STEP: Final = "stop covey run and start it, or share from a peer of its own: covey share start"


class Beside:
    """The door of a peer that has an agent.

    Args:
        file: Its door.toml.
        env: The environment: keys of its backends.

    Raises:
        ConfigError: The file cannot be used.
        CoveyError: The extra `share` is not installed.
    """

    def __init__(self, file: Path, env: Mapping[str, str]) -> None:
        self.settings = load_table(DoorSettings, file, HINT)
        extra.needed()
        self._env = env
        self._lines = Lines()

    def planned(self, plan: PeerPlan, console: Console) -> PeerPlan:
        """Return the plan of the peer with what a door needs: open files, newest lines, no key in any."""
        have_files(self.settings, console)
        if plan.scrubber is not None:
            for backend in self.settings.backends.values():
                plan.scrubber.learn(self._env.get(backend.key_env or "", ""))
        return replace(plan, sinks=(*plan.sinks, self._lines))

    @asynccontextmanager
    async def opened(self, peer: OpenPeer) -> AsyncIterator[Served]:
        """Keep it open for as long as the context lasts.

        Raises:
            NetworkError: Its address cannot be bound.
            StoreError: Its books cannot be read.
        """
        self._lines.begin()
        home, name, never = peer.plan.home, peer.plan.name, asyncio.Event()
        opening = Opening(self.settings, self._env, home, name, self._lines, never, _not_again)
        async with opening.opened(peer) as served:
            yield served


def _not_again() -> object:
    raise UsageError(_AGAIN, hint=_NEXT_STEP)
