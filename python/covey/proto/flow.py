"""Credit between engines: who is told how much it may send, who has to wait, and who counts as slow.

The sums stand in `credit`. A session has credit where both hellos offered it; every other peer is spoken to
without, and its slowness is its full connection alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from covey import _core, limits
from covey.proto import credit
from covey.proto.credit import Amount, BadCreditError
from covey.proto.effects import Notify
from covey.proto.news import PeerSlow

if TYPE_CHECKING:
    from covey.proto.link import Link
    from covey.proto.sessions import Sessions
    from covey.proto.timers import Timers
    from covey.proto.turn import Turn


class Flow:
    """The credit of every session of one node.

    Args:
        sessions: Whose links have credit.
        timers: Where it is looked after those that wait.
    """

    def __init__(self, sessions: Sessions, timers: Timers) -> None:
        self._sessions = sessions
        self._timers = timers

    def opened(self, link: Link) -> None:
        """Give a link that has just opened its credit, where both sides offered it."""
        hello = link.session.peer if isinstance(link.session, _core.Session) else None
        if hello is not None and credit.TOKEN in hello.extensions:
            link.credit = credit.opened(_window(link))

    # --- the receiving half -----------------------------------------------------------------------

    def took(self, link: Link, records: int, size: int, turn: Turn) -> bool:
        """Note what came on a link; False where its peer went beyond its credit, and its session ended."""
        if link.credit is None or link.credit.granting.take(records, size):
            return True
        self._exceeded(link, turn)
        return False

    def done(self, link_id: int, records: int, size: int, turn: Turn) -> None:
        """Note what is no longer held of what a link brought; grant more once it is worth a frame."""
        link = self._sessions.links.get(link_id)
        if link is None or link.credit is None:
            return
        link.credit.granting.done(records, size)
        self.grant(link, turn)

    def grant(self, link: Link, turn: Turn, *, asked: bool = False) -> None:
        """Tell a link's peer how much it may send, where there is enough to tell, or it asked."""
        granting = link.credit.granting if link.credit is not None else None
        if granting is None or not (asked or granting.unsaid or granting.due()):
            return
        session = link.speaking
        if session is None or link.full:  # said when the peer reads again: nothing grows for who does not
            granting.unsaid = True
            return
        granting.unsaid = False
        session.send_control(credit.write(credit.GRANT, granting.grant()))
        turn.count("credit.granted")
        self._sessions.touch(link)

    # --- the sending half -------------------------------------------------------------------------

    def watch(self, link: Link) -> None:
        """Look after a link on which something waits for credit."""
        waits = link.credit is not None and link.credit.spending.short_at is not None
        if waits and link.credit is not None and self._timers.wanted(("credit", link.id)) is None:
            at = (link.credit.spending.short_at or 0.0) + link.credit.ask_seconds
            self._timers.set(("credit", link.id), at)

    def due(self, link: Link, turn: Turn) -> None:
        """Count a peer as slow that has granted nothing for a while; ask it, ever more seldom."""
        has = link.credit
        session = link.speaking
        if has is None or has.spending.short_at is None or session is None:
            return
        now = turn.now.monotonic
        if now < has.spending.short_at + limits.CREDIT_SLOW_SECONDS:
            self._timers.set(("credit", link.id), has.spending.short_at + limits.CREDIT_SLOW_SECONDS)
            return
        self._starve(link, True, turn)
        if not link.full:
            session.send_control(credit.write(credit.WANTED, has.spending.sent))
            turn.count("credit.wanted")
            self._sessions.touch(link)
        has.ask_seconds = min(2.0 * has.ask_seconds, limits.CREDIT_ASK_LAST_SECONDS)
        self._timers.set(("credit", link.id), now + has.ask_seconds)

    def full(self, link: Link, full: bool, turn: Turn) -> None:
        """Take note that a link's write buffer is full, or has room again."""
        before, link.full = link.slow, full
        self._show(link, before, turn)
        if full:
            return
        self.grant(link, turn)
        self._pump(link, turn)

    def _starve(self, link: Link, starved: bool, turn: Turn) -> None:
        before, link.starved = link.slow, starved
        self._show(link, before, turn)

    def _show(self, link: Link, before: bool, turn: Turn) -> None:
        """Tell that a peer has become slow, or has caught up."""
        peer = self._sessions.peers.get(link.node_id or "")
        if peer is not None and peer.active is link and link.slow != before:
            turn.count("peers.slow" if link.slow else "peers.caught_up")
            if link.slow and "slow" not in link.complained:
                link.complained.add("slow")  # counted every time, logged once for each link
                turn.log("info", "peer-slow", peer=peer.node_id, waiting=len(peer.outlet))
            turn.add(Notify(PeerSlow(peer.node_id, peer.name, link.slow)))

    def _pump(self, link: Link, turn: Turn) -> None:
        peer = self._sessions.peers.get(link.node_id or "")
        if peer is not None and peer.active is link:
            self._sessions.pump(peer, turn)

    # --- what peers say -----------------------------------------------------------------------------

    def heard(self, link: Link, kind: str, frame: bytes, turn: Turn) -> None:
        """Act on a frame about credit; where the session has none, it is as unknown as any other."""
        has = link.credit
        if has is None:
            turn.count("credit.ignored")
            return
        try:
            amount = credit.parse(frame)
        except BadCreditError:
            turn.count("credit.malformed")
            return
        if kind == credit.WANTED:
            if has.granting.settle(amount):
                self.grant(link, turn, asked=True)
            else:
                self._exceeded(link, turn)
        elif has.spending.take(amount):
            has.ask_seconds = limits.CREDIT_SLOW_SECONDS
            self._timers.cancel(("credit", link.id))
            self._starve(link, False, turn)
            self._pump(link, turn)

    def _exceeded(self, link: Link, turn: Turn) -> None:
        turn.count("credit.exceeded")
        turn.log("warn", "past-credit", peer=link.node_id, address=link.address)
        self._sessions.end(link, "past_credit", turn, code=1010, message="more was sent than was granted")


def _window(link: Link) -> Amount:
    """Return a link's window: a narrow one where reading cannot be paused, or is paced for a stranger."""
    if link.relay is not None or link.lane is not None:
        return Amount(limits.CREDIT_NARROW_RECORDS, limits.CREDIT_NARROW_BYTES)
    return Amount(limits.CREDIT_RECORDS, limits.CREDIT_BYTES)
