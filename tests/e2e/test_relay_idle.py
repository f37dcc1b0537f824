"""A relay's memory: the real `covey relay` with 2,000 clients that only stay."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benches import relay as bench
from tests.e2e.program import Program

CLIENTS = 2_000
MOST_BYTES = 300_000_000
BROADCAST_SECONDS = 30.0
"""Any machine passes one frame to a hundred clients in that; what a quiet one needs is the bench's figure."""


@contextlib.contextmanager
def open_files(count: int) -> Iterator[None]:
    """Let this process, and what it starts, open that many files; skip where the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"a process may open only {hard} files here, the test needs {count}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_2000_idle_clients_are_held_in_less_than_300_mb(covey: Program) -> None:
    async def fill(url: str, pid: int) -> None:
        clients = await bench.filled(url, CLIENTS)
        assert len(clients) == CLIENTS
        held = bench.resident_bytes(pid)
        assert 10_000_000 < held < MOST_BYTES, f"{held / 1e6:.0f} MB"
        assert await bench.broadcast_seconds(clients[: bench.CHANNEL]) < BROADCAST_SECONDS, "it serves them"
        for client in clients:
            client.transport.abort()

    with (
        open_files(CLIENTS + 200),
        subprocess.Popen(
            [sys.executable, "-m", "covey", "relay", "--listen", "127.0.0.1:0", "--json"],
            env={**os.environ, **covey.env, "COVEY_RELAY_TOKENS": bench.tokens_for(CLIENTS)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as relay,
    ):
        try:
            assert relay.stdout is not None
            asyncio.run(fill(json.loads(relay.stdout.readline())["url"], relay.pid))
            assert relay.poll() is None
        finally:
            relay.terminate()
