"""What a proven peer says in control frames, apart from extensions: context, receipts, mood, fetches.

The session has checked each frame's closed schema and size; a frame that still cannot be used is counted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.proto.credit import FRAMES as CREDIT
from covey.proto.mailroom import FRAMES

if TYPE_CHECKING:
    from covey.proto.extension import Extensions
    from covey.proto.fetching import Fetching
    from covey.proto.link import Link
    from covey.proto.mailroom import MailRoom
    from covey.proto.mood import Heard
    from covey.proto.sessions import Sessions
    from covey.proto.turn import Turn


class Controls:
    """Which room answers which control frame."""

    def __init__(
        self,
        sessions: Sessions,
        fetching: Fetching,
        mailroom: MailRoom,
        extensions: Extensions,
        moods: Heard,
    ) -> None:
        self._sessions = sessions
        self._mailroom = mailroom
        self._fetching = fetching
        self._extensions = extensions
        self._moods = moods

    def take(self, link: Link, kind: str, frame: bytes, turn: Turn) -> None:
        """Act on one control frame of an open session."""
        peer = self._sessions.peers.get(link.node_id) if link.node_id else None
        if kind == "ping":
            self._sessions.pong(link, turn)
        elif kind == "pong":
            link.rtt.answered(turn.now.monotonic)
        elif kind == "cmb-anchors":
            _take_context(link, frame, turn)
        elif kind in CREDIT:
            self._sessions.flow.heard(link, kind, frame, turn)
        elif peer is None:
            return
        elif kind in FRAMES and peer.receipts:
            self._mailroom.heard(peer, kind, frame, turn)
        elif kind == "mood":
            self._moods.take(peer, frame, turn)
        elif kind == "cmb-fetch":
            self._fetching.asked(peer, frame, turn)
        elif kind == "cmb-fetch-result":
            self._fetching.answered(peer, frame, turn)
        else:
            self._extensions.heard(peer, kind, frame, turn)


def _take_context(link: Link, frame: bytes, turn: Turn) -> None:
    value = json_object(frame)
    keys = value.get("keys") if value else None
    if not isinstance(keys, list) or len(keys) > limits.ANCHOR_KEYS:
        turn.count("frames.refused.cmb-anchors")
        return
    link.context = frozenset(key for key in keys if isinstance(key, str))


def json_object(frame: bytes) -> dict[str, Any] | None:
    """Read a control frame as a JSON object; the session has bounded it already."""
    try:
        value = json.loads(frame)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
