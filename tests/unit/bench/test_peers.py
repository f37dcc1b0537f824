"""What two peers say that they took: each until the last block was admitted, and no longer."""

import asyncio
import multiprocessing
import threading
import time

import pytest

from covey.bench import mesh, peers

DRAIN_SECONDS = 3.0


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="what is changed here reaches forks only"
)
def test_the_speaker_is_asked_what_it_took_when_the_last_block_was_admitted(monkeypatch):
    async def slowly(_):
        await asyncio.to_thread(threading.Event().wait, DRAIN_SECONDS)
        return 40, DRAIN_SECONDS

    fork = multiprocessing.get_context("fork")
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: fork)
    monkeypatch.setattr(peers, "drained", slowly)
    monkeypatch.setattr(time, "process_time", time.perf_counter)  # a clock that goes on while nothing is done
    met = mesh.meet(40)
    assert (met.heard.index_lag, met.heard.drain_seconds) == (40, DRAIN_SECONDS)
    assert 0.0 < met.spoke.cpu_seconds < DRAIN_SECONDS
    assert 0.0 < met.heard.seconds <= met.heard.cpu_seconds < DRAIN_SECONDS, "of the first blocks, too"
    assert met.spoke.index_lag >= 0
