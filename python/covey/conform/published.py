"""The forms that only the published text has: a clear `cmb`, its fetch frames, control frames in the clear.

Rules: a profile for vectors and nothing else. No session speaks it and no negotiation leads here: Core Secure
carries sealed records (§18.2.1) and sealed control frames (update 1), which also replaced both fetch frames.
Objects are closed; a record is read by the core.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from covey import limits
from covey.core import Unverified

_KEY: Final = re.compile(r"cmb-[0-9a-f]{64}")
_NODE_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class PublishedFrameError(ValueError):
    """A frame outside its published schema."""


def read(text: str) -> str:
    """Check a frame of the published profile and return its type.

    Raises:
        PublishedFrameError: It is outside its schema.
        CoreError: Its record is.
    """
    frame = json.loads(text)
    kind = frame.get("type") if isinstance(frame, dict) else None
    if kind == "cmb":
        _closed(frame, {"type", "cmb"}, {"protocolVersion", "timestamp"})
        _demand(frame.get("protocolVersion", "2.0") == "2.0", "protocolVersion")
        _record(frame["cmb"])
    elif kind == "cmb-fetch":
        _closed(frame, {"type", "reqId", "key"}, {"from", "timestamp"})
        _fetch(frame)
        asker = frame.get("from", "00000000-0000-0000-0000-000000000000")
        _demand(isinstance(asker, str) and _NODE_ID.fullmatch(asker), "from")
    elif kind == "cmb-fetch-result":
        _closed(frame, {"type", "reqId", "key", "found", "cmb"}, {"timestamp"})
        _fetch(frame)
        _demand(isinstance(frame["found"], bool), "found")
        if frame["found"]:
            _record(frame["cmb"])
        else:
            _demand(frame["cmb"] is None, "cmb")
    else:
        _control(frame, kind)
        return str(kind)
    time = frame.get("timestamp", 0)
    _demand(isinstance(time, int) and not isinstance(time, bool) and time >= 0, "timestamp")
    return str(kind)


def _control(frame: object, kind: object) -> None:
    """Check a control frame under its closed schema (§7)."""
    if not isinstance(frame, dict) or not isinstance(kind, str):
        raise PublishedFrameError("type")
    if kind in ("ping", "pong"):
        _closed(frame, {"type"}, set())
    elif kind == "error":
        _closed(frame, {"type", "code", "message"}, {"detail"})
        _whole(frame["code"], 1_000, 9_999, "code")
        _text(frame["message"], 1, 1_024, "message")
        _text(frame.get("detail", ""), 0, 4_096, "detail")
    elif kind == "wake-channel":
        _wake({name: value for name, value in frame.items() if name != "type"})
    elif kind == "peer-info":
        _closed(frame, {"type", "peers"}, set())
        peers = frame["peers"]
        _demand(isinstance(peers, list) and len(peers) <= limits.RELAY_PEERS, "peers")
        for peer in peers:
            _peer(peer)
    else:
        raise PublishedFrameError("type")


def _peer(peer: object) -> None:
    if not isinstance(peer, dict):
        raise PublishedFrameError("peers")
    _closed(peer, {"nodeId", "name", "lastSeen"}, {"wakeChannel"})
    _demand(isinstance(peer["nodeId"], str) and _NODE_ID.fullmatch(peer["nodeId"]), "nodeId")
    _text(peer["name"], 1, 255, "name")
    _whole(peer["lastSeen"], 0, 2**53 - 1, "lastSeen")
    if "wakeChannel" in peer:
        _wake(peer["wakeChannel"])


def _wake(wake: object) -> None:
    if not isinstance(wake, dict):
        raise PublishedFrameError("wakeChannel")
    _closed(wake, {"platform", "token", "environment"}, set())
    for name, most in (("platform", 32), ("token", 4_096), ("environment", 32)):
        _text(wake[name], 1, most, name)


def _text(value: object, least: int, most: int, member: str) -> None:
    _demand(isinstance(value, str) and least <= len(value) <= most, member)


def _whole(value: object, least: int, most: int, member: str) -> None:
    _demand(isinstance(value, int) and not isinstance(value, bool) and least <= value <= most, member)


def _fetch(frame: Mapping[str, Any]) -> None:
    asked, key = frame["reqId"], frame["key"]
    _demand(isinstance(asked, str) and 1 <= len(asked) <= 128, "reqId")
    _demand(isinstance(key, str) and _KEY.fullmatch(key), "key")


def _record(value: object) -> None:
    Unverified.parse(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _closed(frame: Mapping[str, Any], needed: set[str], allowed: set[str]) -> None:
    _demand(needed <= frame.keys() <= needed | allowed, "members")


def _demand(holds: object, member: str) -> None:
    if not holds:
        raise PublishedFrameError(member)
