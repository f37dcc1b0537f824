"""The wire of stock Node peers, in a room whose owner asked for it: who says its name there proves nothing.

A connection is of this wire because we dialled an address that is named as a stock peer's, or because its
first frame is this wire's handshake. It never becomes one because another handshake failed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from covey import _core, limits
from covey.proto.effects import Claimed
from covey.proto.link import Lane

if TYPE_CHECKING:
    from covey.proto.inbox import Trust
    from covey.proto.link import Link
    from covey.proto.reception import Reception
    from covey.proto.turn import Turn

NOTICE: Final = (
    "legacy profile: stock Node peers prove nothing; whoever answers at their address can claim their name, "
    "read what they are sent, and be heard as them (SECURITY.md)"
)
"""What that wire cannot secure, said once at start."""

_PREFIX_BYTES: Final = 4
_SENT: Final = frozenset({"ping", "pong"})


class LegacyLine:
    """A legacy connection with the face of a session: what this wire has no form for is left unsaid."""

    __slots__ = ("_context", "_session")

    def __init__(self, session: _core.LegacySession) -> None:
        self._session = session
        self._context: frozenset[str] = frozenset()

    @property
    def state(self) -> Literal["handshake", "open", "closed"]:
        """Return where the connection stands."""
        return self._session.state

    def receive(self, data: bytes) -> Sequence[_core.LegacyEvent]:
        """Take what was read; return what happened, in order."""
        return self._session.receive(data)

    def receive_message(self, frame: bytes) -> Sequence[_core.LegacyEvent]:
        """Take one message that a relay handed on; return what happened, in order."""
        return self._session.receive_message(frame)

    def take_messages(self) -> Sequence[bytes]:
        """Return the frames that wait, for a relay."""
        return self._session.take_messages()

    def take_output(self) -> bytes:
        """Return the bytes that wait."""
        return self._session.take_output()

    def send_anchors(self, keys: Sequence[str] = ()) -> None:
        """Remember which of the coming records are context: this wire marks each of them instead."""
        self._context = frozenset(keys)

    def send_records(self, records: Sequence[_core.Record]) -> int:
        """Say own records in the peer's form; return how many."""
        for record in records:
            self._session.send_record(record, anchor=record.key in self._context)
        return len(records)

    def send_control(self, frame: bytes) -> None:
        """Send a ping or a pong; no other control frame has a form here, and `mood` kills a stock peer."""
        kind = json.loads(frame)["type"]
        if kind in _SENT:
            self._session.send_control(kind)

    def decline(self, request_id: str, key: str, *, now_ms: int) -> None:
        """Answer a fetch with having nothing: this wire would show the block to anybody, in clear."""
        self._session.send_fetched(request_id, key, now_ms=now_ms)

    def close(self, _code: int, _message: str) -> None:
        """End it; this wire has no word for why."""
        self._session.close()


Line = _core.Session | LegacyLine


class StockPeers:
    """What this node is to stock peers, and what each of them said first in this run."""

    def __init__(self, identity: _core.Identity, room: str) -> None:
        self._identity = identity
        self._room = room
        self._secret = b""
        self._said: dict[str, str] = {}
        """Key fingerprints by nodeId: the first one said stays."""
        self._logs = Lane(limits.CLOSED_LOGS_PER_SECOND, limits.CLOSED_LOGS_BURST)

    def dial(self, entropy: bytes, node_id: str | None = None) -> LegacyLine:
        """Begin on a connection to a stock peer's address.

        Args:
            entropy: 64 bytes of this connection's; half of the first become the agreement key of this run,
                which stock peers keep by nodeId and which must therefore be one for all connections.
            node_id: Who must answer, where the address was advertised for one.
        """
        secret, fresh = self._keys(entropy)
        return LegacyLine(
            _core.LegacySession.client(
                self._identity, room=self._room, secret=secret, entropy=fresh, expect_node_id=node_id
            )
        )

    def accept(self, entropy: bytes) -> LegacyLine:
        """Begin on a connection that a stock peer made; `entropy` as for `dial`."""
        secret, fresh = self._keys(entropy)
        return LegacyLine(
            _core.LegacySession.server(self._identity, room=self._room, secret=secret, entropy=fresh)
        )

    def _keys(self, entropy: bytes) -> tuple[bytes, bytes]:
        self._secret = self._secret or entropy[32:]
        return self._secret, entropy[:32]

    def restore(self, claims: Sequence[tuple[str, str]]) -> None:
        """Know again what was said in earlier runs: nodeIds and key fingerprints."""
        self._said.update(claims)

    def takes(self, said: _core.LegacyPeer, mark: str, trust: Trust, address: str, turn: Turn) -> str | None:
        """Take a claim that can stand, and have it remembered.

        Returns:
            Why it cannot stand, counted and logged; None where it can.
        """
        why = self._refuses(said, mark, trust)
        if why is None:
            if said.node_id not in self._said:
                self._said[said.node_id] = mark
                turn.add(Claimed(said.node_id, mark, said.name))
            return None
        self._logs.refill(turn.now.monotonic)
        if self._logs.wait_seconds() > 0.0:
            turn.count("logs.suppressed")
            return why
        self._logs.tokens -= 1.0
        facts = {"reason": why, "node_id": said.node_id, "address": address, "says": mark}
        if why == "claims_another_key":
            facts["said_first"] = self._said[said.node_id]
            facts["hint"] = "if its key really is new: covey trust unclaim"
        turn.log("warn", "claim-refused", **facts)
        return why

    def _refuses(self, said: _core.LegacyPeer, mark: str, trust: Trust) -> str | None:
        if trust.proven(said.node_id):
            return "claims_a_proven_id"
        if not trust.admits_claim(mark):
            return "not_trusted"
        if not said.seals:
            return "claims_no_sealing_key"
        if self._said.get(said.node_id, mark) != mark:
            return "claims_another_key"
        if len(self._said) >= limits.CLAIMS and said.node_id not in self._said:
            return "claims_too_many"
        return None


def first_wire(heard: bytes | bytearray) -> Literal["core", "legacy"] | None:
    """Return the wire that a connection's first frame is of; None while that frame is not whole.

    What is no frame, or too long for a handshake, goes to the core's session, which ends it.
    """
    if len(heard) < _PREFIX_BYTES:
        return None
    size = int.from_bytes(heard[:_PREFIX_BYTES], "big")
    if not 0 < size <= limits.HANDSHAKE_FRAME_BYTES:
        return "core"
    if len(heard) < _PREFIX_BYTES + size:
        return None
    try:
        frame = json.loads(bytes(heard[_PREFIX_BYTES : _PREFIX_BYTES + size]))
    except (ValueError, RecursionError):
        return "core"
    return "legacy" if isinstance(frame, dict) and frame.get("type") == "handshake" else "core"


def table(reception: Reception) -> dict[type, Callable[[Link, Any, Turn], None]]:
    """Return what answers each thing a stock peer says, beside its claim and what a session says too."""

    def hearsay(link: Link, event: _core.LegacyRecords, turn: Turn) -> None:
        reception.charge(link, len(event.records) - len(event.batch), turn)
        if link.closing:
            return
        for record in event.records:
            if record.standing != "signed":
                turn.count(f"records.refused.{record.standing}")
                reception.complain(link, "record-refused", record.standing, record.key, turn)
        marked = [record.content_key for record in event.records if record.anchor]
        link.context |= frozenset(marked[: limits.ANCHOR_KEYS - len(link.context)])
        reception.take(link, event.batch, turn)

    def fetch(link: Link, event: _core.LegacyFetch, turn: Turn) -> None:
        session = link.speaking
        if isinstance(session, LegacyLine) and not link.full:
            session.decline(event.request_id, event.key, now_ms=turn.now.wall_ms)
            turn.count("fetches.declined")

    def fetched(_link: Link, _event: _core.LegacyFetched, turn: Turn) -> None:
        turn.count("frames.ignored.cmb-fetch-result")  # nothing here asks a stock peer for a block

    return {_core.LegacyRecords: hearsay, _core.LegacyFetch: fetch, _core.LegacyFetched: fetched}
