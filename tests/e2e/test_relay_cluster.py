"""Two real `covey relay` processes behind one real NATS server; peers that meet across them, and kills."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import Program, Running
from tests.e2e.test_relay import client, join, page, relay
from tests.e2e.test_relay_peers import Peer, key_of, two

needs_nats = pytest.mark.skipif(
    shutil.which("nats-server") is None, reason="no nats-server here (Debian: nats-server)"
)
pytest.importorskip("nats", reason="the extra covey[backplane] is not installed")


class Nats:
    """A NATS server on a port of its own that can be killed and come back."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["nats-server", "-a", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if "Server is ready" in line:
                return
        raise AssertionError("nats-server ended before it was ready")

    def kill(self) -> None:
        assert self.process is not None and self.process.stderr is not None
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        self.process = None


@pytest.fixture
def nats() -> Iterator[Nats]:
    server = Nats()
    server.start()
    yield server
    if server.process is not None:
        server.kill()


@contextlib.contextmanager
def pair(covey: Program, nats: Nats) -> Iterator[tuple[tuple[Running, str], tuple[Running, str]]]:
    words = ("--backplane", nats.url, "--cluster", "test")
    with relay(covey, *words) as one, relay(covey, *words) as other:
        yield one, other


def gauge(url: str, name: str) -> int:
    head = f"covey_relay_{name} "
    return int(
        next(
            line.removeprefix(head)
            for line in page(url, "/metrics").splitlines()
            if head in line[: len(head)]
        )
    )


@needs_nats
def test_peers_at_different_relays_of_a_cluster_exchange_blocks(
    covey: Program, nats: Nats, tmp_path: Path
) -> None:
    with (
        pair(covey, nats) as ((_, a), (_, b)),
        Peer(tmp_path, 1, a) as one,
        Peer(tmp_path, 2, b) as other,
    ):
        one.until("peer-joined")
        other.until("peer-joined")
        one.say("from one relay")
        other.until_heard("from one relay")
        other.say("to the other")
        one.until_heard("to the other")
        assert one.status()["peers"] == [{"name": "peer-2", "path": "relay"}]
        assert gauge(a, "cluster_clients") == gauge(b, "cluster_clients") == 1


@needs_nats
def test_a_killed_relay_of_a_cluster_loses_nothing_and_its_peers_come_to_the_other(
    covey: Program, nats: Nats, tmp_path: Path
) -> None:
    with pair(covey, nats) as ((first, a), (_, b)), two(tmp_path, a, b) as (one, other):
        states = sorted(each["state"] for each in one.status()["relays"])
        while states != ["joined", "reserve"]:
            states = sorted(each["state"] for each in one.status()["relays"])
        one.say("before")
        other.until_heard("before")
        first.signal(signal.SIGKILL)
        texts = [f"while it dies {number}" for number in range(10)]
        for text in texts:
            one.say(text)
        # What was on its way is sent again beside what is new: all arrives, in whatever order.
        wanted = {key_of(text) for text in texts}
        while wanted:
            wanted.discard(other.until("judged")["key"])
        other.say("and back")
        one.until_heard("and back")
        judged = [each["key"] for each in other.events("judged") if each["outcome"] != "duplicate"]
        assert len(judged) == len(set(judged)), "nothing is judged twice"
        assert "joined" in [each["state"] for each in one.status()["relays"]]


@needs_nats
def test_without_its_backplane_a_relay_serves_its_own_and_heals_when_it_is_back(
    covey: Program, nats: Nats
) -> None:
    async def talk(a: str, b: str) -> None:
        ids = [f"018f47a0-7b21-7abc-8def-{number:012x}" for number in (1, 2, 3)]
        async with client(a) as alice, client(a) as near, client(b) as far:
            await join(alice, ids[0], "alice")
            await join(near, ids[1], "near")
            await join(far, ids[2], "far")
            here: set[str] = set()
            while here != {ids[1], ids[2]}:
                here |= {json.loads(await alice.recv())["nodeId"]}
            await asyncio.to_thread(nats.kill)
            while (said := json.loads(await alice.recv())).get("type") != "relay-peer-left":
                pass
            assert said["nodeId"] == ids[2]
            assert await asyncio.to_thread(gauge, a, "cluster_up") == 0
            await alice.send(json.dumps({"to": ids[1], "payload": {"type": "x"}}))
            while "payload" not in (said := json.loads(await near.recv())):
                pass
            assert said["from"] == ids[0]
            await asyncio.to_thread(nats.start)
            while (said := json.loads(await alice.recv())).get("type") != "relay-peer-joined":
                pass
            assert said["nodeId"] == ids[2]
            await alice.send(json.dumps({"to": ids[2], "payload": {"type": "y"}}))
            while "payload" not in (said := json.loads(await far.recv())):
                pass
            assert said["payload"] == {"type": "y"}

    with pair(covey, nats) as ((_, a), (_, b)):
        asyncio.run(talk(a, b))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--backplane", "nats://127.0.0.1:4222"], "--backplane and --cluster come together"),
        (["--cluster", "eu"], "--backplane and --cluster come together"),
        (["--backplane", "127.0.0.1", "--cluster", "eu"], "expected nats://"),
        (["--backplane", "nat://127.0.0.1"], "expected nats://"),
        (["--backplane", "nats://127.0.0.1", "--cluster", "E U"], "--cluster: expected"),
    ],
)
def test_a_backplane_said_wrong_is_refused(covey: Program, words: list[str], says: str) -> None:
    ended = covey("relay", *words)
    assert ended.code == 2 and says in ended.err


@pytest.mark.parametrize("words", [["--backplane", "nats://127.0.0.1"], ["--cluster", "eu"]])
def test_half_of_a_cluster_is_told_the_whole_command_as_the_help_says_it(
    covey: Program, words: list[str]
) -> None:
    ended = covey("relay", *words)
    assert "\n  covey relay --backplane nats://HOST:4222 --cluster NAME\n" in ended.err
    said = " ".join(covey("relay", "--help").out.split())
    assert "--backplane URL with --cluster: " in said and "--cluster NAME with --backplane: " in said


def test_a_backplane_that_is_not_there_is_said_in_one_line(covey: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ended = covey(
        "relay", "--listen", "127.0.0.1:0", "--backplane", f"nats://127.0.0.1:{port}", "--cluster", "eu"
    )
    assert ended.code == 1
    assert "cannot reach the backplane" in ended.err and "Traceback" not in ended.err
