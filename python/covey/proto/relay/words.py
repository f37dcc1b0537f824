"""What relays of one cluster say to each other over a backplane: closed msgpack messages with bounds.

Rules: what arrives becomes a value or a `BadWordError`, nothing else. A payload is never read here. Each
message is an array: version, kind, the relay that says it, then what the kind needs. Channels are named by a
digest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]  # ships no types

from covey import limits
from covey.proto.relay import frames
from covey.proto.relay.frames import Wake
from covey.values import dataclass

VERSION: Final = 1
_RELAY: Final = re.compile(r"[0-9a-f]{16}")
_KINDS: Final = ("absent", "slow", "busy")


class BadWordError(ValueError):
    """A message of the backplane outside its schema; it says what is wrong."""


def channel_key(cluster: str, channel: str) -> bytes:
    """Return what a channel is called on the backplane: who reads along learns no channel's name."""
    return hashlib.sha256(f"covey relay cluster\0{cluster}\0{channel}".encode()).digest()[:16]


@dataclass(frozen=True, slots=True)
class Beat:
    """A relay lives; so many changes of presence has it told."""

    told: int


@dataclass(frozen=True, slots=True)
class Seat:
    """A client's place at a relay. `stamp` is a Lamport time: of two places of one nodeId the later holds."""

    channel: bytes
    node_id: str
    name: str
    stamp: int
    wake: Wake | None = None


@dataclass(frozen=True, slots=True)
class Came:
    """A client took its place; the `told`-th change."""

    told: int
    seat: Seat


@dataclass(frozen=True, slots=True)
class Went:
    """A client is gone; the `told`-th change."""

    told: int
    channel: bytes
    node_id: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Tell me all of your clients."""


@dataclass(frozen=True, slots=True)
class All:
    """Some of a relay's clients; `more` follows. They stand as of its `told`-th change."""

    told: int
    more: bool
    seats: tuple[Seat, ...]


@dataclass(frozen=True, slots=True)
class Pass:
    """A piece of a client's frame for one client of yours, or for all of its channel (`to` None)."""

    channel: bytes
    from_id: str
    from_name: str
    to: str | None
    part: int
    more: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class Back:
    """A frame that `to`, your client, had sent was not delivered to `absentee`."""

    channel: bytes
    to: str
    kind: str
    absentee: str


@dataclass(frozen=True, slots=True)
class Probe:
    """Do you hold this nodeId, and have for so short a time that nobody may replace it (MMP 2.0 §4.4.7)?"""

    channel: bytes
    node_id: str


@dataclass(frozen=True, slots=True)
class Held:
    """I do, or do not."""

    channel: bytes
    node_id: str
    here: bool


@dataclass(frozen=True, slots=True)
class Bye:
    """A relay ends, and with it all of its places."""


Word = Beat | Came | Went | Ask | All | Pass | Back | Probe | Held | Bye


@dataclass(frozen=True, slots=True)
class Said:
    """A word, and the relay that says it."""

    relay: str
    word: Word


def write(relay: str, word: Word) -> bytes:
    """Write one message."""
    kind = _KIND_OF[type(word)]
    return bytes(msgpack.packb([VERSION, kind, relay, *_WRITERS[kind](word)], use_bin_type=True))


def read(message: bytes) -> Said:
    """Read one message.

    Raises:
        BadWordError: It is outside its schema, or of another version.
    """
    if len(message) > limits.CLUSTER_MESSAGE_BYTES:
        raise BadWordError(f"longer than {limits.CLUSTER_MESSAGE_BYTES} bytes")
    try:
        value = msgpack.unpackb(message, raw=False, strict_map_key=True, use_list=True, max_ext_len=0)
    except Exception as error:  # the library raises its own kinds beside ValueError; all of them mean this
        raise BadWordError("not msgpack within bounds") from error
    if not isinstance(value, list) or len(value) < 3:
        raise BadWordError("not an array of three")
    version, kind, relay, *rest = value
    if type(version) is not int or version != VERSION:
        raise BadWordError(f"version: this relay speaks {VERSION}")
    if not isinstance(relay, str) or not _RELAY.fullmatch(relay):
        raise BadWordError("relay: not sixteen hexadecimal digits")
    if not isinstance(kind, str) or kind not in _READERS:
        raise BadWordError("kind: not known")
    count, reader = _READERS[kind]
    if len(rest) != count:
        raise BadWordError(f"{kind}: not {count} members")
    return Said(relay, reader(*rest))


# --- members ----------------------------------------------------------------------------------------


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise BadWordError("not a count")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadWordError("not true or false")
    return value


def _channel(value: Any) -> bytes:
    if not isinstance(value, bytes) or len(value) != 16:
        raise BadWordError("channel: not sixteen bytes")
    return value


def _node(value: Any) -> str:
    if not isinstance(value, str) or not frames.is_node_id(value):
        raise BadWordError("nodeId: not a lower-case UUID")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= limits.RELAY_NAME_CHARS:
        raise BadWordError("name: not a text within its bound")
    return value


def _wake(value: Any) -> Wake | None:
    if value is None:
        return None
    try:
        return frames.read_wake(value)
    except frames.BadRelayFrameError as error:
        raise BadWordError(str(error)) from error


def _seat(channel: Any, node_id: Any, name: Any, stamp: Any, wake: Any) -> Seat:
    return Seat(_channel(channel), _node(node_id), _name(name), _count(stamp), _wake(wake))


def _seats(value: Any) -> tuple[Seat, ...]:
    if not isinstance(value, list) or len(value) > limits.CLUSTER_SNAPSHOT_ENTRIES:
        raise BadWordError("seats: not a list within its bound")
    if not all(isinstance(each, list) and len(each) == 5 for each in value):
        raise BadWordError("seats: not five members each")
    return tuple(_seat(*each) for each in value)


def _payload(value: Any) -> bytes:
    if not isinstance(value, bytes) or len(value) > limits.CLUSTER_PART_BYTES:
        raise BadWordError("payload: not bytes within their bound")
    return value


def _kind(value: Any) -> str:
    if value not in _KINDS:
        raise BadWordError("kind of failure: not known")
    return str(value)


def _five(seat: Seat) -> Sequence[Any]:
    wake = None if seat.wake is None else dict(seat.wake)
    return [seat.channel, seat.node_id, seat.name, seat.stamp, wake]


_KIND_OF: Final[dict[type, str]] = {
    Beat: "beat",
    Came: "came",
    Went: "went",
    Ask: "ask",
    All: "all",
    Pass: "pass",
    Back: "back",
    Probe: "probe",
    Held: "held",
    Bye: "bye",
}
_WRITERS: Final[dict[str, Callable[[Any], Sequence[Any]]]] = {
    "beat": lambda w: [w.told],
    "came": lambda w: [w.told, *_five(w.seat)],
    "went": lambda w: [w.told, w.channel, w.node_id],
    "ask": lambda _: [],
    "all": lambda w: [w.told, w.more, [_five(seat) for seat in w.seats]],
    "pass": lambda w: [w.channel, w.from_id, w.from_name, w.to, w.part, w.more, w.payload],
    "back": lambda w: [w.channel, w.to, w.kind, w.absentee],
    "probe": lambda w: [w.channel, w.node_id],
    "held": lambda w: [w.channel, w.node_id, w.here],
    "bye": lambda _: [],
}
_READERS: Final[dict[str, tuple[int, Callable[..., Word]]]] = {
    "beat": (1, lambda told: Beat(_count(told))),
    "came": (6, lambda told, *seat: Came(_count(told), _seat(*seat))),
    "went": (3, lambda told, channel, node: Went(_count(told), _channel(channel), _node(node))),
    "ask": (0, Ask),
    "all": (3, lambda told, more, seats: All(_count(told), _flag(more), _seats(seats))),
    "pass": (
        7,
        lambda channel, from_id, name, to, part, more, payload: Pass(
            _channel(channel),
            _node(from_id),
            _name(name),
            None if to is None else _node(to),
            _count(part),
            _flag(more),
            _payload(payload),
        ),
    ),
    "back": (4, lambda channel, to, kind, who: Back(_channel(channel), _node(to), _kind(kind), _node(who))),
    "probe": (2, lambda channel, node: Probe(_channel(channel), _node(node))),
    "held": (3, lambda channel, node, here: Held(_channel(channel), _node(node), _flag(here))),
    "bye": (0, Bye),
}
