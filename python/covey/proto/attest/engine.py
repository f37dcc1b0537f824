"""`sym-attest-v1` between peers, as an extension of the node engine.

Rules: what is signed or taken is durable before it is sent. A frame counts by its signature under the key
bound to the node it names, never by the session that brought it; the session pays for checking it. Nothing
here changes an admission, a lifecycle or an authority. Nothing about a directed record is ever passed on.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from covey import _core, limits
from covey.proto.attest import words
from covey.proto.attest.chain import OwnChain
from covey.proto.attest.held import Held, witnessed
from covey.proto.attest.saving import Saving
from covey.proto.link import Lane
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn

NAME: Final = "attest"
TOKEN: Final = "sym-attest-v1"
_STATS: Final = "stats"


@dataclass(slots=True)
class Bringer:
    """What one peer brought: what it may still cost, and which signers' frames failed through it."""

    lane: Lane = field(
        default_factory=lambda: Lane(limits.ATTEST_FRAMES_PER_SECOND, limits.ATTEST_FRAMES_BURST)
    )
    failures: dict[str, int] = field(default_factory=dict)
    failing_since: float = 0.0
    stats: dict[str, int] | None = None
    """What it says of itself: of no consequence."""


class AttestExtension:
    """The attestations of one node, and what it hears of others'.

    Args:
        identity: Signs attestations, checkpoints and witnesses.
        room: The room; frames of another are discarded.
        role: Gives the role this peer claims in them.
    """

    name = NAME
    token: str | None = TOKEN
    frames = frozenset(
        f"sym-attest-{kind}" for kind in ("attestation", "checkpoint", "witness", "node-stats")
    )

    def __init__(
        self, identity: _core.Identity, room: str, *, role: Callable[[], str] = lambda: "participant"
    ) -> None:
        self._identity = identity
        self._room = room
        self._role = role
        self._own = OwnChain(identity, room, role)
        self._held = Held()
        self._saving = Saving()
        self._bringers: dict[str, Bringer] = {}
        self._stored = Lane(limits.ATTEST_STORED_PER_SECOND, limits.ATTEST_STORED_BURST)
        self._checkpoints: OrderedDict[str, Lane] = OrderedDict()
        self._repeats: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()
        self._directed: OrderedDict[str, None] = OrderedDict()
        self._ready = False

    # --- the engine's calls ---------------------------------------------------------------------

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def started(self, turn: Turn) -> None:
        """Wait for what the disk kept; nothing is signed or taken before it is read."""

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Expect frames of a peer, and tell it how much is held here."""
        self._bringers[peer.node_id] = Bringer()
        if self._ready and self._host.wanted(_STATS) is None:
            self._host.timer(_STATS, turn.now.monotonic + 1.0)

    def left(self, peer: Peer, turn: Turn) -> None:
        """Forget what a peer may cost."""
        self._bringers.pop(peer.node_id, None)

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Read one of the four frames."""
        bringer = self._bringers.get(peer.node_id)
        if bringer is None or not self._ready:
            turn.count("attest.early")
            return
        try:
            read = _core.AttestFrame.parse(kind, frame)
        except _core.CoreError as error:
            turn.count(f"attest.refused.{error.reason}")
            return
        if read.kind == "node-stats":
            bringer.stats = json.loads(frame)["stats"]
            turn.count("attest.stats")
            return
        self._take(peer.node_id, bringer, read, turn)
        self._pump(turn)

    def judged(self, outcomes: _core.OutcomeBatch, turn: Turn) -> None:
        """Attest what was decided about a batch that is durable."""
        if not self._ready or self._saving.full:
            turn.count("attest.skipped", len(outcomes))
            return
        rows, directed = self._own.judged(outcomes, turn)
        for assertion_id in directed:
            self._directed[assertion_id] = None
            if len(self._directed) > limits.ATTEST_DIRECTED:
                self._directed.popitem(last=False)
        self._sign(rows, turn)

    def due(self, whom: str, turn: Turn) -> None:
        """Commit to what waits, or ask how much is held."""
        if whom == _STATS:
            if self._host.peers():
                self._host.want(words.Count(), turn)
                self._host.timer(_STATS, turn.now.monotonic + limits.ATTEST_STATS_SECONDS)
            return
        self._sign(self._own.checkpoint(turn), turn)

    def told(self, what: object, turn: Turn) -> None:
        """Take what the disk kept, keeps or counts."""
        if isinstance(what, words.Restored):
            self._restored(what, turn)
        elif isinstance(what, words.Kept):
            for row in self._saving.kept(what, turn):
                self._tell(row, turn)
        elif isinstance(what, words.Counted):
            stats = {"emitted": what.emitted, "admitted": what.admitted, "memory": what.memory}
            frame = {"type": "sym-attest-node-stats", "stats": {**stats, "at": turn.now.wall_ms}}
            for peer in self._host.peers():
                self._host.send(peer.node_id, json.dumps(frame).encode(), turn)
        self._pump(turn)

    def status(self) -> dict[str, Any]:
        """Return what is shown of it: the own chain, and what peers say of themselves."""
        told = {node_id: bringer.stats for node_id, bringer in self._bringers.items() if bringer.stats}
        return {"ended": self._own.ended, "pending": self._own.pending, "stats": told}

    # --- signing --------------------------------------------------------------------------------

    def _sign(self, rows: list[words.Row], turn: Turn) -> None:
        """Send own frames on their way to the disk; what is left over is committed to after a while."""
        for row in rows:
            self._saving.add(row)
            if row.kind == "checkpoint":  # so that a witness of it finds what it is about
                self._held.add(_core.AttestFrame.parse("sym-attest-checkpoint", row.frame))
        if rows and self._own.pending:
            self._host.timer("", turn.now.monotonic + limits.ATTEST_CHECKPOINT_SECONDS)
        elif rows:
            self._host.cancel("")
        self._pump(turn)

    def _witness(self, checkpoint: _core.AttestFrame, turn: Turn) -> None:
        """Say that this peer holds a checkpoint of another, once."""
        signed = checkpoint.witnessed(self._identity, role=self._role(), at_ms=turn.now.wall_ms)
        if self._held.knows(signed):
            return
        self._held.add(signed)
        turn.count("attest.witnessed")
        self._saving.add(words.Row("witness", self._identity.node_id, signed.to_json()))

    # --- taking: the order is that of §6 --------------------------------------------------------

    def _take(self, node_id: str, bringer: Bringer, read: _core.AttestFrame, turn: Turn) -> None:
        signer = read.signer or ""
        why = self._discard(read, signer)
        key = None if why else self._host.key_of(signer)
        if not why and key is None:
            why = "unknown_signer"
        if not why:
            why = self._unpaid(bringer, read, signer, turn)
        if why or key is None:
            turn.count(f"attest.dropped.{why}")
            return
        try:
            read.verify(key)
        except _core.CoreError as error:
            turn.count(f"attest.refused.{error.reason}")
            bringer.failures[signer] = bringer.failures.get(signer, 0) + 1
            if bringer.failures[signer] == 1:
                turn.log("warn", "attestation-refused", signer=signer, node_id=node_id, reason=error.reason)
            return
        self._verified(node_id, read, signer, turn)

    def _discard(self, read: _core.AttestFrame, signer: str) -> str:
        """Return why a frame is discarded before its signer is looked up; "" where it is not."""
        if read.room != self._room:
            return "other_room"
        if self._held.knows(read):
            return "duplicate"
        if signer == self._identity.node_id:
            return "own"  # ours and not held: an earlier run's, or a life of this key that we do not know
        if read.kind != "checkpoint":
            return ""
        try:
            self._held.follows(read)
        except _core.CoreError:
            return "broken_link"
        return ""

    def _unpaid(self, bringer: Bringer, read: _core.AttestFrame, signer: str, turn: Turn) -> str:
        """Return why a frame is discarded unverified, and spend what verifying it costs (step 7)."""
        now = turn.now.monotonic
        if now - bringer.failing_since >= limits.AUTHORITY_MUTE_SECONDS:
            bringer.failures, bringer.failing_since = {}, now
        if bringer.failures.get(signer, 0) >= limits.ATTEST_FAILURES:
            return "muted"
        if read.kind == "checkpoint" and self._held.forked(signer):
            return "forked"
        if read.kind == "witness":
            attester, _, first, last = witnessed(read)
            held = self._held.checkpoint(attester, (first, last))
            if held is None:
                return "nothing_witnessed"
            if held.root != read.root:
                return "disagrees"  # evidence against the witness, never against the attester
        elif read.kind == "checkpoint" and self._held.stale(read):
            return "stale"
        bringer.lane.refill(now)
        if bringer.lane.wait_seconds() > 0.0:
            return "over_budget"
        bringer.lane.tokens -= 1
        return ""

    def _verified(self, node_id: str, read: _core.AttestFrame, signer: str, turn: Turn) -> None:
        """Apply the limits that need a proven signer, then keep (steps 9 and 10)."""
        now = turn.now.monotonic
        self._stored.refill(now)
        if self._stored.wait_seconds() > 0.0 or self._saving.full:
            turn.count("attest.dropped.over_ceiling")
            return
        conflict = self._held.conflict(read) if read.kind == "checkpoint" else None
        quiet = False
        if read.kind == "checkpoint" and conflict is None and not self._checkpoint_pace(signer, now):
            turn.count("attest.dropped.checkpoint_pace")
            return
        if read.kind == "attestation":
            about = json.loads(read.to_json())["attestation"]
            if not self._repeat_pace((about["of"], signer), now):
                turn.count("attest.dropped.repeated")
                return
            quiet = about["assertionId"] in self._directed
        self._stored.tokens -= 1
        if conflict is not None:
            self._evidence(node_id, read, conflict, turn)
            return
        self._held.add(read)
        turn.count(f"attest.held.{read.kind}")
        kind: words.RowKind = "attestation"
        if read.kind == "checkpoint" or read.kind == "witness":
            kind = read.kind
        self._saving.add(words.Row(kind, signer, read.to_json(), node_id, quiet))
        if read.kind == "checkpoint":
            self._witness(read, turn)

    def _evidence(self, node_id: str, read: _core.AttestFrame, held: _core.AttestFrame, turn: Turn) -> None:
        """Keep the proof that an attester signed two histories, tell the operator, and pass it on once."""
        signer = read.signer or ""
        self._held.fork(signer)
        turn.count("attest.equivocation")
        turn.log("error", "equivocation", attester=signer, held=held.root, other=read.root, range=read.range)
        self._saving.add(words.Row("evidence", signer, read.to_json(), node_id))

    def _checkpoint_pace(self, signer: str, now: float) -> bool:
        rate = limits.ATTEST_CHECKPOINTS_PER_SECOND
        lane = self._checkpoints.pop(signer, None) or Lane(rate, rate)
        self._checkpoints[signer] = lane
        if len(self._checkpoints) > limits.ATTEST_ATTESTERS:
            self._checkpoints.popitem(last=False)
        lane.refill(now)
        if lane.wait_seconds() > 0.0:
            return False
        lane.tokens -= 1
        return True

    def _repeat_pace(self, pair: tuple[str, str], now: float) -> bool:
        since, count = self._repeats.pop(pair, (now, 0))
        if now - since >= limits.ATTEST_REPEAT_SECONDS:
            since, count = now, 0
        self._repeats[pair] = (since, count + 1)
        if len(self._repeats) > limits.ATTEST_REPEAT_PAIRS:
            self._repeats.popitem(last=False)
        return count < limits.ATTEST_REPEATS

    # --- the disk, and telling ------------------------------------------------------------------

    def _restored(self, what: words.Restored, turn: Turn) -> None:
        for number, reason in what.refused:
            turn.count(f"attest.restore_refused.{reason}")
            turn.log("warn", "stored-attestation-refused", row=number, reason=reason)
        for frame in (*what.attestations, *what.checkpoints, *what.witnesses):
            self._held.add(frame)
        for frame in what.evidence:
            self._held.fork(frame.signer or "")
        self._ready = True
        self._sign(self._own.restore(what.chain, begun=what.begun, turn=turn), turn)
        if self._bringers:
            self._host.timer(_STATS, turn.now.monotonic + 1.0)

    def _pump(self, turn: Turn) -> None:
        if self._ready:
            self._saving.pump(self._host, self._own.state(), turn)

    def _tell(self, row: words.Row, turn: Turn) -> None:
        """Send what is durable to everybody but who brought it."""
        if row.quiet:
            return
        for peer in self._host.peers():
            if peer.node_id not in (row.origin, row.signer):
                self._host.send(peer.node_id, row.frame, turn)
