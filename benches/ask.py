"""What a question to the mesh costs: `python -m benches.ask` (1,000 and 100,000 blocks; `--blocks 1000000`).

Each peer but the asker has a store of that many signed blocks, filled before it starts. Measured are, for one
peer, the look into its store (candidates, scores, choice), and for a room of real peers in one process on
loopback the whole question: put, looked into, contributed, signed, verified, admitted, checked, written back;
no model. The questions are a stated mix: rare words, words of a fifth of all blocks, words of none.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import covey
from benches.table import duration
from covey import _core
from covey.cognition.ask.selecting import select
from covey.model import CAT7, NEUTRAL
from covey.store import open_store
from covey.store.shelf import StoreShelf
from covey.system import identity as ids
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from covey.system.home import Home

PAGE = 500
COMMON = ("parser", "index", "release", "server", "budget")
"""Each stands in about a fifth of all blocks."""
STARTS_MS = 1_700_000_000_000


def said(pick: random.Random, number: int) -> dict[str, str]:
    """Return what one block says: a common word, rare ones, and its number."""
    rare = [
        f"{pick.choice('bdfgklmnprst')}{pick.choice('aeiou')}w{pick.randrange(20_000)}x" for _ in range(6)
    ]
    return {
        **dict.fromkeys(CAT7, NEUTRAL),
        "focus": f"the {pick.choice(COMMON)} of {rare[0]} {rare[1]} was measured",
        "issue": f"{rare[2]} waits for {rare[3]}",
        "commitment": f"block {number} stands for {rare[4]} {rare[5]}",
    }


def fill(home: Home, name: str, room: str, blocks: int) -> list[str]:
    """Give a peer an identity and that many blocks of its own; return some of its rare words."""
    home.prepare_peer(name)
    who = ids.load_or_create(home.identity_path(name), name, SystemClock(), SystemEntropy())
    signer = ids.native(who)
    store = open_store(home.store_path(name), who.node_id)
    pick = random.Random(f"{name} {blocks}")
    words: list[str] = []
    for begin in range(0, blocks, PAGE):
        page = []
        for number in range(begin, min(blocks, begin + PAGE)):
            texts = said(pick, number)
            if number % max(1, blocks // 50) == 0:
                words.append(texts["issue"].split()[0])
            made = {"node_id": who.node_id, "author": name, "created_ms": STARTS_MS + number, "room": room}
            page.append(_core.sign(_core.Draft(texts, **made), signer))
        store.memory.carry_in(page, STARTS_MS + begin)
    while store.index():
        pass
    store.close()
    return words


def mix(words: Sequence[str], count: int) -> list[str]:
    """Return questions: of each three one has rare words, one a common one, one nothing answers."""
    pick = random.Random(7)
    kinds = (
        lambda: f"what about {pick.choice(words)} and {pick.choice(words)}?",
        lambda: f"how was the {pick.choice(COMMON)} measured for {pick.choice(words)}?",
        lambda: f"who repairs espresso machine {pick.randrange(10**6)} upstairs?",
    )
    return [kinds[number % 3]() for number in range(count)]


def looks(home: Home, name: str, room: str, questions: Sequence[str]) -> list[float]:
    """Time the look into one store, for each question."""
    node_id = ids.load(home.identity_path(name)).node_id
    store = open_store(home.store_path(name), node_id)
    shelf, encoder, weights = StoreShelf(store, node_id), _core.Encoder(), dict.fromkeys(CAT7, 1.0)
    found = []
    for question in questions:
        began = time.perf_counter()
        select(question, shelf, room=room, node_id=node_id, weights=weights, encoder=encoder)
        found.append(time.perf_counter() - began)
    store.close()
    return found


async def asked(
    home: Home, names: Sequence[str], room: str, questions: Sequence[str], pause: float
) -> tuple[list[float], int]:
    """Time whole questions, and count the contributions that came; a peer looks into one a second."""
    found, came = [], 0
    async with AsyncExitStack() as stack:
        for name in names:
            await stack.enter_async_context(covey.Peer(name, room=room, home=home.path))
        asker = await stack.enter_async_context(covey.Peer("asker", room=room, home=home.path))
        if not await asker.wait_for_peers(len(names), 60):
            raise RuntimeError("the peers did not meet")
        for question in questions:
            began = time.perf_counter()
            answer = await asker.ask_mesh(question, within_seconds=60)
            found.append(time.perf_counter() - began)
            came += sum(not each.own for each in answer.gathered.admitted.claims)
            await asyncio.sleep(pause)
    return found, came


def at(values: Sequence[float], share: float) -> str:
    """Return a quantile, for people."""
    ordered = sorted(values)
    return duration(ordered[min(len(ordered) - 1, int(share * len(ordered)))])


def main(words: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benches.ask")
    parser.add_argument("--blocks", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--peers", type=int, default=3, help="that have stores, beside the asker")
    parser.add_argument("--looks", type=int, default=150)
    parser.add_argument("--questions", type=int, default=12, help="put to the whole room, about one a second")
    parser.add_argument("--pause", type=float, default=1.0, help="between them: the pace of one asker")
    given = parser.parse_args(words)
    print(f"{'blocks':>10} {'look p50':>10} {'p99':>10}   {'ask p50':>10} {'worst':>10}   contributions")
    for blocks in given.blocks:
        with tempfile.TemporaryDirectory() as folder:
            home = Home.resolve({"COVEY_HOME": str(Path(folder) / "home")})
            room = f"bench-{SystemEntropy().bytes(4).hex()}"
            names = [f"peer-{number}" for number in range(given.peers)]
            rare = [word for name in names for word in fill(home, name, room, blocks)]
            one = looks(home, names[0], room, mix(rare, given.looks))
            whole, came = asyncio.run(asked(home, names, room, mix(rare, given.questions), given.pause))
        times = f"{at(one, 0.5):>10} {at(one, 0.99):>10}   {at(whole, 0.5):>10} {max(whole):>8.3f} s"
        print(f"{blocks:>10,} {times}   {came} to {given.questions} questions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
