"""Messages as directed records: signed by their peer, durable on both sides, delivered once, to a stated end.

Rules: on the loop's thread. A message that nobody here answers to yet waits for its agent until it expires;
the inbox holds it meanwhile, and gives it back after a restart.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from covey import limits
from covey.fleet.message import Message, MessageError
from covey.model import EmissionResult, Minted, Payload, PeerSend, Proposal, SendState
from covey.proto.bus.words import SCHEMA, Proven
from covey.proto.news import News, SendSettled
from covey.runtime.bus.values import Fate
from covey.values import dataclass

if TYPE_CHECKING:
    from covey._core import Record
    from covey.ports import Clock


class Mailer(Protocol):
    """What a node does for directed records."""

    async def emit(self, proposal: Proposal) -> EmissionResult:
        """Make a record durable, and send it."""
        ...

    def ended(self, assertion_id: str, how: str, why: str | None = None) -> None:
        """Say how an agent ended a record that was addressed to it."""

    def subscribe(self, listener: Callable[[News], None]) -> Callable[[], None]:
        """Hear news until the returned function is called."""
        ...


class Unread(Protocol):
    """What the store holds of messages that no agent has come to."""

    def unread(self, limit: int) -> tuple[Sequence[tuple[Record, int | None]], int]:
        """Return verified records and when each expires, oldest first; and how many did not verify."""
        ...


@dataclass(frozen=True, slots=True)
class Signed:
    """A message that came as a record. `proof` is the record's canonical JSON, signed by `node_id`."""

    message: Message
    topic: str
    node_id: str
    assertion_id: str
    expires_ms: int | None
    proof: bytes


class Records:
    """One peer's messages as records.

    Args:
        mailer: The peer's node.
        clock: Whether a message has expired.
        fate: Told what becomes of each at its peer.
    """

    def __init__(self, mailer: Mailer, clock: Clock, fate: Callable[[Fate], None]) -> None:
        self._mailer = mailer
        self._clock = clock
        self._fate = fate
        self._open: dict[str, tuple[str, str]] = {}
        """By assertion: which message it is, and at whom."""
        self._early: list[SendSettled] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsubscribe: Callable[[], None] | None = None
        self._held: OrderedDict[str, Signed] = OrderedDict()
        self._running: dict[str, tuple[str, int, int]] = {}
        """By message: its assertion, handlers still to end, handlers that failed."""
        self._proofs: OrderedDict[str, Signed] = OrderedDict()
        self._proof_bytes = 0
        self.counts: Counter[str] = Counter()

    # --- sending --------------------------------------------------------------------------------

    def send(self, message: Message, topic: str, node_ids: Sequence[str]) -> None:
        """Send a message to these peers, each its own record; a fate comes for each."""
        for node_id in node_ids:
            if len(self._open) + len(self._tasks) >= limits.BUS_WAITING:
                self._fate(Fate(message.id, node_id, SendState.REFUSED, "busy"))
                continue
            if self._unsubscribe is None:
                self._unsubscribe = self._mailer.subscribe(self._heard)
            task = asyncio.get_running_loop().create_task(self._emit(message, topic, node_id))
            self._tasks.add(task)
            task.add_done_callback(self._sent)

    async def _emit(self, message: Message, topic: str, node_id: str) -> None:
        body = {"topic": topic, "message": message.to_dict()}
        data = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        within = None
        if message.deadline_ms:
            within = max(0.001, (message.deadline_ms - self._clock.now_ms()) / 1000)
        said = {"focus": f"message {message.id}", "intent": f"{message.type} from {message.sender}"}
        proposal = Proposal(said, (), node_id, within, Payload("application/json", SCHEMA, data))
        result = await self._mailer.emit(proposal)
        if not isinstance(result, Minted):
            reason = getattr(result, "reason", "duplicate")
            self._fate(Fate(message.id, node_id, SendState.REFUSED, reason))
            return
        self._open[result.block.assertion_id] = (message.id, node_id)
        for news in [each for each in self._early if each.assertion_id == result.block.assertion_id]:
            self._settled(news.assertion_id, news.send, final=news.final)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._tasks:
            self._early.clear()
        self._rest()

    def _heard(self, news: News) -> None:
        if not isinstance(news, SendSettled):
            return
        if self._tasks and news.assertion_id not in self._open:
            self._early.append(news)  # its emission has not returned yet
            del self._early[: -limits.BUS_WAITING]
        self._settled(news.assertion_id, news.send, final=news.final)

    def _settled(self, assertion_id: str, send: PeerSend, *, final: bool) -> None:
        found = self._open.get(assertion_id)
        if found is None:
            return
        if final:
            del self._open[assertion_id]
        self._fate(Fate(found[0], send.node_id, send.state, send.reason or ""))
        self._rest()

    def _rest(self) -> None:
        """Listen to news only while something is open: building them costs time for every block."""
        if not self._open and not self._tasks and self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    # --- hearing --------------------------------------------------------------------------------

    def read(self, proven: Proven) -> Signed | None:
        """Return the message in a record; None where it is none, or too late: its sender hears so."""
        record = proven.record
        try:
            carried = record.application
            body = json.loads(carried.data) if carried is not None else None
            if not isinstance(body, dict) or set(body) != {"topic", "message"}:
                raise MessageError("message: expected topic and message")
            if not isinstance(body["topic"], str):
                raise MessageError("topic: expected text")
            message = Message.from_dict(body["message"], record.node_id)
        except (ValueError, RecursionError) as error:
            self.counts["refused-unreadable"] += 1
            self._mailer.ended(record.assertion_id, "unexecuted", f"unreadable: {error}"[:120])
            return None
        signed = Signed(
            message,
            body["topic"],
            record.node_id,
            record.assertion_id,
            proven.expires_ms,
            record.to_json(),
        )
        return None if self._expired(signed) else signed

    def hold(self, signed: Signed) -> bool:
        """Let a message wait for its agent; False where too many wait."""
        if len(self._held) >= limits.BUS_HELD:
            return False
        self._held[signed.message.id] = signed
        return True

    def take(self, answered: Callable[[Signed], bool]) -> list[Signed]:
        """Return what waits for an agent that answers now, oldest first; what has expired waits no more."""
        found = []
        for message_id, signed in list(self._held.items()):
            if self._expired(signed):
                del self._held[message_id]
            elif answered(signed):
                del self._held[message_id]
                found.append(signed)
        return found

    def begun(self, signed: Signed, waiting: int, failed: int) -> None:
        """Take note of how many handlers still have to end, and how many have failed; 0 ends it now."""
        self._keep(signed)
        self._running[signed.message.id] = (signed.assertion_id, waiting, failed)
        self._end_where_done(signed.message.id)

    def handled(self, message_id: str, *, failed: bool) -> None:
        """Take note that a handler has ended; the last one ends the record."""
        found = self._running.get(message_id)
        if found is not None:
            self._running[message_id] = (found[0], found[1] - 1, found[2] + failed)
            self._end_where_done(message_id)

    def refuse(self, assertion_id: str, why: str) -> None:
        """Turn a message away; its sender hears why."""
        self._mailer.ended(assertion_id, "unexecuted", why)

    def proof(self, message_id: str) -> Signed | None:
        """Return a message that came as a record, as it was signed, while it is kept."""
        return self._proofs.get(message_id)

    def status(self) -> dict[str, Any]:
        """Return how many are on their way, and how many wait for their agent."""
        return {"open": len(self._open), "held": len(self._held)}

    # --- below ----------------------------------------------------------------------------------

    def _end_where_done(self, message_id: str) -> None:
        assertion_id, waiting, failed = self._running[message_id]
        if waiting <= 0:
            del self._running[message_id]
            how, why = ("unexecuted", "handler-failed") if failed else ("executed", None)
            self._mailer.ended(assertion_id, how, why)

    def _expired(self, signed: Signed) -> bool:
        if signed.expires_ms is None or self._clock.now_ms() <= signed.expires_ms:
            return False
        self.counts["expired"] += 1
        self._mailer.ended(signed.assertion_id, "expired", "its deadline passed first")
        return True

    def _keep(self, signed: Signed) -> None:
        if signed.message.id in self._proofs:
            return
        self._proofs[signed.message.id] = signed
        self._proof_bytes += len(signed.proof)
        while self._proof_bytes > limits.BUS_PROOF_BYTES:
            self._proof_bytes -= len(self._proofs.popitem(last=False)[1].proof)
