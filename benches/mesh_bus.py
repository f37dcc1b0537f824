"""Round trips over the mesh bus, beside one process: `python -m benches.mesh_bus`.

Two peers of this process, each with its own store and identity, over TCP on loopback: handshake, sealing and
disk are those of any peer. A frame goes there and its answer comes back; a signed record is minted, stored
durably on both sides, delivered and its end told.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import covey
from covey.fleet.message import Message
from covey.model import SendState
from covey.runtime.bus.local import LocalBus
from covey.runtime.bus.requests import Requests
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy

ROUNDS = 500
SIGNED = 100


async def echo(message: Message) -> Mapping[str, Any]:
    """Answer with what was asked."""
    return dict(message.payload)


async def timed(rounds: int, act: Callable[[int], Awaitable[object]]) -> tuple[float, float]:
    """Return the median and the 99th percentile of one round, in milliseconds."""
    found = []
    for number in range(rounds):
        began = time.perf_counter()
        await act(number)
        found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found), statistics.quantiles(found, n=100)[-1]


def row(name: str, figures: tuple[float, float]) -> None:
    """Print one line."""
    sys.stdout.write(f"{name:<44} {figures[0]:>8.3f} ms median  {figures[1]:>8.3f} ms p99\n")


async def signed(ann: covey.Peer, number: int) -> None:
    """Send one signed message, and wait for the word that its handler ran."""
    message = ann.bus.make("ann", "bob", "X_WORK", {"n": number})
    ended = asyncio.Event()
    end = ann.bus.watch(
        lambda fate: (
            ended.set() if fate.message_id == message.id and fate.state is SendState.EXECUTED else None
        )
    )
    ann.bus.send(message, proof=True)
    await asyncio.wait_for(ended.wait(), 30)
    end()


async def main(rounds: int, signed_rounds: int) -> None:
    """Print one line for each way."""
    local = LocalBus(clock=SystemClock(), entropy=SystemEntropy())
    here = Requests(local, "ann")
    Requests(local, "bob").serve(echo)
    row("request and reply, one process", await timed(rounds, lambda n: here.ask("bob", {"n": n})))
    room = f"bench-{os.urandom(4).hex()}"
    with tempfile.TemporaryDirectory() as home:
        async with (
            covey.Peer("ann", room=room, home=home) as ann,
            covey.Peer("bob", room=room, home=home) as bob,
        ):
            Requests(bob.bus, "bob").serve(echo)
            asker = Requests(ann.bus, "ann")
            if not await ann.bus.wait_for("bob", 30):
                raise SystemExit("the two peers did not meet")
            row("request and reply, over the mesh", await timed(rounds, lambda n: asker.ask("bob", {"n": n})))
            row(
                "signed message until executed, over the mesh",
                await timed(signed_rounds, lambda n: signed(ann, n)),
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benches.mesh_bus")
    parser.add_argument("--quick", action="store_true", help="few rounds: does it run?")
    asyncio.run(main(20, 5) if parser.parse_args().quick else main(ROUNDS, SIGNED))
