"""What a door costs a request, and how many streams it carries: `python -m benches.door [--streams 1000]`.

Three processes: a backend that answers at once, the real `covey share start` before it, and this one, which
asks. The overhead is the difference between the same request through the door and without it, asked in turn,
so that whatever else the machine does falls on both. Streams are opened all at once and held by the backend
until every one has its first bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

ANSWER = json.dumps(
    {
        "id": "r",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    }
).encode()
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
BODY = {"model": "m", "messages": [{"role": "user", "content": "Say: ok"}]}
SECONDS = 120
WARM = 20
"""Requests before those that count: connections and caches are there by then."""
CONFIG = """
listen = "127.0.0.1:0"
requests_per_minute = 1000000
max_concurrent = 4096
queue = 4096
queue_each = 4096
[backends.b]
url = "{url}"
"""


class Backend:
    """The least that answers as a model does; a stream goes on once `/go` was asked for."""

    def __init__(self) -> None:
        self._go = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/go":
            self._go.set()
            return await _said(send, b"{}", b"application/json")
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if b'"stream":true' not in body:
            return await _said(send, ANSWER, b"application/json")
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": WORD, "more_body": True})
        await self._go.wait()
        for _ in range(9):
            await send({"type": "http.response.body", "body": WORD, "more_body": True})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
        return None


async def _said(send: Any, body: bytes, kind: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def more_files(count: int) -> None:
    """Let this process have that many open files, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count if hard < 0 else min(count, hard), hard))


def resident_bytes(pid: int) -> int:
    """Return a process's resident set."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used: the clock of a busy machine says less."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def started(words: list[str], env: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a program for as long as the context lasts; give it with its first line."""
    process = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


async def overhead(direct: str, door: str, key: str, count: int) -> dict[str, float]:
    """Ask the same in turn without and through the door; return milliseconds."""
    times: dict[str, list[float]] = {"direct": [], "door": []}
    async with httpx2.AsyncClient(timeout=SECONDS, trust_env=False) as client:
        for number in range(count + WARM):
            for name, url, headers in (
                ("direct", direct, {}),
                ("door", door, {"authorization": f"Bearer {key}"}),
            ):
                began = time.perf_counter()
                answer = await client.post(f"{url}/chat/completions", json=BODY, headers=headers)
                took = time.perf_counter() - began
                assert answer.status_code == 200, answer.text
                if number >= WARM:
                    times[name].append(took * 1_000)
    pairs = sorted(b - a for a, b in zip(times["direct"], times["door"], strict=True))
    found = {f"{name}_p50_ms": statistics.median(rows) for name, rows in times.items()}
    return {
        **found,
        "overhead_p50_ms": statistics.median(pairs),
        "overhead_p95_ms": pairs[len(pairs) * 95 // 100],
    }


async def streams(go: str, door: str, key: str, pid: int, count: int) -> dict[str, float]:
    """Open that many streams at once; return seconds to the first bytes of all and to their end."""
    before = resident_bytes(pid)
    begun, ready = 0, asyncio.Event()
    bound = httpx2.Limits(max_connections=count + 8, max_keepalive_connections=8)
    async with httpx2.AsyncClient(timeout=SECONDS, limits=bound, trust_env=False) as client:

        async def one() -> None:
            nonlocal begun
            headers = {"authorization": f"Bearer {key}"}
            body = {**BODY, "stream": True}
            async with client.stream(
                "POST", f"{door}/chat/completions", json=body, headers=headers
            ) as answer:
                assert answer.status_code == 200
                pieces = answer.aiter_bytes()
                got = await anext(pieces)
                begun += 1
                if begun == count:
                    ready.set()
                async for piece in pieces:
                    got += piece
                assert got.count(b"word") == 10 and got.endswith(b"[DONE]\n\n")

        began = time.perf_counter()
        tasks = [asyncio.ensure_future(one()) for _ in range(count)]
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait((waiting, *tasks), return_when=asyncio.FIRST_COMPLETED)
        assert ready.is_set(), "a stream ended before all had begun"
        first, held = time.perf_counter() - began, resident_bytes(pid)
        async with httpx2.AsyncClient(trust_env=False) as other:
            await other.get(go)
        await asyncio.gather(*tasks)
    return {
        "streams": count,
        "first_bytes_seconds": first,
        "all_seconds": time.perf_counter() - began,
        "kib_each": (held - before) / count / 1_024,
    }


def measure(requests: int, count: int) -> dict[str, float]:
    """Run everything; return the figures."""
    more_files(count * 2 + 256)
    with tempfile.TemporaryDirectory(prefix="covey-door-") as folder:
        env = {**os.environ, "COVEY_HOME": f"{folder}/home"}
        covey = [sys.executable, "-m", "covey"]
        made = subprocess.run(
            [*covey, "share", "add", "bench", "--json"], env=env, check=True, capture_output=True, text=True
        )
        key = json.loads(made.stdout)["key"]
        with started([sys.executable, "-m", "benches.door", "--serve"], env) as (_, url):
            config = Path(folder) / "door.toml"
            config.write_text(CONFIG.format(url=f"{url}/v1"))
            room = ["--room", f"bench-{os.urandom(4).hex()}"]
            words = [*covey, "share", "start", "--config", str(config), *room, "--json"]
            with started(words, env) as (process, line):
                door = json.loads(line)["url"]
                before = processor_seconds(process.pid)
                cost = asyncio.run(overhead(f"{url}/v1", door, key, requests))
                used = processor_seconds(process.pid) - before
                cost["door_processor_ms"] = used * 1_000 / (requests + WARM)
                held = asyncio.run(streams(f"{url}/go", door, key, process.pid, count))
                return {**cost, **held}


def serve() -> None:
    """Be the backend: its address is the first line of output."""
    import socket

    more_files(65_536)
    listener = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    # As servers do that open their sockets themselves; else head and body wait for each other.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(Backend(), log_config=None, lifespan="off", access_log=False)
    asyncio.run(uvicorn.Server(config).serve([listener]))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benches.door")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return 0
    found = measure(arguments.requests, arguments.streams)
    if arguments.json:
        print(json.dumps(found))
        return 0
    print(
        f"a request: {found['direct_p50_ms']:.2f} ms without, {found['door_p50_ms']:.2f} ms through the door"
    )
    print(f"the door's part: p50 {found['overhead_p50_ms']:.2f} ms, p95 {found['overhead_p95_ms']:.2f} ms")
    print(f"of the door's processor time: {found['door_processor_ms']:.2f} ms a request")
    print(
        f"{found['streams']:.0f} streams at once: first bytes of all after {found['first_bytes_seconds']:.2f}"
        f" s, all ended after {found['all_seconds']:.2f} s, {found['kib_each']:.0f} KiB each at the door"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
