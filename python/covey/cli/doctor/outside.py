"""What doctor asks of configurations, and of where they lead: models, ports, relays; and the environment."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from covey.cli.doctor.finding import Finding
from covey.errors import CoveyError
from covey.limits import DOCTOR_CLOCK_SECONDS, DOCTOR_RELAY_SECONDS
from covey.system.clock import SystemClock
from covey.system.home import Home
from covey.system.lock import running_pid

if TYPE_CHECKING:
    from covey.settings import Settings

_VARIABLES: Final = (
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "MISTRAL_API_KEY",
    "OLLAMA_HOST",
    "COVEY_HOME",
    "COVEY_RELAY_TOKEN",
    "COVEY_RELAY_PROXY",
    "COVEY_PASSPHRASE",
)


def environment(env: Mapping[str, str]) -> Iterator[Finding]:
    """Yield which variables are set; their values are never shown."""
    for name in _VARIABLES:
        said = env.get(name) or ""
        yield Finding("environment", name, "info", f"set ({len(said)} chars)" if said else "not set")


def configurations(home: Home, named: Sequence[Path], env: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong with the configurations that were named, and with those kept beside their peers."""
    kept = [home.peer_folder(name) / "agent.toml" for name in home.peers()]
    for file in [*named, *(path for path in kept if path.exists() and path not in named)]:
        yield from _configuration(home, file, env)


def _configuration(home: Home, file: Path, env: Mapping[str, str]) -> Iterator[Finding]:
    from covey.cli.dry_run import checks
    from covey.cli.mesh_flags import relays
    from covey.models import others
    from covey.settings import load

    section = f"config {file}"
    try:
        settings = load(file, others=others)
    except CoveyError as error:
        for line in error.message.splitlines():
            yield Finding(section, "load config", "FAIL", line, error.hint)
        return
    found = list(checks(settings, env))
    for check in found:
        if check.state != "ok":
            yield Finding(section, check.name, check.state, check.detail, f"covey dry-run --config {file}")
    passed = sum(check.state != "FAIL" for check in found)
    yield Finding(section, "checks", "ok", f"{passed}/{len(found)} of a dry run passed")
    yield from _port(home, settings, section)
    for each in relays(settings.mesh.relay, None, env, settings.mesh.relay_proxy):
        yield _relay(each.url, each.proxy, section)


def _port(home: Home, settings: Settings, section: str) -> Iterator[Finding]:
    """Try the port that a configuration asks for, unless its own peer has it."""
    port, name = settings.mesh.listen, settings.identity.name
    if not port or running_pid(home.lock_path(name)) is not None:
        return
    host = "0.0.0.0" if settings.mesh.lan else "127.0.0.1"
    try:
        with closing(socket.create_server((host, port))):
            yield Finding(section, "port", "ok", f"{port} is free")
    except OSError as error:
        why = "taken" if error.errno == errno.EADDRINUSE else (error.strerror or str(error))
        yield Finding(section, "port", "FAIL", f"{port} is {why}", "give [mesh] listen another port, or 0")


def _relay(url: str, proxy: str | None, section: str) -> Finding:
    """Open a WebSocket to a relay, as a peer would, and say nothing on it."""
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    began = time.monotonic()
    try:
        with connect(url, open_timeout=DOCTOR_RELAY_SECONDS, close_timeout=1, proxy=proxy) as opened:
            took_ms = (time.monotonic() - began) * 1_000
            date = opened.response.headers.get("Date") if opened.response else None
    except (OSError, WebSocketException, CoveyError) as error:
        return Finding(
            section,
            "relay",
            "FAIL",
            f"{url} is not reached: {error}",
            "is it up, is its certificate trusted, is the way there open?",
        )
    apart = _apart(date)
    if apart is not None and apart > DOCTOR_CLOCK_SECONDS:
        return Finding(
            section,
            "relay",
            "FAIL",
            f"{url} answers, and its clock is {apart:.0f} s from ours",
            "set the clock that is wrong: peers refuse blocks of the wrong time",
        )
    return Finding(section, "relay", "ok", f"{url} answers in {took_ms:.0f} ms")


def _apart(date: str | None) -> float | None:
    """Return how many seconds an HTTP date is from our clock."""
    if date is None:
        return None
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    return abs(theirs - SystemClock().now_ms() / 1_000)
