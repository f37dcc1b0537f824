"""M-45: bundles from peer to peer, with consent on both sides and every bound held."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from covey import limits
from covey.proto import effects as fx
from covey.proto import substrate as sub
from covey.proto.substrate import (
    BundleOffer,
    HeardOffers,
    Offering,
    PartRead,
    Pulled,
    PullFailed,
    PullWish,
    ReadPart,
    SubstrateExchange,
)
from tests.unit.proto.virtual import Host, Mesh, node_id

RAW = bytes(range(256)) * 600  # three parts
DIGEST = hashlib.sha256(RAW).hexdigest()
OFFER = BundleOffer(DIGEST, "ada", len(RAW))


class Pair:
    """A giver and a taker; the giver's shell reads what it is asked for."""

    def __init__(self, raw: bytes = RAW) -> None:
        self.mesh = Mesh()
        self.raw = raw
        self.giver, self.taker = (self.mesh.host(n, extensions=[SubstrateExchange()]) for n in (1, 2))
        self.mesh.introduce(self.giver, self.taker)
        self.read = 0

    def tell(self, host: Host, what: object) -> None:
        host.feed(fx.Told("substrate", what, bytes(32)))
        self.mesh.settle()

    def offer(self, *to: int) -> None:
        self.tell(self.giver, Offering([(OFFER, frozenset(map(node_id, to)))]))

    def pull(self, token: int = 7, digest: str = DIGEST) -> None:
        self.tell(self.taker, PullWish(token, node_id(1), digest))

    def serve(self) -> None:
        while len(asked := wanted(self.giver, ReadPart)) > self.read:
            part = asked[self.read]
            self.read += 1
            data = self.raw[part.at : part.at + limits.PULL_PART_BYTES]
            self.tell(self.giver, PartRead(part.node_id, part.digest, part.at, data))

    def hear(self, **members: Any) -> None:
        """Let the taker hear a frame of the giver."""
        frame = json.dumps({"type": sub.FRAME, **members}).encode()
        (link,) = [peer.active for peer in self.giver.engine._sessions.peers.values()]
        link.speaking.send_control(frame)
        self.giver.engine._sessions.touch(link)
        self.tell(self.giver, None)


def wanted(host: Host, kind: type[Any]) -> list[Any]:
    return [want.what for want in host.wanted if isinstance(want.what, kind)]


def test_m45_a_bundle_is_offered_to_whom_it_names_and_pulled_part_by_part() -> None:
    pair = Pair()
    pair.offer(2)
    (heard,) = wanted(pair.taker, HeardOffers)
    assert heard.offers == (OFFER,)
    pair.pull()
    pair.serve()
    assert wanted(pair.taker, Pulled) == [Pulled(7, RAW)]
    assert [part.at for part in wanted(pair.giver, ReadPart)] == [0, 65_536, 131_072]


@pytest.mark.parametrize("to", [(), (3,)])
def test_m45_without_consent_there_is_no_bundle_and_no_word_of_one(to: tuple[int, ...]) -> None:
    pair = Pair()
    pair.offer(*to)
    assert not any(each.offers for each in wanted(pair.taker, HeardOffers))
    pair.pull()
    pair.pull(8, "0" * 64)
    pair.serve()
    reasons = [(each.token, each.reason) for each in wanted(pair.taker, PullFailed)]
    assert reasons == [(7, "unknown"), (8, "unknown")], "what is not ours and what is not there look the same"
    assert wanted(pair.giver, ReadPart) == []


def test_m45_an_offer_to_a_key_reaches_whoever_proves_it_and_nobody_else() -> None:
    pair = Pair()
    key = pair.taker.engine.identity.fingerprint
    pair.tell(pair.giver, Offering([(OFFER, frozenset({"0" * 64}))]))
    assert wanted(pair.taker, HeardOffers) == []
    pair.pull()
    assert wanted(pair.taker, PullFailed) == [PullFailed(7, "unknown")]
    pair.tell(pair.giver, Offering([(OFFER, frozenset({key}))]))
    assert [each.offers for each in wanted(pair.taker, HeardOffers)] == [(OFFER,)]
    pair.pull()
    pair.serve()
    assert [each.raw for each in wanted(pair.taker, Pulled)] == [RAW]


def test_m45_nothing_comes_that_was_not_asked_for() -> None:
    pair = Pair()
    pair.offer(2)
    pair.hear(op="part", digest=DIGEST, at=0, size=3, data="AAAA")
    assert wanted(pair.taker, Pulled) == []
    assert pair.taker.counts["substrate.parts_unasked"] == 1


def test_m45_what_is_withdrawn_is_given_no_more_also_in_the_middle() -> None:
    pair = Pair()
    pair.offer(2)
    pair.pull()
    (part,) = wanted(pair.giver, ReadPart)
    pair.offer()
    assert wanted(pair.taker, HeardOffers)[-1].offers == ()
    pair.tell(pair.giver, PartRead(part.node_id, part.digest, part.at, b"late"))
    assert wanted(pair.taker, PullFailed) == [PullFailed(7, "unknown")]


def test_m45_what_is_not_what_was_offered_is_refused() -> None:
    pair = Pair(raw=bytes(len(RAW)))
    pair.offer(2)
    pair.pull()
    pair.serve()
    assert wanted(pair.taker, PullFailed) == [PullFailed(7, "wrong")] and not wanted(pair.taker, Pulled)


@pytest.mark.parametrize(
    "lie",
    [{"size": 10**9}, {"size": 0}, {"data": "*"}, {"data": ""}, {"size": 2, "data": "AAAA"}, {"data": 7}],
)
def test_m45_a_part_out_of_bounds_ends_the_pull(lie: dict[str, Any]) -> None:
    pair = Pair()
    pair.offer(2)
    pair.pull()
    pair.hear(**{"op": "part", "digest": DIGEST, "at": 0, "size": 9, "data": "AAAA", **lie})
    assert wanted(pair.taker, PullFailed) == [PullFailed(7, "wrong")]


def test_m45_frames_that_are_none_are_counted() -> None:
    pair = Pair()
    for members in (
        {},
        {"op": "offers", "offers": [[DIGEST, "_ada", 5]]},
        {"op": "offers", "offers": [[DIGEST, "ada", 10**9]]},
        {"op": "offers", "offers": [[DIGEST, "ada", 5]] * (limits.OFFERS + 1)},
        {"op": "pull", "digest": "x", "at": 0},
        {"op": "pull", "digest": DIGEST, "at": 1},
        {"op": "none", "digest": DIGEST, "reason": "because"},
    ):
        pair.hear(**members)
    assert pair.taker.counts[f"frames.refused.{sub.FRAME}"] == 7
    assert not wanted(pair.taker, HeardOffers)


def test_m45_pulls_are_bounded_end_in_time_and_with_their_peer() -> None:
    pair = Pair()
    pair.offer(2)
    pair.pull(1)
    pair.pull(2)
    assert wanted(pair.taker, PullFailed) == [PullFailed(2, "too_many")], "the same bundle twice at once"
    pair.mesh.advance(limits.PULL_SECONDS + 1)
    assert PullFailed(1, "late") in wanted(pair.taker, PullFailed)
    pair.tell(pair.taker, PullWish(3, node_id(9), DIGEST))
    assert wanted(pair.taker, PullFailed)[-1] == PullFailed(3, "not_here")


def test_m45_a_peer_that_asks_without_end_is_told_to_wait() -> None:
    pair = Pair()
    pair.offer(2)
    for token in range(limits.PULL_SERVED_BURST + 1):
        pair.pull(token)
        for part in wanted(pair.giver, ReadPart)[pair.read :]:
            pair.read += 1
            pair.tell(pair.giver, PartRead(part.node_id, part.digest, part.at, None))
    assert wanted(pair.taker, PullFailed)[-1] == PullFailed(limits.PULL_SERVED_BURST, "busy")
