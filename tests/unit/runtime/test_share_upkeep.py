"""Upkeep of a door: one thing at a time, to its end or back, and no new start that would not start."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from covey.runtime.share.going import Refused
from covey.runtime.share.upkeep import Upkeep
from covey.system.upkeep import Ran

INSTALL, CHECK = ("install",), ("check",)
SECONDS = 60


class Commands:
    """Runs nothing: says how each command ends, and holds the first of a name until it is let go."""

    def __init__(self, **codes: int) -> None:
        self.codes = codes
        self.ran: list[str] = []
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.held = ""

    async def __call__(self, command: Sequence[str]) -> Ran:
        self.ran.append(" ".join(command))
        if command[0] == self.held:
            self.held = ""
            self.begun.set()
            await self.go.wait()
        return Ran(self.codes.get(command[0], 0), f"{command[0]} said so")


def upkeep(commands: Commands) -> Upkeep:
    return Upkeep(commands, checkout=None, version="1", installer=INSTALL, check=CHECK)


async def test_m31_no_restart_while_an_update_is_under_way_and_none_after_it_is_promised() -> None:
    commands = Commands()
    commands.held = "install"
    at = upkeep(commands)
    updating = asyncio.ensure_future(at.update(apply=True))
    await asyncio.wait_for(commands.begun.wait(), SECONDS)
    with pytest.raises(Refused, match="under way"):
        await at.leave()
    commands.go.set()
    assert (await updating)["applied"]
    await at.leave()
    with pytest.raises(Refused, match="start again"):
        await at.update(apply=True)


async def test_m31_what_does_not_start_is_not_started_again() -> None:
    at = upkeep(Commands(check=1))
    with pytest.raises(Refused, match="does not start: check said so"):
        await at.leave()
    with pytest.raises(Refused, match="everything is as it was"):
        await at.update(apply=True)


async def test_m31_an_update_that_nobody_waits_for_any_more_is_still_taken_back_where_it_fails() -> None:
    commands = Commands(check=1)
    commands.held = "install"
    at = upkeep(commands)
    updating = asyncio.ensure_future(at.update(apply=True))
    await asyncio.wait_for(commands.begun.wait(), SECONDS)
    updating.cancel()
    await asyncio.gather(updating, return_exceptions=True)
    with pytest.raises(Refused, match="under way"):
        await at.install("covey[mcp]", apply=True)
    ending = asyncio.ensure_future(at.settled())
    commands.go.set()
    await asyncio.wait_for(ending, SECONDS)
    assert commands.ran == ["install --upgrade covey", "check", "install covey==1"]


async def test_m32_an_installation_that_fails_does_not_claim_to_be_undone() -> None:
    commands = Commands(install=1)
    with pytest.raises(Refused, match="install said so; nothing was taken back"):
        await upkeep(commands).install("covey[mcp]", apply=True)
    assert commands.ran == ["install covey[mcp]"]
