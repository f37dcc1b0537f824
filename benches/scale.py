"""What a block costs as peers and held blocks grow, and where a core or a relay is full.

`python -m benches.scale`.

Costs are CPU time, so that other work on the machine does not count. The model has six numbers:

    speaking one block to N peers                       mint + N * send
    hearing one block, judged by the baseline among A   take + A * compare
    one broadcast through a relay, to N others          read + N * pass

They are fitted to the smaller sizes and then have to predict the largest, which is measured too; the
table says by how much they miss. Up to two hundred peers are real ones, on sockets, with disks. Above that
they are the far ends of sealed sessions on a simulated transport (`benches.scale_world`).

Two costs are no lines: covey's own admission compares only the closest candidates with a block, so that it
grows slower than what is held; and a frame with one addressee, the only kind that covey's peers send to a
relay, costs the same in every channel.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benches import scale_relay
from benches.scale_model import Line, full, listed, told
from benches.scale_world import Hub
from covey.bench import local, mesh
from covey.bench.local import BATCH

MOST_HELD = 4_096
"""Blocks that covey's own admission chooses from by default (`MEMORY_WINDOW` in rust/core/src/limits.rs)."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is measured: numbers of peers and of blocks.

    `blocks` are said on sockets, whatever the number of peers: blocks of one turn share frames, so that
    fewer cost more each. `far_blocks` are said on the simulated transport, where none share a frame, to one
    peer; to more fewer. `heard` are heard by one whose memory is empty at first: enough that most meet a full
    one. `clients` are at the relay, whatever the size of its channels. `rounds` are batches judged for one
    number of held blocks; the median counts.
    """

    peers: tuple[int, ...] = (1, 10, 50, 200)
    far: tuple[int, ...] = (10, 50, 200, 1_000)
    channels: tuple[int, ...] = (2, 10, 50, 200)
    clients: int = 200
    anchors: tuple[int, ...] = (5, 64, 256, 1_000)
    held: tuple[int, ...] = (5, 64, 1_000, MOST_HELD)
    blocks: int = 400
    far_blocks: int = 2_000
    heard: int = 20_000
    rounds: int = 40


FULL = Sizes()
QUICK = Sizes(
    (1, 3, 6), (2, 4, 8), (2, 4, 8), 8, (5, 64, 128), blocks=100, far_blocks=600, heard=600, rounds=3
)


def spoken(peers: int, blocks: int) -> float:
    """Return the speaker's CPU seconds for one block."""
    return mesh.meet(blocks, hearers=peers).spoke.cpu_seconds / blocks


def heard(blocks: int) -> float:
    """Return a hearer's CPU seconds for one block."""
    return mesh.meet(blocks).heard.cpu_seconds / blocks


def judged(held: int, rounds: int, *, baseline: bool) -> float:
    """Return CPU seconds of the native way in for one block, from JSON to the verdict."""
    work = local.Arrival(held, baseline=baseline)
    costs = []
    for _ in range(rounds):
        began = time.process_time()
        outcomes = work.judge()
        costs.append((time.process_time() - began) / BATCH)
        work.forget(outcomes)
    return sorted(costs)[len(costs) // 2]


def simulated(sizes: Sequence[int], blocks: int) -> tuple[list[float], list[float]]:
    """Return CPU seconds of an engine for one block, spoken and heard, by how many peers it has."""
    hub = Hub()
    said, heard = [], []
    for size in sizes:
        hub.meet(size)
        said.append(hub.speaking(max(20, blocks // size)))
        heard.append(hub.hearing(max(size, blocks // 4)))
    return said, heard


def show(rows: Sequence[str]) -> None:
    """Print lines as soon as they are known."""
    print("\n".join(rows), flush=True)


def judging(sizes: Sizes) -> None:
    """Measure the way in by both admissions."""
    costs = [judged(count, sizes.rounds, baseline=True) for count in sizes.anchors]
    show(told("native way in, judged by the baseline, by held blocks", sizes.anchors, costs)[1])
    costs = [judged(count, sizes.rounds, baseline=False) for count in sizes.held]
    show(listed("native way in, judged by covey's own admission, by held blocks, no line", sizes.held, costs))


def relaying(sizes: Sizes) -> tuple[Line, float]:
    """Measure a relay's frames: return the line of a broadcast, and the seconds of one with an addressee."""
    costs = [asyncio.run(scale_relay.broadcast_cost(size, sizes.clients)) for size in sizes.channels]
    others = [size - 1 for size in sizes.channels]
    passing, rows = told("a relay's frame to all, a broadcast, by others in its channel", others, costs)
    show(rows)
    addressed = asyncio.run(scale_relay.addressed_cost(sizes.clients))
    show([f"a relay's frame to one, in a channel of {sizes.clients}: {addressed * 1e6:.1f} µs"])
    return passing, addressed


def main() -> int:
    """Measure, fit, and print the model."""
    parser = argparse.ArgumentParser(description="cost of a block against peers and held blocks")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    sizes = QUICK if parser.parse_args().quick else FULL
    send, rows = told(
        "speaking one block, by peers", sizes.peers, [spoken(count, sizes.blocks) for count in sizes.peers]
    )
    show(rows)
    hear, among = heard(sizes.heard), max(0, sizes.heard - MOST_HELD)
    among_full = f"{among:,} of {sizes.heard:,} beside a full memory of {MOST_HELD:,}"
    show([f"hearing one block, durable, {among_full}: {hear * 1e6:.1f} µs"])
    said, taken = simulated(sizes.far, sizes.far_blocks)
    show(told("speaking one block, the engine alone, transport simulated", sizes.far, said)[1])
    row = ", ".join(f"{cost * 1e6:.1f} with {size}" for size, cost in zip(sizes.far, taken, strict=True))
    show([f"hearing one block, the engine alone, in µs by its peers: {row}"])
    judging(sizes)
    show(full(send, hear, *relaying(sizes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
