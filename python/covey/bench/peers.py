"""Peers in processes of their own: one that speaks, others that hear, a relay between them.

Each block's first category ends with the speaker's monotonic clock; processes of one machine share it, so
a hearer knows how old a block is when it gets it (`stations`).
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

from covey import _core, core
from covey.bench import blocks
from covey.bench.lost import Stamps, Trail
from covey.bench.stations import MARK, Stamped, StampedNode, StampedStore, StampedTransport, moment
from covey.errors import CoveyError
from covey.model import Minted, Proposal, SendState
from covey.net.tcp import TcpTransport
from covey.net.websocket import WebSocketClient
from covey.proto.options import AdmissionOptions, NodeOptions, RelayOptions
from covey.runtime.node import Node
from covey.store.node import NodeStore
from covey.store.opening import open_store
from covey.system import collector
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from covey.values import dataclass

IN_FLIGHT: Final = 1_024
"""Blocks a speaker has begun and not yet made durable."""
ANSWER_SECONDS: Final = 120.0
"""A peer of a measurement that says nothing for so long is stuck."""
_LOOK_SECONDS: Final = 0.002
_SELDOM_SECONDS: Final = 0.05
"""How often it is looked whether all have come, where blocks have their time taken: nothing else may run."""
_EVERYTHING: Final = AdmissionOptions(stable=2.0, guarded=2.0, redundancy=0.0)
"""A gate that admits all: each block is judged and each is a row."""
_DRAIN_LOOK_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a process of hearers does: how many peers, how many blocks each awaits, what it looks at.

    With `ages` each block is stamped at its stations.
    """

    folder: Path
    hearers: int
    blocks: int
    ages: bool = False
    relay: str | None = None


@dataclass(frozen=True, slots=True)
class Speaking:
    """What the speaker does: how many blocks, to whom, at what pace (blocks a second; None: no pace)."""

    folder: Path
    blocks: int
    ports: tuple[int, ...]
    pace: float | None = None
    relay: str | None = None
    ages: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What hearers say: blocks admitted by all since the first one, and in what time; the CPU time of all of
    them, the first ones too; how many the index of full text lacked then, and how long it took to have them;
    stamps, where asked."""

    admitted: int
    seconds: float
    cpu_seconds: float
    index_lag: int
    drain_seconds: float
    stamps: dict[str, Stamps]
    trail: Trail = field(default_factory=Trail)


@dataclass(frozen=True, slots=True)
class Spoke:
    """What the speaker says: CPU seconds for all of its blocks until the last one was admitted, its stamps,
    how late each call came, and how many blocks its own index of full text lacked then."""

    cpu_seconds: float
    stamps: dict[str, Stamps]
    trail: Trail = field(default_factory=Trail)
    behind: tuple[float, ...] = ()
    index_lag: int = 0


class StuckError(CoveyError):
    """A measurement did not come to its end."""

    default_code = "bench_stuck"


@contextmanager
def process(work: Callable[..., Coroutine[Any, Any, None]], plan: object) -> Iterator[Connection]:
    """Run `work(plan, wire)` in a process of its own, and end it; yields our end of the wire."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_run, args=(work, plan, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        yield ours
    finally:
        child.terminate()
        child.join()
        ours.close()


def answer(wire: Connection) -> Any:
    """Wait for what a process says.

    Raises:
        StuckError: It says nothing, or has ended.
    """
    if not wire.poll(ANSWER_SECONDS):
        raise StuckError(f"a measured peer said nothing for {ANSWER_SECONDS:.0f} seconds")
    try:
        said = wire.recv()
    except EOFError:
        raise StuckError("a measured peer ended before its measurement") from None
    if isinstance(said, Exception):
        raise StuckError(f"a measured peer failed: {said}")
    return said


def first(expected: Connection, other: Connection) -> None:
    """Wait until `expected` has something to say.

    Raises:
        StuckError: The other process spoke or ended first, or both are silent for too long.
    """
    ready = wait([expected, other], ANSWER_SECONDS)
    if expected not in ready:
        answer(other) if ready else answer(expected)


def _run(work: Callable[..., Coroutine[Any, Any, None]], plan: object, wire: Connection) -> None:
    """Run a peer under uvloop where there is one; what goes wrong is said over the wire."""
    try:
        import uvloop
    except ImportError:
        runner = asyncio.run
    else:
        runner = uvloop.run
    try:
        runner(work(plan, wire))
    except Exception as error:  # the boundary of this process: the caller raises it as StuckError
        wire.send(RuntimeError(f"{type(error).__name__}: {error}"))


def _peer(
    identity: core.Identity, folder: Path, options: NodeOptions, stamped: Stamped | None = None
) -> tuple[Node, _core.Store]:
    """Return a peer and its store; with `stamped`, one that stamps what passes."""
    folder.mkdir(parents=True)
    clock = SystemClock()
    file = open_store(folder / "store.db", identity.node_id)
    store = (NodeStore if stamped is None else StampedStore)(file, identity, clock)
    transport = TcpTransport() if stamped is None else StampedTransport()
    node = (Node if stamped is None else StampedNode)(
        identity,
        options,
        store=store,
        transport=transport,
        clock=clock,
        entropy=SystemEntropy(),
        relays=[WebSocketClient() for _ in options.relays],
    )
    for each in (store, transport, node):
        if isinstance(each, StampedStore | StampedTransport | StampedNode) and stamped is not None:
            each.stamped = stamped
    return node, file


def _relays(url: str | None) -> tuple[RelayOptions, ...]:
    return () if url is None else (RelayOptions(url),)


async def hear(plan: Hearing, wire: Connection) -> None:
    """Listen; send the ports; None as soon as every hearer has admitted its blocks, so that whoever measures
    can ask the speaker what it took until then; a `Heard` once their full text is there, too."""
    trusted = frozenset({blocks.SPEAKER})
    nodes, files, stamped = [], [], Stamped()
    for number in range(plan.hearers):
        options = NodeOptions(
            room=blocks.ROOM,
            admission=_EVERYTHING,
            trusted=trusted,
            relays=_relays(plan.relay),
            outbound_only=plan.relay is not None,
        )
        folder = plan.folder / str(number)
        node, file = _peer(blocks.hearer(number), folder, options, stamped if plan.ages else None)
        nodes.append(node)
        files.append(file)
    for node in nodes:
        if plan.ages:
            node.subscribe(stamped.heard)
        await node.start()
    collector.settle()  # as `covey listen` and `run` do
    wire.send(tuple(node.port for node in nodes))

    def admitted() -> list[int]:
        return [node.counters().get("records.admitted", 0) for node in nodes]

    first, began, busy = 0, 0.0, 0.0
    expected = plan.blocks if plan.ages else 0
    while min(counts := admitted()) < plan.blocks or len(stamped.at["delivered"]) < expected:
        if not any(counts):
            # The last look before the first block; of few blocks the next one may see all.
            busy, began = time.process_time(), time.perf_counter()
        elif not first:
            first, began = sum(counts), time.perf_counter()
            stamped.begin()
        await asyncio.sleep(_SELDOM_SECONDS if plan.ages else _LOOK_SECONDS)
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    wire.send(None)
    trail = stamped.trail() if plan.ages else Trail()
    lag, took = await drained(files)
    admissions = plan.hearers * plan.blocks - first
    wire.send(Heard(admissions, seconds, cpu, lag, took, stamped.stamps(), trail))
    await asyncio.Event().wait()  # the caller ends it


async def drained(files: list[_core.Store]) -> tuple[int, float]:
    """Return how many blocks the indexes of full text lack, and how long until they have them."""
    began, first = time.perf_counter(), None
    while True:
        lag = sum(file.stats()["recall_lag"] for file in files)
        first = lag if first is None else first
        if not lag:
            return first, time.perf_counter() - began
        await asyncio.sleep(_DRAIN_LOOK_SECONDS)


async def speak(plan: Speaking, wire: Connection) -> None:
    """Dial everybody and emit the blocks, many at once or each at its time; send None when all are durable.

    Once told that they were heard, send what it took.
    """
    addresses = tuple(("127.0.0.1", port) for port in plan.ports)
    options = NodeOptions(
        room=blocks.ROOM,
        admission=_EVERYTHING,
        addresses=addresses if plan.relay is None else (),
        relays=_relays(plan.relay),
        outbound_only=plan.relay is not None,
    )
    stamped = Stamped()
    node, file = _peer(blocks.speaker(), plan.folder, options, stamped if plan.ages else None)
    async with node:
        if not await node.wait_for_peers(len(plan.ports), ANSWER_SECONDS / 4):
            wire.send(RuntimeError("the peers did not meet"))
            return
        collector.settle()
        gate = asyncio.Semaphore(IN_FLIGHT)

        async def say(number: int) -> None:
            texts = blocks.categories(number)
            now, spent = moment()
            texts["focus"] += f"{MARK}{now}"
            if plan.ages:
                stamped.called[now] = spent
            result = await node.emit(Proposal(texts))
            if plan.ages and isinstance(result, Minted):
                stamped.said[result.block.assertion_id] = texts["focus"]
            gate.release()
            if not isinstance(result, Minted):
                wire.send(RuntimeError(f"block {number} was not minted: {result}"))
            elif any(send.state is SendState.REFUSED for send in result.sends):
                wire.send(RuntimeError(f"block {number} was refused: a hearer has stalled"))

        stamped.begin()
        busy, began, begun = time.process_time(), asyncio.get_running_loop().time(), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(plan.blocks):
                if plan.pace is not None:
                    await _until(began + number / plan.pace)
                    stamped.behind.append(max(0.0, time.perf_counter() - begun - number / plan.pace))
                await (
                    gate.acquire()
                )  # here and not in the task: a semaphore looks through all that wait for it
                group.create_task(say(number))
        wire.send(None)
        await asyncio.to_thread(wire.recv)  # what is durable may wait for its sealing: the hearers tell
        cpu, lag = time.process_time() - busy, int(file.stats()["recall_lag"])
        trail = stamped.trail() if plan.ages else Trail()
        wire.send(Spoke(cpu, stamped.stamps(), trail, tuple(stamped.behind), lag))
        await asyncio.Event().wait()  # the caller ends it


async def _until(when: float) -> None:
    wait = when - asyncio.get_running_loop().time()
    if wait > 0.0:
        await asyncio.sleep(wait)


async def relay(_: object, wire: Connection) -> None:
    """Run a relay on loopback, open to all; send its address."""
    from covey.net.websocket import WebSocketServer
    from covey.proto.relay.server import Access, RelayServer
    from covey.runtime.relay import RelayHost

    server = WebSocketServer({})
    host = RelayHost(RelayServer(Access(open=True)), server, SystemClock())
    port = await server.listen("127.0.0.1", 0, host, None)
    wire.send(f"ws://127.0.0.1:{port}")
    await asyncio.Event().wait()
