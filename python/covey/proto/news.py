"""News: what a peer tells its subscribers. One frozen value per fact; nothing here that did not happen.

A screen, a log or an IPC subscription turns news into lines with `as_dict`.
"""

from __future__ import annotations

import re
from dataclasses import asdict

from covey.model import Block, Delivery, Judgement, PeerSend, PeerView
from covey.proto.membership.news import MemberJoined, MemberLeft, MemberSuspected
from covey.values import Deferred, dataclass


@dataclass(frozen=True, slots=True)
class PeerJoined:
    """A first secure session with this peer is open."""

    peer: PeerView


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """The last session with this peer has ended; `detail` is what the peer itself said of that, its words."""

    node_id: str
    name: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PeerSlow:
    """The peer takes less than we have for it (`slow`), or caught up again."""

    node_id: str
    name: str
    slow: bool


@dataclass(frozen=True, slots=True)
class Judged(Deferred):
    """One received record was judged, and what was to be stored is durable.

    `outcome` is admitted, redundant, rejected, duplicate or refused; `replayed` marks context that the
    sender announced in cmb-anchors.
    """

    from_node_id: str
    from_name: str
    outcome: str
    reason: str | None
    detail: str
    key: str | None
    assertion_id: str | None
    author_node_id: str | None
    author: str | None
    directed: bool
    replayed: bool
    judgement: Judgement | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """A durable block is handed to the application, exactly once."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class MoodHeard:
    """A mood reached us although its record was not admitted, or by a mood frame (MMP 2.0 §9.2.2)."""

    from_node_id: str
    from_name: str
    mood: str
    context: str = ""
    """What it is about, where a frame said so."""


@dataclass(frozen=True, slots=True)
class InviteAnswered:
    """A guest showed an invite, and what came of it: `welcome`, `used`, `expired`, `unknown` or `busy`.

    `ours` where this peer gave it, else it took it. Who is not welcome is in the room all
    the same, where it has no owner: as anybody is who reaches it, judged and not trusted.
    """

    node_id: str
    name: str
    answer: str
    ours: bool


@dataclass(frozen=True, slots=True)
class Emitted:
    """An own block is durable and was handed to the sessions of `sends`."""

    block: Block
    sends: tuple[PeerSend, ...]


@dataclass(frozen=True, slots=True)
class SendSettled:
    """What became of a block at one peer, as that peer's receipt (or its absence) says.

    A directed block has more than one: delivered, and at its end (`final`) executed, where its application
    says so. What is final is not revised, but for an expiry that turns out to have been heard.
    """

    key: str
    assertion_id: str
    send: PeerSend
    final: bool = True


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers `first` to `last` of what a peer addressed to this one were not delivered in their place.

    `last` is None where nobody knows how many are missing. `late` ones were asked for again and may still
    come, out of their place; all others never will. Told again rather than not at all: after a crash twice.
    """

    from_node_id: str
    from_name: str
    first: int
    last: int | None
    reason: str
    late: bool


News = (
    PeerJoined
    | PeerLeft
    | PeerSlow
    | MemberJoined
    | MemberSuspected
    | MemberLeft
    | Judged
    | Delivered
    | MoodHeard
    | InviteAnswered
    | Emitted
    | SendSettled
    | Gap
)

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


def name_of(news: News) -> str:
    """Return the event's stable name: `peer-joined`, `judged`, `send-settled` …"""
    return _WORD_START.sub("-", type(news).__name__).lower()


def as_dict(news: News) -> dict[str, object]:
    """Return the news as plain JSON values under its name.

    Returns:
        `{"event": name, ...fields}`; nested values become dicts, tuples become lists when serialised.
    """
    return {"event": name_of(news), **asdict(news)}
