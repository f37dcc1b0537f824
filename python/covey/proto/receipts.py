"""`x-covey-delivery`: what a receiver says became of records, and how both sides find each other again.

Four control frames inside control-encrypted, only between peers that both offered the token; docs/protocol.md
has them byte for byte:

    {"type":"x-covey-delivery","results":[[assertionId, outcome, reason-or-null], …]}
    {"type":"x-covey-delivery-sent","stream":…,"base":n,"sends":[[number, assertionId, ms-or-null], …],
     "gaps":[[first, last], …]}
    {"type":"x-covey-delivery-cursor","stream":…-or-null,"cursor":n}
    {"type":"x-covey-delivery-ask","assertions":[assertionId, …]}

A receipt is information: it moves a send towards its end and changes nothing else. The native core writes
those of a batch (`OutcomeBatch.receipt`) and reads them (`Outlet.settle`), without a value per record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from covey import _core, limits
from covey.model import SendState
from covey.values import dataclass

TOKEN = "x-covey-delivery-v1"
"""The extension token both hellos offer."""
FRAME_TYPE = "x-covey-delivery"
SENT = "x-covey-delivery-sent"
CURSOR = "x-covey-delivery-cursor"
ASK = "x-covey-delivery-ask"

UNHEARD = "unheard"
"""The outcome of a record that was asked about and is not known."""

_ASSERTION = re.compile(r"asrt-[0-9a-f]{64}\Z")
_STREAM = re.compile(r"[0-9a-f]{32}\Z")
_UNREADABLE = re.compile(r"[^a-z0-9 _.,:<>=/()-]")
STATES: Final = {
    "admitted": SendState.DELIVERED,
    "delivered": SendState.DELIVERED,
    "duplicate": SendState.DELIVERED,
    "executed": SendState.EXECUTED,
    "unexecuted": SendState.DELIVERED,
    "expired": SendState.EXPIRED,
    "redundant": SendState.REFUSED,
    "rejected": SendState.REFUSED,
    "refused": SendState.REFUSED,
    UNHEARD: SendState.UNKNOWN,
}
"""Which state of a send each outcome states."""
_OPEN = frozenset({"admitted", "delivered", "duplicate", UNHEARD})
"""Outcomes of a directed record after which there is more to come."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one record at its receiver.

    `outcome` is admitted; delivered (a directed record that memory did not take); duplicate; redundant,
    rejected (admission's decisions); refused (it did not verify); then executed, unexecuted or expired (how
    the application ended it); or unheard (asked about, and not known). `reason` is one short line or None.
    """

    assertion_id: str
    outcome: str
    reason: str | None

    @property
    def state(self) -> SendState:
        """Return the state of the send that this receipt states."""
        return STATES[self.outcome]

    @property
    def closes(self) -> bool:
        """Tell whether nothing more is to come of a directed record."""
        return self.outcome not in _OPEN


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sender announces before directed records: its numbers for them.

    `base`: every number before it has met its end at the sender. `sends` are (number, assertion id,
    milliseconds until it expires or None); `gaps` are (first, last) numbers that were given up.
    """

    stream: str
    base: int
    sends: tuple[tuple[int, str, int | None], ...]
    gaps: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a receiver took numbers: all up to `cursor` are durable there, or told as missing."""

    stream: str | None
    cursor: int


class BadReceiptError(ValueError):
    """The frame is not one of these that we can read; nothing of it was used."""


# --- reading ------------------------------------------------------------------------------------


def parse(frame: bytes) -> list[Receipt]:
    """Read a receipt frame from a peer.

    Raises:
        BadReceiptError: Any member is missing, of another type, or past its bound.
    """
    try:
        return [Receipt(*each) for each in _core.read_receipts(frame)]
    except _core.CoreError as error:
        raise BadReceiptError(error.detail) from error


def parse_sent(frame: bytes) -> Sent:
    """Read what a peer is about to send.

    Raises:
        BadReceiptError: As for `parse`.
    """
    value = _object(frame, {"type", "stream", "base", "sends", "gaps"})
    sends = tuple(_send(item) for item in _listed(value["sends"], "sends"))
    gaps = tuple(_gap(item) for item in _listed(value["gaps"], "gaps"))
    return Sent(_stream(value["stream"]), _number(value["base"], "base", 1), sends, gaps)


def parse_cursor(frame: bytes) -> Cursor:
    """Read how far a peer took our numbers.

    Raises:
        BadReceiptError: As for `parse`.
    """
    value = _object(frame, {"type", "stream", "cursor"})
    stream = None if value["stream"] is None else _stream(value["stream"])
    return Cursor(stream, _number(value["cursor"], "cursor", 0))


def parse_ask(frame: bytes) -> tuple[str, ...]:
    """Read which assertions a peer asks about.

    Raises:
        BadReceiptError: As for `parse`.
    """
    value = _object(frame, {"type", "assertions"})
    return tuple(_assertion(item) for item in _listed(value["assertions"], "assertions"))


# --- writing ------------------------------------------------------------------------------------


def write(results: Sequence[tuple[str, str, str | None]]) -> bytes:
    """Write a receipt frame of (assertion id, outcome, reason); reasons are made readable and cut."""
    return _bytes({"type": FRAME_TYPE, "results": [[a, o, r and clean(r)] for a, o, r in results]})


def write_sent(sent: Sent) -> bytes:
    """Write the announcement of directed records."""
    sends, gaps = [list(each) for each in sent.sends], [list(each) for each in sent.gaps]
    return _bytes({"type": SENT, "stream": sent.stream, "base": sent.base, "sends": sends, "gaps": gaps})


def write_cursor(cursor: Cursor) -> bytes:
    """Write how far a peer's numbers were taken."""
    return _bytes({"type": CURSOR, "stream": cursor.stream, "cursor": cursor.cursor})


def write_ask(assertions: Sequence[str]) -> bytes:
    """Write a question about assertions."""
    return _bytes({"type": ASK, "assertions": list(assertions)})


def clean(reason: str) -> str:
    """Return a reason as a receipt may carry it: one short line of plain characters."""
    return _UNREADABLE.sub(" ", reason[: limits.RECEIPT_REASON_CHARS].lower())


# --- below --------------------------------------------------------------------------------------


def _bytes(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _object(frame: bytes, members: set[str]) -> dict[str, Any]:
    try:
        value = json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise BadReceiptError("not JSON") from error
    if not isinstance(value, dict) or value.keys() != members:
        raise BadReceiptError("members")
    return value


def _listed(value: object, name: str) -> list[object]:
    if not isinstance(value, list) or len(value) > limits.RECEIPTS_PER_FRAME:
        raise BadReceiptError(name)
    return value


def _send(item: object) -> tuple[int, str, int | None]:
    if not isinstance(item, list) or len(item) != 3:
        raise BadReceiptError("send")
    number, assertion_id, left_ms = item
    left = None if left_ms is None else _number(left_ms, "deadline", 0)
    return _number(number, "number", 1), _assertion(assertion_id), left


def _gap(item: object) -> tuple[int, int]:
    if not isinstance(item, list) or len(item) != 2:
        raise BadReceiptError("gap")
    first = _number(item[0], "gap", 1)
    return first, _number(item[1], "gap", first)


def _number(value: object, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= limits.DELIVERY_NUMBER:
        raise BadReceiptError(name)
    return value


def _stream(value: object) -> str:
    if not isinstance(value, str) or not _STREAM.match(value):
        raise BadReceiptError("stream")
    return value


def _assertion(value: object) -> str:
    if not isinstance(value, str) or not _ASSERTION.match(value):
        raise BadReceiptError("assertionId")
    return value
