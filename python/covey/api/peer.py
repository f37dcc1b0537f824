"""A peer from Python: `async with covey.Peer("ann") as peer`. It listens, hears, remembers, speaks and
shares.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from covey import limits
from covey.api.agent import Agent
from covey.api.config import file_settings, peer_settings, proposal
from covey.api.handlers import Worker
from covey.api.hearing import Weighed
from covey.api.rooms import Rooms
from covey.api.session import WorkSession
from covey.cli.environment import current
from covey.cognition.hearing import listening
from covey.errors import UsageError
from covey.model import Block, Delivery, PeerView, SendState

if TYPE_CHECKING:
    from covey.cli.peer import OpenPeer
    from covey.proto.many import ManyResult
    from covey.proto.mood import Told
    from covey.proto.news import News
    from covey.runtime.agent import AgentRuntime
    from covey.runtime.bus.mesh import MeshBus
    from covey.runtime.emit import Emission
    from covey.runtime.registry import Registry
    from covey.settings import Settings

OnBlock = TypeVar("OnBlock", bound=Callable[[Block], Awaitable[object]])
OnDelivery = TypeVar("OnDelivery", bound=Callable[[Delivery], Awaitable[object]])
OnTrouble = TypeVar("OnTrouble", bound=Callable[[str, str], object])


class Peer(Rooms):
    """One peer on the mesh, for as long as its context lasts.

    Args:
        name: Its name; its identity and its memory are kept under it, and found again the next time.
        room: Which room it sits in.
        lan: Reach beyond this machine, to the local network.
        dial: Addresses that are always dialled, `"host:port"` or `"host:port#fingerprint"`.
        relays: Relays to be reachable through, `"wss://…"`; their token in COVEY_RELAY_TOKEN.
        trusted: Names, nodeIds or key fingerprints whose blocks may wake its agent.
        agent: Who answers for it; None only listens.
        home: Where everything is kept; None is COVEY_HOME, or `~/.covey`.
        settings: Further sections of agent.toml, by name.

    Raises:
        ConfigError: A value is not as agent.toml wants it; it names the key.
    """

    def __init__(
        self,
        name: str,
        *,
        room: str = "default",
        lan: bool = False,
        dial: Sequence[str] = (),
        relays: Sequence[str] = (),
        trusted: Collection[str] = (),
        agent: Agent | None = None,
        home: str | Path | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        mesh = {"room": room, "lan": lan or None, "peers": list(dial), "relay": list(relays)}
        sections: dict[str, Any] = {key: dict(values) for key, values in (settings or {}).items()}
        if trusted:
            sections.setdefault("trust", {})["trusted"] = list(trusted)
        if agent is not None:
            for section, values in agent.sections().items():
                sections[section] = {**sections.get(section, {}), **values}
        self._settings: Settings = peer_settings(name, mesh, sections)
        self._agent = agent
        self._env = current(**({} if home is None else {"COVEY_HOME": str(home)}))
        self._handlers: list[Callable[[Delivery], Awaitable[object]]] = []
        self._troubles: list[Callable[[str, str], object]] = []
        self._workers: list[Worker[Delivery]] = []
        self._open_ends: Counter[str] = Counter()
        self._failed: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._stack: AsyncExitStack | None = None
        self._peer: OpenPeer | None = None
        self._runtime: AgentRuntime | None = None
        self._stopping: asyncio.Event | None = None

    @classmethod
    def from_config(cls, path: str | Path, *, home: str | Path | None = None) -> Self:
        """Return the peer that an agent.toml describes, without its agent.

        Raises:
            ConfigError: The file cannot be read, or a value in it is wrong; it names line and key.
        """
        settings = file_settings(Path(path))
        peer = cls(settings.identity.name, room=settings.mesh.room, home=home)
        peer._settings = settings
        return peer

    # --- life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Start: take the identity, open the memory, listen, look for others.

        Raises: CollisionError: A peer of this name runs already. CoveyError: A folder, the identity, the
            memory or an address cannot be used; it says which and why.
        """
        from covey.cli.peer import open_peer
        from covey.cli.run import peer_plan
        from covey.system.home import Home

        if self._stack is not None:
            raise RuntimeError("this peer runs already: one `async with` at a time")
        self._stopping = asyncio.Event()
        plan = peer_plan(Home.resolve(self._env), self._settings, self._env)
        async with AsyncExitStack() as stack:
            self._peer = await stack.enter_async_context(
                open_peer(plan, on_stop=lambda _: self._asked_to_stop(), join=self._join)
            )
            if self._runtime is not None:
                stack.push_async_callback(self._runtime.close)
                await self._runtime.start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish what handlers hold, say goodbye to every peer, close the memory."""
        stack, self._stack = self._stack, None
        try:
            drain = 0.0 if kind is not None else limits.API_DRAIN_SECONDS
            await asyncio.gather(*(worker.stop(drain) for worker in self._workers))
        finally:
            self._workers.clear()
            self._close_rooms()
            self._peer = self._runtime = None
            if stack is not None:
                await stack.aclose()

    async def run(self) -> None:
        """Stay until somebody asks the peer to stop (`covey stop`, or `stop()`), or its agent's run is
        over.
        """
        runtime, stopping = self._runtime, self._stopping
        self._running()
        waits = [asyncio.ensure_future(stopping.wait())] if stopping is not None else []
        try:
            ends = [asyncio.ensure_future(runtime.finished())] if runtime is not None else []
            await asyncio.wait([*waits, *ends], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in [*waits, *ends]:
                each.cancel()

    def stop(self) -> None:
        """Let `run` return."""
        self._asked_to_stop()

    # --- hearing --------------------------------------------------------------------------------

    def on_block(self, handler: OnBlock) -> OnBlock:
        """Call a coroutine function with every block that is delivered here, each once, one at a time.

        What it raises is contained, counted and told to `on_trouble`. The sender of a block addressed to this
        peer hears `executed` when every handler has finished with it.
        """

        async def handle(delivery: Delivery) -> None:
            await handler(delivery.block)

        handle.__qualname__ = getattr(handler, "__qualname__", repr(handler))
        self._add(handle)
        return handler

    def on_delivery(self, handler: OnDelivery) -> OnDelivery:
        """Call a coroutine function as `on_block` does, with the delivery: judgement, whether it is
        directed.
        """
        self._add(handler)
        return handler

    def weighing(self, weights: Mapping[str, float], threshold: float | None = None) -> Weighed:
        """Return where handlers are given that hear only what matters under weights of their own (§14.9.2).

        What this peer remembers does not change; what is addressed to it is heard in any case.

        Args:
            weights: How much each category counts, 0 to 100; what is left out counts nothing.
            threshold: The drift, 0 to 1, up to which a block is heard; None is this peer's own.

        Raises:
            UsageError: A weight or the threshold is wrong (`invalid_weights`).
        """
        return Weighed(listening(weights, threshold), self._add)

    def on_trouble(self, handler: OnTrouble) -> OnTrouble:
        """Call a function with an event word and a line when a handler fails, is too slow or is cut off."""
        self._troubles.append(handler)
        return handler

    # --- speaking -------------------------------------------------------------------------------

    async def observe(
        self,
        categories: Mapping[str, str] | None = None,
        /,
        *,
        parents: Sequence[str | Block] = (),
        wait_seconds: float = 0.0,
        focus: str | None = None,
        issue: str | None = None,
        intent: str | None = None,
        motivation: str | None = None,
        commitment: str | None = None,
        perspective: str | None = None,
        mood: str | None = None,
    ) -> Emission:
        """Say something to the room; categories as keywords, in a mapping, or both.

        Args:
            categories: Texts by category.
            parents: Blocks, or their keys, that this one answers.
            wait_seconds: Wait that long for every peer to say what became of it.

        Returns:
            `result` is Minted, Duplicate or EmissionRefused; `sends` what became of it at each peer.

        Raises:
            UsageError: Nothing is said, or a category is unknown.
        """
        keywords = {
            "focus": focus,
            "issue": issue,
            "intent": intent,
            "motivation": motivation,
            "commitment": commitment,
            "perspective": perspective,
            "mood": mood,
        }
        return await self._emit(proposal(categories or {}, parents, None, keywords), wait_seconds)

    async def emit_many(self, lines: bytes | str) -> ManyResult:
        """Say many things to the room at once, each by itself, with no Python value for any of them.

        Args:
            lines: One JSON object of category texts on each line; at most 1,024 lines and 4 MiB.

        Returns:
            How many are durable and on their way, and what became of every other line; or why none is.
        """
        return await self._running().node.many.emit(lines.encode() if isinstance(lines, str) else lines)

    async def send(
        self,
        to: str,
        categories: Mapping[str, str] | None = None,
        /,
        *,
        parents: Sequence[str | Block] = (),
        wait_seconds: float = limits.IPC_RECEIPT_SECONDS,
        until: SendState = SendState.DELIVERED,
        **texts: str,
    ) -> Emission:
        """Say something to one peer, by name or nodeId, and wait for what becomes of it.

        Args:
            to: Whom; one that is away gets it when it comes back, for a day.
            categories: Texts by category; keywords do the same.
            parents: Blocks, or their keys, that this one answers.
            wait_seconds: The longest wait.
            until: DELIVERED, or EXECUTED to wait until its application has finished with it.

        Raises:
            UsageError: Nothing is said, a category is unknown, or no such peer is known.
        """
        from covey.runtime.emit import addressee

        node_id = addressee(to, self.peers())
        return await self._emit(proposal(categories or {}, parents, node_id, texts), wait_seconds, until)

    async def reply(
        self,
        block: Block,
        categories: Mapping[str, str] | None = None,
        /,
        *,
        wait_seconds: float = limits.IPC_RECEIPT_SECONDS,
        until: SendState = SendState.DELIVERED,
        **texts: str,
    ) -> Emission:
        """Answer a block: to its author alone, with the block as parent. It is delivered whatever admission
        says.

        Raises:
            UsageError: Nothing is said, or a category is unknown.
        """
        return await self._emit(
            proposal(categories or {}, [block], block.node_id, texts), wait_seconds, until
        )

    async def mood(self, text: str, context: str | None = None) -> Sequence[Told]:
        """Tell everybody who is there how this peer is; nothing of it is kept, by anybody.

        Args:
            text: In words, 1,024 characters at most; `neutral` says that there is none.
            context: What it is about, 4,096 characters at most.

        Returns:
            Who was told: `sent`, or `unsent` for one that reads too slowly just now. A stock Node peer is not
            among them: it is never told.

        Raises:
            UsageError: It is empty or too long. CoveyError: It comes too soon after others.
        """
        return (await self._running().rooms.mood.say(text, context)).told

    async def ask(
        self, question: str, *, wait_seconds: float = 10.0, answers: int | None = None, **texts: str
    ) -> list[Block]:
        """Put a question to the room and return the blocks that answer it.

        Args:
            question: Said as `intent`; further categories as keywords.
            wait_seconds: The longest wait.
            answers: Return as soon as that many have come.

        Returns:
            Blocks of others that name the question as a parent, in the order they came; perhaps none.
        """
        from covey.api.question import Question
        from covey.system.clock import SystemClock

        asking = Question(answers)
        end = self._running().node.subscribe(asking.hear)
        try:
            async with asyncio.timeout(wait_seconds):
                await asking.put(self.observe, {"intent": question, **texts}, SystemClock().now_ms)
        except TimeoutError:
            pass  # the wait is over: what has come is the answer
        finally:
            end()
        return asking.found

    async def ground(self, block: str | Block, outcome: str, *, held: bool = True) -> Mapping[str, Any]:
        """Report how a held block turned out (MMP 2.0 §6.7): evidence that others weigh, and no judgement.

        Args:
            block: Which one, or its key.
            outcome: What was seen.
            held: Whether it held; a failure is as welcome as a success.

        Returns:
            `result` (minted, duplicate or refused) and `key`.

        Raises:
            IpcError: The block is not held here.
        """
        key = str(getattr(block, "key", block))
        return await self._running().words.ground({"key": key, "held": held, "outcome": outcome})

    def session(self, intent: str) -> WorkSession:
        """Return a work session (§14.12) to be used as a context: charter, decisions, artifact, outcome."""
        return WorkSession(self._running().words, intent)

    # --- looking --------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Return its name."""
        return self._settings.identity.name

    @property
    def node_id(self) -> str:
        """Return its nodeId."""
        return self._running().node.node_id

    def peers(self) -> Sequence[PeerView]:
        """Return the peers with an open session."""
        return self._running().node.peers()

    async def wait_for_peers(self, count: int = 1, timeout_seconds: float = 10.0) -> bool:
        """Wait until that many peers have an open session; False when the time runs out first."""
        return await self._running().node.wait_for_peers(count, timeout_seconds)

    async def recall(self, text: str, limit: int = 20) -> Sequence[Block]:
        """Return remembered blocks that match words, best first."""
        return await asyncio.to_thread(self._running().memory.recall, text, limit)

    async def recent(self, limit: int = 20) -> Sequence[Block]:
        """Return the newest remembered blocks, newest first."""
        return await asyncio.to_thread(self._running().memory.recent, limit)

    async def block(self, key: str) -> Block | None:
        """Return the remembered block with this key, or None."""
        return await asyncio.to_thread(self._running().memory.block, key)

    @property
    def bus(self) -> MeshBus:
        """Return the bus: messages to agents here and at other peers, by nickname and topic."""
        return self._running().fleet.bus

    @property
    def capabilities(self) -> Registry:
        """Return who can do what: announce what agents here can do, find who can elsewhere."""
        return self._running().fleet.registry

    def counters(self) -> Mapping[str, int]:
        """Return every counter of the node and of the handlers, by dotted name."""
        return {**self._running().node.counters(), **self._counts}

    # --- below ----------------------------------------------------------------------------------

    def _running(self) -> OpenPeer:
        if self._peer is None:
            raise UsageError("this peer does not run", hint="use it inside: async with covey.Peer(…) as peer")
        return self._peer

    def _asked_to_stop(self) -> None:
        if self._stopping is not None:
            self._stopping.set()

    def _join(self, peer: OpenPeer) -> None:
        """Subscribe before the peer listens: nothing that reaches it is lost on handlers or the agent."""
        self._peer = peer
        for handler in self._handlers:
            self._start(handler)
        peer.node.subscribe(self._hear)
        if self._agent is not None:
            self._runtime = self._agent_of(peer, self._agent)
            peer.agent = self._runtime
            self._runtime.attach()

    def _agent_of(self, peer: OpenPeer, agent: Agent) -> AgentRuntime:
        from covey.cli.run import join_agent, say_price
        from covey.models import build

        model = build(self._settings, self._env) if isinstance(agent.model, str) else agent.model
        made = join_agent(peer, self._settings, model, self._env, functions=agent.tools, ask=agent.ask)
        made.subscribe(lambda n: peer.log.write(n.level, f"agent-{n.event}", n.facts))
        say_price(made)
        return made

    def _add(self, handler: Callable[[Delivery], Awaitable[object]]) -> None:
        self._handlers.append(handler)
        if self._peer is not None:
            self._start(handler)

    def _start(self, handler: Callable[[Delivery], Awaitable[object]]) -> None:
        worker = Worker(handler, tell=self._trouble, done=self._done, counts=self._counts)
        self._workers.append(worker)

    def _hear(self, news: News) -> None:
        from covey.proto.news import Delivered

        if isinstance(news, Delivered) and self._workers:
            delivery = news.delivery
            if delivery.directed and self._agent is None:
                self._open_ends[delivery.block.assertion_id] += len(self._workers)
            for worker in self._workers:
                worker.put(delivery)

    def _done(self, delivery: Delivery, error: BaseException | None) -> None:
        """Say that a directed block is executed once the last handler has finished with it."""
        asserted = delivery.block.assertion_id
        if asserted not in self._open_ends:
            return
        if error is not None:
            self._failed[asserted] = type(error).__name__
        self._open_ends[asserted] -= 1
        if self._open_ends[asserted] > 0:
            return
        del self._open_ends[asserted]
        why = self._failed.pop(asserted, None)
        if self._peer is not None:
            self._peer.node.ended(asserted, "executed" if why is None else "unexecuted", why)

    def _trouble(self, event: str, line: str) -> None:
        if self._peer is not None:
            self._peer.log.warn(event, detail=line)
        for handler in self._troubles:
            handler(event, line)

    async def _emit(self, what: Any, wait_seconds: float, until: SendState = SendState.DELIVERED) -> Emission:
        from covey.runtime.emit import emit_and_wait

        return await emit_and_wait(self._running().node, what, wait_seconds, until=until)
