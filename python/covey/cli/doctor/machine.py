"""What doctor asks of the machine: the build, the clock, room on the disk, loopback and multicast."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from covey import __version__
from covey.cli.doctor.finding import Finding
from covey.limits import DOCTOR_CLOCK_SECONDS, DOCTOR_FILES, DOCTOR_FREE_BYTES
from covey.system.clock import SystemClock
from covey.system.home import Home
from covey.system.log import timestamp

_SECTION: Final = "machine"
_GROUP: Final = "224.0.0.251"  # RFC 6762 §3; asked on a port of our own, so no responder hears it
_MULTICAST_SECONDS: Final = 0.5
_OPTIONAL: Final = (
    ("uvloop", "the faster event loop; asyncio's own does the same, slower"),
    ("anthropic", "adapter anthropic: pip install 'covey[anthropic]'"),
    ("openai", "adapters openai, mistral, compatible: pip install 'covey[openai]'"),
)


def look(home: Home) -> Iterator[Finding]:
    """Yield what the machine is like."""
    yield _build()
    for package, use in _OPTIONAL:
        there = importlib.util.find_spec(package) is not None
        yield Finding(
            _SECTION, package, "ok" if there else "info", "installed" if there else f"absent: {use}"
        )
    yield _clock(home)
    yield _room(home)
    yield _loopback()
    yield _multicast()


def _build() -> Finding:
    running = f"covey {__version__}, python {platform.python_version()}, {platform.system().lower()}"
    try:
        from covey import core

        core.content_key({"focus": "doctor"})
    except Exception as error:  # whatever keeps the native core from loading is what is wrong here
        return Finding(
            _SECTION,
            "build",
            "FAIL",
            f"{running}; the native core does not work: {error}",
            "install covey again: pip install --force-reinstall covey, or make build",
        )
    return Finding(_SECTION, "build", "ok", f"{running}, {platform.machine()}")


def _clock(home: Home) -> Finding:
    """Compare the clock with the newest file here: signed times must not go back."""
    now_ms = SystemClock().now_ms()
    newest_ms = max(_times(home.path), default=0)
    if newest_ms - now_ms > DOCTOR_CLOCK_SECONDS * 1_000:
        return Finding(
            _SECTION,
            "clock",
            "FAIL",
            f"{timestamp(now_ms)}, but a file here was written at {timestamp(newest_ms)}",
            "the clock went back: set it (timedatectl, ntpd), peers refuse blocks of the wrong time",
        )
    if datetime.fromtimestamp(now_ms / 1_000, UTC).year < 2026:
        return Finding(_SECTION, "clock", "FAIL", f"{timestamp(now_ms)} is before covey was", "set the clock")
    return Finding(_SECTION, "clock", "ok", timestamp(now_ms))


def _times(folder: Path) -> Iterator[int]:
    looked = 0
    for place, _, files in os.walk(folder):
        for name in files[:DOCTOR_FILES]:
            looked += 1
            if looked > DOCTOR_FILES:
                return
            try:
                yield (Path(place) / name).lstat().st_mtime_ns // 1_000_000
            except FileNotFoundError:
                continue  # it was somebody's temporary file


def _room(home: Home) -> Finding:
    place = next((each for each in (home.path, *home.path.parents) if each.exists()), Path("/"))
    free = shutil.disk_usage(place).free
    detail = f"{free // 1_048_576} MiB free at {place}"
    if free < DOCTOR_FREE_BYTES:
        return Finding(
            _SECTION, "disk", "FAIL", detail, "make room: a peer that cannot write its store delivers nothing"
        )
    return Finding(_SECTION, "disk", "ok", detail)


def _loopback() -> Finding:
    try:
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            port = server.getsockname()[1]
            with closing(socket.create_connection(("127.0.0.1", port), timeout=2)):
                return Finding(
                    _SECTION, "ports", "ok", f"a peer can listen and be dialled (tried port {port})"
                )
    except OSError as error:
        return Finding(
            _SECTION,
            "ports",
            "FAIL",
            f"no connection over loopback: {error.strerror or error}",
            "look at firewall rules for 127.0.0.1",
        )


def _multicast() -> Finding:
    """Send a datagram to the group of mDNS on loopback, and hear it; it does not leave the machine."""
    try:
        heard = _echoed(os.urandom(16))
    except OSError as error:
        heard, why = False, error.strerror or str(error)
    else:
        why = "nothing came back"
    if heard:
        return Finding(_SECTION, "multicast", "ok", f"{_GROUP} is heard on loopback")
    return Finding(
        _SECTION,
        "multicast",
        "warn",
        f"{_GROUP} on loopback: {why}",
        "peers of this home still meet through the registry; elsewhere use [mesh] peers or a relay",
    )


def _echoed(word: bytes) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as ear:
        ear.bind(("", 0))
        ear.settimeout(_MULTICAST_SECONDS)
        loopback = socket.inet_aton("127.0.0.1")
        ear.setsockopt(
            socket.IPPROTO_IP,
            socket.IP_ADD_MEMBERSHIP,
            struct.pack("4s4s", socket.inet_aton(_GROUP), loopback),
        )
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        ear.sendto(word, (_GROUP, ear.getsockname()[1]))
        try:
            return ear.recv(64) == word
        except TimeoutError:
            return False
