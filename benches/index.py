"""What the recall index costs by the size of its slices, and how many blocks would wait behind one.

`python -m benches.index [--blocks N] [--rounds N]`. Blocks are committed eight at a time; as soon as a slice
is full, it is indexed, and its pieces are merged: a few pages at a time, as the writer does where gaps are
left between commits, or `with the slice` that makes sixteen of them, as in bulk. Printed: processor time of a
block's part, and of blocks that come one each millisecond the share that would find the writer busy with the
index for longer than so many milliseconds. All of it is time of the processor on one thread, so that waiting
for others' work is not counted.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benches import samples
from benches.loopback import batches
from covey import _core
from covey.store.opening import open_store

SLICES = (32, 64, 128, 256, 512)
WAITS_MS = (1, 2, 4, 8)
TOGETHER = 8
NOW_MS = 1_700_000_000_000


def followed(folder: Path, own: Sequence[_core.OwnBatch], rows: int, *, gaps: bool) -> list[float]:
    """Commit all, indexing by slices of so many rows; return what each hold-up took, in milliseconds.

    With `gaps` pieces are merged a few pages at a time, each a hold-up of its own.
    """
    store = open_store(folder / "store.db", samples.IDENTITY.node_id)
    took, waiting = [], 0
    for batch in own:
        store.put_own_many([(batch[place], [], None) for place in range(len(batch))], NOW_MS)
        waiting += len(batch)
        while waiting >= rows:
            began = time.thread_time()
            store.index(rows)
            took.append((time.thread_time() - began) * 1e3)
            waiting -= rows
            more = gaps
            while more:
                began = time.thread_time()
                more = store.merge()
                took.append((time.thread_time() - began) * 1e3)
    store.close()
    return took


def main() -> int:
    """Measure the slices in turn, and print a line for each."""
    parser = argparse.ArgumentParser(description="the recall index by the size of its slices")
    parser.add_argument("--blocks", type=int, default=6_144)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.blocks < SLICES[-1]:
        parser.error(f"--blocks: at least {SLICES[-1]}, one slice of the largest")
    own = [
        _core.OwnBatch.sign(lines, samples.IDENTITY, room=samples.ROOM, created_ms=NOW_MS)
        for lines in batches(0, arguments.blocks, TOGETHER)
    ]
    for _ in range(arguments.rounds):
        for rows, gaps in itertools.product(SLICES, (False, True)):
            with tempfile.TemporaryDirectory() as name:
                took = followed(Path(name), own, rows, gaps=gaps)
            late = {most: sum(max(0.0, each - most) for each in took) for most in WAITS_MS}
            waits = "  ".join(f"{most} ms {late[most] / arguments.blocks:.2%}" for most in WAITS_MS)
            cost = sum(took) / (arguments.blocks // rows * rows) * 1e3
            how = "in the gaps    " if gaps else "with the slice "
            print(
                f"slices of {rows:3}, merged {how}: {cost:5.1f} µs a block,",
                f"longest {max(took):5.1f} ms; late by {waits}",
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
