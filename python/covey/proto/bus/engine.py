"""The bus between peers, sans-IO: who answers to what, messages with their fate, a budget for each peer.

Rules: only who may wake an agent here is listened to, and it may speak no faster than its budget. What is
turned away is counted, logged once for each peer and reason, and told to its sender: no message ends in
silence. Nothing is sent twice: what must survive a broken session is a directed record.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from covey import limits
from covey.proto.bus import frames, words
from covey.proto.link import Lane
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn


def _lane() -> Lane:
    return Lane(limits.BUS_PEER_MESSAGES_PER_SECOND, limits.BUS_PEER_MESSAGES_BURST)


@dataclass(slots=True)
class _There:
    """One peer that speaks this."""

    name: str
    serial: int = -1
    names: list[str] = field(default_factory=list)
    patterns: list[str] = field(default_factory=list)
    lane: Lane = field(default_factory=_lane)
    complained: set[str] = field(default_factory=set)


class BusEngine:
    """One node's half of the bus. An `Extension`."""

    def __init__(self) -> None:
        self.name = "bus"
        self.token: str | None = frames.TOKEN
        self.frames = frozenset({frames.FRAME_TYPE})
        self.schemas = frozenset({words.SCHEMA})
        self._host: ExtensionHost
        self._there: dict[str, _There] = {}
        self._own = words.Announce((), ())
        self._serial = 0
        self._seq = 0
        self._waiting: dict[int, tuple[str, str, float]] = {}
        """By number: whom it went to, the shell's token, and when no word of it is awaited any more."""

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def started(self, turn: Turn) -> None:
        """Nothing is restored: who answers to what is asked anew."""

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Tell a peer what the agents here answer to."""
        self._there[peer.node_id] = _There(peer.name)
        self._announce(peer.node_id, turn)

    def left(self, peer: Peer, turn: Turn) -> None:
        """Forget a peer; nobody knows what became of what it had not answered."""
        if self._there.pop(peer.node_id, None) is None:
            return
        for seq in [seq for seq, (whom, _, _) in self._waiting.items() if whom == peer.node_id]:
            self._settle(seq, "unknown", "session-lost", turn)
        self._host.want(words.Gone(peer.node_id), turn)

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Read a frame: an announcement, a message, or an answer."""
        there = self._there.setdefault(peer.node_id, _There(peer.name))
        try:
            read = frames.read(frame)
        except frames.BadFrameError as error:
            turn.count(f"frames.refused.{kind}")
            self._complain(peer, there, f"frame-{error}", turn)
            return
        if isinstance(read, frames.Taken):
            waits = self._waiting.get(read.seq)
            if waits is not None and waits[0] == peer.node_id:
                self._settle(read.seq, read.state, read.reason, turn)
            return
        there.lane.refill(turn.now.monotonic)
        there.lane.tokens -= 1.0 + len(frame) / limits.BUS_BYTES_PER_TOKEN
        there.lane.tokens = max(there.lane.tokens, -there.lane.burst)
        if isinstance(read, frames.Sent):
            self._sent(peer, there, read, turn)
        else:
            self._who(peer, there, read, turn)

    def addressed(self, record: _core.Record, turn: Turn, *, wakes: bool, expires_ms: int | None) -> None:
        """Hand on a message that came as a signed record; budgets are the records' own."""
        if wakes:
            turn.count("bus.heard.records")
            self._host.want(words.Proven(record, expires_ms), turn)
            return
        turn.count("bus.refused.stranger")
        self._host.want(words.Unheeded(record.assertion_id), turn)

    def due(self, whom: str, turn: Turn) -> None:
        """Give up what nobody answered in time."""
        now = turn.now.monotonic
        for seq in [seq for seq, (_, _, until) in self._waiting.items() if until <= now]:
            self._settle(seq, "unknown", "no-answer", turn)
        self._arm()

    def told(self, what: object, turn: Turn) -> None:
        """Take a wish of the shell: `Announce`, `Carry` or `Answer`."""
        if isinstance(what, words.Announce):
            if what != self._own:
                self._own = what
                self._serial += 1
                for node_id in self._there:
                    self._announce(node_id, turn)
        elif isinstance(what, words.Carry):
            for node_id in what.node_ids:
                self._carry(node_id, what, turn)
            self._arm()
        elif isinstance(what, words.Answer):
            self._host.send(what.node_id, frames.write_taken(what.seq, what.state, what.reason), turn)

    # --- below ----------------------------------------------------------------------------------

    def _announce(self, node_id: str, turn: Turn) -> None:
        for frame in frames.write_who(self._serial, self._own.names, self._own.patterns):
            self._host.send(node_id, frame, turn)

    def _carry(self, node_id: str, what: words.Carry, turn: Turn) -> None:
        """Send a message to one peer, and say at once what is known of it."""
        self._seq += 1
        if len(self._waiting) >= limits.BUS_WAITING:
            self._fate(what.token, node_id, "refused", "busy", turn)
        elif not self._host.send(node_id, frames.write_message(self._seq, what.topic, what.body), turn):
            reason = "slow" if node_id in self._there else "not-here"
            self._fate(what.token, node_id, "refused", reason, turn)
        else:
            until = turn.now.monotonic + limits.BUS_TAKEN_SECONDS
            self._waiting[self._seq] = (node_id, what.token, until)
            self._fate(what.token, node_id, "accepted", "", turn)

    def _sent(self, peer: Peer, there: _There, sent: frames.Sent, turn: Turn) -> None:
        """Let a message in, or tell its sender why not."""
        if not self._host.heeds(peer):
            self._turn_away(peer, there, sent.seq, "stranger", turn)
        elif there.lane.tokens < 0:
            self._turn_away(peer, there, sent.seq, "over-budget", turn)
        else:
            turn.count("bus.heard")
            self._host.want(words.Heard(peer.node_id, peer.name, sent.seq, sent.topic, sent.message), turn)

    def _turn_away(self, peer: Peer, there: _There, seq: int, why: str, turn: Turn) -> None:
        turn.count(f"bus.refused.{why}")
        self._complain(peer, there, why, turn)
        self._host.send(peer.node_id, frames.write_taken(seq, "refused", why), turn)

    def _who(self, peer: Peer, there: _There, who: frames.Who, turn: Turn) -> None:
        """Take an announcement, part by part; the last part makes it known."""
        if who.serial != there.serial:
            there.serial, there.names, there.patterns = who.serial, [], []
        held = len(there.names) + len(there.patterns) + len(who.names) + len(who.patterns)
        if held > limits.BUS_ANNOUNCED or there.lane.tokens <= -there.lane.burst:
            turn.count("bus.refused.announced")
            self._complain(peer, there, "announces-too-much", turn)
            return
        there.names += who.names
        there.patterns += who.patterns
        if not who.more and self._host.heeds(peer):
            known = words.Known(peer.node_id, peer.name, tuple(there.names), tuple(there.patterns))
            self._host.want(known, turn)

    def _settle(self, seq: int, state: str, reason: str, turn: Turn) -> None:
        node_id, token, _ = self._waiting.pop(seq)
        self._fate(token, node_id, state, reason, turn)

    def _fate(self, token: str, node_id: str, state: str, reason: str, turn: Turn) -> None:
        turn.count(f"bus.sent.{state}")
        self._host.want(words.Fate(token, node_id, state, reason), turn)

    def _arm(self) -> None:
        """Be woken when the oldest one waits no longer: all wait equally long, so it is the first."""
        first = next(iter(self._waiting.values()), None)
        if first is not None:
            self._host.timer("taken", first[2])

    def _complain(self, peer: Peer, there: _There, why: str, turn: Turn) -> None:
        if why not in there.complained:
            there.complained.add(why)
            turn.log("warn", "bus-refused", peer=peer.name, node_id=peer.node_id, reason=why)
