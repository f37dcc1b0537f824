"""Channels: named conversations, each with keys of its own that only its members have.

A channel belongs to the agent that opened it. Its owner says in **epochs** who its members are: each has a
fresh key, sealed to each member, and every change of members begins one. What a member says lies in its own
scope of the room's state, sealed under the key of the epoch it speaks in; everybody in the room may carry it,
members read it. An epoch names how far those who went are still heard, so that nobody speaks on with an old
key.

Rules: pure. What cannot be opened or read is none, whoever wrote it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.errors import CoveyError, UsageError
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import ChannelKeys

CLASS: Final = "channels"
"""The class of an agent's own scope that holds its part of every channel."""
KINDS: Final = ("group", "direct", "topic")
_EPOCH: Final = b"covey-channel-epoch-v1\n"
_MEMBERS: Final = b"covey-channel-members-v1\n"
_MESSAGE: Final = b"covey-channel-message-v1\n"
_AUTHOR: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PLACE: Final = re.compile(
    rf"c/({_AUTHOR})/([0-9a-f]{{16}})/(?:e/([0-9]{{8}})|m/([0-9]{{8}})/([0-9]{{16}})|(closed|left|join|topic))"
)


class ChannelError(CoveyError):
    """Something that this agent cannot do in a channel."""

    default_code = "channel"


@dataclass(frozen=True, slots=True, order=True)
class ChannelId:
    """Which channel: its owner's author, and 16 hexadecimal digits that the owner drew."""

    owner: str
    id: str

    @property
    def prefix(self) -> str:
        """Return what the names of everything about it begin with, in any member's scope."""
        return f"c/{self.owner}/{self.id}/"

    def epoch(self, number: int) -> str:
        """Return the name of an epoch, in its owner's scope."""
        return f"{self.prefix}e/{number:08d}"

    def message(self, epoch: int, number: int) -> str:
        """Return the name of a message, in its author's scope."""
        return f"{self.prefix}m/{epoch:08d}/{number:016d}"

    def about(self, tag: bytes, *facts: object) -> bytes:
        """Return what a seal of it is bound to."""
        return tag + "\n".join(map(str, (self.owner, self.id, *facts))).encode()


@dataclass(frozen=True, slots=True)
class Place:
    """The name of a register of a scope of this class, read."""

    channel: ChannelId
    epoch: int = 0
    message: int = 0
    word: str = ""
    """`closed`, `left`, `join` or `topic`, where it is none of the others."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One set of members and its key."""

    channel: ChannelId
    number: int
    key: bytes = field(repr=False)
    name: str
    kind: str
    members: tuple[str, ...]
    cut: Mapping[str, int]
    """Of those who went: up to which of their messages they are heard."""
    out: tuple[str, ...] = ()
    """Whom a topic does not take again."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a member said: a JSON value, at its own word's time."""

    channel: ChannelId
    epoch: int
    author: str
    number: int
    at_ms: int
    value: Any


def place(name: str) -> Place | None:
    """Read the name of a register; None for one that is not of a channel."""
    found = _PLACE.fullmatch(name)
    if found is None:
        return None
    owner, ident, epoch, spoken, number, word = found.groups()
    return Place(ChannelId(owner, ident), int(epoch or spoken or 0), int(number or 0), word or "")


def checked_name(name: str) -> str:
    """Return a name that a channel may have.

    Raises:
        UsageError: It is empty, too long, or does not print on one line.
    """
    if not 1 <= len(name) <= limits.CHANNEL_NAME_CHARS or not name.isprintable() or name != name.strip():
        raise UsageError(f"channel: expected a name of 1 to {limits.CHANNEL_NAME_CHARS} printed characters")
    return name


def seal_epoch(keys: ChannelKeys, epoch: Epoch, public_keys: Mapping[str, bytes]) -> bytes:
    """Return the register that lets the members of an epoch, and nobody else, know its key and each other.

    Args:
        keys: What seals.
        epoch: The epoch; its key is wrapped for each member.
        public_keys: By member.

    Raises:
        ChannelError: A member has no key that can be sealed to.
    """
    if len(epoch.members) > limits.CHANNEL_MEMBERS:
        raise ChannelError(f"channel: {limits.CHANNEL_MEMBERS} members fit", code="too_large")
    boxes: dict[str, str] = {}
    for member in epoch.members:
        text = epoch.channel.about(_EPOCH, epoch.number, member) + b"\n" + epoch.key
        box = keys.wrap(text, public_keys[member])
        if box is None:
            raise ChannelError(f"channel: nothing can be sealed to {member}", code="channel_key")
        boxes[member] = _b64(box)
    facts = {
        "cut": dict(epoch.cut),
        "kind": epoch.kind,
        "members": list(epoch.members),
        "name": epoch.name,
        "out": list(epoch.out),
    }
    about = epoch.channel.about(_MEMBERS, epoch.number)
    sealed = keys.seal(epoch.key, json.dumps(facts, ensure_ascii=False).encode(), about)
    return json.dumps({"boxes": boxes, "sealed": _b64(sealed)}, separators=(",", ":")).encode()


def open_epoch(keys: ChannelKeys, channel: ChannelId, number: int, member: str, data: bytes) -> Epoch | None:
    """Return an epoch as one of its members reads it; None for whoever is none, or where it does not hold."""
    try:
        found = json.loads(data)
        box, sealed = found["boxes"].get(member), _unb64(found["sealed"])
        text = None if box is None else keys.unwrap(_unb64(box))
        about = channel.about(_EPOCH, number, member) + b"\n"
        if text is None or not text.startswith(about) or len(text) != len(about) + 32:
            return None
        key = text[len(about) :]
        opened = keys.open(key, sealed, channel.about(_MEMBERS, number))
        return None if opened is None else _epoch(json.loads(opened), channel, number, key, member)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UsageError):
        return None


def seal_message(keys: ChannelKeys, epoch: Epoch, said: Message) -> bytes:
    """Return the register of a message.

    Raises:
        UsageError: What is said is no JSON, or too long.
    """
    try:
        text = json.dumps(
            {"at_ms": said.at_ms, "value": said.value},
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
        ).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"message: expected JSON: {error}") from error
    if len(text) > limits.CHANNEL_MESSAGE_BYTES:
        raise UsageError(f"message: expected at most {limits.CHANNEL_MESSAGE_BYTES} bytes, got {len(text)}")
    return keys.seal(epoch.key, text, _about_message(said.channel, epoch.number, said.author, said.number))


def open_message(keys: ChannelKeys, epoch: Epoch, author: str, number: int, data: bytes) -> Message | None:
    """Return what a member said in an epoch; None where it does not open, or is no message."""
    if len(data) > 2 * limits.CHANNEL_MESSAGE_BYTES:
        return None
    text = keys.open(epoch.key, data, _about_message(epoch.channel, epoch.number, author, number))
    if text is None:
        return None
    try:
        found = json.loads(text)
        at_ms, value = found["at_ms"], found["value"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if type(at_ms) is not int:
        return None
    return Message(epoch.channel, epoch.number, author, number, at_ms, value)


def _about_message(channel: ChannelId, epoch: int, author: str, number: int) -> bytes:
    return channel.about(_MESSAGE, author, epoch, number)


def _epoch(facts: dict[str, Any], channel: ChannelId, number: int, key: bytes, member: str) -> Epoch | None:
    members, out, cut = _authors(facts["members"]), _authors(facts["out"]), facts["cut"]
    name, kind = checked_name(facts["name"]), facts["kind"]
    numbered = all(isinstance(who, str) and type(last) is int for who, last in cut.items())
    right = {channel.owner, member} <= set(members) and kind in KINDS and numbered
    sized = len(members) <= limits.CHANNEL_MEMBERS and len(out) <= limits.CHANNEL_OUT
    return Epoch(channel, number, key, name, kind, members, dict(cut), out) if right and sized else None


def _authors(found: Collection[object]) -> tuple[str, ...]:
    listed = tuple(str(each) for each in found)
    if not all(re.fullmatch(_AUTHOR, each) for each in listed):
        raise ValueError("expected authors")
    return listed


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
