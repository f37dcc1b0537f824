"""The bus over the mesh: the same calls, agents of other peers included. A `Plugin` around a local bus.

Rules: what is for agents here is delivered as on any local bus; the rest goes to the peers whose agents
answer to it. A message that comes in is delivered here and goes no further. Replies go back to the peer
that asked, whoever else has that nickname.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.fleet.directory import Directory, Entry
from covey.fleet.message import Message, MessageError
from covey.fleet.topics import TopicError
from covey.model import SendState
from covey.proto.bus import words
from covey.proto.bus.engine import BusEngine
from covey.runtime.bus.inbox import AsyncHandler, Policy
from covey.runtime.bus.local import LocalBus, Logger
from covey.runtime.bus.port import Cancel, Handler
from covey.runtime.bus.values import DeadLetter, Fate, History, Receipt

if TYPE_CHECKING:
    from covey.ports import Clock, Entropy
    from covey.proto.extension import Extension
    from covey.runtime.plugin import Tell


class MeshBus:
    """Messages between agents of this peer and of all others it is connected to.

    Args:
        clock: Times of messages, and whether a deadline has passed.
        entropy: Ids of messages.
        log: Called with level, event word and facts; None keeps silent.
        history: Messages kept for `history()`.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        entropy: Entropy,
        log: Logger | None = None,
        history: int = limits.BUS_HISTORY,
    ) -> None:
        self.extension: Extension = BusEngine()
        self._local = LocalBus(clock=clock, entropy=entropy, log=log, history=history, beyond=self)
        self._log = log
        self._lock = threading.Lock()
        self._directory = Directory()
        self._origins: OrderedDict[str, tuple[str, str]] = OrderedDict()
        """By message id: the peer it came from, and its sender's nickname."""
        self._fates: OrderedDict[str, dict[str, Fate]] = OrderedDict()
        self._watchers: list[Callable[[Fate], None]] = []
        self._counts: Counter[str] = Counter()
        self._outgoing: deque[words.Carry] = deque()
        self._announced: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._scheduled = False
        self._news = asyncio.Event()
        """Set by every change of who answers to what."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tell: Tell | None = None

    # --- the port: everything that a local bus does ---------------------------------------------------

    def register(
        self,
        nickname: str,
        handler: Handler | AsyncHandler,
        *,
        capacity: int = limits.BUS_INBOX,
        policy: Policy = "drop-oldest",
    ) -> Cancel:
        """Call `handler` for every message to a nickname, from agents here and elsewhere.

        A plain function runs on the loop's thread for what comes from elsewhere: a slow one holds up the
        peer, and belongs in a coroutine function.

        Raises:
            MessageError: The nickname cannot be addressed, or there are too many to announce.
        """
        self._check_room()
        return self._local.register(nickname, handler, capacity=capacity, policy=policy)

    def unregister(self, nickname: str) -> int:
        """End every registration of a nickname here; return how many there were."""
        return self._local.unregister(nickname)

    def subscribe(
        self,
        pattern: str,
        handler: Handler | AsyncHandler,
        *,
        nickname: str = "subscriber",
        capacity: int = limits.BUS_INBOX,
        policy: Policy = "drop-oldest",
    ) -> Cancel:
        """Call `handler` for what is published, here and elsewhere, on topics that match.

        Raises:
            TopicError: The pattern is none.
            MessageError: There are too many to announce.
        """
        self._check_room()
        return self._local.subscribe(pattern, handler, nickname=nickname, capacity=capacity, policy=policy)

    def make(
        self,
        sender: str,
        recipient: str,
        kind: str,
        payload: Mapping[str, Any] | None = None,
        *,
        answers: Message | None = None,
        ttl_seconds: float | None = None,
    ) -> Message:
        """Make a message, with an id and the time of now.

        Raises:
            MessageError: Anything in it is not as `Message` describes.
        """
        return self._local.make(sender, recipient, kind, payload, answers=answers, ttl_seconds=ttl_seconds)

    def send(self, message: Message) -> Receipt:
        """Deliver a message to its recipient's handlers here, and to the peers that have one of that name.

        Returns:
            Who took it here, and how many peers it was `carried` to; what becomes of it there comes to
            `watch`, and can be asked with `fates`.
        """
        return self._local.send(message)

    def forward(self, message: Message, sender: str, recipient: str) -> Receipt:
        """Hand a message on to somebody else: one hop and one step of depth more, its trace and deadline
        kept.

        Returns:
            As `send`; past the hop limit it is a dead letter, `too-many-hops`.
        """
        return self._local.forward(message, sender, recipient)

    def publish(self, topic: str, message: Message) -> Receipt:
        """Deliver a message to whoever subscribed, here and elsewhere, to a pattern that its topic matches.

        Raises:
            TopicError: The topic is none.
        """
        return self._local.publish(topic, message)

    def watch(self, listener: Callable[[Fate], None]) -> Cancel:
        """Call `listener` with what becomes of messages at other peers, on the loop's thread."""
        with self._lock:
            self._watchers.append(listener)

        def end() -> None:
            with self._lock:
                if listener in self._watchers:
                    self._watchers.remove(listener)

        return end

    def fates(self, message_id: str) -> tuple[Fate, ...]:
        """Return what is known of a message at each peer it was carried to."""
        with self._lock:
            return tuple(self._fates.get(message_id, {}).values())

    def origin(self, message_id: str) -> str | None:
        """Return the peer whose session brought a message, proven by it; None for one of agents here."""
        with self._lock:
            found = self._origins.get(message_id)
        return None if found is None else found[0]

    def history(
        self,
        *,
        sender: str | None = None,
        recipient: str | None = None,
        kind: str | None = None,
        limit: int | None = None,
    ) -> History:
        """Return the newest messages sent or heard here that meet every condition given."""
        return self._local.history(sender=sender, recipient=recipient, kind=kind, limit=limit)

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the newest messages that reached nobody, and why."""
        return self._local.dead_letters()

    def nicknames(self) -> list[str]:
        """Return whom a message can be sent to now, here or elsewhere."""
        with self._lock:
            there = self._directory.names()
        return sorted(there.union(self._local.nicknames()))

    async def wait_for(self, nickname: str, timeout_seconds: float = 10.0) -> bool:
        """Wait until a message can be sent to that nickname; False when the time runs out first."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while nickname not in self.nicknames():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    def directory(self) -> list[Entry]:
        """Return every peer with what its agents answer to."""
        with self._lock:
            return self._directory.all()

    def counters(self) -> dict[str, int]:
        """Return what was sent, delivered, carried, failed, dropped and refused so far."""
        with self._lock:
            counts = Counter(self._counts)
        counts.update(self._local.counters())
        return dict(sorted(counts.items()))

    # --- what the local bus asks (Beyond), its lock held ----------------------------------------------

    def where(self, message: Message, topic: tuple[str, ...] | None) -> Sequence[str]:
        """Return the peers a message should go to."""
        with self._lock:
            if topic is not None:
                return self._directory.listeners(topic)
            origin = self._origins.get(message.in_reply_to)
            if origin is not None and origin[1] == message.recipient:
                return [origin[0]] if self._directory.get(origin[0]) is not None else []
            return self._directory.recipients(message.recipient)

    def carry(self, message: Message, topic: tuple[str, ...] | None, where: Sequence[str]) -> None:
        """Send a message to these peers, on the loop's next turn."""
        body = json.dumps(message.to_dict(), ensure_ascii=False, separators=(",", ":")).encode()
        wish = words.Carry(message.id, tuple(where), ".".join(topic or ()), body)
        with self._lock:
            self._note(message.id, [Fate(message.id, each, SendState.ACCEPTED) for each in where])
            full = len(self._outgoing) >= limits.BUS_OUTGOING
            if not full:
                self._outgoing.append(wish)
                self._schedule()
        if full:
            self._soon(lambda: self._all_lost(wish, "busy"))
            return
        self._say("info", "bus-sent", message, peers=list(where), topic=wish.topic)

    def changed(self, names: Sequence[str], patterns: Sequence[str]) -> None:
        """Announce what the agents here answer to, on the loop's next turn."""
        with self._lock:
            self._announced = (tuple(names), tuple(patterns))
            self._schedule()

    # --- what the node asks (Plugin) ------------------------------------------------------------------

    async def start(self, tell: Tell) -> None:
        """Begin to carry."""
        with self._lock:
            self._loop, self._tell = asyncio.get_running_loop(), tell
            self._scheduled = False
            self._schedule()

    def perform(self, what: object) -> None:
        """Do what the engine wants."""
        match what:
            case words.Heard():
                self._heard(what)
            case words.Fate():
                self._fate(Fate(what.token, what.node_id, SendState(what.state), what.reason))
            case words.Known():
                with self._lock:
                    bad = self._directory.learn(what.node_id, what.peer, what.names, what.patterns)
                    self._counts["announced-unreadable"] += bad
                self._news.set()
            case words.Gone():
                with self._lock:
                    self._directory.drop(what.node_id)

    async def stop(self) -> None:
        """Carry nothing more."""
        with self._lock:
            self._tell = self._loop = None

    # --- below ----------------------------------------------------------------------------------------

    def _check_room(self) -> None:
        with self._lock:
            names, patterns = self._announced
        if len(names) + len(patterns) >= limits.BUS_ANNOUNCED:
            raise MessageError(
                f"bus: {limits.BUS_ANNOUNCED} nicknames and patterns are announced, which is the most"
            )

    def _schedule(self) -> None:
        """Run `_flush` on the loop soon; the lock is held."""
        if self._loop is not None and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self._flush)

    def _soon(self, call: Callable[[], None]) -> None:
        with self._lock:
            loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(call)

    def _flush(self) -> None:
        """Say what is announced, then what is to be carried, in order."""
        with self._lock:
            self._scheduled = False
            tell, announced = self._tell, self._announced
            wishes = list(self._outgoing)
            self._outgoing.clear()
        if tell is None:
            return
        self._news.set()
        tell(words.Announce(*announced))
        for wish in wishes:
            tell(wish)

    def _heard(self, heard: words.Heard) -> None:
        state, reason = self._deliver(heard)
        if self._tell is not None:
            self._tell(words.Answer(heard.node_id, heard.seq, state, reason))

    def _deliver(self, heard: words.Heard) -> tuple[str, str]:
        """Deliver what a peer sent to agents here; return what to tell it of that."""
        try:
            message = Message.from_dict(heard.message)
            if self._impersonates(heard.node_id, message.sender):
                return self._turned_away(message, heard, "sender-of-another-peer")
            nickname, at, _ = message.recipient.rpartition("@")
            if at and message.recipient not in self._local.nicknames():
                message = replace(message, recipient=nickname)
            with self._lock:
                self._origins.setdefault(message.id, (heard.node_id, message.sender))
                if len(self._origins) > limits.BUS_SEEN:
                    self._origins.popitem(last=False)
            self._say("info", "bus-heard", message, peer=heard.node_id, topic=heard.topic)
            receipt = self._local.arrive(message, heard.topic)
        except (MessageError, TopicError) as error:
            return self._turned_away(None, heard, "unreadable", str(error))
        if receipt.dead:
            return self._turned_away(message, heard, receipt.dead)
        if receipt.queued:
            return "delivered", ""
        return ("executed", "") if receipt.delivered or receipt.duplicate else ("refused", "handler-failed")

    def _impersonates(self, node_id: str, sender: str) -> bool:
        """Tell whether a nickname is an agent's of another peer, or of this one, and not of that peer."""
        with self._lock:
            has = self._directory.has(sender)
        return node_id not in has and (bool(has) or sender in self._local.nicknames())

    def _turned_away(
        self, message: Message | None, heard: words.Heard, why: str, detail: str = ""
    ) -> tuple[str, str]:
        with self._lock:
            self._counts[f"refused-{why}"] += 1
        self._say("warn", "bus-turned-away", message, peer=heard.node_id, reason=why, detail=detail)
        return "refused", why

    def _all_lost(self, wish: words.Carry, why: str) -> None:
        for node_id in wish.node_ids:
            self._fate(Fate(wish.token, node_id, SendState.REFUSED, why))

    def _fate(self, fate: Fate) -> None:
        with self._lock:
            self._note(fate.message_id, [fate])
            watchers = tuple(self._watchers)
        if fate.lost and self._log is not None:
            facts = {"id": fate.message_id, "peer": fate.node_id, "state": fate.state, "reason": fate.reason}
            self._log("info", "bus-lost", facts)
        for watcher in watchers:
            try:
                watcher(fate)
            except Exception as error:  # a watcher's fault must not stop the peer
                with self._lock:
                    self._counts["watchers-failed"] += 1
                if self._log is not None:
                    self._log("error", "bus-watcher-failed", {"error": repr(error)})

    def _note(self, message_id: str, fates: Sequence[Fate]) -> None:
        """Keep the newest word on a message; the lock is held."""
        known = self._fates.setdefault(message_id, {})
        for fate in fates:
            known[fate.node_id] = fate
            self._counts[f"at-peers-{fate.state}"] += fate.state is not SendState.ACCEPTED
        if len(self._fates) > limits.BUS_FATES:
            self._fates.popitem(last=False)

    def _say(self, level: str, event: str, message: Message | None, **facts: Any) -> None:
        if self._log is None:
            return
        about: dict[str, Any] = {}
        if message is not None:
            about = {
                "trace": message.trace or message.id,
                "id": message.id,
                "re": message.in_reply_to,
                "type": message.type,
                "sender": message.sender,
                "recipient": message.recipient,
                "depth": message.depth,
                "hops": message.hops,
            }
        self._log(level, event, {**about, **facts})
