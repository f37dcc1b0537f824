"""Probes that others ask of us: put to the target, and answered to whoever asked, one way or the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from covey.proto.membership.probing import Probes

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.turn import Turn


class Errands:
    """What one node looks into for others.

    Args:
        probes: Numbers them, beside our own probes.
        send: Sends a frame of membership with its news: to whom, op, turn, seq; False where no session leads.
        seconds: How long a target may take.
    """

    def __init__(self, probes: Probes, send: Callable[..., bool], seconds: float) -> None:
        self._probes = probes
        self._send = send
        self._seconds = seconds
        self._host: ExtensionHost

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def asked(self, asker: str, seq: int, target: str, turn: Turn) -> None:
        """Probe a member for somebody else; without a way to it say so."""
        errand = self._probes.run_for(asker, seq, target) if self._host.peer(target) is not None else None
        if errand is None or not self._send(target, "probe", turn, seq=errand):
            if errand is not None:
                del self._probes.errands[errand]
            self._send(asker, "away", turn, seq=seq)
            return
        self._host.timer(f"errand:{errand}", turn.now.monotonic + self._seconds)

    def acked(self, by: str, seq: int, turn: Turn) -> bool:
        """Tell whoever asked that its target answers; False where this answers no errand."""
        errand = self._probes.errands.get(seq)
        if errand is None or by != errand.target:
            return False
        del self._probes.errands[seq]
        self._host.cancel(f"errand:{seq}")
        return self._send(errand.asker, "ack", turn, seq=errand.their_seq) or True

    def over(self, seq: int, turn: Turn) -> None:
        """Tell whoever asked that its target is silent here too."""
        errand = self._probes.errands.pop(seq, None)
        if errand is not None:
            self._send(errand.asker, "nack", turn, seq=errand.their_seq)
