"""A program's peer over real sockets: it hears, speaks, asks, shares; its handlers' faults stay theirs."""

import asyncio
import secrets

import pytest

import covey
from covey import limits
from covey.api.config import proposal
from covey.errors import ConfigError, UsageError
from covey.model import ModelReply, Usage


@pytest.fixture
def room():
    return f"api-{secrets.token_hex(4)}"


def two(tmp_path, room, **options):
    return (
        covey.Peer("ann", room=room, home=tmp_path / "home"),
        covey.Peer("bob", room=room, home=tmp_path / "home", **options),
    )


def test_two_peers_hear_each_other_once_and_remember(tmp_path, room):
    async def main():
        ann, bob = two(tmp_path, room)
        heard = asyncio.Queue()
        bob.on_block(heard.put)
        async with ann, bob:
            assert await ann.wait_for_peers(1)
            said = await ann.observe(focus="the parser drops frames", wait_seconds=10)
            assert isinstance(said.result, covey.Minted) and said.taken
            block = await asyncio.wait_for(heard.get(), 30)
            assert block.key == said.result.block.key
            assert [each.key for each in await bob.recall("parser")] == [block.key]
            assert (await bob.block(block.key)).categories["focus"] == "the parser drops frames"
            assert [peer.name for peer in ann.peers()] == ["bob"]
            assert heard.empty()
        with pytest.raises(UsageError, match="does not run"):
            ann.peers()

    asyncio.run(main())


def test_a_handler_with_weights_hears_what_passes_them_and_memory_does_not_notice(tmp_path, room):
    async def main():
        ann, bob = two(tmp_path, room)
        heard, moods = asyncio.Queue(), asyncio.Queue()
        affect = bob.weighing({"mood": 2.0})
        affect.on_block(moods.put)
        bob.on_block(heard.put)
        async with ann, bob:
            assert await ann.wait_for_peers(1)
            for text in ("the parser drops frames", "salaries rise in March", "a storm comes from the west"):
                await ann.observe(focus=text)
            last = await ann.observe(focus="the tests are green", mood="relieved")
            directed = await ann.send("bob", focus="restart the parser", wait_seconds=30)
            assert directed.result.block.to == bob.node_id
            keys = [(await asyncio.wait_for(heard.get(), 30)).key for _ in range(5)]
            assert len(set(keys)) == 5
            passed = {(await asyncio.wait_for(moods.get(), 30)).key for _ in range(2)}
            assert passed == {last.result.block.key, directed.result.block.key}
            assert affect.held_back == 3 and moods.empty()
            assert len(await bob.recent()) == 5, "what it remembers is another decision"

    asyncio.run(main())


def test_wrong_weights_are_refused_before_anything_listens(tmp_path, room):
    _, bob = two(tmp_path, room)
    with pytest.raises(UsageError) as caught:
        bob.weighing({"colour": 1.0})
    assert caught.value.code == "invalid_weights"


def test_a_question_gets_its_answers_and_an_unanswered_one_none(tmp_path, room):
    async def main():
        ann, bob = two(tmp_path, room)

        @bob.on_block
        async def answer(block):
            if "weather" in block.categories["intent"]:
                await bob.reply(block, focus="it rains in the north", mood=block.categories["perspective"])

        async with ann, bob:
            await ann.wait_for_peers(1)
            (found,) = await ann.ask("how is the weather?", answers=1, wait_seconds=30)
            assert found.categories["focus"] == "it rains in the north"
            (again,) = await ann.ask("how is the weather?", answers=1, wait_seconds=30)
            assert again.parents != found.parents
            # not left to chance: a clock's digits alone may look like what bob remembers
            (third,) = await ann.ask("how is the weather?", answers=1, wait_seconds=30)
            assert third.parents != again.parents
            assert await ann.ask("is anybody a plumber around here?", wait_seconds=0.3) == []

    asyncio.run(main())


def test_a_directed_block_is_executed_when_every_handler_has_finished(tmp_path, room):
    async def main():
        ann, bob = two(tmp_path, room)
        finish = asyncio.Event()

        @bob.on_delivery
        async def slow(delivery):
            assert delivery.directed
            await finish.wait()

        async with ann, bob:
            await ann.wait_for_peers(1)
            said = await ann.send("bob", focus="do this, please")
            assert [send.state for send in said.sends] == [covey.SendState.DELIVERED]
            asyncio.get_running_loop().call_later(0.1, finish.set)
            said = await ann.send("bob", focus="and then that", until=covey.SendState.EXECUTED)
            assert [send.state for send in said.sends] == [covey.SendState.EXECUTED]

    asyncio.run(main())


def test_a_handler_that_fails_is_counted_told_and_stops_nobody(tmp_path, room):
    async def main():
        ann, bob = two(tmp_path, room)
        heard, troubles = asyncio.Queue(), []
        bob.on_trouble(lambda event, line: troubles.append((event, line)))

        @bob.on_block
        async def bad(block):
            raise RuntimeError("no paper")

        bob.on_block(heard.put)
        async with ann, bob:
            await ann.wait_for_peers(1)
            await ann.observe(focus="one thing to print")
            await asyncio.wait_for(heard.get(), 30)
            said = await ann.send(
                "bob", focus="another, for bob", until=covey.SendState.EXECUTED, wait_seconds=10
            )
            assert said.sends[0].reason is not None and "runtimeerror" in said.sends[0].reason
            assert bob.counters()["handlers.failed"] == 2
        assert troubles[0][0] == "handler-failed" and "no paper" in troubles[0][1]

    asyncio.run(main())


def test_a_handler_that_is_too_slow_loses_the_oldest_and_says_so(tmp_path, room, monkeypatch):
    monkeypatch.setattr(limits, "API_QUEUE", 2)
    monkeypatch.setattr(limits, "API_DRAIN_SECONDS", 0.1)

    async def main():
        ann, bob = two(tmp_path, room)
        told, began = asyncio.Queue(), asyncio.Event()
        bob.on_trouble(lambda event, _: told.put_nowait(event))

        @bob.on_block
        async def stuck(_):
            began.set()
            await asyncio.Event().wait()

        async with ann, bob:
            await ann.wait_for_peers(1)
            await ann.send("bob", focus="the first matter")
            await asyncio.wait_for(began.wait(), 30)
            for text in ("a second thing", "the third one now", "and finally a fourth"):
                await ann.send("bob", focus=text)
            assert await asyncio.wait_for(told.get(), 30) == "handler-too-slow"
        assert await asyncio.wait_for(told.get(), 30) == "handler-cut-off"

    asyncio.run(main())


def test_state_set_at_one_peer_arrives_at_the_other(tmp_path, room):
    async def main():
        ann, bob = two(tmp_path, room)
        async with ann, bob:
            came = asyncio.Event()
            bob.state.watch(lambda _: came.set())
            await ann.wait_for_peers(1)
            await ann.state.set("temperature", {"kitchen": 21})
            await asyncio.wait_for(came.wait(), 30)
            assert bob.state.get("temperature") == {"kitchen": 21}
            await bob.state.delete("temperature")
            assert bob.state.get("temperature") is None

    asyncio.run(main())


class Parrot:
    """A model of one's own: any object with these methods."""

    label = "parrot/1"

    def reserve_usd(self, request):
        return 0.0

    async def warm(self):
        pass

    async def call(self, request):
        return ModelReply('{"focus": "polly wants a cracker"}', (), Usage(1, 1, 0.0), "end", "parrot")

    async def close(self):
        pass


def test_x28_an_agent_with_a_model_of_ones_own_answers(tmp_path, room):
    async def main():
        ann, bob = two(
            tmp_path,
            room,
            agent=covey.Agent(Parrot(), settings={"routing": {"response_routing": "targeted"}}),
        )
        async with ann, bob:
            await ann.wait_for_peers(1)
            (found,) = await ann.ask("what does polly want?", answers=1, wait_seconds=30)
            assert found.categories["focus"] == "polly wants a cracker"

    asyncio.run(main())


def test_run_stays_until_it_is_told_to_stop(tmp_path, room):
    async def main():
        peer = covey.Peer("ann", room=room, home=tmp_path / "home")
        async with peer:
            asyncio.get_running_loop().call_later(0.05, peer.stop)
            await asyncio.wait_for(peer.run(), 30)

    asyncio.run(main())


def test_what_is_wrong_is_said_before_anything_starts(tmp_path, room):
    with pytest.raises(ConfigError, match="room"):
        covey.Peer("ann", room="not a room!")
    with pytest.raises(ConfigError, match="name"):
        covey.Peer("")
    with pytest.raises(UsageError, match="unknown category: colour"):
        proposal({"colour": "red"}, (), None, {})
    with pytest.raises(UsageError, match="given twice"):
        proposal({"focus": "a"}, (), None, {"focus": "b"})
    with pytest.raises(UsageError, match="nothing is said"):
        proposal({}, (), None, {})


def test_importing_covey_loads_nothing_and_names_everything():
    assert set(covey.__dir__()) >= {"Peer", "Agent", "Block"}
    with pytest.raises(AttributeError, match="no attribute 'Router'"):
        covey.Router  # noqa: B018  # the access is the test


def test_a_mood_is_told_to_who_is_there(tmp_path, room):
    async def main():
        ann, bob = two(tmp_path, room)
        async with ann, bob:
            heard = asyncio.Event()
            await ann.wait_for_peers(1)
            bob._running().node.subscribe(
                lambda news: heard.set() if getattr(news, "mood", None) == "glad" else None
            )
            assert [(each.name, each.state) for each in await ann.mood("glad")] == [("bob", "sent")]
            await asyncio.wait_for(heard.wait(), 30)
            with pytest.raises(UsageError, match="not empty"):
                await ann.mood("")
        with pytest.raises(UsageError, match="does not run"):
            await ann.mood("glad")

    asyncio.run(main())
