"""Channels: members read, others carry; whoever is removed reads and is heard no further."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey import core, limits
from covey.errors import UsageError
from covey.proto.state.scopes import read_scope
from covey.runtime.channel_desk import ChannelDesk
from covey.runtime.channels import Channels
from covey.state import channel as ch
from covey.state.channel import ChannelError, ChannelId
from covey.system import identity as ids
from covey.system.channel_seal import ChannelSeal
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy

NOW_MS = 1_790_000_000_000
CANARY = "the-canary-of-a-channel"


class Clock:
    ms = NOW_MS

    def now_ms(self) -> int:
        self.ms += 1
        return self.ms


class Held:
    def __init__(self, state: core.StateMap) -> None:
        self.map = state


class Room:
    """One agent's shared state, as its shell shows it: every scope of this class, real replicas."""

    def __init__(self, who: core.Identity, clock: Clock) -> None:
        self.identity, self.clock = who, clock
        self.scopes: dict[str, Held] = {}
        self.keys = core.AuthorKeys()
        self.keys.add(who.public_key)
        self.sync = self.replicas = self
        self.others: list[core.Identity] = []
        self.served: frozenset[str] = frozenset()
        self.watchers = []

    def present(self):
        return [(who.node_id, who.name, who.author) for who in self.others]

    def serve(self, whose, scopes):
        self.served = scopes

    def watch(self, watcher):
        self.watchers.append(watcher)
        return lambda: self.watchers.remove(watcher)

    def held(self, name):
        if name not in self.scopes:
            self.scopes[name] = Held(core.StateMap(name, self.identity.author, seed=bytes(16)))
        return self.scopes[name].map

    async def write(self, writes, scope):
        delta = self.held(scope).commit(writes, now_ms=self.clock.now_ms(), identity=self.identity)
        self._tell(scope, delta)

    def hear(self, other: "Room", names: list[str] | None = None) -> None:
        for name, held in list(other.scopes.items()):
            scope = read_scope(name, "")
            mine = self.held(name)
            for delta in held.map.since(mine.seen):
                keys = {scope.owner: other.keys.key(scope.owner)}
                assert mine.merge(delta, keys=keys, now_ms=self.clock.ms).refused == []
                self._tell(name, delta)

    def _tell(self, scope, delta):
        named = [{"kind": kind, "name": name} for kind, name in self.held(scope).touched(delta)]
        for watcher in list(self.watchers):
            watcher({"event": "state", "scope": scope, "changed": named, "over": None})


class Agent:
    """An agent with its channels, and everything it was told."""

    def __init__(self, name: str, clock: Clock) -> None:
        kept = ids.generate(name, SystemClock(), SystemEntropy())
        self.identity = ids.native(kept)
        self.room = Room(self.identity, clock)
        self.seal = ChannelSeal(kept, SystemEntropy())
        self.clock, self.heard = clock, []
        self.channels = self.made()

    def made(self) -> Channels:
        return Channels(self.identity, self.seal, self.room, self.clock, SystemEntropy())

    async def settle(self) -> None:
        while self.channels._looking is not None and not self.channels._looking.done():
            await self.channels._looking

    def said(self, word: str) -> list[object]:
        return [message.value for message in self.channels.read(word)]

    def do(self, op: str, channel: str = "", **arguments):
        return ChannelDesk(self.channels).answer({"op": op, "channel": channel, **arguments})


async def world(*names: str) -> list[Agent]:
    clock = Clock()
    agents = [Agent(name, clock) for name in names]
    for agent in agents:
        for other in agents:
            if other is not agent:
                agent.room.others.append(other.identity)
                agent.room.keys.add(other.identity.public_key)
        await agent.channels.start()
        agent.channels.watch(agent.heard.append)
    return agents


async def mix(agents: list[Agent]) -> None:
    """Let everybody hear everything, and do their duties, until nothing changes."""
    for _ in range(4):
        for one in agents:
            for other in agents:
                one.room.hear(other.room)
            await one.settle()


def carried(agent: Agent) -> bytes:
    """Return every byte that an agent holds of channels."""
    return b"".join(held.map.snapshot() for held in agent.room.scopes.values())


def test_a30_members_read_and_whoever_carries_it_sees_neither_text_nor_name():
    async def main():
        agents = ann, bob, eve = await world("ann", "bob", "eve")
        assert ann.room.served == frozenset(), "an agent without channels lets nothing out"
        await ann.channels.open(f"plans {CANARY}", ["bob"])
        await mix(agents)
        name = f"plans {CANARY}"
        await ann.channels.send(name, {"text": CANARY})
        await mix(agents)
        await bob.channels.send(name, f"read {CANARY}")
        await mix(agents)
        for member in (ann, bob):
            assert member.said(name) == [{"text": CANARY}, f"read {CANARY}"]
            assert [each["value"] for each in member.heard] == member.said(name), "each told once"
        assert eve.channels.listed() == [] == eve.heard
        assert len(carried(eve)) > 500
        assert CANARY.encode() not in carried(eve)
        assert len(ann.room.served) == 1

    asyncio.run(main())


def test_a30_a_removed_member_reads_no_further_and_is_heard_no_further():
    async def main():
        agents = ann, bob, eve = await world("ann", "bob", "eve")
        await ann.channels.open("plans", ["bob", "eve"])
        await mix(agents)
        await eve.channels.send("plans", "before")
        await mix(agents)
        old = eve.channels.channel("plans").current
        await ann.channels.remove("plans", "eve")
        # eve has not heard of it yet, and speaks on with the old key; so she does by force, once she has
        await eve.channels.send("plans", "in between")
        await mix(agents)
        assert ann.said("plans") == bob.said("plans") == ["before"]
        with pytest.raises(ChannelError, match="not a member of plans any more"):
            await eve.channels.send("plans", "after")
        at = old.channel
        forged = ch.Message(at, old.number, eve.identity.author, 9, NOW_MS, "forced")
        sealed = ch.seal_message(eve.seal, old, forged)
        await eve.room.write([("put", at.message(old.number, 9), sealed)], eve.channels._scope)
        await bob.channels.send("plans", "without her")
        await mix(agents)
        assert ann.said("plans") == bob.said("plans") == ["before", "without her"]
        assert set(eve.said("plans")) == {"before", "in between", "forced"}, "her own, and nothing after"
        fresh = bob.channels.channel("plans").current
        assert (fresh.number, fresh.key != old.key) == (2, True)
        assert eve.channels.channel("plans").standing == "removed"
        # let in again: from now on, and not what was said meanwhile
        await ann.channels.add("plans", "eve")
        await mix(agents)
        await ann.channels.send("plans", "welcome back")
        await mix(agents)
        assert "welcome back" in eve.said("plans") and "without her" not in eve.said("plans")

    asyncio.run(main())


def test_a30_a_topic_takes_whoever_asks_but_whom_its_owner_let_out():
    async def main():
        agents = ann, bob, eve = await world("ann", "bob", "eve")
        await ann.channels.open("news", kind="topic")
        await mix(agents)
        assert [each["name"] for each in bob.channels.topics()] == ["news"]
        await bob.channels.join("news")
        await mix(agents)
        await ann.channels.send("news", "one")
        await mix(agents)
        assert bob.said("news") == ["one"]
        await bob.channels.leave("news")
        await mix(agents)
        assert bob.channels.channel("news").standing == "removed"
        await bob.channels.join("news")
        await eve.channels.join("news")
        await mix(agents)
        await ann.channels.send("news", "two")
        await mix(agents)
        assert bob.said("news") == ["one", "two"]
        assert eve.said("news") == ["two"], "who comes later reads from then on"
        await ann.channels.remove("news", "eve")
        await eve.channels.join("news")
        await mix(agents)
        assert eve.channels.channel("news").standing == "removed"

    asyncio.run(main())


def test_a30_a_direct_channel_keeps_its_two_and_only_an_owner_changes_members():
    async def main():
        agents = ann, bob, _eve = await world("ann", "bob", "eve")
        await ann.channels.open("us", ["bob"], "direct")
        await ann.channels.open("team", ["bob"])
        await mix(agents)
        for change in (
            ann.channels.add("us", "eve"),
            bob.channels.add("team", "eve"),
            bob.channels.close("us"),
        ):
            with pytest.raises(ChannelError):
                await change
        for wrong in (
            ann.channels.open("us", ["bob", "eve"], "direct"),
            ann.channels.open("us", ["nobody"]),
            ann.channels.open(""),
            ann.channels.open("x", kind="public"),
            ann.channels.remove("team", "eve"),
            ann.channels.send("team", {1, 2}),
            ann.channels.send("team", "x" * limits.CHANNEL_MESSAGE_BYTES),
            bob.channels.join("nothing"),
        ):
            with pytest.raises(UsageError):
                await wrong
        with pytest.raises(ChannelError, match="no such channel: none"):
            await ann.channels.send("none", 1)
        with pytest.raises(ChannelError, match="its owner cannot leave"):
            await ann.channels.leave("team")

    asyncio.run(main())


def test_a_closed_channel_is_deleted_at_its_members_too():
    async def main():
        agents = ann, bob = await world("ann", "bob")
        await ann.channels.open("plans", ["bob"])
        await mix(agents)
        for agent in agents:
            await agent.channels.send("plans", "something")
        await mix(agents)
        await ann.channels.close("plans")
        await mix(agents)
        assert ann.channels.listed() == bob.channels.listed() == []
        left = [name for held in bob.room.scopes.values() for name in held.map.names()]
        assert [ch.place(name).word for name in left] == ["closed"]

    asyncio.run(main())


def test_the_oldest_messages_go_and_numbers_go_on_after_a_restart(monkeypatch):
    monkeypatch.setattr(limits, "CHANNEL_MESSAGES", 3)

    async def main():
        agents = ann, bob = await world("ann", "bob")
        await ann.channels.open("plans", ["bob"])
        for number in range(5):
            await ann.channels.send("plans", number)
        ann.channels = ann.made()
        await ann.channels.start()
        assert (await ann.channels.send("plans", 5)).number == 6
        await mix(agents)
        assert len(ann.said("plans")) == len(bob.said("plans")) == 4
        assert bob.said("plans")[-1] == 5

    asyncio.run(main())


def test_a_wish_to_leave_is_followed_though_the_owner_changed_members_meanwhile():
    async def main():
        agents = ann, bob, eve = await world("ann", "bob", "eve")
        await ann.channels.open("plans", ["bob"])
        await mix(agents)
        await bob.channels.leave("plans")
        await ann.channels.add("plans", "eve")
        await mix(agents)
        names = [each["name"] for each in (await ann.do("members", "plans"))["members"]]
        assert sorted(names) == ["ann", "eve"]
        assert eve.channels.channel("plans").standing == "member"

    asyncio.run(main())


def test_an_epoch_of_one_channel_is_none_of_another_and_a_message_stays_in_its_place():
    async def main():
        agents = ann, bob, eve = await world("ann", "bob", "eve")
        await ann.channels.open("plans", ["bob", "eve"])
        await mix(agents)
        await bob.channels.send("plans", "pay eve 5")
        await mix(agents)
        at = ann.channels.listed()[0].at
        theirs = eve.room.scopes[ann.channels._scope].map.get(at.epoch(1))[1]
        own = ChannelId(eve.identity.author, at.id)
        # eve takes ann's boxes for a channel of her own, and bob's message for one of hers
        said = eve.room.scopes[bob.channels._scope].map.get(at.message(1, 1))[1]
        stolen = [("put_json", own.epoch(1), theirs), ("put", at.message(1, 1), said)]
        await eve.room.write(stolen, eve.channels._scope)
        await mix(agents)
        assert [each.at for each in bob.channels.listed()] == [at]
        assert bob.said("plans") == ["pay eve 5"]
        assert [each.author for each in bob.channels.read("plans")] == [bob.identity.author]

    asyncio.run(main())


def test_the_desk_answers_what_the_command_asks():
    async def main():
        agents = ann, _bob = await world("ann", "bob")
        made = await ann.do("open", "plans", members=["bob"])
        assert (made["kind"], made["standing"], len(made["members"])) == ("group", "member", 2)
        assert (await ann.do("send", made["id"][:6], value="hello"))["number"] == 1
        await mix(agents)
        (found,) = (await ann.do("read", "plans"))["messages"]
        assert (found["name"], found["value"]) == ("ann", "hello")
        assert [each["name"] for each in (await ann.do("list"))["channels"]] == ["plans"]
        await ann.do("open", "plans", members=[])
        with pytest.raises(UsageError, match="2 are called plans"):
            await ann.do("read", "plans")
        for wrong in ({"op": "x"}, {"op": "open", "members": "bob"}, {"op": "read", "limit": 0.5}):
            with pytest.raises(UsageError):
                await ChannelDesk(ann.channels).answer(wrong)

    asyncio.run(main())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_no_epoch_and_no_message(data):
    kept = ids.generate("ann", SystemClock(), SystemEntropy())
    seal, author = ChannelSeal(kept, SystemEntropy()), ids.native(kept).author
    at = ChannelId(author, "0" * 16)
    shapes = [
        data,
        json.dumps({"boxes": {author: data.hex()}, "sealed": data.hex()}).encode(),
        b'{"boxes":[]}',
    ]
    for shape in shapes:
        assert ch.open_epoch(seal, at, 1, author, shape) is None
    epoch = ch.Epoch(at, 1, bytes(32), "x", "group", (author,), {})
    assert ch.open_message(seal, epoch, author, 1, data) is None
    assert ch.place(data.decode("latin-1")) is None
    assert seal.wrap(b"x", bytes(32)) is None, "nothing is sealed to a key that is none"
