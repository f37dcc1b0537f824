"""Moods by themselves (MMP 2.0 §9.3, update 1): one sealed frame for each session, and nothing that lasts.

A mood is told to whoever has a session now; it is no record, so it is not signed, stored, relayed or remixed,
and who comes later never hears of it. It names no sender: it is whoever the session proved. A stock Node peer
is never told one: the frame ends its process.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.proto.controls import json_object
from covey.proto.effects import Notify
from covey.proto.link import Lane
from covey.proto.news import MoodHeard
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn

FRAME: Final = "mood"


@dataclass(frozen=True, slots=True)
class Say:
    """The application's wish: tell the room this mood. `token` comes back with the answer."""

    token: int
    mood: str
    context: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What became of it at one peer: `sent`, or `unsent` where it reads too slowly to take more."""

    node_id: str
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Said:
    """The answer to a wish: who was told; or the reason why nobody was."""

    token: int
    told: tuple[Told, ...] = ()
    refused: str | None = None
    at_ms: int = 0


def problem(mood: str, context: str | None) -> str | None:
    """Return what keeps a mood from being said, or None."""
    if not mood.strip():
        return "a mood is not empty: neutral says that there is none"
    for name, text, most in (
        ("mood", mood, limits.MOOD_CHARS),
        ("context", context or "", limits.MOOD_CONTEXT_CHARS),
    ):
        if len(_composed(text)) > most:
            return f"{name}: longer than {most:,} characters"
        if any("\ud800" <= each <= "\udfff" for each in text):
            return f"{name}: no valid Unicode"
    return None


def _composed(text: str) -> str:
    import unicodedata  # loaded with the first mood

    return unicodedata.normalize("NFC", text)


def frame_of(mood: str, context: str | None, at_ms: int) -> bytes:
    """Return the frame, as it is sealed."""
    said = {
        "type": FRAME,
        "mood": _composed(mood),
        "context": None if context is None else _composed(context),
        "timestamp": at_ms,
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


class Moods:
    """Says moods. What others say is heard in `Heard`, since stock peers say some, too."""

    name = "mood"
    token: str | None = None
    frames: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._lane = Lane(limits.MOODS_PER_SECOND, limits.MOODS_BURST)

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def started(self, turn: Turn) -> None:
        """Nothing begins by itself."""

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Who comes later is told the next one."""

    def left(self, peer: Peer, turn: Turn) -> None:
        """Nothing is kept of anybody."""

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """No frame is this room's own: see `Heard`."""

    def due(self, whom: str, turn: Turn) -> None:
        """No deadline is set."""

    def told(self, what: object, turn: Turn) -> None:
        """Tell everybody who has a session and understands it, or say why not."""
        if isinstance(what, Say):
            said = self._say(what, turn)
            turn.count("moods.said" if said.refused is None else "moods.refused")
            self._host.want(said, turn)

    def _say(self, wish: Say, turn: Turn) -> Said:
        wrong = problem(wish.mood, wish.context)
        if wrong is not None:
            return Said(wish.token, refused=wrong)
        self._lane.refill(turn.now.monotonic)
        if self._lane.wait_seconds() > 0.0:
            return Said(
                wish.token, refused=f"a mood is said {limits.MOODS_PER_SECOND:g} times a second at most"
            )
        self._lane.tokens -= 1.0
        frame = frame_of(wish.mood, wish.context, turn.now.wall_ms)
        told = tuple(
            Told(peer.node_id, peer.name, "sent" if self._host.send(peer.node_id, frame, turn) else "unsent")
            for peer in self._host.peers()
        )
        return Said(wish.token, told, at_ms=turn.now.wall_ms)


class Heard:
    """Moods that peers say: each read at its peer's pace, told to subscribers, and forgotten."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[str, Lane] = OrderedDict()

    def take(self, peer: Peer, frame: bytes, turn: Turn) -> None:
        """Take one frame. The session has checked its schema; a stock peer's is checked here."""
        value = json_object(frame) or {}
        mood, context = value.get("mood"), value.get("context")
        about = context if isinstance(context, str) else ""
        bounded = isinstance(mood, str) and 0 < len(mood) <= limits.MOOD_CHARS
        if not bounded or len(about) > limits.MOOD_CONTEXT_CHARS:
            turn.count("frames.refused.mood")
            return
        lane = self._lane(peer.node_id)
        lane.refill(turn.now.monotonic)
        if lane.wait_seconds() > 0.0:
            turn.count("moods.dropped.pace")
            return
        lane.tokens -= 1.0
        turn.add(Notify(MoodHeard(peer.node_id, peer.name, str(mood), about)))

    def _lane(self, node_id: str) -> Lane:
        lane = self._lanes.setdefault(node_id, Lane(limits.MOODS_PER_SECOND, limits.MOODS_BURST))
        self._lanes.move_to_end(node_id)
        if len(self._lanes) > limits.LINKS:
            self._lanes.popitem(last=False)
        return lane
