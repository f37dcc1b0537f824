"""Remembering: the node's part of memory over time. It says when something new is held; its shell acts.

An extension without frames: what peers say of blocks travels in blocks, and is admitted, stored and judged as
such (MMP 2.0 §6.5, §6.7). So there is nothing here that a peer could send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn


@dataclass(frozen=True, slots=True)
class Look:
    """Blocks were stored that may say something of others."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What the shell made of one word about a block: `moved`, or why it was not; for the counters."""

    outcome: str


class RememberingExtension:
    """Asks its shell to look at what was admitted."""

    def __init__(self) -> None:
        self.name = "memory"
        self.token: str | None = None
        self.frames: frozenset[str] = frozenset()

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def started(self, turn: Turn) -> None:
        """Look at what an earlier run left: a word stored just before it was cut off still counts."""
        self._host.want(Look(), turn)

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Nothing is said to a new peer."""

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """No frame is its own."""

    def left(self, peer: Peer, turn: Turn) -> None:
        """Nothing is kept of a peer."""

    def due(self, whom: str, turn: Turn) -> None:
        """Nothing is waited for."""

    def told(self, what: object, turn: Turn) -> None:
        """Count what became of words about blocks."""
        if isinstance(what, Moved):
            turn.count(f"memory.{what.outcome}")

    def judged(self, outcomes: _core.OutcomeBatch, turn: Turn) -> None:
        """Have the shell look where memory took something."""
        if outcomes.counts.get("admitted"):
            self._host.want(Look(), turn)
