"""Networks of this machine's kernel, made and taken apart by a test: namespaces, cables, bridges.

What is in a namespace sees its own interfaces, routes, multicast and sockets and nothing else, as on a
machine of its own. It takes root: `laboratory` skips, and says so, where the kernel refuses.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.e2e.program import Program, Running

_PREFIX = f"cv{os.getpid() % 100_000}"


class Laboratory:
    """Namespaces by short names, and cables between them."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._cables = 0

    def add(self, *names: str) -> None:
        """Make namespaces, each with its loopback."""
        for name in names:
            ip("netns", "add", full(name))
            self._stack.callback(ip, "netns", "del", full(name))
            self.ip(name, "link", "set", "lo", "up")

    def cable(self, name: str, interface: str, other: str, far: str) -> None:
        """Lay a cable between two namespaces; each end is an interface there, and up."""
        self._cables += 1
        ends = [f"{_PREFIX}{side}{self._cables}" for side in "ab"]
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for end, where, called in ((ends[0], name, interface), (ends[1], other, far)):
            ip("link", "set", end, "netns", full(where), "name", called)
            self.ip(where, "link", "set", called, "up")

    def address(self, name: str, interface: str, *addresses: str) -> None:
        """Give an interface addresses, without waiting for neighbours to object."""
        for address in addresses:
            extra = ["nodad"] if ":" in address else []
            self.ip(name, "addr", "add", address, "dev", interface, *extra)

    def bridge(self, name: str, *interfaces: str) -> None:
        """Join interfaces of a namespace as a switch does."""
        self.ip(name, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        self.ip(name, "link", "set", "br0", "up")
        for interface in interfaces:
            self.ip(name, "link", "set", interface, "master", "br0")

    def ip(self, name: str, *words: str) -> None:
        """Run `ip` on a namespace."""
        ip("-n", full(name), *words)

    def program(self, name: str, home: Path, **env: str) -> Inside:
        """Return the program as it runs in a namespace."""
        return Inside(full(name), home, **env)

    def listeners(self, name: str) -> list[str]:
        """Return the hexadecimal addresses that TCP listens at in a namespace, as its kernel lists them."""
        listed = []
        for table in ("tcp", "tcp6"):
            words = [_ip(), "netns", "exec", full(name), "cat", f"/proc/net/{table}"]
            rows = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[1:]
            listed += [row.split()[1] for row in rows if row.split()[3] == "0A"]
        return listed


class Inside(Program):
    """The program in a namespace; its control sockets are files, so commands need not be in there."""

    def __init__(self, namespace: str, home: Path, **env: str) -> None:
        super().__init__(home, **env)
        self._namespace = namespace

    def start(self, *words: str, **env: str) -> Running:
        """Start a command that stays, in the namespace."""
        start = [_ip(), "netns", "exec", self._namespace, sys.executable, "-m", "covey", *words]
        return Running(start, {**self.env, **env})  # type: ignore[arg-type]  # all words are text here


def inside(name: str) -> list[str]:
    """Return the words before a command that runs it in a namespace."""
    return [_ip(), "netns", "exec", full(name)]


def full(name: str) -> str:
    """Return the name of a namespace on this machine."""
    return f"{_PREFIX}-{name}"


def ip(*words: str) -> None:
    """Run `ip`, and say what it said when it fails."""
    done = subprocess.run([_ip(), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr.strip()}"


def _ip() -> str:
    return shutil.which("ip") or "/usr/sbin/ip"


def on_loopback(listeners: Sequence[str]) -> bool:
    """Tell whether all these addresses of /proc/net/tcp are loopback's."""
    loopback = ("0100007F:", "00000000000000000000000001000000:")
    return all(address.startswith(loopback) for address in listeners)


@contextlib.contextmanager
def laboratory() -> Iterator[Laboratory]:
    """Give an empty laboratory, or skip the test where namespaces are not permitted."""
    probe = full("probe")
    try:
        made = subprocess.run([_ip(), "netns", "add", probe], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("network namespaces need the ip command")
    if made.returncode != 0:
        pytest.skip(f"network namespaces are not permitted here: {made.stderr.strip()}")
    ip("netns", "del", probe)
    with contextlib.ExitStack() as stack:
        yield Laboratory(stack)
