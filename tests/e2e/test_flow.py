"""A hearer that stands still, as a real process: its speaker stays small, shows it, and loses nothing."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from covey import limits
from covey.model import Minted, Proposal, SendState
from covey.proto import news as nw
from tests.e2e.node_peer import make
from tests.e2e.test_delivery_killed import draining, line, play, program

SPEAKER, HEARER = 1, 2
BLOCKS = limits.CREDIT_RECORDS + 700
RESIDENT_BYTES = 48 << 20
"""What the speaker may grow by: its own blocks, their rows, and no copy of a stream that nobody reads."""


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_stopped_hearer_is_shown_as_slow_and_hears_everything_when_it_goes_on(tmp_path: Path) -> None:
    slow: asyncio.Queue[bool] = asyncio.Queue()
    delivered: set[str] = set()
    came = asyncio.Event()

    def listen(news: nw.News) -> None:
        if isinstance(news, nw.PeerSlow):
            slow.put_nowait(news.slow)
        elif isinstance(news, nw.SendSettled) and news.send.state is SendState.DELIVERED:
            delivered.add(news.key)
            came.set()

    async def work() -> None:
        hearer = await program("node_peer", tmp_path, HEARER, 0)
        port = int(await line(hearer))
        node, store = make(tmp_path, SPEAKER, 0, ("127.0.0.1", port))
        node.subscribe(listen)
        async with node, draining(hearer), asyncio.timeout(120):
            assert await node.wait_for_peers(1, 30)
            hearer.send_signal(signal.SIGSTOP)
            before = resident()
            said = [node.emit(Proposal({"focus": f"word {number}"})) for number in range(BLOCKS)]
            results = await asyncio.gather(*said)
            states = {result.sends[0].state for result in results if isinstance(result, Minted)}
            assert states <= {SendState.ACCEPTED, SendState.UNKNOWN}, "none is refused"
            assert await slow.get() is True
            assert [view.state for view in node.peers()] == ["slow"]
            (peer,) = node._engine._sessions.peers.values()
            assert peer.outlet.queue.waiting >= BLOCKS - limits.CREDIT_RECORDS, "what waits is not sealed"
            assert node.counters()["records.sent"] <= limits.CREDIT_RECORDS
            assert resident() - before < RESIDENT_BYTES
            hearer.send_signal(signal.SIGCONT)
            assert await slow.get() is False
            while len(delivered) < BLOCKS:
                came.clear()
                await came.wait()
            assert len(peer.outlet) == peer.outlet.queue.size_bytes == 0
            assert node.peers()[0].state == "open"
        store.close()

    play(work)
