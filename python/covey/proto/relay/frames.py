"""The frames between a relay and its clients, as closed schemas with bounds (MMP 2.0 §4.4, update 1).

Rules: what arrives becomes a value or a `BadRelayFrameError`, nothing else. A payload is never read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

from covey import limits
from covey.values import dataclass

AUTH_TIMEOUT: Final = 4001
AUTH_INVALID: Final = 4002
BAD_TOKEN: Final = 4003
REPLACED: Final = 4004
HEARTBEAT_TIMEOUT: Final = 4005
DUPLICATE: Final = 4006
OVERLOADED: Final = 1013
GOING_AWAY: Final = 1001

PING: Final = b'{"type":"relay-ping"}'
PONG: Final = b'{"type":"relay-pong"}'

_NODE_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_FEATURE: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_WAKE: Final = {
    "platform": limits.RELAY_WAKE_CHARS,
    "token": limits.RELAY_TOKEN_CHARS,
    "environment": limits.RELAY_WAKE_CHARS,
}

Wake = Mapping[str, str]


class BadRelayFrameError(ValueError):
    """A relay frame outside its schema; it says what is wrong."""


@dataclass(frozen=True, slots=True)
class Auth:
    """Who a client says it is. The nodeId is a claim: only the sealed session proves it."""

    node_id: str
    name: str
    token: str | None = None
    wake: Wake | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """One peer of a channel, as the relay tells it."""

    node_id: str
    name: str
    offline: bool = False
    wake: Wake | None = None


@dataclass(frozen=True, slots=True)
class Peers:
    """Everybody else in the channel, and what the relay can do beyond the published text."""

    peers: tuple[Present, ...]
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Joined:
    """A peer came, or came again."""

    node_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Left:
    """A peer is gone."""

    node_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Failed:
    """What the relay could not or would not do. With kind absent, slow or busy, `reason` is the addressee."""

    message: str
    kind: str | None = None
    code: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Bare:
    """A frame that is only its type."""

    type: str


FromRelay = Peers | Joined | Left | Failed | Bare


def is_node_id(text: str) -> bool:
    """Tell whether a text is a nodeId in its one spelling."""
    return _NODE_ID.fullmatch(text) is not None


def read_auth(message: bytes) -> Auth:
    """Read a relay-auth.

    Raises:
        BadRelayFrameError: It is outside its schema.
    """
    value = _object(message, limits.RELAY_OWN_BYTES)
    _closed(value, {"nodeId", "name"}, {"token", "wakeChannel", "room", "engine"})
    token = value.get("token")
    if "token" in value:
        _text(value, "token", limits.RELAY_TOKEN_CHARS)
    for name, most in (("room", limits.ROOM_NAME_CHARS), ("engine", limits.RELAY_WAKE_CHARS)):
        if name in value:
            _text(value, name, most)
    return Auth(_node_id(value), _text(value, "name", limits.RELAY_NAME_CHARS), token, _wake(value))


def read_from_relay(kind: str, message: bytes) -> FromRelay | None:
    """Read a frame that a relay sends by itself; None for a type that this build does not know.

    Raises:
        BadRelayFrameError: It is of a known type and outside its schema.
    """
    if kind == "relay-peers":
        return _read_peers(_object(message, limits.RELAY_MESSAGE_BYTES))
    if kind not in _READERS:
        return None
    return _READERS[kind](_object(message, limits.RELAY_OWN_BYTES))


def read_wake(wake: object) -> Wake:
    """Read a wake channel.

    Raises:
        BadRelayFrameError: It is outside its schema.
    """
    if not isinstance(wake, dict):
        raise BadRelayFrameError("wakeChannel: not an object")
    _closed(wake, set(_WAKE), typed=False)
    return {name: _text(wake, name, most) for name, most in _WAKE.items()}


def usable_peers(message: bytes) -> Peers | None:
    """Read of a relay-peers what is inside its schema; None where the frame itself is not.

    A relay that checks nobody hands on whatever its clients say of themselves: one of them must not keep the
    others from joining.
    """
    try:
        value = _object(message, limits.RELAY_MESSAGE_BYTES)
    except BadRelayFrameError:
        return None
    entries = value.get("peers")
    if not isinstance(entries, list) or len(entries) > limits.RELAY_PEERS:
        return None
    found = []
    for entry in entries:
        with suppress(BadRelayFrameError):
            found.append(_present(_without_bad_wake(entry)))
    return Peers(tuple(found))


def _without_bad_wake(entry: object) -> object:
    """Leave out a wake channel outside its schema: who it wakes is there all the same."""
    if not isinstance(entry, dict) or "wakeChannel" not in entry:
        return entry
    try:
        _wake(entry)
    except BadRelayFrameError:
        return {name: value for name, value in entry.items() if name != "wakeChannel"}
    return entry


def auth(who: Auth) -> bytes:
    """Write a relay-auth."""
    frame: dict[str, Any] = {"type": "relay-auth", "nodeId": who.node_id, "name": who.name}
    if who.token is not None:
        frame["token"] = who.token
    if who.wake is not None:
        frame["wakeChannel"] = dict(who.wake)
    return _written(frame)


def peers(present: Sequence[Present]) -> bytes:
    """Write a relay-peers, as many as fit one message."""
    entries: list[dict[str, Any]] = []
    size = 0
    for each in present[: limits.RELAY_PEERS]:
        entry: dict[str, Any] = {"nodeId": each.node_id, "name": each.name}
        if each.wake is not None:
            entry["wakeChannel"] = dict(each.wake)
        if each.offline:
            entry["offline"] = True
        size += len(_written(entry)) + 1
        if size > limits.RELAY_PEERS_BYTES:
            break
        entries.append(entry)
    return _written({"type": "relay-peers", "peers": entries})


def joined(node_id: str, name: str) -> bytes:
    """Write a relay-peer-joined."""
    return _written({"type": "relay-peer-joined", "nodeId": node_id, "name": name})


def left(node_id: str, name: str) -> bytes:
    """Write a relay-peer-left."""
    return _written({"type": "relay-peer-left", "nodeId": node_id, "name": name})


def failed(said: Failed) -> bytes:
    """Write a relay-error."""
    frame: dict[str, Any] = {"type": "relay-error", "message": said.message}
    members = {"kind": said.kind, "code": said.code, "reason": said.reason}
    return _written(frame | {name: value for name, value in members.items() if value is not None})


def envelope(to: str, payload: bytes) -> bytes:
    """Wrap a frame for one node."""
    return b'{"to":"' + to.encode() + b'","payload":' + payload + b"}"


def forwarded(from_id: str, from_name: str, payload: bytes) -> bytes:
    """Wrap a frame as the relay hands it on: the payload is the sender's, byte for byte."""
    named = json.dumps(from_name).encode()
    return b'{"from":"' + from_id.encode() + b'","fromName":' + named + b',"payload":' + payload + b"}"


# --- below ------------------------------------------------------------------------------------------


def _read_peers(value: Mapping[str, Any]) -> Peers:
    _closed(value, {"peers"}, {"features"})
    entries = value["peers"]
    if not isinstance(entries, list) or len(entries) > limits.RELAY_PEERS:
        raise BadRelayFrameError("peers: not a list within its bound")
    features = value.get("features", [])
    if not isinstance(features, list) or len(features) > limits.RELAY_FEATURES:
        raise BadRelayFrameError("features: not a list within its bound")
    if not all(isinstance(each, str) and _FEATURE.fullmatch(each) for each in features):
        raise BadRelayFrameError("features: not tokens")
    return Peers(tuple(_present(entry) for entry in entries), tuple(features))


def _present(entry: object) -> Present:
    if not isinstance(entry, dict):
        raise BadRelayFrameError("peers: an entry is no object")
    _closed(entry, {"nodeId", "name"}, {"wakeChannel", "offline"}, typed=False)
    offline = entry.get("offline", False)
    if not isinstance(offline, bool):
        raise BadRelayFrameError("offline: not true or false")
    return Present(_node_id(entry), _text(entry, "name", limits.RELAY_NAME_CHARS), offline, _wake(entry))


def _read_joined(value: Mapping[str, Any]) -> Joined:
    _closed(value, {"nodeId", "name"})
    return Joined(_node_id(value), _text(value, "name", limits.RELAY_NAME_CHARS))


def _read_left(value: Mapping[str, Any]) -> Left:
    _closed(value, {"nodeId", "name"})
    return Left(_node_id(value), _text(value, "name", limits.RELAY_NAME_CHARS))


def _read_failed(value: Mapping[str, Any]) -> Failed:
    _closed(value, {"message"}, {"kind", "code", "reason"})
    code = value.get("code")
    if "code" in value and (not isinstance(code, int) or isinstance(code, bool) or not 4000 <= code <= 4999):
        raise BadRelayFrameError("code: not a close code of a relay")
    most = limits.RELAY_TEXT_CHARS
    kind = _text(value, "kind", most) if "kind" in value else None
    reason = _text(value, "reason", most) if "reason" in value else None
    return Failed(_text(value, "message", most), kind, code, reason)


def _read_bare(value: Mapping[str, Any]) -> Bare:
    _closed(value, set())
    return Bare(value["type"])


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], FromRelay]]] = {
    "relay-peer-joined": _read_joined,
    "relay-peer-left": _read_left,
    "relay-error": _read_failed,
    "relay-ping": _read_bare,
    "relay-pong": _read_bare,
    "relay-reauth": _read_bare,
}


def _object(message: bytes, most: int) -> dict[str, Any]:
    if len(message) > most:
        raise BadRelayFrameError(f"longer than {most} bytes")
    try:
        value = json.loads(message, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRelayFrameError("not JSON within bounds") from error
    if not isinstance(value, dict):
        raise BadRelayFrameError("not an object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise BadRelayFrameError("a member is repeated")
    return value


def _no_constant(name: str) -> NoReturn:
    raise BadRelayFrameError(f"{name} is no JSON")


def _closed(
    value: Mapping[str, Any], needed: set[str], allowed: set[str] | None = None, *, typed: bool = True
) -> None:
    needed = needed | {"type"} if typed else needed
    missing = needed - value.keys()
    other = value.keys() - needed - (allowed or set())
    if missing:
        raise BadRelayFrameError(f"{min(missing)}: missing")
    if other:
        raise BadRelayFrameError("a member that the schema does not have")


def _text(value: Mapping[str, Any], name: str, most: int) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not 1 <= len(text) <= most:
        raise BadRelayFrameError(f"{name}: not a text of 1 to {most} characters")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise BadRelayFrameError(f"{name}: half of a surrogate pair")
    return text


def _node_id(value: Mapping[str, Any]) -> str:
    text = _text(value, "nodeId", 36)
    if not is_node_id(text):
        raise BadRelayFrameError("nodeId: not a lower-case UUID")
    return text


def _wake(value: Mapping[str, Any]) -> Wake | None:
    if "wakeChannel" not in value:
        return None
    return read_wake(value["wakeChannel"])


def _written(frame: Mapping[str, Any]) -> bytes:
    return json.dumps(frame, separators=(",", ":")).encode()
