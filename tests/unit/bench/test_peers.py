"""What two peers say that they took: each until the last block was admitted, and no longer."""

import asyncio
import multiprocessing
import threading
import time

import pytest

from covey import limits
from covey.bench import mesh, pace, peers, suite

DRAIN_SECONDS = 3.0


FORKS = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="what is changed here reaches forks only"
)


@pytest.fixture
def forked(monkeypatch):
    """Let measured peers have what a test changed."""
    fork = multiprocessing.get_context("fork")
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: fork)


@FORKS
@pytest.mark.usefixtures("forked")
def test_the_speaker_is_asked_what_it_took_when_the_last_block_was_admitted(monkeypatch):
    async def slowly(_):
        await asyncio.to_thread(threading.Event().wait, DRAIN_SECONDS)
        return 40, DRAIN_SECONDS

    monkeypatch.setattr(peers, "drained", slowly)
    monkeypatch.setattr(time, "process_time", time.perf_counter)  # a clock that goes on while nothing is done
    met = mesh.meet(40)
    assert (met.heard.index_lag, met.heard.drain_seconds) == (40, DRAIN_SECONDS)
    assert 0.0 < met.spoke.cpu_seconds < DRAIN_SECONDS
    assert 0.0 < met.heard.seconds <= met.heard.cpu_seconds < DRAIN_SECONDS, "of the first blocks, too"
    assert met.spoke.index_lag >= 0


@FORKS
@pytest.mark.usefixtures("forked")
def test_what_is_measured_through_a_relay_is_not_its_pace(monkeypatch):
    """Where no frame goes beyond the burst a meeting through a relay comes to its end all the same."""
    monkeypatch.setattr(limits, "RELAY_PACE_PER_SECOND", 1e-6)
    monkeypatch.setattr(peers, "ANSWER_SECONDS", 60.0)
    burst = mesh.relayed(mesh.RELAYED, 1)
    assert burst.median > 0.0 and burst.facts == {"blocks": mesh.RELAYED}
    aged = mesh.latency("relayed-latency", mesh.RELAYED_RATE, mesh.RELAYED / mesh.RELAYED_RATE, relayed=True)
    assert aged.facts["blocks"] == mesh.RELAYED
    assert 0.0 < aged.facts["verdict p50"] <= aged.facts["delivered p50"] == pytest.approx(aged.median)
    assert not any("read" in name or "written" in name for name in aged.facts), (
        "a relay's sockets are not seen"
    )


def test_a_run_stays_within_what_a_relay_takes_at_once(monkeypatch):
    asked = []

    def meet(count, **how):
        asked.append((count, how["relayed"]))
        raise peers.StuckError("nobody meets here")

    monkeypatch.setattr(mesh, "meet", meet)
    monkeypatch.setattr(pace, "probe", dict.fromkeys)
    for piece in suite.chosen(["relayed", "relayed-latency"]):
        for run in (piece.quick, piece.full):
            with pytest.raises(peers.StuckError, match="nobody meets"):
                run()
    assert len(asked) == 4
    assert all(relayed and count < limits.RELAY_PACE_BURST for count, relayed in asked)


def test_fan_out_is_to_as_many_as_are_wanted(monkeypatch):
    asked = []
    monkeypatch.setattr(mesh, "fanout", lambda *sizes: asked.append(sizes))
    for hearers in (None, 1, 3, 64):
        (piece,) = suite.chosen(["fan-out"], hearers)
        piece.quick(), piece.full()
    assert asked[:2] == [(200, 4, 1), (4_000, 8, 6)]
    assert asked[2:] == [(200, 1, 1), (4_000, 1, 6), (200, 3, 1), (4_000, 3, 6), (12, 64, 1), (500, 64, 6)]
