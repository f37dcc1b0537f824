"""Sends a second on the local bus, beside a plain queue and a bare call: `python -m benches.bus`."""

from __future__ import annotations

import argparse
import queue
import time
from collections.abc import Callable

from covey.runtime.bus.local import LocalBus
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy

SENDS = 20_000
ROUNDS = 5


def best(act: Callable[[int], None], sends: int, rounds: int) -> float:
    """Return the most sends a second of several rounds."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        act(sends)
        found.append(sends / (time.perf_counter() - began))
    return max(found)


def main() -> None:
    """Print one line for each way."""
    parser = argparse.ArgumentParser(prog="python -m benches.bus")
    parser.add_argument("--quick", action="store_true", help="few sends: does it run?")
    sends, rounds = (500, 1) if parser.parse_args().quick else (SENDS, ROUNDS)
    bus = LocalBus(clock=SystemClock(), entropy=SystemEntropy())
    bus.register("writer", lambda _: None)
    plain: queue.SimpleQueue[object] = queue.SimpleQueue()

    def queued(count: int) -> None:
        for number in range(count):
            plain.put({"n": number})
            plain.get()

    def made(count: int) -> None:
        for number in range(count):
            bus.make("ann", "writer", "REQUEST", {"n": number})

    def sent(count: int) -> None:
        for number in range(count):
            bus.send(bus.make("ann", "writer", "REQUEST", {"n": number}))

    base = best(queued, sends, rounds)
    for name, act in (("queue put and get", queued), ("make a message", made), ("make and send", sent)):
        rate = best(act, sends, rounds)
        print(f"{name:<20} {rate:>10,.0f} a second   {base / rate:>6.1f} x the queue's time")


if __name__ == "__main__":
    main()
