"""The local bus: synchronous delivery in the sender's thread, coroutine handlers on their own loop, topics.

Rules: `send` never raises for what a handler did, and never stays silent about it. Order at one recipient is
the order of the history. Nothing here knows a network; the same messages travel over the mesh unchanged.
"""

from __future__ import annotations

import inspect
import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from covey import limits
from covey.fleet.message import EVERYBODY, PROVABLE, Message, MessageError, is_nickname
from covey.fleet.topics import check_pattern, check_topic, matches
from covey.ports import Clock, Entropy
from covey.runtime.bus.history import Past
from covey.runtime.bus.inbox import AsyncHandler, Inbox, Policy
from covey.runtime.bus.port import Beyond, Cancel, Handler
from covey.runtime.bus.turns import Ticket, Turns
from covey.runtime.bus.values import DeadLetter, Fate, History, Receipt
from covey.values import dataclass

Logger = Callable[[str, str, Mapping[str, Any]], None]


@dataclass(eq=False, slots=True)
class _Subscriber:
    """One handler: registered for a nickname, or for the topics of a pattern."""

    nickname: str
    handler: Handler | None
    inbox: Inbox | None = None
    pattern: tuple[str, ...] = ()
    live: bool = True


class LocalBus:
    """Messages between agents of one process. Every method may be called from any thread, handlers included.

    Args:
        clock: Times of messages, and whether a deadline has passed.
        entropy: Ids of messages.
        log: Called with level, event word and facts; None keeps silent.
        history: Messages kept for `history()`.
        beyond: Carries messages to agents elsewhere; None knows of none.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        entropy: Entropy,
        log: Logger | None = None,
        history: int = limits.BUS_HISTORY,
        beyond: Beyond | None = None,
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._log = log
        self._beyond = beyond
        self._lock = threading.Lock()
        self._turns = Turns(self._lock)
        self._past = Past(history, limits.BUS_DEAD_LETTERS, limits.BUS_SEEN)
        self._named: dict[str, list[_Subscriber]] = {}
        self._topics: list[_Subscriber] = []
        self._counts: Counter[str] = Counter()
        self._depth = threading.local()

    # --- who listens ----------------------------------------------------------------------------

    def register(
        self,
        nickname: str,
        handler: Handler | AsyncHandler,
        *,
        capacity: int = limits.BUS_INBOX,
        policy: Policy = "drop-oldest",
    ) -> Cancel:
        """Call `handler` for every message to a nickname, and for those to everybody else's `*`.

        Registering a nickname again adds a handler: all run, in the order they were registered. A coroutine
        function runs on the loop that is running now, through an inbox of `capacity` with that `policy`.

        Returns:
            What ends this registration; calling it twice is harmless, also during a delivery.

        Raises:
            MessageError: The nickname cannot be addressed.
        """
        if not is_nickname(nickname):
            raise MessageError(f"nickname: expected one word of at most 64 characters, got {nickname[:80]!r}")
        subscriber = self._subscriber(nickname, handler, capacity, policy)
        with self._lock:
            self._named.setdefault(nickname, []).append(subscriber)
            self._changed()
        return lambda: self._remove(subscriber)

    def unregister(self, nickname: str) -> int:
        """End every registration of a nickname; return how many there were."""
        with self._lock:
            found = list(self._named.get(nickname, ()))
        for subscriber in found:
            self._remove(subscriber)
        return len(found)

    def subscribe(
        self,
        pattern: str,
        handler: Handler | AsyncHandler,
        *,
        nickname: str = "subscriber",
        capacity: int = limits.BUS_INBOX,
        policy: Policy = "drop-oldest",
    ) -> Cancel:
        """Call `handler` for what is published on topics that match: `*` is one word, a last `>` one or more.

        Raises:
            TopicError: The pattern is none.
        """
        subscriber = self._subscriber(nickname, handler, capacity, policy)
        subscriber.pattern = check_pattern(pattern)
        with self._lock:
            self._topics.append(subscriber)
            self._changed()
        return lambda: self._remove(subscriber)

    # --- sending --------------------------------------------------------------------------------

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

        Args:
            sender: Whose it is.
            recipient: A nickname, or `*`.
            kind: A type's name.
            payload: A JSON object.
            answers: The message it replies to, whose correlation, trace and depth it carries on.
            ttl_seconds: After that long nobody need act on it.

        Raises:
            MessageError: Anything in it is not as `Message` describes.
        """
        made, now = self._entropy.bytes(16).hex(), self._clock.now_ms()
        if ttl_seconds is not None and not math.isfinite(ttl_seconds):
            raise MessageError(f"ttl_seconds: expected a finite number of seconds, got {ttl_seconds}")
        return Message(
            id=made,
            sender=sender,
            recipient=recipient,
            type=kind,
            payload=payload or {},
            timestamp_ms=now,
            in_reply_to=answers.id if answers else "",
            correlation_id=(answers.correlation_id or answers.id) if answers else made,
            trace=(answers.trace or answers.id) if answers else made,
            depth=answers.depth + 1 if answers else 0,
            deadline_ms=now + int(ttl_seconds * 1000) if ttl_seconds is not None else 0,
        )

    def send(self, message: Message, *, proof: bool | None = None) -> Receipt:
        """Deliver a message; when this returns, its synchronous handlers have run, in this thread.

        Returns:
            Who took it. One whose id was sent before runs nothing again: the receipt of then, as `duplicate`.
        """
        return self._deliver(message, None, proof=proof)

    def forward(self, message: Message, sender: str, recipient: str, *, proof: bool | None = None) -> Receipt:
        """Hand a message on to somebody else: one hop and one step of depth more, its trace and deadline
        kept.

        Returns:
            As `send`; past the hop limit it is a dead letter, `too-many-hops`.
        """
        if message.hops >= limits.MESSAGE_HOPS or message.depth >= limits.MESSAGE_DEPTH:
            reason = "too-deep" if message.depth >= limits.MESSAGE_DEPTH else "too-many-hops"
            receipt = Receipt(message, dead=reason)
            with self._lock:
                self._past.bury(receipt)
            self._say("warn", "bus-dead-letter", reason=reason, recipient=recipient, id=message.id)
            return receipt
        made = self.make(sender, recipient, message.type, message.payload, answers=message)
        made = replace(made, hops=message.hops + 1, deadline_ms=message.deadline_ms)
        return self.send(made, proof=proof)

    def publish(self, topic: str, message: Message, *, proof: bool | None = None) -> Receipt:
        """Deliver a message to whoever subscribed to a pattern that its topic matches.

        Raises:
            TopicError: The topic is none.
        """
        return self._deliver(message, check_topic(topic), proof=proof)

    def answers(self, message: Message, topic: str = "") -> bool:
        """Tell whether anybody here would get a message.

        Raises:
            TopicError: The topic is none.
        """
        words = check_topic(topic) if topic else None
        with self._lock:
            return bool(self._chosen(message, words))

    def arrive(self, message: Message, topic: str = "") -> Receipt:
        """Deliver what came from elsewhere: to agents here, and no further.

        Raises:
            TopicError: The topic is none.
        """
        return self._deliver(message, check_topic(topic) if topic else None, came=True)

    def watch(self, listener: Callable[[Fate], None]) -> Cancel:
        """Call `listener` with what becomes of messages elsewhere: nothing, on a bus of one process."""
        return lambda: None

    # --- looking --------------------------------------------------------------------------------

    def history(
        self,
        *,
        sender: str | None = None,
        recipient: str | None = None,
        kind: str | None = None,
        limit: int | None = None,
    ) -> History:
        """Return the newest messages that meet every condition given, in the order they were sent."""
        with self._lock:
            return self._past.page(sender, recipient, kind, limit)

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the newest messages that reached nobody, and why."""
        with self._lock:
            return self._past.dead()

    def clear(self) -> None:
        """Forget the history and the dead letters."""
        with self._lock:
            self._past.clear()

    def nicknames(self) -> list[str]:
        """Return who is registered."""
        with self._lock:
            return sorted(self._named)

    def patterns(self) -> list[str]:
        """Return every pattern of topics that somebody here subscribed to."""
        with self._lock:
            return sorted({".".join(each.pattern) for each in self._topics})

    def counters(self) -> dict[str, int]:
        """Return what was sent, delivered, failed, dropped and refused so far; dead letters by reason."""
        with self._lock:
            inboxes = [s.inbox for group in (*self._named.values(), self._topics) for s in group if s.inbox]
            counts = dict(self._counts)
            counts["sent"], counts["dead"] = self._past.sent, self._past.died.total()
            counts.update({f"dead.{reason}": count for reason, count in self._past.died.items()})
            counts["out-of-turn"] = self._turns.waived
        counts["dropped"] = counts.get("dropped", 0) + sum(inbox.dropped for inbox in inboxes)
        return {name: count for name, count in sorted(counts.items()) if count}

    # --- below ----------------------------------------------------------------------------------

    def _subscriber(
        self, nickname: str, handler: Handler | AsyncHandler, capacity: int, policy: Policy
    ) -> _Subscriber:
        if not inspect.iscoroutinefunction(handler):
            return _Subscriber(nickname, handler)  # type: ignore[arg-type]  # not a coroutine function: a Handler
        subscriber = _Subscriber(nickname, None)
        subscriber.inbox = Inbox(
            handler,
            capacity=capacity,
            policy=policy,
            block_seconds=limits.BUS_BLOCK_SECONDS,
            failed=lambda message, error: self._failed(subscriber, message, error),
            done=self._done,
            gone=lambda: self._let_go(subscriber),
        )
        return subscriber

    def _remove(self, subscriber: _Subscriber) -> None:
        with self._lock:
            subscriber.live = False
            group = self._topics if subscriber.pattern else self._named.get(subscriber.nickname, [])
            if subscriber not in group:
                return
            group.remove(subscriber)
            if not group and not subscriber.pattern:
                del self._named[subscriber.nickname]
                self._turns.forget([subscriber.nickname])
            self._changed()
            if subscriber.inbox is not None:
                self._counts["dropped"] += subscriber.inbox.dropped
        if subscriber.inbox is not None:
            subscriber.inbox.close()

    def _let_go(self, subscriber: _Subscriber) -> None:
        with self._lock:
            self._counts["disconnected"] += 1
        self._say("warn", "bus-subscriber-too-slow", nickname=subscriber.nickname)
        self._remove(subscriber)

    def _changed(self) -> None:
        """Say elsewhere what is answered to here now; the lock is held."""
        if self._beyond is not None:
            patterns = sorted({".".join(each.pattern) for each in self._topics})
            self._beyond.changed(sorted(self._named), patterns)

    def _deliver(
        self,
        message: Message,
        topic: tuple[str, ...] | None,
        *,
        came: bool = False,
        proof: bool | None = None,
    ) -> Receipt:
        proof = message.type in PROVABLE if proof is None else proof
        with self._lock:
            if not self._past.begin(message):
                self._counts["duplicates"] += 1
                before = self._past.receipt(message.id)
                return replace(before or Receipt(message), duplicate=True)
            chosen = self._chosen(message, topic)
            where = () if came or self._beyond is None else self._beyond.where(message, topic, proof=proof)
            dead = self._refuses(message, topic, bool(chosen or where), came=came)
            if where and not dead and self._beyond is not None:  # in the order of the history
                self._beyond.carry(message, topic, where, proof=proof)
            booked: list[tuple[_Subscriber, Ticket]] = []
            if not dead:
                booked = [(subscriber, self._turns.book(subscriber.nickname)) for subscriber in chosen]
        receipt = self._run(message, booked) if booked else Receipt(message, dead=dead)
        if where and not dead:
            receipt = replace(receipt, carried=len(where), dead="")
        with self._lock:
            self._past.end(receipt)
            self._counts["delivered"] += receipt.delivered
            self._counts["failed"] += receipt.failed
            self._counts["queued"] += receipt.queued
            self._counts["carried"] += receipt.carried
            self._counts["refused"] += receipt.refused
        if self._beyond is not None:
            self._beyond.settled(receipt, came=came)
        elif receipt.dead:
            self._say(
                "info", "bus-dead-letter", reason=receipt.dead, recipient=message.recipient, id=message.id
            )
        return receipt

    def _chosen(self, message: Message, topic: tuple[str, ...] | None) -> list[_Subscriber]:
        if topic is not None:
            return [subscriber for subscriber in self._topics if matches(subscriber.pattern, topic)]
        if message.recipient != EVERYBODY:
            return list(self._named.get(message.recipient, ()))
        return [s for name, group in self._named.items() if name != message.sender for s in group]

    def _refuses(self, message: Message, topic: tuple[str, ...] | None, anybody: bool, *, came: bool) -> str:
        """Return why a message is a dead letter before anybody sees it, or "".

        The deadline of one that came is of another clock: whoever carried it has measured its time.
        """
        if message.deadline_ms and not came and message.deadline_ms < self._clock.now_ms():
            return "expired"
        if getattr(self._depth, "now", 0) >= limits.BUS_NESTING or message.depth >= limits.MESSAGE_DEPTH:
            return "too-deep"
        if not anybody:
            return "no-subscriber" if topic is not None else "no-recipient"
        return ""

    def _run(self, message: Message, booked: list[tuple[_Subscriber, Ticket]]) -> Receipt:
        delivered = queued = refused = 0
        errors: list[str] = []
        self._depth.now = getattr(self._depth, "now", 0) + 1
        try:
            for index, (subscriber, ticket) in enumerate(booked):
                try:
                    self._turns.enter(ticket)
                    if not subscriber.live:
                        refused += 1
                    elif subscriber.inbox is not None:
                        taken = subscriber.inbox.put(message)
                        queued, refused = queued + taken, refused + (not taken)
                    elif subscriber.handler is not None:
                        subscriber.handler(message)
                        delivered += 1
                except Exception as error:  # contained: the next handler runs, and the receipt says it
                    errors.append(f"{type(error).__name__}: {error}")
                    self._failed(subscriber, message, error)
                except BaseException:
                    for _, later in booked[index + 1 :]:
                        self._turns.leave(later)
                    raise
                finally:
                    self._turns.leave(ticket)
        finally:
            self._depth.now -= 1
        dead = "full" if refused and not delivered and not queued and not errors else ""
        return Receipt(message, delivered, len(errors), queued, refused, dead=dead, errors=tuple(errors))

    def _failed(self, subscriber: _Subscriber, message: Message, error: BaseException) -> None:
        self._say(
            "error", "bus-handler-failed", nickname=subscriber.nickname, id=message.id, error=repr(error)
        )
        if subscriber.inbox is not None:
            with self._lock:
                self._counts["failed"] += 1

    def _done(self, message: Message, ended: bool) -> None:
        if self._beyond is not None:
            self._beyond.handled(message, ended)

    def _say(self, level: str, event: str, **facts: Any) -> None:
        if self._log is not None:
            self._log(level, event, facts)
