"""What a block costs as peers and anchors grow, and where a core or a relay is full.

`python -m benches.scale`.

Costs are CPU time, so that other work on the machine does not count. The model has six numbers:

    speaking one block to N peers              mint + N * send
    hearing one block with A anchors           take + A * compare
    one frame through a relay, to N others     read + N * pass

They are fitted to the smaller sizes and then have to predict the largest, which is measured too; the
table says by how much they miss. Up to two hundred peers are real ones, on sockets, with disks. Above that
they are the far ends of sealed sessions on a simulated transport (`benches.scale_world`).
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benches import scale_relay
from benches.scale_world import Hub
from covey.bench import local, mesh
from covey.bench.local import BATCH

PEERS = (1, 10, 50, 200)
SIMULATED = (10, 50, 200, 1_000)
CHANNELS = (2, 10, 50, 200)
CLIENTS = 200
"""At the relay, whatever the size of its channels."""
ANCHORS = (5, 64, 256, 1_000)
BLOCKS = 400
"""On sockets, whatever the number of peers: blocks of one turn share frames, so that fewer cost more each."""
LONG_BLOCKS = 2_000
"""For what needs a longer look: one hearer, whose first blocks are not counted, and the simulated transport,
where no blocks share a frame (with one peer; with more fewer)."""
TOO_FEW = "too few blocks to say"
ROUNDS = 40
"""Batches judged for one number of anchors; the median counts."""


@dataclass(frozen=True, slots=True)
class Line:
    """A cost that grows evenly: `fixed + each * size`, in seconds."""

    fixed: float
    each: float

    @property
    def tells(self) -> bool:
        """Tell whether it says anything of a larger size: nothing costs less the more there is of it."""
        return self.fixed >= 0.0 < self.each

    def at(self, size: int) -> float:
        """Return the cost of a size."""
        return self.fixed + self.each * size


def fitted(sizes: Sequence[int], costs: Sequence[float]) -> Line:
    """Fit a line by least squares of the relative error, so that the small sizes count as much as the large.

    Raises:
        ValueError: Fewer than two sizes.
    """
    if len(set(sizes)) < 2:
        raise ValueError("a line needs two sizes")
    weights = [1.0 / (cost * cost) for cost in costs]
    total = sum(weights)
    mean_size = sum(w * s for w, s in zip(weights, sizes, strict=True)) / total
    mean_cost = sum(w * c for w, c in zip(weights, costs, strict=True)) / total
    spread = sum(w * (s - mean_size) ** 2 for w, s in zip(weights, sizes, strict=True))
    rows = zip(weights, sizes, costs, strict=True)
    each = sum(w * (s - mean_size) * (c - mean_cost) for w, s, c in rows) / spread
    return Line(mean_cost - each * mean_size, each)


def spoken(peers: int, blocks: int) -> float:
    """Return the speaker's CPU seconds for one block."""
    return mesh.meet(blocks, hearers=peers).spoke.cpu_seconds / blocks


def heard(blocks: int) -> float:
    """Return a hearer's CPU seconds for one block."""
    return mesh.meet(blocks).heard.cpu_seconds / blocks


def judged(anchors: int, rounds: int) -> float:
    """Return CPU seconds of the native way in for one block, from JSON to the baseline's verdict."""
    work = local.Arrival(anchors, baseline=True)
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


def told(what: str, sizes: Sequence[int], costs: Sequence[float]) -> tuple[Line, list[str]]:
    """Fit all sizes but the last and say how the last one compares."""
    line = fitted(sizes[:-1], costs[:-1])
    if not line.tells:
        rows = [f"{what}: {TOO_FEW}"]
        return line, rows + [
            f"  {size:>5}: measured {cost * 1e6:9.1f} µs" for size, cost in zip(sizes, costs, strict=True)
        ]
    rows = [f"{what}: {line.fixed * 1e6:.1f} µs + {line.each * 1e6:.3f} µs for each"]
    for size, cost in zip(sizes, costs, strict=True):
        said = f"  {size:>5}: measured {cost * 1e6:9.1f} µs, the line says {line.at(size) * 1e6:9.1f} µs"
        rows.append(said + (f" ({line.at(size) / cost - 1:+.0%})" if size == sizes[-1] else ""))
    return line, rows


def full(send: Line, hear: float, passing: Line) -> list[str]:
    """Say where one core is full, and where one relay is, by the lines that say anything."""
    rows = [f"one core hears {1 / hear:,.0f} blocks a second in all, whoever speaks"]
    for peers in (10, 50, 200, 1_000):
        alone, relayed = TOO_FEW, f"one relay: {TOO_FEW}"
        if send.tells:
            most, mutual = 1 / send.at(peers), 1 / (send.at(peers) + peers * hear)
            alone = f"one alone may speak {most:,.0f} blocks a second; each of all {mutual:,.1f}"
        if passing.tells:
            relayed = f"one relay passes {1 / passing.at(peers - 1):,.0f} a second, of all together"
        rows.append(f"  {peers:>5} peers: {alone}; {relayed}")
    return rows


def main() -> int:
    """Measure, fit, and print the model."""
    parser = argparse.ArgumentParser(description="cost of a block against peers and anchors")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    arguments = parser.parse_args()
    peers = (1, 3, 6) if arguments.quick else PEERS
    far = (2, 4, 8) if arguments.quick else SIMULATED
    channels, clients = ((2, 4, 8), 8) if arguments.quick else (CHANNELS, CLIENTS)
    anchors = (5, 64, 128) if arguments.quick else ANCHORS
    blocks, long_blocks, rounds = (100, 600, 3) if arguments.quick else (BLOCKS, LONG_BLOCKS, ROUNDS)
    costs = [spoken(count, blocks) for count in peers]
    send, rows = told("speaking one block, by peers", peers, costs)
    print("\n".join(rows))
    hear = heard(long_blocks)
    print(f"hearing one block, durable: {hear * 1e6:.1f} µs")
    said, taken = simulated(far, long_blocks)
    print("\n".join(told("speaking one block, the engine alone, transport simulated", far, said)[1]))
    row = ", ".join(f"{cost * 1e6:.1f} with {size}" for size, cost in zip(far, taken, strict=True))
    print(f"hearing one block, the engine alone, in µs by its peers: {row}")
    _, rows = told("native way in, by anchors", anchors, [judged(count, rounds) for count in anchors])
    print("\n".join(rows))
    frames = [asyncio.run(scale_relay.frame_cost(size, clients)) for size in channels]
    passing, rows = told("a relay's frame, by others in its channel", [size - 1 for size in channels], frames)
    print("\n".join(rows))
    print("\n".join(full(send, hear, passing)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
