"""The capability registry on real nodes: announced, found, withdrawn, and never of the dead."""

import asyncio
import contextlib
from contextlib import asynccontextmanager

import pytest

from covey.fleet.capabilities import CapabilityError
from covey.proto.membership.news import MemberJoined, MemberLeft
from covey.runtime.members import Members
from covey.runtime.registry import Registry
from covey.system.clock import SystemClock
from tests.unit.runtime.meshkit import identity, node

SECONDS = 20


@asynccontextmanager
async def room(count):
    """Nodes in a line, so that the ends know each other through the middle alone; with their registries."""
    members = [Members(identity(number + 1)) for number in range(count)]
    nodes = [node(number + 1, members=each) for number, each in enumerate(members)]
    registries = [Registry(identity(number + 1), each, SystemClock()) for number, each in enumerate(members)]
    for each, registry in zip(nodes, registries, strict=True):
        registry.attach(each)
    try:
        for place, each in enumerate(nodes):
            await each.start()
            if place:
                each.dial("127.0.0.1", nodes[place - 1].port)
                nodes[place - 1].dial("127.0.0.1", each.port)
        for each in nodes:
            assert await each.wait_for_peers(1, SECONDS)
        yield nodes, registries
    finally:
        for each in nodes:
            await each.stop()


async def until(true):
    """Look again and again: gossip has no event of its own."""
    async with asyncio.timeout(SECONDS):
        while not true():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.02)


async def test_s03_what_is_announced_at_one_end_is_found_at_the_other_and_withdrawn_there_too():
    async with room(3) as (nodes, (a, _, c)):
        withdraw = a.announce("writer", ["draft", "edit"], capacity=2)
        await until(lambda: c.find("draft", strangers=True))
        (offer,) = c.find("edit", strangers=True)
        assert (offer.nickname, offer.capacity, offer.running) == ("writer", 2, 0)
        assert (offer.node_id, offer.peer) == (nodes[0].node_id, "peer-1")
        a.busy("writer", 1)
        await until(lambda: c.find("draft", lambda each: each.load == 0.5, strangers=True))
        withdraw()
        await until(lambda: not c.find("draft", strangers=True))
        assert a.find("draft") == []


async def test_s01_every_agent_is_listed_with_load_and_capacity_and_who_announced_before_the_start():
    members = Members(identity(1))
    registry = Registry(identity(1), members, SystemClock())
    registry.announce("early", ["wait"])
    each = node(1, members=members)
    registry.attach(each)
    other = Members(identity(2))
    watcher = Registry(identity(2), other, SystemClock())
    async with each, node(2, members=other) as second:
        watcher.attach(second)
        second.dial("127.0.0.1", each.port)
        each.dial("127.0.0.1", second.port)
        await until(lambda: watcher.find("wait"))
        found = await watcher.answer({})
        assert [(a["nickname"], a["load"], a["capacity"], a["heeded"]) for a in found["agents"]] == [
            ("early", 0.0, 1, True)
        ]


async def test_s08_who_is_gone_offers_nothing_and_strangers_are_found_only_where_asked():
    async with room(2) as (nodes, (a, b)):
        news = []
        nodes[1].subscribe(news.append)
        a.announce("writer", ["draft"])
        await until(lambda: b.find("draft"))
        news.clear()  # that it joined may be told after it was subscribed to
        nodes[1]._engine._sessions._trust.heeds = lambda *_, **__: False
        assert b.find("draft") == [] and len(b.find("draft", strangers=True)) == 1
        await nodes[0].stop()
        await until(lambda: not b.find("draft", strangers=True))
        assert [each.reason for each in news if isinstance(each, MemberLeft)] == ["left"]
        assert not [each for each in news if isinstance(each, MemberJoined)]


async def test_only_what_was_announced_has_a_load():
    registry = Registry(identity(1), Members(identity(1)), SystemClock())
    with pytest.raises(CapabilityError, match="announce"):
        registry.busy("nobody", 1)
