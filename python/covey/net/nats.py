"""The line between relays of one cluster, over NATS: subject `….all` for everybody, `….to.<relay>` for one.

Rules: no message is read here with any understanding of it. What cannot leave is given up and said, and never
kept for later: the engine tells everything anew when the line stands again.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from covey import limits
from covey.errors import CoveyError, NetworkError, UsageError

if TYPE_CHECKING:
    import ssl

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from covey.ports.relay import BackplaneSink

SCHEMES: Final = ("nats", "tls", "ws", "wss")
_CLUSTER = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def check_url(url: str) -> str:
    """Return a NATS URL as it was given.

    Raises:
        UsageError: It is none.
    """
    try:
        parts = urlsplit(url)
        valid = parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise UsageError("--backplane: expected nats://[USER:PASSWORD@]HOST[:PORT], or tls:// for TLS")
    return url


def check_cluster(name: str) -> str:
    """Return a cluster's name as it was given.

    Raises:
        UsageError: It is none.
    """
    if not _CLUSTER.fullmatch(name):
        raise UsageError("--cluster: expected lower-case letters, digits and hyphens, 63 at most")
    return name


class NatsBackplane:
    """One relay's line to the others.

    Args:
        urls: NATS servers; any of them will do.
        cluster: The cluster's name: the first part of its subjects.
        relay: This relay's id: the last part of the subject it listens to.
        tls: TLS of the line; None takes the system's for `tls://`.
    """

    def __init__(self, urls: list[str], cluster: str, relay: str, tls: ssl.SSLContext | None = None) -> None:
        self._urls = urls
        self._prefix = f"covey-relay.{cluster}"
        self._relay = relay
        self._tls = tls
        self._client: Client | None = None
        self._sink: BackplaneSink | None = None
        self._queue: deque[tuple[str, bytes]] = deque()
        self._more = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self, sink: BackplaneSink) -> None:
        """Connect and listen; afterwards come back by itself whenever the line is gone.

        Raises:
            CoveyError: The client library is not installed.
            NetworkError: No server can be reached, or none lets us in.
        """
        try:
            import nats
            from nats.errors import Error, NoServersError
        except ImportError as error:
            raise CoveyError(
                "the NATS client is not installed", hint="pip install 'covey[backplane]'"
            ) from error
        self._sink = sink
        errors: list[str] = []

        async def on_error(error: Exception) -> None:
            self._failed(error, errors)

        try:
            self._client = await nats.connect(
                servers=self._urls,
                name=f"covey relay {self._relay}",
                no_echo=True,
                tls=self._tls,
                connect_timeout=int(limits.CONNECT_SECONDS),
                allow_reconnect=True,
                max_reconnect_attempts=1,
                ping_interval=limits.CLUSTER_PING_SECONDS,
                max_outstanding_pings=2,
                reconnect_time_wait=limits.CLUSTER_RETRY_SECONDS,
                pending_size=limits.CLUSTER_QUEUED_BYTES,
                error_cb=on_error,
                disconnected_cb=self._on_disconnected,
                reconnected_cb=self._on_reconnected,
            )
        except (OSError, TimeoutError, ValueError, Error, NoServersError) as error:
            why = errors[-1] if errors else str(error) or type(error).__name__
            raise NetworkError(
                f"cannot reach the backplane: {why}",
                hint="is the NATS server running, and does the URL carry its user and password?",
            ) from error
        # once it stood it is waited for without end: this relay's own clients go on meanwhile
        self._client.options["max_reconnect_attempts"] = -1
        for subject in (f"{self._prefix}.all", f"{self._prefix}.to.{self._relay}"):
            await self._client.subscribe(
                subject, cb=self._on_message, pending_bytes_limit=limits.CLUSTER_PENDING_BYTES
            )
        await self._client.flush()
        self._writer = asyncio.get_running_loop().create_task(self._write())
        sink.linked(True, "")

    def publish(self, to: str | None, message: bytes) -> None:
        """Say something to one relay, or to all; `published` tells when it has left. Never blocks."""
        subject = f"{self._prefix}.all" if to is None else f"{self._prefix}.to.{to}"
        self._queue.append((subject, message))
        self._more.set()

    async def close(self) -> None:
        """Send what is queued if that goes quickly, and end."""
        self._closing = True
        self._more.set()
        if self._writer is not None:
            done, _ = await asyncio.wait({self._writer}, timeout=limits.RELAY_GOODBYE_SECONDS)
            if not done:
                self._writer.cancel()
        if self._client is None:
            return
        from nats.errors import Error

        # the line may be gone already: there is nobody left to tell
        with suppress(Error, OSError, TimeoutError):
            await asyncio.wait_for(self._client.drain(), limits.RELAY_GOODBYE_SECONDS)
        with suppress(Error, OSError):
            await self._client.close()

    async def _write(self) -> None:
        from nats.errors import Error

        assert self._client is not None and self._sink is not None, "the writer starts after both"
        while True:
            while self._queue:
                subject, message = self._queue.popleft()
                if self._client.is_connected:
                    with suppress(Error, OSError):  # the line broke: `linked` says so
                        await self._client.publish(subject, message)
                self._sink.published(len(message))
            if self._closing:
                return
            self._more.clear()
            await self._more.wait()

    async def _on_message(self, message: Msg) -> None:
        if self._sink is not None:
            self._sink.carried(message.data)

    async def _on_disconnected(self) -> None:
        if self._sink is not None and not self._closing:
            self._sink.linked(False, "connection lost")

    async def _on_reconnected(self) -> None:
        if self._sink is not None:
            self._sink.linked(True, "")

    def _failed(self, error: Exception, errors: list[str]) -> None:
        from nats.errors import SlowConsumerError

        if isinstance(error, SlowConsumerError) and self._sink is not None:
            self._sink.overrun()
        del errors[:-3]
        errors.append(str(error) or type(error).__name__)
