"""The bus over the mesh: the same calls, agents of other peers included. A `Plugin` around a local bus.

Rules: what is for agents here is delivered as on any local bus; the rest goes to the peers whose agents
answer to it. A message that comes in is delivered here and goes no further. Replies go back to the peer
that asked, whoever else has that nickname.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.fleet.chain import ContentChain
from covey.fleet.directory import Directory, Entry
from covey.fleet.message import Message, MessageError
from covey.fleet.topics import TopicError
from covey.model import SendState
from covey.proto.bus import words
from covey.proto.bus.engine import BusEngine
from covey.proto.link import Lane
from covey.runtime.bus.inbox import AsyncHandler, Policy
from covey.runtime.bus.local import LocalBus, Logger
from covey.runtime.bus.port import Cancel, Handler
from covey.runtime.bus.signed import Mailer, Records, Signed, Unread
from covey.runtime.bus.values import Fate, Receipt
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import Clock, Entropy
    from covey.proto.extension import Extension
    from covey.runtime.plugin import Tell


_NODE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A message on its way to the loop."""

    message: Message
    topic: str
    node_ids: tuple[str, ...]
    proof: bool


class MeshBus(LocalBus):
    """Messages between agents of this peer and of all others it is connected to: a local bus, and further.

    `send` with `proof` sends each peer a signed record: durable on both sides, delivered once, also to a
    `nickname@nodeId` that is away. Without it a frame goes, now or never; unsaid, the message's type decides.
    What becomes of a message at each peer comes to `watch`, and can be asked with `fates`.

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
        super().__init__(clock=clock, entropy=entropy, log=log, history=history, beyond=self)
        self._records: Records | None = None
        self._unread: Unread | None = None
        self._guard = threading.Lock()
        self._directory = Directory()
        self._origins: OrderedDict[str, tuple[str, str]] = OrderedDict()
        """By message id: the peer it came from, and its sender's nickname."""
        self._fates: OrderedDict[str, dict[str, Fate]] = OrderedDict()
        self._watchers: list[Callable[[Fate], None]] = []
        self._tallies: Counter[str] = Counter()
        self._outgoing: deque[_Parcel] = deque()
        self._announced: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._scheduled = False
        self._chain = ContentChain()
        self._lines = Lane(limits.BUS_LOGGED_PER_SECOND, limits.BUS_LOGGED_BURST)
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
        return super().register(nickname, handler, capacity=capacity, policy=policy)

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
        return super().subscribe(pattern, handler, nickname=nickname, capacity=capacity, policy=policy)

    def watch(self, listener: Callable[[Fate], None]) -> Cancel:
        """Call `listener` with what becomes of messages at other peers, on the loop's thread."""
        with self._guard:
            self._watchers.append(listener)

        def end() -> None:
            with self._guard:
                if listener in self._watchers:
                    self._watchers.remove(listener)

        return end

    def fates(self, message_id: str) -> tuple[Fate, ...]:
        """Return what is known of a message at each peer it was carried to."""
        with self._guard:
            return tuple(self._fates.get(message_id, {}).values())

    def proof(self, message_id: str) -> Signed | None:
        """Return a message that came as a signed record, with that record; None for any other, or later.

        Whoever knows the key of its `node_id` can check it with `covey.core.verify`.
        """
        return None if self._records is None else self._records.proof(message_id)

    def origin(self, message_id: str) -> str | None:
        """Return the peer whose session brought a message, proven by it; None for one of agents here."""
        with self._guard:
            found = self._origins.get(message_id)
        return None if found is None else found[0]

    def nicknames(self) -> list[str]:
        """Return whom a message can be sent to now, here or elsewhere."""
        with self._guard:
            there = self._directory.names()
        return sorted(there.union(super().nicknames()))

    def patterns(self) -> list[str]:
        """Return every pattern of topics that somebody subscribed to, here or elsewhere."""
        with self._guard:
            there = {".".join(each) for entry in self._directory.all() for each in entry.patterns}
        return sorted(there.union(super().patterns()))

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
        with self._guard:
            return self._directory.all()

    def counters(self) -> dict[str, int]:
        """Return what was sent, delivered, carried, failed, dropped and refused so far."""
        with self._guard:
            counts = Counter(self._tallies)
        counts.update(super().counters())
        return dict(sorted(counts.items()))

    # --- what the local bus asks (Beyond), its lock held ----------------------------------------------

    def where(self, message: Message, topic: tuple[str, ...] | None, *, proof: bool) -> Sequence[str]:
        """Return the peers a message should go to."""
        with self._guard:
            if topic is not None:
                return self._directory.listeners(topic)
            origin = self._origins.get(message.in_reply_to)
            if origin is not None and origin[1] == message.recipient:
                return [origin[0]] if proof or self._directory.get(origin[0]) is not None else []
            found = self._directory.recipients(message.recipient)
            away = message.recipient.rpartition("@")[2]
            return [away] if not found and proof and _NODE_ID.match(away) else found

    def carry(
        self, message: Message, topic: tuple[str, ...] | None, where: Sequence[str], *, proof: bool
    ) -> None:
        """Send a message to these peers, on the loop's next turn."""
        wish = _Parcel(message, ".".join(topic or ()), tuple(where), proof)
        with self._guard:
            self._note(message.id, [Fate(message.id, each, SendState.ACCEPTED) for each in where])
            self._chain.sent(message, self._clock.monotonic())
            full = len(self._outgoing) >= limits.BUS_OUTGOING
            if not full:
                self._outgoing.append(wish)
                self._schedule()
        if full:
            self._soon(lambda: self._all_lost(wish, "busy"))
            return
        self._tell_log("info", "bus-sent", message, peers=list(where), topic=wish.topic)

    def changed(self, names: Sequence[str], patterns: Sequence[str]) -> None:
        """Announce what the agents here answer to, on the loop's next turn."""
        with self._guard:
            self._announced = (tuple(names), tuple(patterns))
            self._schedule()

    def settled(self, receipt: Receipt, *, came: bool) -> None:
        """Leave a line of what became of a message here, so that its trace has no hole."""
        if receipt.dead:
            self._tell_log("info", "bus-dead-letter", receipt.message, reason=receipt.dead)
        elif not came and receipt.reached > receipt.carried:
            facts = {"delivered": receipt.delivered, "failed": receipt.failed, "queued": receipt.queued}
            self._tell_log("info", "bus-delivered", receipt.message, **facts)

    def handled(self, message: Message, ended: bool) -> None:
        """Take note that a coroutine handler is over with a message, on the loop's next turn."""
        records = self._records
        if records is not None:
            self._soon(lambda: records.handled(message.id, failed=not ended))

    # --- what the node asks (Plugin) ------------------------------------------------------------------

    def attach(self, mailer: Mailer, unread: Unread | None = None) -> None:
        """Take what sends and ends signed records, and where those lie that no agent has come to."""
        self._records = Records(mailer, self._clock, self._fate)
        self._unread = unread

    async def start(self, tell: Tell) -> None:
        """Begin to carry; what no agent had come to when this peer stopped waits for its agent again.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._guard:
            self._loop, self._tell = asyncio.get_running_loop(), tell
            self._scheduled = False
            self._schedule()
        if self._unread is not None:
            found, broken = await asyncio.to_thread(self._unread.unread, limits.BUS_HELD)
            self._tallies["unreadable-at-start"] += broken
            for record, expires_ms in found:
                self._proven(words.Proven(record, expires_ms))

    def perform(self, what: object) -> None:
        """Do what the engine wants."""
        match what:
            case words.Heard():
                self._heard(what)
            case words.Proven():
                self._proven(what)
            case words.Unheeded():
                if self._records is not None:
                    self._records.refuse(what.assertion_id, "stranger")
            case words.Fate():
                self._fate(Fate(what.token, what.node_id, SendState(what.state), what.reason))
            case words.Known():
                with self._guard:
                    bad = self._directory.learn(what.node_id, what.peer, what.names, what.patterns)
                    self._tallies["announced-unreadable"] += bad
                self._news.set()
            case words.Gone():
                with self._guard:
                    self._directory.drop(what.node_id)

    async def stop(self) -> None:
        """Carry nothing more."""
        with self._guard:
            self._tell = self._loop = None

    # --- below ----------------------------------------------------------------------------------------

    def _check_room(self) -> None:
        with self._guard:
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
        with self._guard:
            loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(call)

    def _flush(self) -> None:
        """Say what is announced, then what is to be carried, in order."""
        with self._guard:
            self._scheduled = False
            tell, announced = self._tell, self._announced
            wishes = list(self._outgoing)
            self._outgoing.clear()
        if tell is None:
            return
        self._news.set()
        tell(words.Announce(*announced))
        for wish in wishes:
            if wish.proof and self._records is not None:
                self._records.send(wish.message, wish.topic, wish.node_ids)
            elif wish.proof:
                self._all_lost(wish, "no-records")
            else:
                body = json.dumps(wish.message.to_dict(), ensure_ascii=False, separators=(",", ":"))
                tell(words.Carry(wish.message.id, wish.node_ids, wish.topic, body.encode()))
        self._take_up()

    def _heard(self, heard: words.Heard) -> None:
        state, reason = self._let_in(heard)
        if self._tell is not None:
            self._tell(words.Answer(heard.node_id, heard.seq, state, reason))

    def _let_in(self, heard: words.Heard) -> tuple[str, str]:
        """Deliver what a peer sent to agents here; return what to tell it of that."""
        node_id, message = heard.node_id, None
        try:
            message = self._addressed(Message.from_dict(heard.message, node_id))
            if wrong := self._wrong(node_id, message):
                return self._turned_away(message, node_id, wrong)
            receipt = self._arrive(message, heard.topic, node_id)
        except (MessageError, TopicError) as error:
            return self._turned_away(message, node_id, "unreadable", str(error))
        if receipt.dead:
            return self._turned_away(message, node_id, receipt.dead)
        if receipt.queued:
            return "delivered", ""
        return ("executed", "") if receipt.delivered or receipt.duplicate else ("refused", "handler-failed")

    def _addressed(self, message: Message) -> Message:
        """Return a message to `nickname@peer` as one to that nickname."""
        nickname, at, _ = message.recipient.rpartition("@")
        if not at or message.recipient in super().nicknames():
            return message
        return replace(message, recipient=nickname)

    def _arrive(self, message: Message, topic: str, node_id: str) -> Receipt:
        with self._guard:
            self._origins.setdefault(message.id, (node_id, message.sender))
            if len(self._origins) > limits.BUS_SEEN:
                self._origins.popitem(last=False)
            entry = self._directory.get(node_id)
        name = "" if entry is None else entry.peer
        self._tell_log("info", "bus-heard", message, peer=node_id, topic=topic, name=name)
        return self.arrive(message, topic)

    def _proven(self, proven: words.Proven) -> None:
        """Take a message that came as a signed record."""
        if self._records is None or (signed := self._records.read(proven)) is None:
            return
        try:
            signed = replace(signed, message=self._addressed(signed.message))
            answered = self.answers(signed.message, signed.topic)
        except (MessageError, TopicError) as error:
            self._refuse(signed, "unreadable", str(error))
            return
        if wrong := self._wrong(signed.node_id, signed.message):
            self._refuse(signed, wrong)
        elif answered:
            self._run_signed(signed)
        elif not self._records.hold(signed):
            self._refuse(signed, "full")

    def _take_up(self) -> None:
        """Deliver the signed messages whose agent has come."""
        if self._records is not None:
            for signed in self._records.take(lambda each: self.answers(each.message, each.topic)):
                self._run_signed(signed)

    def _run_signed(self, signed: Signed) -> None:
        receipt = self._arrive(signed.message, signed.topic, signed.node_id)
        if self._records is None:
            return
        if receipt.dead:
            self._refuse(signed, receipt.dead)
            return
        waiting = 0 if receipt.duplicate else receipt.queued
        self._records.begun(signed, waiting, receipt.failed if not receipt.delivered else 0)

    def _refuse(self, signed: Signed, why: str, detail: str = "") -> None:
        self._turned_away(signed.message, signed.node_id, why, detail)
        if self._records is not None:
            self._records.refuse(signed.assertion_id, why)

    def _wrong(self, node_id: str, message: Message) -> str:
        """Return why a peer's message is not let in: an agent of others speaks, or it goes round; or ""."""
        with self._guard:
            has = self._directory.has(message.sender)
            rounds = self._chain.heard(message, self._clock.monotonic())
        if node_id not in has and (has or message.sender in super().nicknames()):
            return "sender-of-another-peer"
        if rounds:
            self._tell_log("warn", "bus-chain", message, peer=node_id, reason=f"{rounds} rounds")
        return "chain" if rounds else ""

    def _turned_away(
        self, message: Message | None, node_id: str, why: str, detail: str = ""
    ) -> tuple[str, str]:
        with self._guard:
            self._tallies[f"refused-{why}"] += 1
        self._tell_log("warn", "bus-turned-away", message, peer=node_id, reason=why, detail=detail)
        return "refused", why

    def _all_lost(self, wish: _Parcel, why: str) -> None:
        for node_id in wish.node_ids:
            self._fate(Fate(wish.message.id, node_id, SendState.REFUSED, why))

    def _fate(self, fate: Fate) -> None:
        with self._guard:
            self._note(fate.message_id, [fate])
            watchers = tuple(self._watchers)
        if fate.lost and self._log is not None:
            facts = {"id": fate.message_id, "peer": fate.node_id, "state": fate.state, "reason": fate.reason}
            self._log("info", "bus-lost", facts)
        for watcher in watchers:
            try:
                watcher(fate)
            except Exception as error:  # a watcher's fault must not stop the peer
                with self._guard:
                    self._tallies["watchers-failed"] += 1
                if self._log is not None:
                    self._log("error", "bus-watcher-failed", {"error": repr(error)})

    def _note(self, message_id: str, fates: Sequence[Fate]) -> None:
        """Keep the newest word on a message; the lock is held."""
        known = self._fates.setdefault(message_id, {})
        for fate in fates:
            known[fate.node_id] = fate
            self._tallies[f"at-peers-{fate.state}"] += fate.state is not SendState.ACCEPTED
        if len(self._fates) > limits.BUS_FATES:
            self._fates.popitem(last=False)

    def _tell_log(self, level: str, event: str, message: Message | None, **facts: Any) -> None:
        if self._log is None:
            return
        with self._guard:
            self._lines.refill(self._clock.monotonic())
            self._lines.tokens -= 1.0
            if self._lines.tokens < 0.0:
                self._lines.tokens = 0.0
                self._tallies["unlogged"] += 1
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
