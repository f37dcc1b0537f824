"""The two frames of forwarding: blocks are offered, and asked for or declined. The block itself is a record.

Rules: total. A frame is read whole or refused with a word. What an offer says of a block decides only whether
it is asked for; the record that comes is verified and judged as any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from covey import limits
from covey.proto.controls import json_object
from covey.proto.forward.rules import DECLINED
from covey.values import dataclass

TOKEN: Final = "x-covey-forward-v1"
OFFER: Final = "x-covey-forward-offer"
ANSWER: Final = "x-covey-forward-answer"

_KEY: Final = re.compile(r"cmb-[0-9a-f]{64}")
_NODE_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class BadFrameError(ValueError):
    """A frame that is none of these; the message is one word for counters."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A block that somebody holds and did not write: whose it is, and where its lineage begins.

    `hops` is how often it will have been handed on when it is here.
    """

    key: str
    author: str
    roots: tuple[str, ...]
    hops: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What of an offer is wanted, and why the rest is not, by key."""

    want: tuple[str, ...]
    declined: Mapping[str, str]


def write_offers(offers: Sequence[Offer]) -> bytes:
    """Return the frame that offers blocks."""
    rows = [[each.key, each.author, list(each.roots), each.hops] for each in offers]
    return _written({"type": OFFER, "offers": rows})


def write_answer(answer: Answer) -> bytes:
    """Return the frame that answers one of offers."""
    return _written({"type": ANSWER, "want": list(answer.want), "not": dict(answer.declined)})


def read_offers(frame: bytes) -> tuple[Offer, ...]:
    """Read a frame of offers.

    Raises:
        BadFrameError: It is none, or one of its rows is wrong.
    """
    rows = _body(frame).get("offers")
    if not isinstance(rows, list) or not 0 < len(rows) <= limits.FORWARD_OFFERS:
        raise BadFrameError("offers")
    return tuple(_offer(row) for row in rows)


def read_answer(frame: bytes) -> Answer:
    """Read an answer.

    Raises:
        BadFrameError: It is none, or something in it is wrong.
    """
    body = _body(frame)
    want, declined = body.get("want"), body.get("not")
    if not isinstance(want, list) or len(want) > limits.FORWARD_OFFERS or not all(map(_is_key, want)):
        raise BadFrameError("want")
    if not isinstance(declined, dict) or len(declined) > limits.FORWARD_OFFERS:
        raise BadFrameError("not")
    # a word first: what else JSON may say there cannot be looked up
    if not all(_is_key(key) and isinstance(why, str) and why in DECLINED for key, why in declined.items()):
        raise BadFrameError("not")
    return Answer(tuple(want), declined)


def _offer(row: object) -> Offer:
    if not isinstance(row, list) or len(row) != 4:
        raise BadFrameError("offer")
    key, author, roots, hops = row
    if not _is_key(key) or not isinstance(author, str) or not _NODE_ID.fullmatch(author):
        raise BadFrameError("offer")
    if not isinstance(roots, list) or not 0 < len(roots) <= limits.FORWARD_ROOTS:
        raise BadFrameError("roots")
    if not all(map(_is_key, roots)) or len(set(roots)) < len(roots):
        raise BadFrameError("roots")
    if type(hops) is not int or not 1 <= hops <= limits.JSON_INTEGER:
        raise BadFrameError("hops")
    return Offer(key, author, tuple(roots), hops)


def _body(frame: bytes) -> dict[str, Any]:
    body = json_object(frame) if len(frame) <= limits.FORWARD_FRAME_BYTES else None
    if body is None:
        raise BadFrameError("unreadable")
    return body


def _is_key(value: object) -> bool:
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def _written(body: dict[str, object]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
