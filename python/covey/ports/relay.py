"""What a relay and its clients need of WebSockets and of the line between relays."""

from __future__ import annotations

from typing import Protocol


class RelaySink(Protocol):
    """Who hears what happens on a relay's WebSockets."""

    def opened(self, conn: int, address: str) -> None:
        """Take a new connection."""

    def heard(self, conn: int, message: bytes | None) -> None:
        """Take one text message; None stands for a binary one."""

    def written(self, conn: int, size: int) -> None:
        """Take note that a message of that size has left."""

    def gone(self, conn: int) -> None:
        """Take note of the end of a connection."""

    def refused(self) -> None:
        """Take note of a connection that was cut: too many are no WebSockets yet."""


class RelayListener(Protocol):
    """A relay's WebSockets, by connection number."""

    @property
    def half_open(self) -> int:
        """Return how many connections are no WebSockets yet."""

    def say(self, conn: int, message: bytes) -> None:
        """Send a text message, in order; never blocks."""

    def drop(self, conn: int, code: int, reason: str) -> None:
        """Close with a code."""

    def hold(self, conn: int, seconds: float) -> None:
        """Read nothing from a client for that long."""


class BackplaneSink(Protocol):
    """Who hears what happens on the line between the relays of a cluster."""

    def carried(self, message: bytes) -> None:
        """Take one message of another relay."""

    def published(self, size: int) -> None:
        """Take note that a message of that size has left, or was given up."""

    def linked(self, up: bool, why: str) -> None:
        """Take note that the line stands, or is gone and why."""

    def overrun(self) -> None:
        """Take note that messages came faster than they were taken, and some are lost."""


class Backplane(Protocol):
    """The line between the relays of one cluster: ordered for each relay, lossy, sometimes gone."""

    def publish(self, to: str | None, message: bytes) -> None:
        """Say something to one relay, or to all; `published` tells when it has left. Never blocks."""


class RelayClientSink(Protocol):
    """Who hears what happens on a client's connection to a relay."""

    def up(self, cluster: str) -> None:
        """Take note that the WebSocket stands; `cluster` is what the relay says it is part of, or empty."""

    def heard(self, message: bytes) -> None:
        """Take one text message; a binary one is empty."""

    def written(self, size: int) -> None:
        """Take note that a message of that size has left."""

    def down(self, code: int | None, reason: str) -> None:
        """Take note that it is gone, or never stood; `code` is the relay's close code where it gave one."""


class RelayDialler(Protocol):
    """A client's connection to one relay."""

    def connect(self, url: str, timeout_seconds: float, sink: RelayClientSink) -> None:
        """Begin to connect; `up` may follow, `down` does."""

    def transmit(self, message: bytes) -> None:
        """Send a text message, in order; never blocks."""

    def hangup(self, code: int, reason: str) -> None:
        """Close."""

    async def stop(self) -> None:
        """Wait for the end of the connection; one that lingers is cut off."""
