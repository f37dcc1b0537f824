"""Tool packs: within bounds whoever says them; what an agent has stands in its scope and nowhere else."""

import asyncio
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

import covey
from covey import limits
from covey.errors import CoveyError, UsageError
from covey.fleet.packs import Pack, read
from covey.runtime.bus.values import RequestFailedError


def test_a_pack_comes_back_as_it_was_said():
    pack = Pack("maths", ("add", "multiply"), "sums")
    assert read("maths", pack.to_json()) == pack


@pytest.mark.parametrize(
    ("name", "capabilities", "about"),
    [
        ("Maths", ("add",), ""),
        ("x" * 25, ("add",), ""),
        ("maths", (), ""),
        ("maths", ("add", "add"), ""),
        ("maths", ("no space",), ""),
        ("maths", tuple(f"c{n}" for n in range(limits.PACK_CAPABILITIES + 1)), ""),
        ("maths", ("add",), "two\nlines"),
        ("maths", ("add",), "x" * (limits.PACK_ABOUT_CHARS + 1)),
    ],
)
def test_what_is_no_pack_is_refused(name, capabilities, about):
    with pytest.raises(UsageError):
        Pack(name, capabilities, about)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_pack_or_none(data):
    assert isinstance(read("maths", data), Pack | None)
    assert (
        read("maths", b'{"capabilities":"' + data.hex().encode() + b'","about":1}') is None or len(data) < 33
    )


async def three(stack, tmp_path):
    room = f"packs-{secrets.token_hex(4)}"
    peers = [covey.Peer(name, room=room, home=tmp_path / "home") for name in ("ann", "bob", "cid")]
    for peer in peers:
        await stack.enter_async_context(peer)
    assert await peers[0].wait_for_peers(2)
    return peers


def test_a03_a_task_runs_once_at_the_one_who_can_and_its_result_says_who_that_was(tmp_path):
    async def main():
        from contextlib import AsyncExitStack

        async with AsyncExitStack() as stack:
            ann, bob, cid = await three(stack, tmp_path)
            ran = []

            async def add(numbers):
                ran.append(numbers)
                return sum(numbers)

            async def fail(_):
                raise ValueError("not today")

            await bob.packs.offer("words", {"shout": fail})
            await cid.packs.offer("maths", {"add": add, "fail": fail}, about="sums")
            done = await ann.packs.use("add", [1, 2, 3])
            assert (done.value, done.capability, done.pack) == (6, "add", "maths")
            assert (done.node_id, done.name) == (cid.node_id, "cid"), "who did it, as its session proved"
            assert ran == [[1, 2, 3]], "once, and at nobody else"
            many = await asyncio.gather(*(ann.packs.use("add", [n, n]) for n in range(20)))
            assert [each.value for each in many] == [2 * n for n in range(20)]
            assert len({each.request_id for each in many}) == len(ran) - 1 == 20
            assert (await bob.packs.use("add", [1])).value == 1
            (found,) = bob.packs.find("add")
            assert (found["name"], found["here"], found["about"]) == ("cid", True, "sums")
            while not ann.capabilities.find("add"):
                await ann.packs.use("add", [1])  # membership has its own pace
            assert [each.node_id for each in ann.capabilities.find("add")] == [cid.node_id]
            with pytest.raises(RequestFailedError, match="not today"):
                await ann.packs.use("fail")
            with pytest.raises(CoveyError, match="nobody here can do dance"):
                await ann.packs.use("dance", timeout_seconds=0.3)
            with pytest.raises(CoveyError, match="nobody at bob can do add"):
                await ann.packs.use("add", [1], at="bob", timeout_seconds=0.3)
            with pytest.raises(UsageError, match="coroutine function"):
                await ann.packs.offer("plain", {"x": print})

    asyncio.run(main())
