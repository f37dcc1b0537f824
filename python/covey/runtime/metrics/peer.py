"""A peer's page of metrics, made from what `status` says of it; and the verb that gives it.

Rules: this only words facts that others keep. No block's text, no key, no other peer's name is on the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from covey.errors import RefusedArgumentError
from covey.runtime.metrics.meter import Meter
from covey.runtime.metrics.page import Page, Words

Facts = Mapping[str, Any]

_MEMBER_STATES: Final = ("alive", "suspect", "dead", "left")
_RELAY_JOINED: Final = "joined"
_BLOCKS: Final = ("heard", "emitted", "suppressed", "held")
_PROCESS: Final[Mapping[str, str]] = {
    "process_cpu_seconds_total": "processor time, user and system",
    "process_resident_memory_bytes": "memory in use",
    "process_start_time_seconds": "start of the process, since the Unix epoch",
    "process_open_fds": "open files and sockets",
    "process_max_fds": "open files and sockets it may have",
}
"""Prometheus' own names for what every process has."""


class PeerMetrics:
    """One running peer's metrics.

    Args:
        status: Gives what `status` says, now.
        members: Gives the states of the room's members, now.
        usage: Gives what the process uses, by Prometheus' own names.
        meter: The agent's timings.
    """

    def __init__(
        self,
        status: Callable[[], Awaitable[Facts]],
        members: Callable[[], Sequence[str]],
        usage: Callable[[], Mapping[str, float]],
        meter: Meter,
    ) -> None:
        self._status = status
        self._members = members
        self._usage = usage
        self._meter = meter
        self._words = Words()

    async def text(self) -> str:
        """Return the page."""
        found = await self._status()
        page = Page(self._words)
        node, agent = found["node"], found["agent"]
        page.gauge("covey_build_info", "the version that runs", 1, version=found["version"])
        _peer(page, found, node)
        states = Counter(self._members())
        for state in _MEMBER_STATES:
            page.gauge("covey_peer_members", "members of the room, by state", states[state], state=state)
        if agent is not None:
            _agent(page, agent)
            self._meter.say(page)
        for name, value in self._usage().items():
            say = page.counter if name.endswith("_total") else page.gauge
            say(name, _PROCESS[name], value)
        return page.text()

    async def answer(self, arguments: Facts) -> dict[str, Any]:
        """Answer the control socket's verb `metrics`.

        Raises:
            IpcError: It was given an argument; it takes none.
        """
        if arguments:
            raise RefusedArgumentError(f"unknown argument: {next(iter(arguments))[:64]}")
        return {"text": await self.text()}


def _peer(page: Page, found: Facts, node: Facts) -> None:
    reach = "network" if node["lan"] else "machine"
    page.gauge(
        "covey_peer_info",
        "who this is",
        1,
        peer=found["peer"],
        room=node["room"],
        profile=node["profile"],
        reach=reach,
    )
    page.gauge("covey_peer_uptime_seconds", "time since it listens", node["uptime_seconds"])
    page.gauge("covey_peer_connected_peers", "peers with an open session", node["peers"])
    page.gauge("covey_peer_slow_peers", "of them, those that take less than there is", node["slow_peers"])
    page.gauge("covey_peer_anchors", "blocks that admission compares with", node["anchors"])
    page.gauge("covey_peer_store_healthy", "1 while the store takes writes", float(node["store"] == "ok"))
    joined = sum(relay["state"] == _RELAY_JOINED for relay in node["relays"])
    page.gauge("covey_peer_relays", "relays, by whether it is joined", joined, state="joined")
    page.gauge(
        "covey_peer_relays", "relays, by whether it is joined", len(node["relays"]) - joined, state="other"
    )
    page.gauge("covey_peer_subscribers", "listeners on the control socket", found.get("subscribers", 0))
    dropped, lost = found.get("events_dropped", 0), found.get("log_lines_lost", 0)
    page.counter("covey_peer_events_dropped_total", "events that a slow listener missed", dropped)
    page.counter("covey_peer_log_lines_lost_total", "lines that could not be written", lost)
    page.dotted("covey_peer", "since the start", node["counters"])


def _agent(page: Page, agent: Facts) -> None:
    run, cost, breaker = agent["run"], agent["cost"], agent["breaker"]
    page.gauge("covey_agent_info", "who thinks for it", 1, role=agent["role"], model=agent["model"])
    page.gauge("covey_agent_wakes_in_flight", "wakes between their claim and their end", agent["in_flight"])
    page.gauge("covey_agent_blocks_waiting", "blocks that wait to wake it", agent["waiting"])
    page.gauge(
        "covey_agent_answers_quarantined", "answers that wait for a person", agent["quarantine"]["waiting"]
    )
    page.counter("covey_agent_wakes_total", "wakes", run["wakes"])
    for outcome, name in (("replied", "calls"), ("failed", "failed_calls")):
        page.counter("covey_agent_model_calls_total", "model calls that ended", run[name], outcome=outcome)
    for direction in ("input", "output"):
        used = run[f"{direction}_tokens"]
        page.counter("covey_agent_tokens_total", "tokens of answered calls", used, direction=direction)
    about = "cost of model calls; assumed where a price or an end is not known"
    page.counter("covey_agent_cost_usd_total", about, run["cost_usd"], certainty="known")
    page.counter("covey_agent_cost_usd_total", about, run["assumed_usd"], certainty="assumed")
    for name in _BLOCKS:
        page.counter("covey_agent_blocks_total", "blocks, by what became of them", run[name], kind=name)
    for window in ("run", "hour", "day"):
        spent = cost[f"{window}_usd"]
        page.gauge("covey_agent_spent_usd", "spent, by window of a cap", spent, window=window)
        if agent["cost_caps"].get(window) is not None:
            page.gauge("covey_agent_cap_usd", "caps", agent["cost_caps"][window], window=window)
    page.gauge("covey_agent_reserved_usd", "set aside for calls under way", cost["reserved_usd"])
    for window, cap in agent["wake_caps"].items():
        now = agent["wakes"].get(window, 0)
        page.gauge("covey_agent_wakes_in_window", "wakes, by window of a cap", now, window=window)
        page.gauge("covey_agent_wakes_cap", "most wakes, by window", cap, window=window)
    page.gauge(
        "covey_agent_breaker_open", "1 while the model is left alone", float(breaker["state"] != "closed")
    )
    for event, reasons in agent["decisions"].items():
        for reason, count in reasons.items():
            page.counter(
                "covey_agent_decisions_total", "decisions of safety", count, event=event, reason=reason
            )
