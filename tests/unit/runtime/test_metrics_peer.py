"""A peer's metrics: what status says, worded for Prometheus, and the timings of its agent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from covey.errors import IpcError
from covey.runtime.metrics.meter import Meter
from covey.runtime.metrics.page import Page, Words
from covey.runtime.metrics.peer import PeerMetrics
from covey.system.process import usage

NODE = {
    "room": "parser",
    "profile": "core-secure",
    "lan": False,
    "uptime_seconds": 2.5,
    "peers": 2,
    "slow_peers": 1,
    "anchors": 3,
    "store": "ok",
    "relays": [{"state": "joined"}, {"state": "waiting"}],
    "counters": {"records.admitted": 4, "bytes.in": 9},
}
TOTALS = {
    "wakes": 1,
    "calls": 2,
    "failed_calls": 1,
    "input_tokens": 30,
    "output_tokens": 5,
    "cost_usd": 0.25,
    "assumed_usd": 0.0,
    "heard": 3,
    "emitted": 1,
    "suppressed": 0,
    "held": 0,
}
AGENT = {
    "role": "writer",
    "model": "scripted/rules",
    "in_flight": 0,
    "waiting": 1,
    "quarantine": {"waiting": 0},
    "run": TOTALS,
    "cost": {"run_usd": 0.25, "hour_usd": 0.25, "day_usd": 0.25, "reserved_usd": 0.0},
    "cost_caps": {"run": 5.0, "hour": 1.0, "day": None},
    "wakes": {"minute": 1, "hour": 1, "day": 1},
    "wake_caps": {"minute": 10, "hour": 100, "day": 1000},
    "breaker": {"state": "open"},
    "decisions": {"wake-skipped": {"stranger": 2}},
}


class Clock:
    now = 10.0

    def now_ms(self) -> int:
        return 0

    def monotonic(self) -> float:
        return self.now

    def era(self) -> str:
        return "one"


def metrics(agent: dict[str, Any] | None, meter: Meter | None = None) -> PeerMetrics:
    async def status() -> dict[str, Any]:
        return {"peer": "ann", "version": "0.1.0", "node": NODE, "agent": agent, "subscribers": 1}

    return PeerMetrics(status, lambda: ["alive", "alive", "dead"], usage, meter or Meter(Clock()))


def test_a_peers_page_says_what_its_status_says() -> None:
    text = asyncio.run(metrics(AGENT).text())
    for line in (
        'covey_build_info{version="0.1.0"} 1',
        'covey_peer_info{peer="ann",room="parser",profile="core-secure",reach="machine"} 1',
        "covey_peer_connected_peers 2",
        "covey_peer_slow_peers 1",
        "covey_peer_store_healthy 1",
        'covey_peer_relays{state="joined"} 1',
        'covey_peer_members{state="alive"} 2',
        'covey_peer_members{state="suspect"} 0',
        'covey_peer_records_total{kind="admitted"} 4',
        'covey_peer_bytes_total{kind="in"} 9',
        'covey_agent_model_calls_total{outcome="failed"} 1',
        'covey_agent_tokens_total{direction="input"} 30',
        'covey_agent_cost_usd_total{certainty="known"} 0.25',
        'covey_agent_cap_usd{window="run"} 5',
        "covey_agent_breaker_open 1",
        'covey_agent_decisions_total{event="wake-skipped",reason="stranger"} 2',
    ):
        assert f"\n{line}\n" in f"\n{text}", line
    assert 'window="day"} None' not in text and 'covey_agent_cap_usd{window="day"}' not in text


def test_every_family_is_named_once_and_has_samples() -> None:
    lines = asyncio.run(metrics(AGENT).text()).splitlines()
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    samples = [line.split("{")[0].split()[0] for line in lines if not line.startswith("#")]
    assert all(any(sample.startswith(family) for sample in samples) for family in families)


def test_a_peer_without_an_agent_has_no_metrics_of_one() -> None:
    assert "covey_agent" not in asyncio.run(metrics(None).text())


def test_the_verb_takes_no_argument() -> None:
    assert "covey_build_info" in asyncio.run(metrics(None).answer({}))["text"]
    with pytest.raises(IpcError, match="unknown argument"):
        asyncio.run(metrics(None).answer({"peer": "x"}))


def test_the_process_says_what_it_uses() -> None:
    found = usage()
    assert found["process_resident_memory_bytes"] > 1_000_000
    assert found["process_cpu_seconds_total"] > 0


def samples(meter: Meter) -> dict[str, float]:
    page = Page(Words())
    meter.say(page)
    lines = [line.rsplit(" ", 1) for line in page.text().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_timings_run_from_the_wake_to_its_block_and_wakes_that_end_without_one_leave_nothing() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.take("info", "woke", {"keys": ["a", "b"]})
    meter.take("info", "woke", {"keys": ["c"]})
    clock.now += 0.5
    meter.take("info", "model-replied", {"keys": ["a", "b"], "seconds": 0.4})
    meter.take("info", "emitted", {"parents": ["a", "b"], "key": "d"})
    meter.take("warn", "wake-ended", {"keys": ["c"], "reason": "model-failed"})
    meter.take("info", "emitted", {"parents": ["c"], "key": "e"})
    seen = samples(meter)
    assert seen["covey_agent_model_call_seconds_sum"] == 0.4
    assert seen["covey_agent_answer_seconds_count"] == 1 and seen["covey_agent_answer_seconds_sum"] == 0.5
    assert seen['covey_agent_answer_seconds_bucket{le="0.5"}'] == 1
    assert seen['covey_agent_events_total{event="woke",level="info"}'] == 2
