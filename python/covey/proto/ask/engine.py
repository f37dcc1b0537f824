"""Questions to a room, sans-IO: to everybody who is there, at once, and to nobody in particular (I-Ask-1).

Rules: only who may wake an agent here is looked into questions for, and no faster than its pace; who is not
hears so. Only who is heeded is asked: what a stranger says would not count. A contribution comes as a signed
record that is addressed here, through reception and admission as any other.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from covey import limits
from covey.proto.ask import frames, words
from covey.proto.link import Lane

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn


class AskEngine:
    """One node's half of every question. An `Extension`."""

    def __init__(self) -> None:
        self.name = "ask"
        self.token: str | None = frames.TOKEN
        self.frames = frozenset({frames.FRAME_TYPE})
        self.schemas = frozenset({words.CONTRIBUTION_SCHEMA})
        self._host: ExtensionHost
        self._lanes: OrderedDict[str, Lane] = OrderedDict()
        """The pace of those who ask; kept while they are away, so that coming back wins nothing."""

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def started(self, turn: Turn) -> None:
        """Nothing is restored: a question ends with the process that asked it."""

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Who comes later is asked the next one."""

    def left(self, peer: Peer, turn: Turn) -> None:
        """Tell the shell: who is gone is not waited for."""
        self._host.want(words.Gone(peer.node_id), turn)

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Read a frame: a question, or somebody's silence."""
        try:
            read = frames.read(frame)
        except frames.BadFrameError as error:
            turn.count(f"ask.refused.{error}")
            return
        if isinstance(read, frames.Silent):
            turn.count("ask.heard.silent")
            self._host.want(words.Declined(peer.node_id, read.key, read.reason), turn)
            return
        turn.count("ask.heard.questions")
        why = self._refusal(peer, turn)
        if why is not None:
            turn.count(f"ask.declined.{why}")
            self._decline(words.Decline(peer.node_id, read.key, why), turn)
            return
        self._host.want(words.Question(peer.node_id, peer.name, read.key, read.text, read.within_ms), turn)

    def addressed(self, record: _core.Record, turn: Turn, *, wakes: bool, expires_ms: int | None) -> None:
        """Hand on a contribution; whether it counts is decided where the question is held."""
        turn.count("ask.heard.contributions")
        self._host.want(words.Contributed(record, wakes), turn)

    def due(self, whom: str, turn: Turn) -> None:
        """No deadline is set: who asks keeps its own."""

    def told(self, what: object, turn: Turn) -> None:
        """Take a wish of the shell: `Put` or `Decline`."""
        if isinstance(what, words.Put):
            self._put(what, turn)
        elif isinstance(what, words.Decline):
            turn.count(f"ask.declined.{what.reason}")
            self._decline(what, turn)

    # --- below ----------------------------------------------------------------------------------

    def _put(self, question: words.Put, turn: Turn) -> None:
        frame = frames.write_ask(frames.Ask(question.key, question.text, question.within_ms))
        there = []
        for peer in self._host.peers()[: limits.ASK_PEERS]:
            state = "unheeded"
            if self._host.heeds(peer):
                state = "asked" if self._host.send(peer.node_id, frame, turn) else "slow"
            there.append(words.There(peer.node_id, peer.name, state))
        turn.count("ask.put")
        self._host.want(words.Asked(question.key, tuple(there)), turn)

    def _refusal(self, peer: Peer, turn: Turn) -> str | None:
        """Return why a peer's question is not looked into, or None."""
        if not self._host.heeds(peer):
            return "stranger"
        lane = self._lanes.setdefault(peer.node_id, Lane(limits.ASKED_PER_SECOND, limits.ASKED_BURST))
        self._lanes.move_to_end(peer.node_id)
        if len(self._lanes) > limits.LINKS:
            self._lanes.popitem(last=False)
        lane.refill(turn.now.monotonic)
        if lane.wait_seconds() > 0.0:
            return "busy"
        lane.tokens -= 1.0
        return None

    def _decline(self, what: words.Decline, turn: Turn) -> None:
        self._host.send(what.node_id, frames.write_silent(frames.Silent(what.key, what.reason)), turn)
