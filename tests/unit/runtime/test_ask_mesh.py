"""A question to a whole room, over real sockets and stores: who answers, what counts, what is kept."""

import asyncio
import json
import secrets
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

import covey
from covey.cognition.ask.quiet import is_answer
from covey.errors import UsageError
from covey.model import ModelReply, Payload, Proposal, Usage
from covey.proto.ask.words import CONTRIBUTION_SCHEMA

SECONDS = 20


class Composer:
    """A model that says what a function makes of the question."""

    label = "scripted/composer"

    def __init__(self, make):
        self.asked = []
        self._make = make

    def reserve_usd(self, request):
        return 0.0

    async def warm(self):
        pass

    async def call(self, request):
        self.asked.append(request)
        return ModelReply(self._make(request), (), Usage(10, 5), "end", self.label)

    async def close(self):
        pass


@asynccontextmanager
async def room_of(tmp_path, *names, settings=None):
    """Peers of one room that all see each other."""
    room = f"ask-{secrets.token_hex(4)}"
    async with AsyncExitStack() as stack:
        peers = [
            await stack.enter_async_context(
                covey.Peer(name, room=room, home=tmp_path / "home", settings=settings)
            )
            for name in names
        ]
        for each in peers:
            assert await each.wait_for_peers(len(names) - 1, SECONDS)
        yield peers


def numbered(request, author):
    """Return the number that a claim of an author has in a question to a model."""
    line = next(each for each in request.user.splitlines() if f'by "{author}"' in each)
    return int(line[1 : line.index("]")])


def test_three_agents_together_infer_what_none_of_them_holds_and_the_answer_cites_all_three(tmp_path):
    """MMP 2.0 §2.5, §12.4: commits slowing, tracks skipped, three hours without movement."""

    def fatigue(request):
        cites = [numbered(request, name) for name in ("coder", "music", "fitness")]
        text = "The user is fatigued: commits slow, tracks are skipped, no movement for 3 hours."
        return json.dumps({"sentences": [{"text": text, "cites": cites}]})

    async def main():
        async with room_of(tmp_path, "coder", "music", "fitness", "asker") as (coder, music, fitness, asker):
            said = {
                "coder": await coder.observe(
                    focus="commits of the user are slowing", issue="messages get shorter"
                ),
                "music": await music.observe(focus="the user skipped five tracks in a row", mood="restless"),
                "fitness": await fitness.observe(
                    focus="the user: 3 hours without movement", commitment="sedentary"
                ),
            }
            model = Composer(fatigue)
            answer = await asker.ask_mesh("How is the user doing?", within_seconds=SECONDS, model=model)
            found = answer.as_dict()
            assert found["mode"] == "model" and not found["withheld"] and not found["silent"]
            (sentence,) = found["answer"]
            sources = {each.result.block.key for each in said.values()}
            assert sources <= set(sentence["cites"]), "the answer cites all three observations"
            claims = [each for each in found["claims"] if not each["own"]]
            assert {each["author"] for each in claims} == {"coder", "music", "fitness"}
            for each in claims:
                assert "fatigue" not in each["text"], "none of them holds it"
            block = await asker.block(found["synthesis"]["key"])
            assert is_answer(block.categories)
            assert block.parents[0] == found["key"] and sources < set(block.parents)
            assert {each["cites"][0] for each in claims} < set(block.parents)
            for key in block.parents:
                assert await asker.block(key) is not None, "what an answer cites is kept with it"

    asyncio.run(main())


def test_without_a_model_the_answer_restates_and_says_so_and_silence_has_its_reason(tmp_path):
    async def main():
        async with room_of(tmp_path, "ann", "bob", "cid") as (ann, bob, cid):
            await bob.observe(focus="the parser drops the last frame of a burst", issue="seen with 64 KiB")
            await cid.observe(focus="lunch is at noon")
            answer = await ann.ask_mesh("which frame does the parser drop?", within_seconds=SECONDS)
            found = answer.as_dict()
            assert found["illustrative"] and "model" in found["note"]
            assert not found["silent"], "cid heard it, too"
            assert [(each["author"], each["reason"]) for each in found["dropped"]] == [("cid", "echo")]
            assert "last frame" in answer.text and "[1]" in answer.text
            again = (
                await ann.ask_mesh("which frame does the parser drop?", within_seconds=SECONDS)
            ).as_dict()
            assert again["key"] == found["key"], "the same question is the same block"
            assert any(each["prior"] for each in again["claims"]), "it builds on the earlier answer"
            assert found["synthesis"]["key"] in (await ann.block(again["synthesis"]["key"])).parents
            nobody = (
                await ann.ask_mesh("who repairs the espresso machine?", within_seconds=SECONDS)
            ).as_dict()
            assert nobody["answer"] == [] and nobody["synthesis"] is None
            assert [(each["name"], each["detail"]) for each in nobody["silent"]] == [
                ("bob", "no grounding in own store"),
                ("cid", "no grounding in own store"),
            ]
            with pytest.raises(UsageError, match="not empty"):
                await ann.ask_mesh("   ")
            for seconds in (0, -1, float("nan"), 121):
                with pytest.raises(UsageError, match="within_seconds"):
                    await ann.ask_mesh("who?", within_seconds=seconds)

    asyncio.run(main())


def test_who_is_busy_with_other_matters_hears_the_answer_to_what_it_asked(tmp_path):
    """A contribution names the question: it is judged as an answer, not as news on some foreign matter."""
    own = (
        "the invoice of the carpenter is due on Friday",
        "tulips along the fence want water twice a week",
        "the choir rehearses the second movement again",
        "a heron stood in the garden pond this morning",
        "the train to the coast leaves from platform nine",
        "the bakery on the corner closes for repairs",
    )

    async def main():
        async with room_of(tmp_path, "ann", "bob") as (ann, bob):
            for each in own:
                await ann.observe(focus=each)
            await bob.observe(
                focus="bursts of frames are lost when the buffer is full", issue="64 KiB are too few"
            )
            await bob.observe(focus="frames of more than a megabyte are refused", intent="raise the bound")
            found = (await ann.ask_mesh("which frames are lost?", within_seconds=SECONDS)).as_dict()
            assert found["dropped"] == []
            (claim,) = [each for each in found["claims"] if not each["own"]]
            assert claim["author"] == "bob" and "bursts of frames" in found["answer"][0]["text"]

    asyncio.run(main())


def test_a_model_that_invents_is_withheld_and_the_claims_are_restated(tmp_path):
    said = [
        {"text": "The parser is written in Fortran.", "cites": [1]},
        {"text": "The parser drops 12 frames.", "cites": [1]},
        {"text": "The parser drops a frame of a burst."},
        {"text": "The parser drops a frame of a burst.", "cites": [7]},
    ]

    async def main():
        async with room_of(tmp_path, "ann", "bob") as (ann, bob):
            await bob.observe(focus="the parser drops the last frame of a burst")
            model = Composer(lambda _: json.dumps({"sentences": said}))
            found = (
                await ann.ask_mesh("what about the parser?", within_seconds=SECONDS, model=model)
            ).as_dict()
            assert found["mode"] == "illustrative"
            assert [each["reason"] for each in found["withheld"]] == [
                "unsupported",
                "unsupported",
                "uncited",
                "forged",
            ]
            assert "last frame" in found["answer"][0]["text"]
            assert '"the parser drops' in model.asked[0].user, "what a peer wrote is quoted"

    asyncio.run(main())


def test_what_was_addressed_to_somebody_is_no_source_for_anybody(tmp_path):
    async def main():
        async with room_of(tmp_path, "ann", "bob", "cid") as (ann, bob, _):
            await bob.send(
                "cid", focus="the passphrase of the vault is heron", until=covey.SendState.DELIVERED
            )
            found = (
                await ann.ask_mesh("what is the passphrase of the vault?", within_seconds=SECONDS)
            ).as_dict()
            assert "heron" not in json.dumps(found)
            assert {each["reason"] for each in found["silent"]} == {"no-grounding"}

    asyncio.run(main())


def test_who_asks_later_hears_of_an_author_that_was_never_met_by_the_contributors_word(tmp_path):
    """As `covey observe` speaks and leaves, and `covey ask` comes by: nobody is left to prove the author."""

    async def main():
        room, home = f"ask-{secrets.token_hex(4)}", tmp_path / "home"
        async with covey.Peer("bob", room=room, home=home) as bob:
            async with covey.Peer("eve", room=room, home=home) as eve:
                assert await eve.wait_for_peers(1, SECONDS)
                said = await eve.observe(
                    focus="the parser drops the last frame of a burst", wait_seconds=SECONDS
                )
            async with covey.Peer("ann", room=room, home=home) as ann:
                assert await ann.wait_for_peers(1, SECONDS)
                found = (
                    await ann.ask_mesh("which frame does the parser drop?", within_seconds=SECONDS)
                ).as_dict()
                (claim,) = found["claims"]
                key = said.result.block.key
                assert claim["vouched"] == [{"key": key, "author": "eve"}] and key not in claim["cites"]
                assert "last frame" in found["answer"][0]["text"]
                block = await ann.block(found["synthesis"]["key"])
                assert key not in block.parents, "only what is proven is cited"
                assert await ann.block(key) is None, "and only that is kept"
                await _lie_of(bob, key, said.result.block.node_id)
                found = (await ann.ask_mesh("what does the parser drop?", within_seconds=SECONDS)).as_dict()
                assert [each["reason"] for each in found["dropped"]] == ["no-source"], (
                    "an altered text is none"
                )

    asyncio.run(main())


async def _lie_of(bob, key, author):
    """Let a peer contribute somebody's block with another text under the same address."""
    lies = bob._running()
    body = json.loads(lies.store.record_json(key))
    assert body["metadata"]["createdByNodeId"] == author
    body["categories"]["focus"]["text"] = "the parser drops frames on Mondays"

    def lie(question, decline):
        data = json.dumps({"question": question.key, "sources": [body]}).encode()
        payload = Payload("application/json", CONTRIBUTION_SCHEMA, data)
        wish = Proposal(
            {"focus": "the parser drops frames on Mondays"},
            (key,),
            question.node_id,
            5.0,
            payload,
            "application",
        )
        TASKS.append(asyncio.get_running_loop().create_task(lies.node.emit(wish)))

    (await lies.fleet.ask.soon())._answering.take = lie


def forged(kind, record):
    """Return a contribution's text, parents and sources, as a liar makes them of somebody's signed block."""
    body = json.loads(record)
    key = body["metadata"]["key"]
    if kind == "made-up":
        return "the parser drops frames on Mondays", ("cmb-" + "7" * 64,), []
    if kind == "tampered":
        body["categories"]["focus"]["text"] = "the parser drops frames on Mondays"
        return "the parser drops frames on Mondays", (key,), [body]
    return "the parser drops 4000 frames", (key,), [body]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("made-up", "no-source"), ("tampered", "echo"), ("beyond", "beyond-sources")],
)
def test_a_poisoned_contribution_and_forged_sources_never_reach_the_answer(tmp_path, kind, reason):
    async def main():
        async with room_of(tmp_path, "ann", "bob", "eve") as (ann, bob, eve):
            said = await bob.observe(focus="the parser drops the last frame of a burst", wait_seconds=SECONDS)
            lies = eve._running()
            record = lies.store.record_json(said.result.block.key)
            text, parents, sources = forged(kind, record)

            def lie(question, decline):
                data = json.dumps({"question": question.key, "sources": sources}).encode()
                payload = Payload("application/json", CONTRIBUTION_SCHEMA, data)
                wish = Proposal({"focus": text}, parents, question.node_id, 5.0, payload, "application")
                TASKS.append(asyncio.get_running_loop().create_task(lies.node.emit(wish)))

            (await lies.fleet.ask.soon())._answering.take = lie
            found = (await ann.ask_mesh("what does the parser drop?", within_seconds=SECONDS)).as_dict()
            assert [(each["author"], each["reason"]) for each in found["dropped"]] == [("eve", reason)]
            assert {each["author"] for each in found["claims"]} == {"bob"}
            assert "Monday" not in json.dumps(found["answer"]) and "4000" not in json.dumps(found["answer"])
            eve_key = found["dropped"][0]["key"]
            assert eve_key not in (await ann.block(found["synthesis"]["key"])).parents

    asyncio.run(main())


TASKS = []
"""What liars do, kept until it is done."""
