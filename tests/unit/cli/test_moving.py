"""Continuity is loaded where something of it is kept or somebody speaks of it, and acts once it may."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from covey.cli.moving import Moves
from covey.errors import CoveyError
from covey.proto import deferred
from covey.proto.deferred import Deferred, Loaded


class Keeper:
    """Stands for the shell: what was done to it, in order."""

    def __init__(self, *said: Any, facts: Any) -> None:
        self.done: list[object] = ["made"]
        self.extension = Deferred(deferred.CONTINUITY)

    def attach(self, look: Any, publish: Any) -> None:
        self.done.append(("attached", look("node"), publish({})))

    def begin(self) -> None:
        self.done.append("begun")

    async def start(self, tell: Any) -> None:
        self.done.append("started")


@pytest.fixture
def logged() -> list[tuple[Any, ...]]:
    return []


def moves(kept: bytes | None, logged: list[tuple[Any, ...]]) -> Moves:
    ground: Any = SimpleNamespace(
        identity="ann",
        options=SimpleNamespace(room="den"),
        store=SimpleNamespace(state_get=lambda name: kept if name == "continuity" else None),
        clock=None,
        log=SimpleNamespace(write=lambda *line: logged.append(line)),
    )
    untouched: Any = None
    made = Moves(ground, untouched, untouched, dict)
    made.attach(lambda node_id: f"{node_id} is alive", lambda event: None)
    host: Any = SimpleNamespace(peers=tuple)
    made.plugin.extension.attach(host)
    return made


@pytest.mark.parametrize("kept", [None, b"{}"])
def test_a_peer_begins_with_it_only_where_something_is_kept(
    kept: bytes | None, logged: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("covey.runtime.continuity.Keeper", Keeper)
    told: list[object] = []

    async def start() -> Any:
        made = moves(kept, logged)
        await made.plugin.start(told.append)
        at_start = [type(each) for each in told]
        made.begin()
        return at_start, await made.plugin.soon()

    at_start, keeper = asyncio.run(start())
    assert at_start == ([] if kept is None else [Loaded])
    attached = ("attached", "node is alive", None)
    late, early = ["made", attached, "begun", "started"], ["made", attached, "started", "begun"]
    assert keeper.done == (late if kept is None else early), "begun once, and never before it may"
    assert logged == []


def test_a_store_that_cannot_be_read_ends_the_start(
    logged: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = moves(None, logged)

    def unreadable(name: str) -> bytes:
        raise CoveyError("store: gone", code="store_io")

    monkeypatch.setattr(made._ground.store, "state_get", unreadable)
    with pytest.raises(CoveyError, match="store: gone"):
        asyncio.run(made.plugin.start(lambda what: None))


def test_what_is_looked_for_at_the_start_is_what_the_shell_keeps() -> None:
    from covey.cli import moving
    from covey.runtime import continuity

    assert moving._KEPT == continuity._KEPT
