"""The stages of a test of a leader, in order; the first that fails ends it, with its own exit code."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any, Final
from urllib.parse import urlsplit

from covey import limits
from covey.cli.leader import book, reach
from covey.cli.leader.book import Connection
from covey.errors import CoveyError
from covey.inference.lanes import quantile
from covey.values import dataclass

CODES: Final = {
    "parse": 10,
    "dns": 11,
    "tls": 12,
    "reach": 13,
    "auth": 14,
    "model": 15,
    "latency": 16,
}
"""The exit code of each stage that can fail."""


@dataclass(frozen=True, slots=True)
class Stage:
    """How one stage ended."""

    name: str
    good: bool
    said: str
    fix: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


class _Failed(Exception):  # noqa: N818 - an end with a name, not a fault of the code
    """A stage that failed, with what to do about it."""

    def __init__(self, said: str, fix: str) -> None:
        super().__init__(said)
        self.said = said
        self.fix = fix


class Test:
    """One test.

    Args:
        connection: Whom; its address may be wrong, since that is a stage.
        model: The lane or model to try, or empty for the first that the leader lists.
        probes: Answers that are timed.
    """

    def __init__(self, connection: Connection, model: str, probes: int) -> None:
        self._connection = connection
        self._model = model
        self._probes = probes
        self._host = ""
        self._port = 0
        self._facts: dict[str, Any] = {}

    def run(self) -> Iterator[Stage]:
        """Yield each stage as it ends; the first that fails is the last."""
        works: dict[str, Callable[[], str]] = {
            "parse": self._parse,
            "dns": self._dns,
            "tls": self._tls,
            "reach": self._reach,
            "auth": self._auth,
            "model": self._ask,
            "latency": self._latency,
        }
        for name, work in works.items():
            self._facts = {}
            since = time.monotonic()
            try:
                said = work()
            except _Failed as failed:
                yield Stage(name, False, failed.said, failed.fix)
                return
            milliseconds = round((time.monotonic() - since) * 1_000, 1)
            yield Stage(name, True, said, None, {"ms": milliseconds, **self._facts})

    def _parse(self) -> str:
        try:
            self._connection = Connection(
                book.address(self._connection.url),
                self._connection.key,
                self._connection.model,
                self._connection.ca,
            )
        except ValueError as error:
            raise _Failed(f"expected {error}", "give it as http://host:8099 or https://host") from error
        parts = urlsplit(self._connection.url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        return self._connection.url

    def _dns(self) -> str:
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise _Failed(
                f"{self._host}: {error.strerror or error}", "check the name, and this machine's resolver"
            ) from error
        addresses = sorted({str(each[4][0]) for each in found})
        self._facts["addresses"] = addresses
        return ", ".join(addresses[:4])

    def _tls(self) -> str:
        """Shake hands and judge the certificate; where nobody listens the next stage says so."""
        if not self._connection.url.startswith("https:"):
            return "none: http"
        context = reach.tls(self._connection.ca)
        try:
            with (
                socket.create_connection((self._host, self._port), limits.PEER_STAGE_SECONDS) as plain,
                context.wrap_socket(plain, server_hostname=self._host) as sealed,
            ):
                return sealed.version() or "TLS"
        except ssl.SSLCertVerificationError as error:
            fix = "name who signed it: --ca <file>; or give the leader a certificate for this name"
            raise _Failed(f"the certificate is not believed: {error.verify_message}", fix) from error
        except ssl.SSLError as error:
            raise _Failed(f"no handshake: {error.reason}", "is it https there? try http://") from error
        except OSError as error:
            return f"not tried: {error.strerror or error}"

    def _reach(self) -> str:
        try:
            with reach.client(self._connection) as made:
                answer = made.get("/healthz")
        except Exception as error:  # whatever the client calls it: nobody was reached, and it is said
            fix = "is the door open there (covey share start), at this port, past the firewalls?"
            raise _Failed(str(error).partition("\n")[0][:200] or type(error).__name__, fix) from error
        text = answer.text.strip()[:40]
        if answer.status_code == 503 and text == "draining":
            raise _Failed("it takes no new work", "covey peer resume, or another leader")
        if answer.status_code != 200 or text != "ok":
            raise _Failed(f"something else answers: {answer.status_code}", "is this the door's address?")
        return text

    def _auth(self) -> str:
        found = self._said("GET", "/v1/models", None, "covey peer key gives another key")
        names = [str(row.get("id")) for row in found.get("data", []) if isinstance(row, dict)]
        self._model = self._model or self._connection.model or (names[0] if names else "")
        self._facts["models"] = names
        return f"{len(names)} lanes and models"

    def _ask(self) -> str:
        """Let the model say one word."""
        seconds = self._one()
        self._facts["seconds"] = seconds
        return f"{self._model or 'the default'} answered in {seconds * 1_000:.0f} ms"

    def _latency(self) -> str:
        times = sorted(self._one() for _ in range(self._probes))
        p50, p95 = quantile(times, 0.5) or 0.0, quantile(times, 0.95) or 0.0
        self._facts |= {"probes": self._probes, "p50_ms": p50 * 1_000, "p95_ms": p95 * 1_000}
        return f"p50 {p50 * 1_000:.0f} ms, p95 {p95 * 1_000:.0f} ms of {self._probes}"

    def _one(self) -> float:
        body = {
            "model": self._model,
            "max_tokens": 1,
            "messages": [{"role": "user", "content": "Say: ok"}],
        }
        since = time.monotonic()
        fix = "look at the leader: covey peer logs; covey peer llm names another model"
        self._said("POST", "/v1/chat/completions", body, fix, limits.PEER_MODEL_SECONDS)
        return time.monotonic() - since

    def _said(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        fix: str,
        seconds: float = limits.PEER_STAGE_SECONDS,
    ) -> dict[str, Any]:
        try:
            with reach.client(self._connection, seconds) as made:
                return reach.ask(made, method, path, body)
        except CoveyError as error:
            raise _Failed(error.message, error.hint or fix) from error
