"""Fetching: a block names parents we do not hold, so we ask the peer that sent it; and we answer who asks us.

A fetched record comes as any other, is verified as any other, and is context: it wakes nobody. What is asked
and answered is paced and bounded for each peer, so that neither a made-up lineage nor a flood of questions
costs more than its share. A parent that nobody returns leaves the lineage incomplete, and that is all.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import field
from typing import TYPE_CHECKING

from covey import _core, limits
from covey.proto.effects import LoadRecord, Lookup, RecordLoaded
from covey.proto.link import Lane
from covey.proto.turn import Turn
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.link import Peer
    from covey.proto.sessions import Sessions
    from covey.proto.timers import Timers


def _lane() -> Lane:
    return Lane(limits.FETCHES_PER_SECOND, limits.FETCHES_BURST)


@dataclass(slots=True)
class Exchange:
    """What is asked of one peer, and what it asks."""

    waiting: deque[str] = field(default_factory=deque)
    """Keys to ask for, oldest first."""
    in_flight: tuple[str, str] | None = None
    """The question that has no answer yet: its id and its key."""
    asking: Lane = field(default_factory=_lane)
    answering: Lane = field(default_factory=_lane)
    served: dict[str, float] = field(default_factory=dict)
    """When a key was last served to it, oldest first."""


class Fetching:
    """The questions of one node, and its answers.

    Args:
        sessions: Whose connections carry them.
        timers: A question waits for its pace, or for its answer, under the key ("fetch", nodeId).
        room: Records of another room are not disclosed.
    """

    def __init__(self, sessions: Sessions, timers: Timers, room: str) -> None:
        self._sessions = sessions
        self._timers = timers
        self._room = room
        self._exchanges: dict[str, Exchange] = {}
        self._held: dict[str, None] = {}
        """Keys the store is known to hold, the oldest first."""
        self._questions = 0

    # --- asking ---------------------------------------------------------------------------------

    def holds(self, key: str) -> None:
        """Learn that the store holds a record."""
        _remember(self._held, key, limits.FETCH_HELD_KEYS)

    def parents(self, peer: Peer, keys: Iterable[str], turn: Turn) -> None:
        """Look which of the parents that a peer's blocks name are not held."""
        if peer.claimed:
            return  # a stock peer would answer in clear
        unsure = tuple(dict.fromkeys(k for k in keys if k not in self._held and k not in peer.fetched))
        if unsure:
            turn.add(Lookup(peer.node_id, unsure[: limits.FETCH_WAITING]))

    def looked(self, node_id: str, keys: Iterable[str], missing: frozenset[str], turn: Turn) -> None:
        """Queue what the store does not hold, and ask."""
        peer = self._sessions.peers.get(node_id)
        for key in keys:
            if key not in missing:
                self.holds(key)
            elif peer is not None and key not in peer.fetched:
                self._queue(peer, key, turn)
        if peer is not None:
            self._ask(peer, turn)

    def answered(self, peer: Peer, frame: bytes, turn: Turn) -> None:
        """Take the end of an answer; its records came before it, through reception."""
        result = json.loads(frame)
        exchange = self._exchanges.get(peer.node_id)
        if exchange is None or exchange.in_flight is None or result["reqId"] != exchange.in_flight[0]:
            turn.count("fetches.unasked")
            return
        found = exchange.in_flight[1] in result["returned"]
        turn.count("fetches.returned" if found else "fetches.missing")
        exchange.in_flight = None
        self._ask(peer, turn)

    def due(self, node_id: str, turn: Turn) -> None:
        """Go on: the pace allows it, or an answer has not come in time."""
        peer, exchange = self._sessions.peers.get(node_id), self._exchanges.get(node_id)
        if peer is None or exchange is None:
            return
        if exchange.in_flight is not None:
            turn.count("fetches.unanswered")
            exchange.in_flight = None
        self._ask(peer, turn)

    def resume(self, peer: Peer, turn: Turn) -> None:
        """Go on asking a peer that is back."""
        if peer.node_id in self._exchanges:
            self._ask(peer, turn)

    def left(self, node_id: str) -> None:
        """Forget what was asked of a peer that is gone: who sends its blocks next is asked instead."""
        if self._exchanges.pop(node_id, None) is not None:
            self._timers.cancel(("fetch", node_id))

    # --- answering ------------------------------------------------------------------------------

    def asked(self, peer: Peer, frame: bytes, turn: Turn) -> None:
        """Take a question. One beyond its pace is not answered: who asks in order waits for answers."""
        exchange = self._exchange(peer)
        exchange.answering.refill(turn.now.monotonic)
        if exchange.answering.wait_seconds() > 0.0:
            turn.count("fetches.refused.rate")
            return
        exchange.answering.tokens -= 1
        question = json.loads(frame)
        request, key = question["reqId"], question["key"]
        last = exchange.served.get(key)
        if last is not None and turn.now.monotonic < last + limits.FETCH_REPEAT_SECONDS:
            turn.count("fetches.refused.repeated")
            self._answer(peer, RecordLoaded(peer.node_id, request, key, None), turn)
            return
        turn.add(LoadRecord(peer.node_id, request, key))

    def loaded(self, event: RecordLoaded, turn: Turn) -> None:
        """Answer a question with what the store held."""
        peer = self._sessions.peers.get(event.node_id)
        if peer is not None:
            self._answer(peer, event, turn)

    def _answer(self, peer: Peer, event: RecordLoaded, turn: Turn) -> None:
        link = peer.active
        session = link.speaking if link is not None and not link.full else None
        if link is None or not isinstance(session, _core.Session):
            turn.count("fetches.refused.slow")
            return
        record = event.record
        shown = record is not None and record.room == self._room and record.to in (None, peer.node_id)
        if record is not None and shown:
            if not link.affords([record], turn.now.monotonic, wait=False):
                turn.count("fetches.refused.slow")  # nothing waits here: who asked asks another, or again
                return
            session.send_record(record)
            link.spend([record])
            served = self._exchange(peer).served
            served.pop(event.key, None)
            served[event.key] = turn.now.monotonic
            if len(served) > limits.FETCH_SERVED_KEYS:
                del served[next(iter(served))]
        turn.count("fetches.served" if shown else "fetches.not_served")
        result = {
            "type": "cmb-fetch-result",
            "reqId": event.request,
            "returned": [event.key] if shown else [],
            "missing": [] if shown else [event.key],
        }
        session.send_control(json.dumps(result).encode())
        self._sessions.touch(link)

    # --- below ----------------------------------------------------------------------------------

    def _exchange(self, peer: Peer) -> Exchange:
        return self._exchanges.setdefault(peer.node_id, Exchange())

    def _queue(self, peer: Peer, key: str, turn: Turn) -> None:
        waiting = self._exchange(peer).waiting
        if len(waiting) >= limits.FETCH_WAITING:
            turn.count("fetches.dropped")
            return
        _remember(peer.fetched, key, limits.FETCH_ASKED_KEYS)
        waiting.append(key)

    def _ask(self, peer: Peer, turn: Turn) -> None:
        """Ask for the next key: one question at a time, no faster than peers answer."""
        exchange, link = self._exchange(peer), peer.active
        session = link.speaking if link is not None else None
        if link is None or session is None or exchange.in_flight is not None or not exchange.waiting:
            return
        exchange.asking.refill(turn.now.monotonic)
        wait = exchange.asking.wait_seconds()
        if wait > 0.0:
            self._timers.set(("fetch", peer.node_id), turn.now.monotonic + wait)
            return
        exchange.asking.tokens -= 1
        self._questions += 1
        request, key = f"f{self._questions}", exchange.waiting.popleft()
        exchange.in_flight = (request, key)
        session.send_control(json.dumps({"type": "cmb-fetch", "reqId": request, "key": key}).encode())
        self._sessions.touch(link)
        turn.count("fetches.asked")
        self._timers.set(("fetch", peer.node_id), turn.now.monotonic + limits.FETCH_SECONDS)


def _remember(keys: dict[str, None], key: str, most: int) -> None:
    """Keep a key as the newest of at most so many."""
    keys.pop(key, None)
    keys[key] = None
    if len(keys) > most:
        del keys[next(iter(keys))]
