"""One frame of MMP 1.1, read by a connection of the legacy profile: its handshake, or what follows one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from covey import _core
from covey.conform.reference import minified

_PEER: Final = {
    "type": "handshake",
    "nodeId": "018f47a0-7b21-7abc-8def-111111111111",
    "name": "vector-peer",
    "version": "0.2.3",
    "publicKey": "IVL40Zt5HSRFMkLhXy6rbLfP-ntqXtMAl5YOBpiB2xI",
}
_OURS: Final = "018f47a0-7b21-7abc-8def-222222222222"
_MEANT: Final = {
    _core.LegacyClaimed: "handshake",
    _core.LegacyRecords: "cmb",
    _core.LegacyFetch: "cmb-fetch",
    _core.LegacyFetched: "cmb-fetch-result",
}


class NotTakenError(ValueError):
    """The connection did not take the frame for what it is."""


def read(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Let a fresh connection read a frame; return what it took it for.

    Raises:
        NotTakenError: It refused the frame, passed it over, or ended.
    """
    text = arguments["json"]
    if not isinstance(text, str):
        raise TypeError("json: a text")
    who = _core.Identity(_OURS, "subject", b"\x22" * 32)
    session = _core.LegacySession.server(
        who, room=arguments["room"], secret=b"\x44" * 32, entropy=b"\x66" * 32
    )
    events = session.receive_message(text.encode())
    if not any(isinstance(event, _core.LegacyClaimed) for event in events):
        session = _core.LegacySession.server(
            who, room=arguments["room"], secret=b"\x44" * 32, entropy=b"\x66" * 32
        )
        session.receive_message(minified({**_PEER, "room": arguments["room"]}).encode())
        events = session.receive_message(text.encode())
    taken = [_MEANT[type(event)] for event in events if type(event) in _MEANT]
    if not taken:
        raise NotTakenError(str(events))
    return {"type": taken[0]}
