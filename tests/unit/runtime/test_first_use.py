"""Parts that are made when they are first used: once, and plugins with what they missed."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from covey.errors import StoreError
from covey.proto.deferred import Described, Load, Loaded
from covey.runtime.deferred import DeferredPlugin
from covey.runtime.first_use import FirstUse

HELLO = Described("echo", "x-covey-echo-v1", frozenset({"x-covey-echo"}))


class Engine:
    """What the plugin's extension says of itself."""

    name, token, frames = HELLO.name, HELLO.token, HELLO.frames


class Plugin:
    """Writes down what it is told to do; may fail to begin."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.extension: Any = Engine()
        self.did: list[object] = []
        self.trouble = trouble

    async def start(self, tell: Any) -> None:
        await asyncio.sleep(0)
        if self.trouble is not None:
            self.trouble, trouble = None, self.trouble
            raise trouble
        tell("began")

    def perform(self, what: object) -> None:
        self.did.append(what)

    async def stop(self) -> None:
        self.did.append("stopped")

    async def answer(self, arguments: Any) -> dict[str, Any]:
        return {"asked": dict(arguments)}


class Host:
    def peers(self) -> list[Any]:
        return []


def deferred(part: FirstUse[Plugin], wanted: Any = lambda: False) -> tuple[DeferredPlugin[Plugin], list[Any]]:
    logged: list[Any] = []
    plugin = DeferredPlugin(HELLO, part, lambda *line: logged.append(line), wanted)
    plugin.extension.attach(Host())  # type: ignore[arg-type]  # all that it asks of a host
    return plugin, logged


async def test_it_is_made_once_and_its_modules_are_loaded_first():
    made: list[bool] = []
    part = FirstUse(("xml.dom.pulldom",), lambda: made.append("xml.dom.pulldom" in sys.modules) or object())
    sys.modules.pop("xml.dom.pulldom", None)
    first = await asyncio.gather(*(part.soon() for _ in range(5)))
    assert {id(each) for each in first} == {id(part.now())} and made == [True]


async def test_a_verb_has_it_made():
    part = FirstUse((), Plugin)
    assert await part.verb(lambda plugin: plugin.answer)({"a": 1}) == {"asked": {"a": 1}}
    assert part.made is not None


async def test_nothing_is_made_for_a_plugin_that_is_not_used():
    part = FirstUse((), Plugin)
    plugin, _ = deferred(part)
    await plugin.start(lambda what: None)
    await plugin.stop()
    assert part.made is None


@pytest.mark.parametrize("by", ["frame", "verb", "made", "wanted"])
async def test_whatever_uses_it_first_begins_it_once(by):
    told: list[Any] = []
    part = FirstUse((), Plugin)
    plugin, logged = deferred(part, (lambda: True) if by == "wanted" else lambda: False)
    if by == "made":
        await plugin.soon()
        assert told == []
    await plugin.start(told.append)
    if by == "frame":
        plugin.perform(Load())
        plugin.perform(Load())
    if by == "verb":
        verb = plugin.verb(lambda each: each.answer)
        assert await asyncio.gather(verb({}), verb({})) == [{"asked": {}}] * 2
    whole = await plugin.soon()
    assert told[0] == "began" and isinstance(told[1], Loaded) and told[1].engine is whole.extension
    assert len(told) == 2 and logged == []
    plugin.perform("wish")
    await plugin.stop()
    assert whole.did == ["wish", "stopped"]


async def test_one_that_cannot_begin_is_told_and_tried_again():
    told: list[Any] = []
    part = FirstUse((), lambda: Plugin(StoreError("the disk is gone")))
    plugin, logged = deferred(part)
    await plugin.start(told.append)
    with pytest.raises(StoreError):
        await plugin.soon()
    assert logged[0][1] == "extension-not-loaded" and "the disk is gone" in logged[0][2]["reason"]
    assert (await plugin.soon()).extension is told[-1].engine


async def test_stopping_waits_for_what_is_being_loaded():
    told: list[Any] = []
    plugin, _ = deferred(part := FirstUse((), Plugin))
    await plugin.start(told.append)
    plugin.perform(Load())
    await plugin.stop()
    assert part.made is not None and part.made.did == ["stopped"]
