"""The typed envelope that travels on a bus, in one process or over the mesh: JSON in, JSON out, nothing lost.

Rules: a message is a value. Whoever makes one hands in its id and its time; reading one gives it
back as it was written, or says what is wrong with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any, Final

from covey import limits
from covey.values import dataclass

PROTOCOL_VERSION: Final = 1
"""The newest version that is understood here; older ones are read, newer ones refused."""
EVERYBODY: Final = "*"
"""The recipient that is everybody but the sender."""
CUSTOM_PREFIX: Final = "X_"
"""Types of an application's own begin with it."""

_CUSTOM = re.compile(r"X_[A-Z0-9][A-Z0-9_]{0,59}\Z")
_ID = re.compile(r"[0-9a-f]{12,64}\Z")
_NICKNAME = re.compile(r"[^\s\x00-\x1f\x7f.*>#][^\s\x00-\x1f\x7f*>#]{0,63}\Z")


class MessageType(StrEnum):
    """Every type with a meaning of its own: work, presence, goals, experience, models, decisions."""

    EXPERIMENT_DATA = "EXPERIMENT_DATA"
    PAPER_DRAFT = "PAPER_DRAFT"
    REVIEW_RESULT = "REVIEW_RESULT"
    REVISION_REQUEST = "REVISION_REQUEST"
    TASK_COMPLETE = "TASK_COMPLETE"
    REQUEST = "REQUEST"
    RESPONSE = "RESPONSE"
    ERROR = "ERROR"
    HEARTBEAT = "HEARTBEAT"
    IDENTITY_REQUEST = "IDENTITY_REQUEST"
    IDENTITY_RESPONSE = "IDENTITY_RESPONSE"
    GOAL_PROPOSAL = "GOAL_PROPOSAL"
    GOAL_ACCEPTED = "GOAL_ACCEPTED"
    GOAL_REJECTED = "GOAL_REJECTED"
    GOAL_RESULT = "GOAL_RESULT"
    EXPERIENCE_OFFER = "EXPERIENCE_OFFER"
    EXPERIENCE_REQUEST = "EXPERIENCE_REQUEST"
    EXPERIENCE_RESPONSE = "EXPERIENCE_RESPONSE"
    CAUSAL_LINK_SHARE = "CAUSAL_LINK_SHARE"
    REFLECTION_SHARE = "REFLECTION_SHARE"
    PREDICT_REQUEST = "PREDICT_REQUEST"
    PREDICT_RESPONSE = "PREDICT_RESPONSE"
    INFERENCE_REQUEST = "INFERENCE_REQUEST"
    INFERENCE_RESPONSE = "INFERENCE_RESPONSE"
    TASK_REQUEST = "TASK_REQUEST"
    TASK_RESULT = "TASK_RESULT"
    TASK_AUCTION = "TASK_AUCTION"
    COLLABORATION_INVITE = "COLLABORATION_INVITE"
    CAPABILITY_QUERY = "CAPABILITY_QUERY"
    CONSENSUS_VOTE = "CONSENSUS_VOTE"
    CANCEL = "CANCEL"


PROVABLE: Final = frozenset({MessageType.TASK_RESULT, MessageType.TASK_AUCTION, MessageType.CONSENSUS_VOTE})
"""Types that travel as signed records where the sender says nothing else: somebody may have to prove them."""


class MessageError(ValueError):
    """A message that cannot be made or read; its text says which member, and what was expected."""


class UnknownTypeError(MessageError):
    """The type is neither one of `MessageType` nor under the custom prefix."""


class NewerProtocolError(MessageError):
    """The message is of a later version than this build understands."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    `type` is a name of `MessageType`, or one of an application's own under `X_`. `hops` counts how often it
    was handed on, `trace` names the first message of its causal tree and `depth` how far from it this one is.
    `deadline_ms` is the wall-clock instant after which nobody need act on it; 0 is none.

    `origin` is the peer that brought it here, proven by its session or its signature, and "" for one of this
    process. It is never written, and nothing that is read can say it: `sender` is a name, this is who.
    """

    id: str
    sender: str
    recipient: str
    type: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    timestamp_ms: int = 0
    in_reply_to: str = ""
    correlation_id: str = ""
    trace: str = ""
    depth: int = 0
    hops: int = 0
    deadline_ms: int = 0
    protocol_version: int = PROTOCOL_VERSION
    origin: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        _check(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the message as plain JSON values, every member present."""
        return {name: getattr(self, name) for name in _WRITTEN} | {"payload": dict(self.payload)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], origin: str = "") -> Message:
        """Read a message that `origin` brought.

        A missing `protocol_version` is 1. Members that this version does not know are refused: what a
        message says must not depend on who reads it.

        Raises:
            NewerProtocolError: It is of a later version; the text names both.
            UnknownTypeError: Its type is unknown.
            MessageError: Anything else is missing, of another kind, or past its bound.
        """
        if not isinstance(value, Mapping):
            raise MessageError(f"message: expected an object, got {type(value).__name__}")
        version = value.get("protocol_version", PROTOCOL_VERSION)
        if type(version) is not int or version < 1:
            raise MessageError(f"protocol_version: expected an integer from 1, got {version!r}")
        if version > PROTOCOL_VERSION:
            raise NewerProtocolError(
                f"protocol_version: the message is of version {version}, this build reads {PROTOCOL_VERSION}"
            )
        unknown = sorted(set(value) - _WRITTEN.keys())
        if unknown:
            raise MessageError(f"message: unknown member {unknown[0]!r}")
        missing = [name for name in ("id", "sender", "recipient", "type") if name not in value]
        if missing:
            raise MessageError(f"message: {missing[0]!r} is missing")
        return cls(**value, origin=origin)


_WRITTEN: Final = dict.fromkeys(name for name in Message.__slots__ if name != "origin")
"""The members of a message as it travels, in order."""


def parse_type(name: str) -> str:
    """Return a type's name where it is known, or an application's own.

    Raises:
        UnknownTypeError: It is neither; the text says how to name one's own.
    """
    if name in MessageType.__members__ or _CUSTOM.match(name):
        return str(name)
    raise UnknownTypeError(f"type: unknown {name!r}; a type of your own begins with {CUSTOM_PREFIX}")


def is_nickname(name: str) -> bool:
    """Tell whether a name can be addressed: one word without wildcards, at most 64 characters."""
    return _NICKNAME.match(name) is not None


def _check(message: Message) -> None:
    for name in ("id", "sender", "recipient", "type", "in_reply_to", "correlation_id", "trace"):
        if not isinstance(getattr(message, name), str):
            raise MessageError(f"{name}: expected text, got {type(getattr(message, name)).__name__}")
    if not _ID.match(message.id):
        raise MessageError(f"id: expected 12 to 64 hexadecimal digits, got {message.id[:80]!r}")
    for name in ("in_reply_to", "correlation_id", "trace"):
        said = getattr(message, name)
        if said and not _ID.match(said):
            raise MessageError(f"{name}: expected an id or nothing, got {said[:80]!r}")
    if not is_nickname(message.sender):
        raise MessageError(f"sender: expected a nickname, got {message.sender[:80]!r}")
    if message.recipient != EVERYBODY and not is_nickname(message.recipient):
        raise MessageError(f"recipient: expected a nickname or {EVERYBODY!r}, got {message.recipient[:80]!r}")
    parse_type(message.type)
    for name, most in (
        ("timestamp_ms", limits.JSON_INTEGER),
        ("deadline_ms", limits.JSON_INTEGER),
        ("hops", limits.MESSAGE_HOPS),
        ("depth", limits.MESSAGE_DEPTH),
        ("protocol_version", PROTOCOL_VERSION),
    ):
        number = getattr(message, name)
        if type(number) is not int or not 0 <= number <= most:
            raise MessageError(f"{name}: expected an integer from 0 to {most}, got {number!r}")
    _check_payload(message.payload)


def _check_payload(payload: object) -> None:
    if not isinstance(payload, Mapping):
        raise MessageError(f"payload: expected an object, got {type(payload).__name__}")
    try:
        written = json.dumps(dict(payload), allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(f"payload: not JSON: {error}") from error
    if len(written.encode("utf-8", "surrogatepass")) > limits.MESSAGE_PAYLOAD_BYTES:
        raise MessageError(f"payload: larger than {limits.MESSAGE_PAYLOAD_BYTES} bytes as JSON")
