"""A peer's memory: the real `covey listen` with a thousand sealed sessions, each of which is served."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benches import footprint as bench
from tests.e2e.test_relay_idle import open_files

PEERS = 1_000
MOST_BYTES = 400_000_000


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_1000_connected_peers_are_held_in_less_than_400_mb_and_each_is_heard(tmp_path: Path) -> None:
    async def fill(listener: bench.Listener) -> None:
        gate = asyncio.Semaphore(bench.AT_ONCE)
        peers = [bench.Peer(number) for number in range(1, PEERS + 1)]
        await asyncio.gather(*(peer.meet(listener.port, gate) for peer in peers))
        for peer in peers:
            await peer.say([peer.block(f"I am {peer.who.name}")])
        await bench.judged(listener, PEERS)
        held = listener.resident()
        for peer in peers:
            peer.leave()
        assert 10_000_000 < held < MOST_BYTES, f"{held / 1e6:.0f} MB"

    with open_files(PEERS + 200):
        listener = bench.Listener(tmp_path)
        try:
            asyncio.run(fill(listener))
        finally:
            listener.end()
