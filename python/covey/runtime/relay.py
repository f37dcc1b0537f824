"""The relay's shell: feeds the pure engine with what its WebSockets do, and does what it wants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from covey import limits
from covey.ports import Clock
from covey.ports.relay import Backplane, RelayListener
from covey.proto.link import Lane
from covey.proto.relay import events
from covey.proto.relay import server as relay
from covey.runtime.metrics.page import Page, Words

Logger = Callable[[str, str, Mapping[str, Any]], None]


class RelayHost:
    """One relay. Hand it to the listener as its sink.

    Args:
        engine: The rules: a relay by itself, or one of a cluster.
        listener: The WebSockets.
        clock: Monotonic time.
        log: Called with level, event word and facts; None keeps silent.
        backplane: The line to the cluster's other relays.
    """

    def __init__(
        self,
        engine: relay.RelayServer,
        listener: RelayListener,
        clock: Clock,
        log: Logger | None = None,
        backplane: Backplane | None = None,
    ) -> None:
        self.engine = engine
        self._backplane = backplane
        self._listener = listener
        self._clock = clock
        self._log = log
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._refusals = Lane(limits.CLOSED_LOGS_PER_SECOND, 1)
        self._began = clock.monotonic()
        self._words = Words()

    # --- what the WebSockets say (RelaySink) ------------------------------------------------------

    def opened(self, conn: int, address: str) -> None:
        """Take a new connection."""
        self._feed(relay.Opened(conn, address))

    def heard(self, conn: int, message: bytes | None) -> None:
        """Take one text message; None stands for a binary one."""
        self._feed(relay.Heard(conn, message))

    def written(self, conn: int, size: int) -> None:
        """Take note that a message has left."""
        self._feed(relay.Written(conn, size))

    def gone(self, conn: int) -> None:
        """Take note of the end of a connection."""
        self._feed(relay.Gone(conn))

    def refused(self) -> None:
        """Count a connection that was cut before it was a WebSocket; a flood of them is said, and seldom."""
        self.engine.counters["connections.refused.half_open"] += 1
        now = self._clock.monotonic()
        self._refusals.refill(now)
        if self._refusals.wait_seconds() > 0.0 or self._log is None:
            return
        self._refusals.tokens -= 1.0
        count = self.engine.counters["connections.refused.half_open"]
        self._log("warn", "too-many-half-open", {"most": limits.RELAY_HALF_OPEN, "refused_so_far": count})

    # --- what the other relays say (BackplaneSink) -------------------------------------------------

    def carried(self, message: bytes) -> None:
        """Take one message of another relay."""
        self._feed(events.Carried(message))

    def published(self, size: int) -> None:
        """Take note that a message has left for the others, or was given up."""
        self._feed(events.Published(size))

    def linked(self, up: bool, why: str) -> None:
        """Take note that the line to the others stands, or is gone."""
        self._feed(events.Linked(up, why))

    def overrun(self) -> None:
        """Count lost messages of others, which came too fast; the next beat heals presence."""
        self.engine.counters["cluster.overrun"] += 1
        if self._log is not None:
            self._log("error", "backplane-overrun", {"most_bytes": limits.CLUSTER_PENDING_BYTES})

    def leave(self) -> None:
        """Tell the other relays that this one ends."""
        self._feed(events.Leave())

    # --- what it shows ----------------------------------------------------------------------------

    def health(self) -> str:
        """Return the body of `/healthz`."""
        return "ok\n"

    def metrics(self) -> str:
        """Return the body of `/metrics`, in Prometheus' text format. It names no client and no channel."""
        page = Page(self._words)
        uptime = self._clock.monotonic() - self._began
        page.gauge("covey_relay_uptime_seconds", "time since the start", round(uptime, 3))
        gauges = {**self.engine.gauges(), "half_open": self._listener.half_open}
        for name, value in gauges.items():
            page.gauge(f"covey_relay_{name}", f"now: {name.replace('_', ' ')}", value)
        page.dotted("covey_relay", "since the start", self.engine.counters)
        return page.text()

    def close(self) -> None:
        """Wait for nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    # --- the loop of events and effects -----------------------------------------------------------

    def _feed(self, event: relay.Event) -> None:
        """Give the engine an event and do what it wants; none of that calls back from within."""
        for effect in self.engine.handle(event, self._clock.monotonic()):
            if isinstance(effect, relay.Say):
                self._listener.say(effect.conn, effect.message)
            elif isinstance(effect, relay.Drop):
                self._listener.drop(effect.conn, effect.code, effect.reason)
            elif isinstance(effect, relay.Hold):
                self._listener.hold(effect.conn, effect.seconds)
            elif isinstance(effect, events.Publish):
                if self._backplane is not None:
                    self._backplane.publish(effect.to, effect.message)
            elif self._log is not None:
                self._log(effect.level, effect.event, effect.facts)
        self._arm()

    def _arm(self) -> None:
        deadline = self.engine.next_timer()
        if deadline is None or (self._timer_at is not None and self._timer_at <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        wait = max(0.0, deadline - self._clock.monotonic())
        self._timer = asyncio.get_running_loop().call_later(wait, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = self._timer_at = None
        self._feed(relay.Tick())
