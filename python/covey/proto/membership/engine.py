"""The membership engine: probes, suspicion, and the news of both (SWIM with Lifeguard), sans-IO.

Once a period one member is probed; silence is checked through other members before anybody is suspected; a
suspect has time to speak up; what is learned rides on the frames that go anyway. Two departures from the
papers, because a peer may lie: only a member itself says that it lives or leaves, under its signature, and an
accusation, `dead` included, only begins or hastens our own suspicion, which our own probe of the member ends.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from covey import _core, limits
from covey.proto.effects import Notify
from covey.proto.membership import frames, views
from covey.proto.membership.claims import Accusation, BadClaimError, Claim, Self, holds
from covey.proto.membership.comparing import Tables
from covey.proto.membership.errands import Errands
from covey.proto.membership.gossip import Gossip
from covey.proto.membership.members import Member, Members
from covey.proto.membership.news import MemberJoined, MemberLeft, MemberSuspected
from covey.proto.membership.options import FRAME_TYPE, STATEMENT, TOKEN, MembershipOptions
from covey.proto.membership.probing import Probe, Probes, Verdict, by_luck
from covey.proto.membership.suspicion import Health, suspicion

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn


class Membership:
    """One node's view of who is there. An `Extension`.

    Args:
        identity: Signs this node's own word.
        options: The times.
        meta: One line of JSON about this node that every member hears, at most `MEMBER_META_BYTES`.
        holds: Checks the signature of a word.
    """

    def __init__(
        self,
        identity: _core.Identity,
        options: MembershipOptions | None = None,
        meta: str = "{}",
        *,
        holds: Callable[[Self], bool] = holds,
    ) -> None:
        self.name = "member"
        self.token: str | None = TOKEN
        self.frames = frozenset({FRAME_TYPE})
        self.options = options or MembershipOptions()
        self.health = Health(self.options.health_most)
        self.members = Members(self._signed)
        self._identity = identity
        self._meta = meta
        self._holds = holds
        self._probes = Probes()
        self._errands = Errands(self._probes, self._send, self.options.probe_timeout)
        self._gossip = Gossip(self.options.gossip_factor)
        self._queues: tuple[list[str], list[str]] = [], []
        self._rounds = 0
        self._own: Self | None = None
        self._incarnation = 0
        self._leaving = False
        self._expected = 0.0
        self._host: ExtensionHost
        self._tables = Tables(
            lambda: self.members.digest(self._own), self._known, self.options.sync_period / 2
        )

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host
        self._tables.attach(host)
        self._errands.attach(host)

    # --- what the node tells --------------------------------------------------------------------

    def started(self, turn: Turn) -> None:
        """Begin with an incarnation past any of an earlier life: the wall clock, in milliseconds."""
        self._speak(turn.now.wall_ms, turn)
        self._arm(turn)
        self._host.timer("sync:", turn.now.monotonic + self.options.sync_period)

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Tell a peer that has just come our own word, and compare what else is known."""
        if self._own is not None:
            self._host.send(peer.node_id, frames.write("news", [self._own]), turn)
        self._tables.met(peer.node_id, turn)
        member = self.members.get(peer.node_id)
        if member is not None and member.state == "suspect":
            self._probe(member, turn)

    def left(self, peer: Peer, turn: Turn) -> None:
        """A session is gone: its member is looked at now, not when its turn comes."""
        self._tables.left(peer.node_id)
        member = self.members.get(peer.node_id)
        if member is not None and member.here:
            self._probe(member, turn)
            probe = self._probes.about(peer.node_id)
            if probe is not None:
                probe.lost = True
                self._fail_early(probe, turn)

    def told(self, what: object, turn: Turn) -> None:
        """Take a wish of the shell: `Say` a new meta line, or `Leave`."""
        if isinstance(what, views.Say):
            if len(what.meta.encode()) > limits.MEMBER_META_BYTES:
                turn.count("members.meta.too_long")
                turn.log("warn", "member-meta-too-long", bytes=len(what.meta.encode()))
                return
            self._meta = what.meta
            self._speak(self._incarnation + 1, turn)
            self._push(turn)
        elif isinstance(what, views.Leave):
            self._leaving = True
            self._speak(self._incarnation, turn, left=True)
            for peer in self._host.peers():
                self._send(peer.node_id, "news", turn)

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Read a frame: first its news, then what it asks."""
        try:
            read = frames.read(frame)
        except BadClaimError as error:
            turn.count(f"frames.refused.{kind}")
            turn.log("warn", "member-frame-refused", peer=peer.name, reason=str(error))
            return
        for claim in read.claims:
            self._hear(claim, turn)
        if read.op == "probe":
            self._send(peer.node_id, "ack", turn, seq=read.seq)
        elif read.op == "ack":
            self._acked(peer.node_id, read.seq, turn)
        elif read.op == "ask":
            self._errands.asked(peer.node_id, read.seq, read.target, turn)
        elif read.op in ("nack", "away"):
            self._declined(peer.node_id, read.seq, turn, away=read.op == "away")
        elif read.op == "hold":
            self._tables.compared(peer.node_id, read.digest, turn)
        elif read.op == "want":
            self._tables.wanted(peer.node_id, turn)

    def due(self, whom: str, turn: Turn) -> None:
        """Act on a deadline."""
        what, _, rest = whom.partition(":")
        if what == "period":
            self._period(turn)
        elif what == "sync":  # never stretched: after a partition this is what brings the dead back
            self._compare_one(turn)
            self._host.timer("sync:", turn.now.monotonic + self.options.sync_period)
        elif what == "meet":
            self._tables.next(turn)
        elif what == "direct":
            self._unanswered(int(rest), turn)
        elif what == "probe":
            self._failed(int(rest), turn)
        elif what == "errand":
            self._errands.over(int(rest), turn)
        elif what == "suspect":
            self._given_up(rest, turn)

    def view(self, now: float) -> list[views.MemberView]:
        """Return every remembered member, by nodeId."""
        return [views.view_of(member, now) for member in self.members.all()]

    # --- our own word ---------------------------------------------------------------------------

    def _speak(self, incarnation: int, turn: Turn, *, left: bool = False) -> None:
        """Say, signed, that we are here (or leave) in this incarnation."""
        me, self._incarnation = self._identity, min(incarnation, limits.JSON_INTEGER)
        word = Self(me.node_id, self._incarnation, me.name, self._meta, me.public_key, b"", left=left)
        self._own = replace(word, signature=me.sign_statement(STATEMENT, word.body()))
        self._gossip.add(self._own)
        turn.count("members.spoken")

    def _push(self, turn: Turn) -> None:
        """Tell our new word to whoever has a session at once: gossip brings it to everybody else."""
        frame = frames.write("news", [self._own] if self._own is not None else [])
        for peer in self._host.peers()[: limits.MEMBER_PUSHES]:
            self._host.send(peer.node_id, frame, turn)

    def _signed(self, said: Self) -> bool:
        peer = self._host.peer(said.node_id)
        return (peer is None or peer.public_key == said.public_key) and self._holds(said)

    # --- news -----------------------------------------------------------------------------------

    def _hear(self, claim: Claim, turn: Turn) -> None:
        if claim.node_id == self._identity.node_id:
            self._heard_of_us(claim, turn)
        elif isinstance(claim, Self):
            self._heard_word(claim, turn)
        else:
            self._accused(claim, turn)

    def _heard_of_us(self, claim: Claim, turn: Turn) -> None:
        """Refute what is said of us, and go past what an earlier life of ours said last.

        An accusation of an incarnation that was never ours is nobody's business; only our own signature
        makes us go further, so that nobody can drive the number to its end.
        """
        if self._leaving or claim.incarnation < self._incarnation or claim == self._own:
            return
        if isinstance(claim, Accusation):
            if claim.incarnation != self._incarnation:
                turn.count("members.accused_unknown_incarnation")
                return
            self.health.worse()
            turn.count("members.refuted")
        elif claim.public_key != self._identity.public_key or not self._holds(claim):
            turn.count("members.word.forged")
            return
        self._speak(claim.incarnation + 1, turn)

    def _heard_word(self, said: Self, turn: Turn) -> None:
        before = self.members.get(said.node_id)
        was_suspect = before is not None and before.state == "suspect"
        outcome = self.members.hear(said, turn.now.monotonic)
        if outcome == "stale" and before is not None and before.said.incarnation == said.incarnation:
            self._gossip.known(said.node_id)
        turn.count(f"members.word.{outcome}")
        if outcome == "forged":
            turn.log(
                "warn",
                "member-word-refused",
                node_id=said.node_id,
                reason="its signature or key does not hold",
            )
        if outcome in ("stale", "forged", "full"):
            return
        self._gossip.add(said)
        if was_suspect:
            self._host.cancel(f"suspect:{said.node_id}")
        if outcome == "joined":
            turn.add(Notify(MemberJoined(said.node_id, said.name, said.incarnation)))
        elif outcome == "left":
            turn.add(Notify(MemberLeft(said.node_id, said.name, said.incarnation, "left")))

    def _accused(self, claim: Accusation, turn: Turn) -> None:
        """Weigh an accusation: it begins a suspicion, or hastens one; our own probe may end it."""
        member = self.members.get(claim.node_id)
        if member is None or not member.here:
            return
        if claim.incarnation != member.said.incarnation:  # it has spoken since, or we missed that: we look
            turn.count("members.accused_other_incarnation")
            if self._host.peer(member.node_id) is not None:
                self._probe(member, turn)
            return
        if member.state != "suspect" or member.suspicion is None:
            self._suspect(member, claim, turn)
            self._probe(member, turn)
        elif member.suspicion.accuse(claim.accuser):
            self._spread(claim)
            self._host.timer(f"suspect:{claim.node_id}", member.suspicion.deadline())

    def _suspect(self, member: Member, claim: Accusation, turn: Turn) -> None:
        now = turn.now.monotonic
        self.members.settle(member, "suspect", now)
        member.unreached = 0
        member.suspicion = suspicion(claim.accuser, now, self.members.present + 1, self.options)
        self._host.timer(f"suspect:{member.node_id}", member.suspicion.deadline())
        self._spread(claim)
        turn.count("members.suspected")
        turn.add(Notify(MemberSuspected(member.node_id, member.said.name, member.said.incarnation)))

    def _spread(self, claim: Accusation) -> None:
        """Pass on what we found, and of others' what we cannot look into: the rest we say once we looked."""
        if claim.accuser == self._identity.node_id or self._host.peer(claim.node_id) is None:
            self._gossip.add(claim)

    def _given_up(self, node_id: str, turn: Turn) -> None:
        """Take a suspect that did not speak up for dead."""
        member = self.members.get(node_id)
        if member is None or member.state != "suspect":
            return
        if self._late(turn):  # we slept: what it said meanwhile is still to be read
            self._host.timer(f"suspect:{node_id}", turn.now.monotonic + self.options.period)
            return
        looked = member.suspicion is None or member.suspicion.unanswered >= self.options.looks
        if not looked and self._host.peer(node_id) is not None:  # others may say what they like: we look too
            self._host.timer(f"suspect:{node_id}", turn.now.monotonic + self.options.probe_timeout)
            self._probe(member, turn)
            return
        self.members.settle(member, "dead", turn.now.monotonic)
        self._gossip.add(self._accusation("dead", member))
        turn.count("members.failed")
        turn.log("info", "member-failed", node_id=node_id, name=member.said.name)
        turn.add(Notify(MemberLeft(node_id, member.said.name, member.said.incarnation, "failed")))

    # --- probing --------------------------------------------------------------------------------

    def _period(self, turn: Turn) -> None:
        if self._late(turn):
            self.health.worse()
            turn.count("members.own_clock_late")
        self.members.forget(turn.now.monotonic - limits.MEMBER_FORGET_SECONDS)
        target = self._next(turn)
        if target is not None:
            self._probe(target, turn)
        self._rounds += 1
        self._arm(turn)

    def _arm(self, turn: Turn) -> None:
        period = self.options.period
        wait = self.health.stretch(period) if self._rounds else period * turn.jitter()
        self._expected = turn.now.monotonic + wait
        self._host.timer("period:", self._expected)

    def _late(self, turn: Turn) -> bool:
        """Tell whether our clock is well past what was due: this process was stopped or starved."""
        return turn.now.monotonic > self._expected + 2 * self.options.period

    def _next(self, turn: Turn) -> Member | None:
        """Return whom to probe now: everybody once, in an order nobody can foresee, then again.

        Where sessions are few, two of three times one of those: nobody else has a way to look at them.
        """
        near = 2 * len(self._host.peers()) < self.members.present and self._rounds % 3 > 0
        busy, queue = self._probes.targets(), self._queues[near]
        for _ in range(2):
            while queue:
                member = self.members.get(queue.pop())
                if member is not None and member.here and member.node_id not in busy:
                    return member
            salt, known = turn.draw(), self._host.peers() if near else self.members.here()
            queue += sorted((each.node_id for each in known), key=lambda n: _shuffled(salt, n))
        return None

    def _probe(self, member: Member, turn: Turn) -> None:
        """Ask a member directly, or through helpers where no session leads to it."""
        if member.node_id in self._probes.targets():
            return
        now = turn.now.monotonic
        suspect = member.state == "suspect"
        probe = self._probes.begin(member.node_id)
        # A suspect is asked often and not longer, however slow we are: an answer that comes late counts too.
        wait = self.options.probe_timeout if suspect else self.health.stretch(self.options.probe_timeout)
        whole = wait if suspect else self.health.stretch(self.options.period)
        self._host.timer(f"probe:{probe.seq}", now + max(whole, 2 * wait))
        turn.count("members.probes")
        if self._send(member.node_id, "probe", turn, seq=probe.seq):
            self._host.timer(f"direct:{probe.seq}", now + wait * (1.0 if suspect else 0.5))
            if suspect:  # whether it lives is asked on every way at once
                self._ask(probe, turn)
        else:
            self._ask(probe, turn)
            self._silent(probe, turn)

    def _unanswered(self, seq: int, turn: Turn) -> None:
        probe = self._probes.own.get(seq)
        if probe is not None:
            if probe.asked:
                self._silent(probe, turn)
                return
            turn.count("members.probes.unanswered")
            # the path that carries records may be dead and not know it: another one to the same peer may not
            self._host.send(probe.target, frames.write("probe", seq=seq), turn, beside=True)
            self._ask(probe, turn)
            if not probe.asked:
                self._silent(probe, turn)
                return
            rest = self.health.stretch(self.options.probe_timeout) / 2
            self._host.timer(f"direct:{seq}", turn.now.monotonic + rest)

    def _ask(self, probe: Probe, turn: Turn) -> None:
        """Ask helpers that nobody can foresee to probe the target too."""
        helpers = self._some(self.options.helpers, probe.target, turn)
        sent = [h for h in helpers if self._send(h, "ask", turn, seq=probe.seq, target=probe.target)]
        probe.asked = frozenset(sent)

    def _acked(self, by: str, seq: int, turn: Turn) -> None:
        probe = self._probes.own.get(seq)
        if probe is not None and (by == probe.target or by in probe.asked):
            self._end_probe(probe)
            self.health.better()
            self.members.reached(probe.target)
            self._lives(probe.target, turn, direct=by == probe.target)
        elif not self._errands.acked(by, seq, turn) and probe is None:  # too late for its probe: it lives
            self._lives(by, turn, direct=True)

    def _lives(self, node_id: str, turn: Turn, *, direct: bool) -> None:
        """End our suspicion of a member that answered; a helper's word counts where we have no session."""
        member = self.members.get(node_id)
        if member is None or member.state != "suspect" or not (direct or self._host.peer(node_id) is None):
            return
        self._host.cancel(f"suspect:{node_id}")
        self._gossip.drop(node_id)
        self.members.settle(member, "alive", turn.now.monotonic)
        turn.count("members.cleared")

    def _declined(self, by: str, seq: int, turn: Turn, *, away: bool) -> None:
        """A helper is well and the target silent to it too; once all say so, waiting tells nothing."""
        probe = self._probes.own.get(seq)
        if probe is not None and by in probe.asked:
            (probe.away if away else probe.declined).add(by)
            self._fail_early(probe, turn)

    def _silent(self, probe: Probe, turn: Turn) -> None:
        probe.waited = True
        self._fail_early(probe, turn)

    def _fail_early(self, probe: Probe, turn: Turn) -> None:
        """Wait no longer for a target that is silent to us and to everybody we asked."""
        if self._verdict(probe, over=False) != "wait":
            self._failed(probe.seq, turn)

    def _verdict(self, probe: Probe, *, over: bool) -> Verdict:
        member, session = self.members.get(probe.target), self._host.peer(probe.target) is not None
        suspect = member is not None and member.state == "suspect"
        return probe.verdict(session=session, suspect=suspect, over=over)

    def _failed(self, seq: int, turn: Turn) -> None:
        """A probe's time is over: suspect its target, unless the fault may be ours."""
        probe = self._probes.own.get(seq)
        if probe is None:
            return
        if self._late(turn):  # we slept: its answer is still to be read
            self._host.timer(f"probe:{seq}", turn.now.monotonic + self.options.period)
            return
        verdict, member = self._verdict(probe, over=True), self.members.get(probe.target)
        self._end_probe(probe)
        if verdict == "no-way" and member is not None:
            turn.count("members.probes.no_way")
            member.unreached += 1
            asked = member.unreached * self.options.helpers
            if by_luck(asked, len(self._host.peers()), self.members.present):
                return
        silent = len(probe.asked) - len(probe.declined) - len(probe.away)
        again = member is not None and member.state == "suspect"
        self.health.worse(silent if again else 1 + silent)  # one that is silent to all says nothing of us
        if member is not None and member.here:
            self._alarm(self._accusation("suspect", member), turn)
            self._accused(self._accusation("suspect", member), turn)
            if again and member.suspicion is not None:
                member.suspicion.unanswered += 1
            if self._host.peer(probe.target) is not None:
                self._probe(member, turn)  # until it answers, or its time is over

    def _alarm(self, found: Accusation, turn: Turn) -> None:
        """Tell some peers at once what we found ourselves, the first time: those who look too go on so."""
        known = self.members.get(found.node_id)
        if known is not None and not (known.suspicion and found.accuser in known.suspicion.accusers):
            for node_id in self._some(self.options.alarms, found.node_id, turn):
                self._host.send(node_id, frames.write("news", [found]), turn)

    def _accusation(self, word: Literal["suspect", "dead"], member: Member) -> Accusation:
        return Accusation(word, member.node_id, member.said.incarnation, self._identity.node_id)

    def _end_probe(self, probe: Probe) -> None:
        self._probes.own.pop(probe.seq, None)
        self._host.cancel(f"direct:{probe.seq}")
        self._host.cancel(f"probe:{probe.seq}")

    # --- sending --------------------------------------------------------------------------------

    def _send(self, node_id: str, op: frames.Op, turn: Turn, *, seq: int = 0, target: str = "") -> bool:
        """Send one frame with the news that has been told least.

        A suspect hears first that it is one, and its own last word: a later life of it must go past that.
        """
        claims = self._gossip.take(self.members.present + 1)
        member = self.members.get(node_id)
        if member is not None and member.state in ("suspect", "dead"):
            about = (member.said, self._accusation("suspect", member))
            claims = [*about, *(claim for claim in claims if claim.node_id != node_id)]
        return self._host.send(node_id, frames.write(op, claims, seq=seq, target=target), turn)

    def _compare_one(self, turn: Turn) -> None:
        """Compare with one peer, whoever it is: what all gossip missed comes so."""
        for node_id in self._some(1, "", turn):
            self._tables.hold(node_id, turn)

    def _some(self, count: int, but: str, turn: Turn) -> list[str]:
        """Return a few peers that nobody can foresee, without one."""
        salt = turn.draw()
        others = [peer.node_id for peer in self._host.peers() if peer.node_id != but]
        return heapq.nsmallest(count, others, key=lambda node_id: _shuffled(salt, node_id))

    def _known(self) -> list[Claim]:
        """Return everything that is known: our own word, the words of all others, who is dead."""
        known: list[Claim] = [] if self._own is None else [self._own]
        return known + [
            self._accusation("dead", member) if member.state == "dead" else member.said
            for member in self.members.all()
        ]


def _shuffled(salt: bytes, node_id: str) -> bytes:
    return hashlib.sha256(salt + node_id.encode()).digest()
