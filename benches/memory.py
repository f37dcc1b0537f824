"""How long memory takes to answer and to start with many blocks, and how much of the machine it holds then.

`python -m benches.memory [--blocks N …] [--rounds N]`. Stores of signed blocks are made first: fifty authors,
a vocabulary of 20,000 words of which the common ones are very common, three blocks in ten answering one of
the last thousand. Then a process of its own opens the store, loads a peer's admission from it on the usual
path, reads the rest of its window by the usual encoder, starts again, and asks the mix of `MIX` round by
round in a fixed order. At the end newcomers are judged against what it holds, and by a peer that holds
nothing; and `covey listen` is started on the store, once for what a first start does and then `STARTS` times.
Times are those of the native call, the making of its answer included; the file is in the system's cache. p99
is over all asks of the mix. Beside the time on the clock stands the processor's time, which does not grow
with what else the machine has to do.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from benches import startup
from benches.startup import resident_bytes
from covey import _core
from covey.store import open_store
from covey.system.home import Home
from covey.system.identity import PeerIdentity, save

SIZES: Final = (1_000, 100_000, 1_000_000)
AUTHORS, VOCABULARY, PAGE = 50, 20_000, 1_024
BATCHES, BATCH = 9, 256
NOW_MS: Final = 1_790_000_000_000
STEP_MS: Final = 1_000
LIMIT: Final = 20
STARTS: Final = 5
MIX: Final = (
    "a rare word",
    "a common word",
    "a common and a rare word",
    "two common words",
    "a word of one category",
    "a word of one author",
    "an author's newest",
    "an hour",
    "below a block",
    "above a block",
    "what was remixed",
    "the newest",
)
"""What is asked for, in this order, in every round."""
BOUND_MS, START_BOUND_S = 20.0, 1.0


def identity(number: int) -> _core.Identity:
    """Return one of the authors; the first is the store's own peer."""
    return _core.Identity(f"01900000-0000-7000-8000-{number:012x}", f"author-{number}", seed(number))


def seed(number: int) -> bytes:
    """Return what the keys of an author come from."""
    return number.to_bytes(2, "big") * 16


def word(dice: random.Random) -> str:
    """Draw a word; the lower its number, the more often it comes."""
    return f"w{min(int(dice.paretovariate(0.6)) - 1, VOCABULARY - 1)}"


def fill(path: Path, count: int) -> None:
    """Make a store of `count` blocks and index them all."""
    dice = random.Random(7)
    authors = [identity(number) for number in range(AUTHORS)]
    store = open_store(path, authors[0].node_id)
    for author in authors[1:]:
        store.bind(author.node_id, author.public_key, author.name, NOW_MS)
    keys: list[str] = []
    page: list[_core.Record] = []
    for number in range(count):
        author = dice.choice(authors)
        parents = (dice.choice(keys[-1_000:]),) if keys and dice.random() < 0.3 else ()
        page.append(block(dice, author, f"n{number}", parents))
        keys.append(page[-1].key)
        if len(page) == PAGE or number == count - 1:
            store.memory.carry_in(page, NOW_MS + number * STEP_MS)
            page.clear()
    while store.index():
        pass
    store.close()


def block(dice: random.Random, author: _core.Identity, last: str, parents: tuple[str, ...]) -> _core.Record:
    """Sign one block of the vocabulary."""
    draft = _core.Draft(
        {
            "focus": " ".join(word(dice) for _ in range(8)) + f" {last}",
            "issue": " ".join(word(dice) for _ in range(6)),
            "mood": word(dice),
        },
        node_id=author.node_id,
        author=author.name,
        created_ms=NOW_MS,
        room="bench",
        parents=parents,
    )
    return _core.sign(draft, author)


def judged(intake: _core.Intake) -> float:
    """Return the microseconds that a newcomer takes, its signature included: the median of batches."""
    authors, dice, took = [identity(number) for number in range(AUTHORS)], random.Random(13), []
    for author in authors:
        intake.bind(author.node_id, author.public_key)
    for number in range(BATCHES):
        made = [block(dice, dice.choice(authors), f"new{number}x{at}", ()) for at in range(BATCH)]
        batch, began = _core.RecordBatch(made), time.perf_counter()
        intake.evaluate(batch, session_node_id=authors[1].node_id, now_ms=NOW_MS + number)
        took.append((time.perf_counter() - began) / BATCH * 1e6)
    return at(took, 0.5)


def asks(store: _core.Store, dice: random.Random, count: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield one round of the mix: its name, and the call that is timed."""
    find = store.memory.find
    some = store.recent(1_000)[dice.randrange(min(1_000, count))].key
    who = identity(dice.randrange(AUTHORS)).node_id
    rare, common = f"n{dice.randrange(count)}", f"w{dice.randrange(3)}"
    other = f"w{dice.randrange(3, 40)}"
    hour = NOW_MS + dice.randrange(count) * STEP_MS
    calls: tuple[Callable[[], Any], ...] = (
        lambda: store.recall(rare, LIMIT),
        lambda: store.recall(common, LIMIT),
        lambda: store.recall(f"{common} {rare}", LIMIT),
        lambda: store.recall(f"{common} {other}", LIMIT),
        lambda: find(common, LIMIT, category="mood"),
        lambda: find(other, LIMIT, author=who),
        lambda: find("", LIMIT, author=who),
        lambda: find("", LIMIT, from_ms=hour, to_ms=hour + 3_600_000),
        lambda: find("", LIMIT, below=some),
        lambda: find("", LIMIT, above=some),
        lambda: find("", LIMIT, lifecycle="remixed"),
        lambda: find("", LIMIT, own=False),
    )
    yield from zip(MIX, calls, strict=True)


def started(path: Path) -> tuple[_core.Store, _core.Intake, float, int]:
    """Open a store and fill an intake of the usual path from it; return both, the seconds and the anchors."""
    own = identity(0)
    began = time.perf_counter()
    store = open_store(path, own.node_id)
    intake = _core.Intake(own.node_id, "bench", [1.0] * 7, encoder=_core.Encoder())
    anchors = store.load_into(intake)
    return store, intake, time.perf_counter() - began, anchors


def measure(path: Path, count: int, rounds: int) -> dict[str, Any]:
    """Open a store, ask it, and say how long each took, in milliseconds, and what the process holds."""
    store, intake, first_start_s, _ = started(path)
    began = time.perf_counter()
    while store.memory.encode(intake)[0]:
        pass
    encoding_s = time.perf_counter() - began
    store.close()
    store, intake, start_s, anchors = started(path)
    resident_start = resident_bytes(os.getpid())
    dice = random.Random(11)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in MIX}
    for _ in range(rounds):
        for name, call in asks(store, dice, count):
            began, worked = time.perf_counter(), time.thread_time()
            call()
            took = (time.perf_counter() - began) * 1_000, (time.thread_time() - worked) * 1_000
            times[name].append(took)
    figures = store.stats()
    found = {
        "blocks": figures["records"],
        "first_start_s": first_start_s,
        "encoding_s": encoding_s,
        "start_s": start_s,
        "anchors": anchors,
        "resident_start": resident_start,
        "resident_end": resident_bytes(os.getpid()),
        "judged_us": judged(intake),
        "judged_empty_us": judged(
            _core.Intake(identity(0).node_id, "bench", [1.0] * 7, encoder=_core.Encoder())
        ),
        "file_bytes": figures["file_bytes"],
        "times": times,
    }
    store.close()
    return found


def ready_seconds(home: Home, name: str) -> list[float]:
    """Start `covey listen` on a peer's store and end it, some times; return the seconds to its first line."""
    environment = {**os.environ, "COVEY_HOME": str(home.path)}
    return [startup.started(["listen", name], environment).seconds for _ in range(1 + STARTS)][1:]


def housed(folder: Path) -> Home:
    """Make a home whose one peer is the first of the authors, so that the store can be its own."""
    home, own = Home.resolve({**os.environ, "COVEY_HOME": str(folder / "home")}), identity(0)
    kept = PeerIdentity(own.node_id, own.name, NOW_MS, bytes(own.public_key), seed(0))
    home.prepare_peer(own.name)
    save(home.identity_path(own.name), kept)
    return home


def asked(count: int, rounds: int) -> tuple[float, dict[str, Any]]:
    """Make a store and let a process of its own ask it; return the seconds that making took, and figures."""
    with tempfile.TemporaryDirectory() as folder:
        home, name = housed(Path(folder)), identity(0).name
        path = home.store_path(name)
        began = time.perf_counter()
        fill(path, count)
        made = time.perf_counter() - began
        words = ["--store", str(path), "--blocks", str(count), "--rounds", str(rounds)]
        command = [sys.executable, "-m", "benches.memory", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return made, {**found, "ready_s": ready_seconds(home, name)}


def at(times: Iterable[float], share: float) -> float:
    """Return the time that this share of them does not pass."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield what was measured, as a person reads it."""
    every = [each for times in found["times"].values() for each in times]
    yield (
        f"{found['blocks']:,} blocks: {found['file_bytes'] / 1e6:,.0f} MB on disk; "
        f"start {found['start_s']:.3f} s (bound {START_BOUND_S:g}) with {found['anchors']:,} anchors; "
        f"resident {found['resident_start'] / 1e6:.0f} MB then, {found['resident_end'] / 1e6:.0f} MB after"
    )
    ready = sorted(found["ready_s"])
    yield (
        f"  covey listen on it: ready {statistics.median(ready):.3f} s after its start, "
        f"{ready[-1]:.3f} the longest of {len(ready)} (bound {START_BOUND_S:g})"
    )
    yield (
        f"  after a change of the encoder: start {found['first_start_s']:.3f} s, "
        f"all read {found['encoding_s']:.3f} s later"
    )
    yield (
        f"  a newcomer, checked and judged: {found['judged_us']:.1f} us with this memory, "
        f"{found['judged_empty_us']:.1f} with none at first"
    )
    yield line("all of the mix", every) + f" (bound {BOUND_MS:g})"
    yield from (line(name, times) for name, times in found["times"].items())


def line(name: str, times: list[tuple[float, float]]) -> str:
    """Return the times of one kind of ask, on the clock and of the processor."""
    clock, worked = [each for each, _ in times], [each for _, each in times]
    return (
        f"  {name:<28} p50 {at(clock, 0.5):8.3f} ms   p99 {at(clock, 0.99):8.3f} ms"
        f"   processor p50 {at(worked, 0.5):8.3f} ms   p99 {at(worked, 0.99):8.3f} ms"
    )


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.store is not None:
        print(json.dumps(measure(arguments.store, arguments.blocks[0], arguments.rounds)))
        return
    for count in arguments.blocks:
        made, found = asked(count, arguments.rounds)
        print(f"made in {made:.0f} s; {arguments.rounds} rounds of {len(MIX)} asks")
        print("\n".join(lines(found)), flush=True)


if __name__ == "__main__":
    main()
