"""Names over the mesh: the owner's policy decides, and what is refused says so."""

import inspect
from contextlib import asynccontextmanager

import pytest

from covey.fleet.names import BadNameError
from covey.fleet.profile import AgentProfile
from covey.runtime.bus.mesh import MeshBus
from covey.runtime.bus.requests import Requests
from covey.runtime.bus.values import NoSuchAgentError
from covey.runtime.names import Asker, NameRefusedError, Names, NameUnknownError, anybody, only
from covey.runtime.registry import Registry
from tests.unit.runtime.test_mesh_bus import SECONDS, mesh, until

KEPT = {"methods": {"n": 12, "how": "by hand"}, "a.b": "dots"}


def named(bus, nickname):
    profile = AgentProfile(nickname, "writes papers", "0" * 12, ("draft",))
    return Names(Requests(bus, nickname), profile)


async def kept(ref_id):
    return KEPT.get(ref_id)


@asynccontextmanager
async def writer_and_reader():
    async with mesh(2) as (nodes, (a, b)):
        writer, reader = named(a, "writer"), named(b, "reader")
        await until(lambda: "writer" in b.nicknames() and "reader" in a.nicknames())
        yield nodes, writer, reader


async def test_m14_a_reference_resolves_over_the_mesh_where_the_owners_policy_allows():
    async with writer_and_reader() as (nodes, writer, reader):
        asked = []
        writer.offer("paper", kept, lambda asker: asked.append(asker) or asker.node_id == nodes[1].node_id)
        assert await reader.resolve("writer.paper.methods", timeout_seconds=SECONDS) == KEPT["methods"]
        assert await reader.resolve("writer.paper.a.b", timeout_seconds=SECONDS) == "dots"
        assert asked[0] == Asker("reader", nodes[1].node_id)
        with pytest.raises(NameUnknownError, match=r"writer\.paper\.none"):
            await reader.resolve("writer.paper.none", timeout_seconds=SECONDS)
        assert writer.counts == {"given": 2, "unknown": 1}


async def test_m14_what_the_policy_does_not_give_is_a_typed_refusal_and_says_nothing_else():
    async with writer_and_reader() as (_, writer, reader):
        writer.offer("paper", kept)
        writer.offer("plain", KEPT.get, anybody)
        assert await reader.resolve("writer.plain.methods", timeout_seconds=SECONDS) == KEPT["methods"]
        writer.offer("notes", kept, only("somebody else"))
        for name in ("writer.paper.methods", "writer.notes.methods", "writer.notes.none", "writer.none.x"):
            with pytest.raises(NameRefusedError, match=r"\(refused\)"):
                await reader.resolve(name, timeout_seconds=SECONDS)
        withdraw = writer.offer("open", kept, anybody)
        assert await reader.resolve("writer.open.methods", timeout_seconds=SECONDS) == KEPT["methods"]
        withdraw()
        with pytest.raises(NameRefusedError):
            await reader.resolve("writer.open.methods", timeout_seconds=SECONDS)
        with pytest.raises(BadNameError):
            await reader.resolve("writer.paper")
        with pytest.raises(NoSuchAgentError):
            await reader.resolve("nobody.paper.x")


async def test_m14_a_value_that_does_not_fit_or_is_no_json_is_refused_by_name():
    async with writer_and_reader() as (_, writer, reader):

        async def odd(ref_id):
            return {1, 2} if ref_id == "set" else "x" * 200_000

        writer.offer("odd", odd, anybody)
        with pytest.raises(NameRefusedError, match="unreadable"):
            await reader.resolve("writer.odd.set", timeout_seconds=SECONDS)
        with pytest.raises(NameRefusedError, match="too-large"):
            await reader.resolve("writer.odd.long", timeout_seconds=SECONDS)


async def test_m12_an_agents_profile_is_asked_of_it():
    async with writer_and_reader() as (_, _writer, reader):
        profile = await reader.profile("writer", timeout_seconds=SECONDS)
        assert (profile.nickname, profile.role, profile.capabilities) == (
            "writer",
            "writes papers",
            ("draft",),
        )


def test_m18_nothing_that_agents_have_of_each_other_changes_anothers_state():
    """Every public call acts here, reads, or sends a message that its receiver reads."""
    changing = {
        MeshBus: {"register", "unregister", "subscribe", "clear", "attach", "start", "stop", "perform"},
        Registry: {"announce", "withdraw", "busy", "attach"},
        Names: {"offer"},
    }
    sending = {"send", "publish", "forward", "make", "arrive", "watch"}
    sending |= {"carry", "changed", "handled", "settled"}
    for room, here in changing.items():
        public = {name for name, _ in inspect.getmembers(room, callable) if not name.startswith("_")}
        rest = public - here - sending
        for name in rest:
            words = inspect.getdoc(getattr(room, name)).split()[0]
            assert words in ("Return", "Tell", "Wait", "Answer"), f"{room.__name__}.{name} reads"
