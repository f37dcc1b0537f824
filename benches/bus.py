"""Sends a second on the local bus, beside a plain queue and a bare call: `python -m benches.bus`."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable

from covey.runtime.bus.local import LocalBus
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy

SENDS = 20_000
ROUNDS = 5


def best(act: Callable[[], None]) -> float:
    """Return the most sends a second of several rounds."""
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()
        found.append(SENDS / (time.perf_counter() - began))
    return max(found)


def main() -> None:
    """Print one line for each way."""
    bus = LocalBus(clock=SystemClock(), entropy=SystemEntropy())
    bus.register("writer", lambda _: None)
    plain: queue.SimpleQueue[object] = queue.SimpleQueue()

    def queued() -> None:
        for number in range(SENDS):
            plain.put({"n": number})
            plain.get()

    def made() -> None:
        for number in range(SENDS):
            bus.make("ann", "writer", "REQUEST", {"n": number})

    def sent() -> None:
        for number in range(SENDS):
            bus.send(bus.make("ann", "writer", "REQUEST", {"n": number}))

    base = best(queued)
    for name, act in (("queue put and get", queued), ("make a message", made), ("make and send", sent)):
        rate = best(act)
        print(f"{name:<20} {rate:>10,.0f} a second   {base / rate:>6.1f} x the queue's time")


if __name__ == "__main__":
    main()
