"""Snapshots for who was away longer than tombstones are kept: asked for by parts, taken whole or not."""

from __future__ import annotations

import hashlib
from dataclasses import field
from typing import TYPE_CHECKING

from covey import _core, limits
from covey.proto.state import frames
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.state.held import Held
    from covey.proto.turn import Turn


@dataclass(slots=True)
class Coming:
    """A snapshot that is being received."""

    node_id: str
    until: float
    of: str = ""
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    keys: tuple[bytes, ...] = ()


class Snapshots:
    """Both ends of a snapshot. Of each scope one is received at a time; a few are kept to be read."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], bytes] = {}
        self._coming: dict[str, Coming] = {}

    def wish(self, held: Held, node_id: str, turn: Turn) -> bytes | None:
        """Return the frame that asks a peer for a snapshot, or None while one is on its way."""
        coming = self._coming.get(held.scope.name)
        if coming is not None and turn.now.monotonic < coming.until:
            return None
        until = turn.now.monotonic + limits.STATE_SNAPSHOT_SECONDS
        self._coming[held.scope.name] = Coming(node_id, until)
        turn.count("state.snapshots.wished")
        return frames.write(frames.Ask(held.scope.name, "", 0))

    def part(self, held: Held, ask: frames.Ask, keys: tuple[bytes, ...], turn: Turn) -> bytes | None:
        """Return the frame with the part that was asked for; None where that snapshot is no longer here."""
        name = held.scope.name
        data = self._kept.get((name, ask.of))
        of = ask.of
        if not of:
            data = held.map.snapshot()
            of = hashlib.sha256(data).hexdigest()
            self._kept[name, of] = data
            while len(self._kept) > limits.STATE_SNAPSHOTS:
                del self._kept[next(iter(self._kept))]
            turn.count("state.snapshots.given")
        if data is None:
            turn.count("state.snapshots.gone")
            return None
        size = limits.STATE_PART_BYTES
        parts = max(1, -(-len(data) // size))
        if ask.part >= parts:
            return None
        piece = data[ask.part * size : (ask.part + 1) * size]
        told = keys if ask.part == 0 else ()
        return frames.write(frames.Part(name, of, ask.part, parts, piece, told))

    def take(self, held: Held, node_id: str, part: frames.Part, turn: Turn) -> bytes | Coming | None:
        """Take a part.

        Returns:
            The frame that asks for the next one, or the whole once it is here, or None where nobody asked.
        """
        coming = self._coming.get(held.scope.name)
        if coming is None or coming.node_id != node_id or part.part != len(coming.parts):
            turn.count("state.snapshots.unasked")
            return None
        if part.part == 0:
            coming.of, coming.keys = part.of, part.keys
        coming.size += len(part.data)
        if part.of != coming.of or coming.size > limits.STATE_SNAPSHOT_BYTES:
            del self._coming[held.scope.name]
            turn.count("state.snapshots.malformed")
            return None
        coming.parts.append(part.data)
        coming.until = turn.now.monotonic + limits.STATE_SNAPSHOT_SECONDS
        if len(coming.parts) < part.parts:
            return frames.write(frames.Ask(held.scope.name, coming.of, len(coming.parts)))
        del self._coming[held.scope.name]
        return coming

    def left(self, node_id: str) -> None:
        """Give up what a peer that went was sending."""
        for name, coming in tuple(self._coming.items()):
            if coming.node_id == node_id:
                del self._coming[name]


def begin_anew(held: Held, coming: Coming, now_ms: int, identity: _core.Identity) -> bytes:
    """Replace a replica by a snapshot; return the delta of own writes that nobody had seen, or nothing.

    Raises:
        CoreError: Some flush of it is not believed; nothing is then changed.
    """
    return held.map.reset(b"".join(coming.parts), now_ms=now_ms, identity=identity, keys=held.keys)
