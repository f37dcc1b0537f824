"""Source-novel forwarding, as an extension of the node engine.

Rules: everybody takes part as a receiver; only who is told to (`hands_on`) offers. A block is offered a
moment after it is durable here, and sent to who asks for it. What comes is a record as any other: the hops
that it came with are what its offer said, kept here until it is judged.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.proto.forward import frames as wire
from covey.proto.forward import rules, words
from covey.proto.forward.shelf import Fresh, Neighbour, OnOffer, Shelf, remember
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn

NAME: Final = "forward"
_OFFER, _AGAIN, _COMING = "offer", "again", "coming"
_TURNED_DOWN: Final = frozenset({"redundant", "rejected"})


@dataclass(frozen=True, slots=True)
class Coming:
    """A block that was asked for: of whom, until when, and how often it will have been handed on."""

    node_id: str
    hops: int
    until: float


class Forwarding:
    """Hands on what others wrote, and takes what others hand on.

    Args:
        own_id: This peer's nodeId.
        hands_on: Offer what is admitted here to peers that lack its source.
    """

    name = NAME
    token: str | None = wire.TOKEN
    frames = frozenset({wire.OFFER, wire.ANSWER})

    def __init__(self, own_id: str, *, hands_on: bool) -> None:
        self._own_id = own_id
        self._hands_on = hands_on
        self._shelf = Shelf()
        self._neighbours: dict[str, Neighbour] = {}
        self._coming: OrderedDict[str, Coming] = OrderedDict()
        self._judged: OrderedDict[str, None] = OrderedDict()
        """Keys that came because we asked, and were judged."""
        self._unknown: OrderedDict[str, None] = OrderedDict()
        """Authors without a key here, whose blocks were declined and of whom that was said."""
        self._asked: dict[int, tuple[str, tuple[wire.Offer, ...]]] = {}
        """Offers that wait for a look in the store, and whose they are."""
        self._tokens = 0

    # --- the engine's calls ---------------------------------------------------------------------

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def started(self, turn: Turn) -> None:
        """Nothing begins by itself, and nothing is restored: the shelf fills with what is heard."""

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Show a peer what it may have missed."""
        self._neighbours[peer.node_id] = Neighbour()
        self._offer(peer.node_id, self._shelf.show(peer.node_id, turn.now.monotonic), turn)

    def left(self, peer: Peer, turn: Turn) -> None:
        """Forget what a peer was offered, and ask others for what it did not bring."""
        self._neighbours.pop(peer.node_id, None)
        for key in [key for key, each in self._coming.items() if each.node_id == peer.node_id]:
            del self._coming[key]
            turn.count("forward.missed")

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Read an offer or an answer."""
        try:
            if kind == wire.OFFER:
                self._offered(peer.node_id, wire.read_offers(frame), turn)
            else:
                self._answered(peer.node_id, wire.read_answer(frame), turn)
        except wire.BadFrameError as error:
            turn.count(f"forward.refused.{error}")

    def judged(self, outcomes: _core.OutcomeBatch, turn: Turn) -> None:
        """Take what was admitted as something to hand on; note what was asked for and came."""
        if not self._hands_on and not self._coming:
            return
        bringer = outcomes.session_node_id
        for index in range(len(outcomes)):
            outcome = outcomes[index]
            if outcome.directed or outcome.hearsay is not None or outcome.kind == "refused":
                continue  # what did not verify says nothing about the block it names
            coming = self._coming.pop(outcome.key, None)
            if coming is not None:
                remember(self._judged, outcome.key, None, limits.FORWARD_ASKED)
                turn.count(f"forward.came.{outcome.kind}")
            if self._hands_on:
                self._take(outcome, bringer, coming, turn)

    def due(self, whom: str, turn: Turn) -> None:
        """Look for the roots of what waits, or give up what did not come."""
        if whom != _COMING:
            again = whom == _AGAIN
            keys = tuple(key for key, each in self._shelf.fresh.items() if each.again == again)
            if keys:
                self._host.want(words.FindRoots(keys), turn)
            return
        now = turn.now.monotonic
        while self._coming and next(iter(self._coming.values())).until <= now:
            self._coming.popitem(last=False)
            turn.count("forward.missed")
        self._await()

    def told(self, what: object, turn: Turn) -> None:
        """Take what the store says."""
        if isinstance(what, words.Rooted):
            self._rooted(what, turn)
        elif isinstance(what, words.Lacking):
            self._looked(what, turn)
        elif isinstance(what, words.Loaded):
            self._loaded(what, turn)

    # --- handing on -----------------------------------------------------------------------------

    def _take(self, outcome: _core.Outcome, bringer: str, coming: Coming | None, turn: Turn) -> None:
        """Let an admitted block wait for its roots, or say why it is not handed on."""
        if outcome.kind in _TURNED_DOWN:
            self._not(rules.NOT_ADMITTED, turn)
            return
        if outcome.kind != "admitted" or outcome.node_id == self._own_id:
            return  # a repetition, or a refusal that has its own counter: nothing came of it here
        if coming is not None and coming.node_id == bringer:
            hops = coming.hops
        elif outcome.node_id == bringer:
            hops = 0
        else:
            self._not(rules.CONTEXT, turn)
            return
        if hops >= limits.FORWARD_HOPS:
            self._not(rules.HOPS, turn)
        elif not self._shelf.wait(Fresh(outcome.key, outcome.node_id, bringer, hops)):
            self._not(rules.CROWDED, turn)
        elif self._host.wanted(_OFFER) is None:
            self._host.timer(_OFFER, turn.now.monotonic + limits.FORWARD_SECONDS)

    def _rooted(self, what: words.Rooted, turn: Turn) -> None:
        """Offer what can be named by its roots; look once more at the rest, later."""
        ready: list[OnOffer] = []
        for key, roots in what.roots:
            fresh = self._shelf.fresh.pop(key, None)
            if fresh is None:
                continue
            if roots and len(roots) <= limits.FORWARD_ROOTS:
                ready.append(OnOffer(wire.Offer(key, fresh.author, roots, fresh.hops + 1), fresh.bringer))
            elif roots:
                self._not(rules.WIDE, turn)
            elif fresh.again:
                self._not(rules.UNRESOLVED, turn)
            else:
                self._shelf.wait(replace(fresh, again=True))
                if self._host.wanted(_AGAIN) is None:
                    self._host.timer(_AGAIN, turn.now.monotonic + limits.FORWARD_AGAIN_SECONDS)
        for block in ready:
            self._shelf.put(block)
        for node_id in tuple(self._neighbours):
            self._offer(node_id, [block for block in ready if block.may_lack(node_id)], turn)
        deaf = self._host.deaf()
        for block in ready:
            self._not(rules.UNSPOKEN, turn, sum(block.may_lack(node_id) for node_id in deaf))

    def _offer(self, node_id: str, blocks: Sequence[OnOffer], turn: Turn) -> None:
        neighbour = self._neighbours[node_id]
        new = [block.offer for block in blocks if neighbour.offer(block.offer.key)]
        for start in range(0, len(new), limits.FORWARD_OFFERS):
            page = new[start : start + limits.FORWARD_OFFERS]
            if self._host.send(node_id, wire.write_offers(page), turn):
                turn.count("forward.offered", len(page))
            else:
                self._not(rules.SLOW, turn, len(page))

    def _answered(self, node_id: str, answer: wire.Answer, turn: Turn) -> None:
        neighbour = self._neighbours[node_id]
        for key, why in answer.declined.items():
            if neighbour.asks(key):
                self._not(why, turn)
        for key in answer.want:
            if neighbour.asks(key):
                self._host.want(words.Load(node_id, key), turn)
            else:
                turn.count("forward.unasked")

    def _loaded(self, what: words.Loaded, turn: Turn) -> None:
        if what.record is None or what.record.to is not None:
            self._not(rules.GONE, turn)
        elif self._host.send_record(what.node_id, what.record, turn):
            turn.count("forward.sent")
        else:
            self._not(rules.SLOW, turn)

    # --- taking ---------------------------------------------------------------------------------

    def _offered(self, node_id: str, offers: tuple[wire.Offer, ...], turn: Turn) -> None:
        lane = self._neighbours[node_id].lane
        lane.refill(turn.now.monotonic)
        if lane.wait_seconds() > 0.0:
            self._answer(node_id, (), dict.fromkeys((each.key for each in offers), rules.PACE), turn)
            return
        lane.tokens -= 1
        self._tokens += 1
        self._asked[self._tokens] = (node_id, offers)
        keys = dict.fromkeys(key for each in offers for key in (each.key, *each.roots))
        self._host.want(words.FindLacking(self._tokens, tuple(keys)), turn)

    def _looked(self, what: words.Lacking, turn: Turn) -> None:
        """Ask for what is new here, in the order of the offer: a root comes before what follows it."""
        node_id, offers = self._asked.pop(what.token, ("", ()))
        want: list[str] = []
        declined: dict[str, str] = {}
        for offer in offers:
            why = self._declined(offer, what.keys)
            if why is not None:
                declined[offer.key] = why
                if why == rules.AUTHOR_UNKNOWN:
                    self._say_unknown(offer, node_id, turn)
                continue
            want.append(offer.key)
            until = turn.now.monotonic + limits.FORWARD_COMING_SECONDS
            self._coming[offer.key] = Coming(node_id, offer.hops, until)
        if node_id in self._neighbours:
            self._answer(node_id, want, declined, turn)
        else:
            for key in want:
                del self._coming[key]
        self._await()

    def _declined(self, offer: wire.Offer, lacking: frozenset[str]) -> str | None:
        if offer.key in self._judged:
            return rules.JUDGED
        why = rules.declined(offer, lacking, self._coming)
        if why is not None:
            return why
        if self._host.key_of(offer.author) is None:
            return rules.AUTHOR_UNKNOWN
        return rules.BUSY if len(self._coming) >= limits.FORWARD_COMING else None

    def _say_unknown(self, offer: wire.Offer, node_id: str, turn: Turn) -> None:
        """Say once of an author that what others hand on of it cannot be verified here, and what helps."""
        if offer.author not in self._unknown:
            hint = "meet it once: a session with it proves its key, and what is offered then is taken"
            turn.log(
                "warn",
                "forward-author-unknown",
                author=offer.author,
                from_node_id=node_id,
                key=offer.key,
                hint=hint,
            )
        remember(self._unknown, offer.author, None, limits.FORWARD_ASKED)

    def _answer(self, node_id: str, want: Iterable[str], declined: dict[str, str], turn: Turn) -> None:
        answer = wire.Answer(tuple(want), declined)
        turn.count("forward.wanted", len(answer.want))
        for why in declined.values():
            turn.count(f"forward.declined.{why}")
        self._host.send(node_id, wire.write_answer(answer), turn)

    def _await(self) -> None:
        if self._coming:
            self._host.timer(_COMING, next(iter(self._coming.values())).until)

    def _not(self, why: str, turn: Turn, count: int = 1) -> None:
        if count:
            turn.count(f"forward.not.{why}", count)
