"""`x-covey-delivery`: the receiver tells a sender what became of its records, after they are durable.

One control frame for a batch, inside control-encrypted, only between peers that both offered the token.
A receipt is information: it moves a send to its end and changes nothing else.

    {"type": "x-covey-delivery", "results": [[assertionId, outcome, reason-or-null], …]}

The native core writes the frame (`OutcomeBatch.receipt`), without a value per record; here it is read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from covey import limits
from covey.model import SendState

TOKEN = "x-covey-delivery-v1"
"""The extension token both hellos offer."""
FRAME_TYPE = "x-covey-delivery"

_ASSERTION = re.compile(r"asrt-[0-9a-f]{64}\Z")
_REASON = re.compile(r"[a-z0-9 _.,:<>=/()-]*\Z")
_STATES = {
    "admitted": SendState.DELIVERED,
    "delivered": SendState.DELIVERED,
    "duplicate": SendState.DELIVERED,
    "redundant": SendState.REFUSED,
    "rejected": SendState.REFUSED,
    "refused": SendState.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receiver did with one record.

    `outcome` is admitted; delivered (a directed record that memory did not take); duplicate; redundant,
    rejected (admission's decisions); or refused (it did not verify). `reason` is one short line or None.
    """

    assertion_id: str
    outcome: str
    reason: str | None

    @property
    def state(self) -> SendState:
        """Return the end of the send that this receipt states."""
        return _STATES[self.outcome]


class BadReceiptError(ValueError):
    """The frame is not a receipt we can read; nothing of it was used."""


def parse(frame: bytes) -> list[Receipt]:
    """Read a receipt frame from a peer.

    Raises:
        BadReceiptError: Any member is missing, of another type, or past its bound.
    """
    try:
        value = json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise BadReceiptError("not JSON") from error
    results = value.get("results") if isinstance(value, dict) and len(value) == 2 else None
    if not isinstance(results, list) or len(results) > limits.RECEIPTS_PER_FRAME:
        raise BadReceiptError("results")
    return [_one(item) for item in results]


def _one(item: object) -> Receipt:
    if not isinstance(item, list) or len(item) != 3:
        raise BadReceiptError("result")
    assertion_id, outcome, reason = item
    if not isinstance(assertion_id, str) or not _ASSERTION.match(assertion_id):
        raise BadReceiptError("assertionId")
    if not isinstance(outcome, str) or outcome not in _STATES:
        raise BadReceiptError("outcome")
    if reason is not None and not _readable(reason):
        raise BadReceiptError("reason")
    return Receipt(assertion_id, outcome, reason)


def _readable(reason: object) -> bool:
    return (
        isinstance(reason, str)
        and len(reason) <= limits.RECEIPT_REASON_CHARS
        and _REASON.match(reason) is not None
    )
