"""An agent's own state from Python: kept, shared by rule, moved to a node that agreed; counters and sets."""

import asyncio
import secrets

import pytest

import covey
from covey import limits
from covey.cli.sharing import node_facts
from covey.errors import CoveyError


async def until(peer, question):
    """Ask after each change of shared state until something is so; return it."""
    changed = asyncio.Event()
    end = peer.state.watch(lambda _: changed.set())
    async with asyncio.timeout(60):
        while not (found := await question()):
            await changed.wait()
            changed.clear()
    end()
    return found


async def translate(_):
    return "übersetzt"


@pytest.fixture
def pair(tmp_path):
    room = f"api-{secrets.token_hex(4)}"
    return tuple(covey.Peer(name, room=room, home=tmp_path / "home") for name in ("ann", "bob"))


def test_a26_an_agent_is_pushed_to_a_node_that_agreed_and_is_told_what_that_node_can(pair):
    async def main():
        ann, bob = pair
        async with ann, bob:
            await ann.wait_for_peers(1)
            await bob.wait_for_peers(1)
            await bob.packs.offer("languages", {"translate.de": translate})
            await ann.syndication.keep("session", "task", {"step": 1})
            with pytest.raises(CoveyError, match="no consent"):
                await ann.continuity.push("bob", ["session"])
            await bob.continuity.allow("ann")
            assert len(await bob.continuity.allowed()) == 1
            said = await ann.continuity.declare(["bob"], ["session"])
            assert (said["voters"], said["automatic"], said["unable"]) == (2, False, {})
            moved = await ann.continuity.push("bob", config='[identity]\nname = "ann"\n')
            assert moved["report"]["capabilities"] == "translate.de"
            assert (moved["holder"], moved["classes"]["session"]["entries"]) == ("bob", 1)
            (agent,) = (await bob.continuity.status())["agents"]
            assert (agent["here"], agent["why"]) == (True, "released")
            (entry,) = await bob.syndication.entries(f"as:{agent['agent']}:session")
            assert (entry["name"], entry["value"]) == ("task", {"step": 1})
            assert "ann" in (await bob.continuity.config("ann") or "")
            with pytest.raises(CoveyError, match="holds ann"):
                await ann.syndication.keep("session", "task", {"step": 2})
            await bob.continuity.hand_back("ann")
            await bob.continuity.deny("ann")
            assert await bob.continuity.allowed() == []

    asyncio.run(main())


def test_a19_what_an_agent_keeps_leaves_only_by_rule_and_is_written_down(pair):
    async def main():
        ann, bob = pair
        async with ann, bob:
            await ann.wait_for_peers(1)
            await ann.syndication.keep("ontology", "sky", {"value": "blue", "evidence": ["cmb-1"]})
            assert await ann.syndication.show() == []
            rule = await ann.syndication.allow("ontology", "bob", prefix="s")
            scope = f"agent:{ann.state.status()['author']}:{rule['to']}:ontology"

            async def there():
                held = {each["scope"] for each in bob.state.status()["scopes"]}
                return scope in held and await bob.state.find("sky", scope)

            async def gone():
                return not await there()

            await until(bob, there)
            (shown,) = await ann.syndication.show()
            assert shown["names"] == ["sky"]
            await ann.syndication.retract("ontology", "bob")
            await until(bob, gone)
            assert await ann.syndication.forget("ontology", "sky")
            assert await ann.syndication.entries() == []

            async def written():
                await ann.state.increment("looked")  # what left is written down within a second
                return await ann.syndication.audit()

            lines = await until(ann, written)
            assert {(line["class"], line["verified"]) for line in lines} == {("ontology", True)}

    asyncio.run(main())


def test_counters_and_sets_add_up_from_both_sides(pair):
    async def main():
        ann, bob = pair
        async with ann, bob:
            await ann.wait_for_peers(1)
            await ann.state.increment("done", 2)
            await bob.state.increment("done", 3)
            await ann.state.add("tags", "red")
            await ann.state.add("tags", "blue")
            await ann.state.remove("tags", "red")

            async def added():
                count, tags = await bob.state.find("done"), await bob.state.find("tags")
                return count and tags and (count["value"], tags["elements"]) == (5, ["blue"])

            await until(bob, added)
            assert await bob.state.find("nothing") is None

    asyncio.run(main())


def test_a_report_names_as_many_capabilities_as_a_line_holds_and_counts_the_rest(tmp_path):
    assert node_facts(tmp_path)["capabilities"] == ""
    assert node_facts(tmp_path, ["a", "b"])["capabilities"] == "a, b"
    line = node_facts(tmp_path, [f"capability.number-{number}" for number in range(64)])["capabilities"]
    assert len(line) <= limits.CONTINUITY_REPORT_CHARS and line.endswith(" more")
