"""The operations on secure sessions: started with pinned randomness, fed bytes, asked what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from covey import _core, limits
from covey.conform.reference import b64, unpadded

Arguments = Mapping[str, Any]


class Sessions:
    """The sessions an adapter keeps for the kit, by number; the oldest goes when there are too many."""

    def __init__(self) -> None:
        self._open: dict[int, _core.Session] = {}
        self._next = 1

    def op(self, name: str) -> Callable[[Arguments], Mapping[str, Any]] | None:
        """Return the operation of this name."""
        return {
            "session_start": self._start,
            "session_receive": self._receive,
            "session_end": self._end,
        }.get(name)

    def _start(self, arguments: Arguments) -> Mapping[str, Any]:
        identity = _core.Identity(arguments["node_id"], arguments["name"], unpadded(arguments["seed"]))
        software = arguments["implementation"]
        start = {"client": _core.Session.client, "server": _core.Session.server}[arguments["role"]]
        session = start(
            identity,
            room=arguments["room"],
            extensions=arguments["extensions"],
            implementation=(software["name"], software["version"]),
            entropy=unpadded(arguments["e2e_secret"]) + unpadded(arguments["nonce"]),
        )
        number, self._next = self._next, self._next + 1
        self._open[number] = session
        if len(self._open) > limits.CONFORM_SESSIONS:
            del self._open[min(self._open)]
        return {"session": number, "output": b64(session.take_output())}

    def _receive(self, arguments: Arguments) -> Mapping[str, Any]:
        session = self._open[arguments["session"]]
        events = session.receive(unpadded(arguments["data"]))
        return {
            "events": [_said(event) for event in events],
            "output": b64(session.take_output()),
            "state": session.state,
        }

    def _end(self, arguments: Arguments) -> Mapping[str, Any]:
        del self._open[arguments["session"]]
        return {}


def _said(event: _core.Event) -> Mapping[str, Any]:
    match event:
        case _core.Authenticated(peer=peer):
            return {
                "event": "authenticated",
                "node_id": peer.node_id,
                "public_key": b64(peer.public_key),
                "session_id": peer.session_id,
                "extensions": list(peer.extensions),
            }
        case _core.Records(batch=batch):
            return {"event": "records", "count": len(batch)}
        case _core.Control(frame=frame):
            return {"event": "control", "frame": frame.decode()}
        case _core.Ignored(reason=reason, type=kind):
            return {"event": "ignored", "reason": reason, "type": kind}
        case _core.Refused(reason=reason):
            return {"event": "refused", "reason": reason}
        case _core.Closed(reason=reason, code=code):
            return {"event": "closed", "reason": reason, "code": code}
