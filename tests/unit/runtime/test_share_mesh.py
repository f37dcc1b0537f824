"""A model through the mesh, on real nodes and sockets: who is let in, streams, cancels, an adapter."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from covey import limits
from covey.errors import ModelError, ModelErrorKind, NetworkError
from covey.inference.keys import Entry
from covey.model import ModelRequest
from covey.models.mesh import MeshLine, MeshModel
from covey.models.prices import FREE, Quote
from covey.runtime.node import Node
from covey.runtime.share.mesh import DoorPlugin
from tests.fake_backend import FakeBackend
from tests.unit.runtime.doorkit import SECONDS, Opened, entry, key, opened
from tests.unit.runtime.meshkit import identity, node
from tests.unit.runtime.test_share_door import until

PATH = "/chat/completions"
ANN = entry(1, "ann")


@dataclass
class Pair:
    """A leader and a caller that are connected, and the leader's door."""

    leader: Node
    caller: Node
    calls: DoorPlugin
    door: Opened
    logged: list[Any]

    async def ask(self, body: dict[str, Any], *, key: str = "", peer: str | None = None) -> tuple[int, bytes]:
        raw = json.dumps(body).encode()
        whom = self.leader.node_id if peer is None else peer
        answer = await self.calls.ask(whom, PATH, raw, key=key, seconds=SECONDS)
        async with answer:
            return answer.status, b"".join([data async for data in answer])


@asynccontextmanager
async def pair(backend: FakeBackend, *entries: Entry, **options: Any) -> AsyncIterator[Pair]:
    logged: list[Any] = []
    plugins = [DoorPlugin(lambda *line: logged.append(line)) for _ in range(2)]
    leader, caller = node(1, plugins=plugins[:1]), node(2, plugins=plugins[1:])
    plugins[0].attach(leader)
    plugins[1].attach(caller)
    async with opened({"b": backend.url}, *entries, **options) as door:
        try:
            await leader.start()
            await caller.start()
            plugins[0].serve((door.door, door.book, 4_194_304))
            for each, other in ((leader, caller), (caller, leader)):
                assert other.port is not None
                each.dial("127.0.0.1", other.port)
            assert await leader.wait_for_peers(1, SECONDS) and await caller.wait_for_peers(1, SECONDS)
            yield Pair(leader, caller, plugins[1], door, logged)
        finally:
            await caller.stop()
            await leader.stop()


def named(number: int) -> Entry:
    """Return an entry for a node of the kit, without a key."""
    who = identity(number)
    return Entry("0000cafe", "bob", "", 0, node_id=who.node_id, fingerprint=who.fingerprint)


async def test_m25_a_node_that_the_door_names_and_one_with_a_key_come_in_through_the_mesh_and_no_other() -> (
    None
):
    with FakeBackend() as backend:
        async with pair(backend, ANN) as at:
            status, body = await at.ask({"messages": []})
            assert (status, json.loads(body)["error"]["code"]) == (401, "key")
            assert (await at.ask({"messages": []}, key=key(9)))[0] == 401
            assert backend.asked == [], "nothing came through"
            status, body = await at.ask({"messages": []}, key=key(1))
            assert status == 200 and json.loads(body)["choices"]
            at.door.book.book = at.door.book.book.with_entry(named(2))
            assert (await at.ask({"messages": []}))[0] == 200
            wrong = replace(named(2), fingerprint="0" * 64, key_id="0000beef")
            at.door.book.book = at.door.book.book.without("0000cafe").with_entry(wrong)
            assert (await at.ask({"messages": []}))[0] == 401, "the same name under another key"
            rows = at.door.door.recent.since(0)["rows"]
            assert [(row["account"], row["way"]) for row in rows] == [("ann", "mesh"), ("bob", "mesh")]
            assert at.door.door.view()["bytes"] == 0


async def test_m25_a_stream_comes_as_it_is_made_under_credit_and_a_large_body_arrives_whole() -> None:
    words = tuple(f"{number} " for number in range(limits.DOOR_CREDIT * 4))
    with FakeBackend(words=words) as backend:
        async with pair(backend, named(2)) as at:
            text = "x" * (limits.DOOR_CHUNK_BYTES * (limits.DOOR_CREDIT + 3))
            body = {"stream": True, "first_word_free": True, "messages": [{"role": "user", "content": text}]}
            backend.hold()
            raw = json.dumps(body).encode()
            answer = await at.calls.ask(at.leader.node_id, PATH, raw, key="", seconds=SECONDS)
            async with answer:
                first = await anext(answer)
                assert b"0 " in first and b'"1 "' not in first
                backend.go()
                rest = b"".join([data async for data in answer])
            assert rest.endswith(b"data: [DONE]\n\n")
            said = [json.loads(line[6:]) for line in (first + rest).split(b"\n\n") if b"delta" in line]
            assert "".join(each["choices"][0]["delta"].get("content", "") for each in said) == "".join(words)
            assert backend.asked[0]["messages"][0]["content"] == text


async def test_m25_who_gives_a_call_up_ends_it_at_the_backend_and_so_does_a_lost_session() -> None:
    with FakeBackend() as backend:
        async with pair(backend, named(2)) as at:
            backend.hold()
            raw = json.dumps({"stream": True, "first_word_free": True}).encode()
            async with await at.calls.ask(at.leader.node_id, PATH, raw, key="", seconds=SECONDS) as answer:
                await anext(answer)
            assert await asyncio.to_thread(backend.hung_up.wait, SECONDS)
            await until(lambda: at.door.door.view()["under_way"] == 0)
            backend.hung_up.clear()
            answer = await at.calls.ask(at.leader.node_id, PATH, raw, key="", seconds=SECONDS)
            await anext(answer)
            await at.leader.stop()
            with pytest.raises(NetworkError):
                async for _ in answer:
                    pass
            assert await asyncio.to_thread(backend.hung_up.wait, SECONDS)
            await until(lambda: at.door.door.view()["under_way"] == at.door.door.view()["bytes"] == 0)


async def test_limits_of_the_door_hold_for_the_mesh_as_well() -> None:
    with FakeBackend() as backend:
        async with pair(backend, replace(named(2), per_minute=1)) as at:
            assert (await at.ask({"messages": []}))[0] == 200
            status, body = await at.ask({"messages": []})
            assert (status, json.loads(body)["error"]["code"]) == (429, "rate")
            at.door.door.drain(True)
            assert (await at.ask({"messages": []}))[0] == 429


async def test_a_peer_is_found_by_its_name_where_it_is_known_and_one_that_is_not_there_is_said() -> None:
    with FakeBackend() as backend:
        async with pair(backend, named(2)) as at:
            name = at.leader.identity.name
            assert (await at.ask({"messages": []}, peer=name))[0] == 200
            with pytest.raises(NetworkError, match="nobody"):
                await at.calls.ask("nobody", PATH, b"{}", key="", seconds=0.05)


def model(at: Pair, key: str = "") -> MeshModel:
    found = MeshModel(
        "default", Quote("m", FREE, known=True, source="t"), MeshLine("mesh/m", at.leader.node_id, key)
    )
    found.attach(at.calls)
    return found


REQUEST = ModelRequest(system="s", user="u", max_tokens=10, timeout_seconds=SECONDS)


async def test_m25_the_mesh_adapter_answers_by_a_peers_model_and_words_its_failures() -> None:
    with FakeBackend() as backend:
        async with pair(backend, named(2)) as at:
            reply = await model(at).call(REQUEST)
            assert reply.text == "one two three" and reply.usage is not None
            assert (reply.usage.input_tokens, reply.usage.output_tokens) == (7, 3)
            with pytest.raises(ModelError) as refused:
                await model(at, key(9)).call(REQUEST)
            assert refused.value.kind is ModelErrorKind.AUTH and "covey share add" in str(refused.value.hint)
            backend.hold()
            with pytest.raises(ModelError) as late:
                await model(at).call(replace(REQUEST, timeout_seconds=0.2))
            assert late.value.kind is ModelErrorKind.TIMEOUT
            backend.go()
            backend.broken = True
            with pytest.raises(ModelError) as broken:
                await model(at).call(REQUEST)
            assert broken.value.may_have_cost or broken.value.transient
            await at.leader.stop()
            with pytest.raises(ModelError) as gone:
                await model(at).call(replace(REQUEST, timeout_seconds=0.2))
            assert gone.value.kind is ModelErrorKind.CONNECTION
    alone = MeshModel("m", Quote("m", FREE, known=True, source="t"), MeshLine("mesh/m", "x", ""))
    with pytest.raises(ModelError, match="not on the mesh"):
        await alone.call(REQUEST)
