"""The Node reference beside covey: two stock peers of it, in two processes on loopback, by the same texts.

`python -m benches.rivals.stock [--quick] [--rounds N]`, and a part of `python -m benches.rivals`. It needs
`node` and an installed @sym-bot/sym 0.12, whose folder `COVEY_NODE_REFERENCE` names; else it is skipped,
visibly. Both sides seal, sign, check, judge with a gate that admits all, and keep what they admit; covey's
blocks are durable besides, the reference's are files in the page cache. In every round the reference goes
first and each form of covey after it, so that a busy machine is busy for all of them. The clock runs at
the hearer, from the first block admitted to the last.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benches import loopback, samples
from covey.bench.stats import LEAST_SAMPLES, Measure

DRIVER = Path(__file__).with_name("stock_node.js")
NAMED = "COVEY_NODE_REFERENCE"
NAME = "node-reference"
BLOCKS = 2_000
"""Of the reference in a round, some ten seconds; covey says ten times as many."""
QUICK_BLOCKS = 100
SETTLED_SECONDS = 4.0
"""Stock peers look for each other until three seconds after their start, and close all connections but one;
what was said on another is not said again."""
LOST = 50
"""One of so many blocks may be lost all the same."""
ROUNDS = LEAST_SAMPLES
"""Each has its own processes on both sides; fewer have no interval, and decide nothing. Some minutes."""
QUIET_SECONDS = 30.0
"""A stock peer that admits nothing for so long has no more to come."""
FORMS = {
    "standard": (loopback.Plan(0, standard=True, how="many"), 60.0),
    "compact": (loopback.Plan(0, how="many"), 75.0),
    "standard-baseline": (loopback.Plan(0, standard=True, how="many", path="baseline"), 60.0),
    "compact-baseline": (loopback.Plan(0, how="many", path="baseline"), 75.0),
}
"""What of covey is measured, and how many times the reference it should be."""


class StockError(Exception):
    """A stock peer did not do what is measured; the message says what it did."""


def missing() -> str | None:
    """Say what is not there, or None."""
    if shutil.which("node") is None:
        return "node is not on the path"
    if NAMED not in os.environ:
        return f"set {NAMED} to an installed @sym-bot/sym 0.12 (docs/interop.md says how)"
    if not (Path(os.environ[NAMED]) / "lib" / "node.js").is_file():
        return f"{NAMED}: no lib/node.js in {os.environ[NAMED]}"
    return None


class Stock:
    """One stock peer; `home` is of both, for they meet through a registry there."""

    def __init__(self, name: str, home: Path, blocks: int) -> None:
        folder = Path(os.environ[NAMED]).resolve()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "SYM_STATE_DIR": str(home / f"state-{name}"),
        }
        words = ["node", str(DRIVER), str(folder), name, str(blocks)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, env=environment, text=True)
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._events.put(json.loads(line))
        self._events.put(None)

    def wait(self, name: str) -> dict[str, Any]:
        """Return the next event of this name.

        Raises:
            StockError: It failed, ended, or says nothing.
        """
        last = ""
        while True:
            try:
                event = self._events.get(timeout=QUIET_SECONDS)
            except queue.Empty:
                raise StockError(f"a stock peer said nothing for {QUIET_SECONDS:.0f} s{last}") from None
            if event is not None and event["event"] == "so-far":
                last = f", after {event['admitted']:,} blocks"
            if event is None or event["event"] == "failed":
                raise StockError("a stock peer ended" if event is None else event["message"])
            if event["event"] == name:
                return event

    def say(self, blocks: Sequence[dict[str, str]]) -> None:
        """Let it say these blocks, as fast as it can."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(blocks) + "\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """Stop it, and let go of its pipes."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def rate(blocks: int) -> float:
    """Return the blocks a second that one stock peer admits from another."""
    goal = blocks - blocks // LOST
    with tempfile.TemporaryDirectory(prefix="covey-stock-") as name, ExitStack() as stack:
        peers = []
        for each in ("hearer", "speaker"):
            peers.append(Stock(each, Path(name), goal))
            stack.callback(peers[-1].end)
            peers[-1].wait("ready")
        for peer in peers:
            peer.wait("joined")
        time.sleep(SETTLED_SECONDS)
        peers[1].say([samples.categories(number) for number in range(blocks)])
        return (goal - 1) / float(peers[0].wait("admitted")["seconds"])


@dataclass(frozen=True)
class Sides:
    """Blocks a second of the reference and of covey's forms, round by round."""

    reference: list[float] = field(default_factory=list)
    covey: dict[str, list[float]] = field(default_factory=lambda: {form: [] for form in FORMS})

    def measures(self) -> Iterator[Measure]:
        """Give a measure of each side."""
        what = "two stock peers on loopback: sealed, signed, verified, judged, written to files"
        yield Measure(NAME, what, "blocks/s", True, tuple(self.reference))
        for form, rates in self.covey.items():
            what = "covey in the same rounds, said in batches: the same, and durable"
            yield Measure(form, what, "blocks/s", True, tuple(rates))

    def lines(self) -> list[str]:
        """Return a line for each side, and one for each ratio."""
        rows = []
        for each in self.measures():
            about = "" if each.interval is None else " ({:,.0f} to {:,.0f})".format(*each.interval)
            rows.append(f"{each.name:18} {each.median:>9,.0f} {each.unit}{about}  {each.what}")
        return [*rows, *self.ratios()]

    def times(self, form: str) -> Measure:
        """Return how many times the reference a form of covey is, round by round.

        A round is one sample: both ran in it within a minute, and a machine that is slow for one is for both.
        """
        pairs = zip(self.reference, self.covey[form], strict=True)
        rates = tuple(ours / theirs for theirs, ours in pairs)
        return Measure(form, "covey in times of the reference", "times", True, rates)

    def ratios(self) -> Iterator[str]:
        """Say how many times the reference each form of covey is; few rounds decide nothing."""
        for form, (_, target) in FORMS.items():
            times = self.times(form)
            span, reached = "", "unsure"
            if times.interval is not None:
                span = " ({:.0f} to {:.0f})".format(*times.interval)
                reached = "met" if times.median >= target else "not met"
            said = f"{times.median:.0f} times the Node reference{span}"
            yield f"{form}: {said}; {target:.0f} is the aim: {reached}"


def measured(*, quick: bool, rounds: int) -> Sides:
    """Measure both sides in turns."""
    sides = Sides()
    blocks = QUICK_BLOCKS if quick else BLOCKS
    for _ in range(rounds):
        sides.reference.append(rate(blocks))
        for form, (plan, _) in FORMS.items():
            got = loopback.measured(replace(plan, blocks=10 * blocks))
            sides.covey[form].append(got.blocks / got.seconds)
    return sides


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(description="the Node reference beside covey, in turns")
    parser.add_argument("--quick", action="store_true", help="one round of few blocks: does it run?")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"fewer than {ROUNDS} decide nothing")
    asked = parser.parse_args(arguments)
    if asked.rounds < 1:
        parser.error("--rounds: at least 1")
    why = missing()
    if why is not None:
        print(f"{NAME}: skipped, {why}")
        return 0
    try:
        sides = measured(quick=asked.quick, rounds=1 if asked.quick else asked.rounds)
    except (StockError, loopback.StuckError) as error:
        print(f"{NAME}: no figure: {error}", file=sys.stderr)
        return 1
    print("\n".join(sides.lines()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
