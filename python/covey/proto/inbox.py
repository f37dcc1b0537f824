"""From a settled outcome to what the application hears: delivery, judgement, mood, and what the sender hears.

A block wakes an agent only when its author is trusted, or sits on this machine and speaks for itself;
replayed context and strangers are remembered, but wake nobody (the opt-out is `strangers_wake`).
"""

from __future__ import annotations

from collections.abc import Mapping

from covey import _core
from covey.model import Block, CategoryVerdict, Decision, Delivery, Judgement
from covey.proto.news import Delivered, Judged, MoodHeard, News
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a batch came from, and when: what the session proved, not what a record says."""

    node_id: str
    name: str
    loopback: bool
    context: frozenset[str]
    received_ms: int
    claimed: str | None = None
    """The fingerprint of the key a stock peer says it has; None where a session proved the peer."""


class Trust:
    """Which identities get a session here, and which authors may wake an agent.

    Args:
        trusted: nodeIds and key fingerprints.
        strangers_wake: Everybody may.
        strict: Only who is trusted, under a key that is known, gets a session.
        pins: The one key fingerprint a nodeId may prove; whoever is pinned is trusted.
    """

    def __init__(
        self,
        trusted: frozenset[str],
        *,
        strangers_wake: bool,
        strict: bool = False,
        pins: Mapping[str, str] | None = None,
    ) -> None:
        self._pins = dict(pins or {})
        self._trusted = trusted.union(self._pins)
        self._strangers_wake = strangers_wake
        self._strict = strict
        self._fingerprints: dict[str, str] = {}

    def contradicts(self, node_id: str, key_fingerprint: str) -> bool:
        """Tell whether another key is pinned for this nodeId."""
        return self._pins.get(node_id, key_fingerprint) != key_fingerprint

    def trust(self, key_fingerprint: str) -> None:
        """Trust whoever holds this key, from now on."""
        self._trusted |= {key_fingerprint}

    def pinned(self, node_id: str, key_fingerprint: str) -> bool:
        """Tell whether an operator has named this key for this nodeId."""
        return self._pins.get(node_id) == key_fingerprint

    def admits(self, node_id: str, key_fingerprint: str) -> bool:
        """Tell whether an identity that proved this key gets a session.

        A nodeId alone is a claim that anyone may make first, so where only trusted ones get in, its key must
        be named, or known from before.
        """
        if not self._strict or key_fingerprint in self._trusted or node_id in self._pins:
            return True
        return node_id in self._trusted and self._fingerprints.get(node_id) == key_fingerprint

    def bound(self, node_id: str, key_fingerprint: str) -> None:
        """Learn which key a nodeId is bound to."""
        self._fingerprints[node_id] = key_fingerprint

    def proven(self, node_id: str) -> bool:
        """Tell whether this nodeId has ever proved a key here, or is told to."""
        return node_id in self._fingerprints or node_id in self._pins

    def admits_claim(self, key_fingerprint: str) -> bool:
        """Tell whether a peer that proves nothing gets a session: where only trusted ones do, for its key."""
        return not self._strict or key_fingerprint in self._trusted

    def trusts_key(self, key_fingerprint: str) -> bool:
        """Tell whether this key is trusted, whoever holds it."""
        return key_fingerprint in self._trusted

    def trusts(self, node_id: str) -> bool:
        """Tell whether this identity is trusted, by nodeId or by the key it is bound to."""
        return node_id in self._trusted or self._fingerprints.get(node_id) in self._trusted

    def heeds(self, node_id: str, *, loopback: bool) -> bool:
        """Tell whether what this proven peer says for itself, over a link of now, may wake an agent."""
        return self._strangers_wake or loopback or self.trusts(node_id)

    def wakes(self, author_node_id: str, origin: Origin, key: str) -> bool:
        """Tell whether this author's block may wake an agent."""
        if key in origin.context:
            return False
        if self._strangers_wake:
            return True
        # A claimed nodeId is anybody's: only the key that signed counts.
        named = self.trusts(author_node_id) if origin.claimed is None else origin.claimed in self._trusted
        if named:
            return True
        return origin.loopback and author_node_id == origin.node_id


def block_of(record: _core.Record | _core.Hearsay) -> Block:
    """Return a verified record, or marked hearsay, as the Python floors read it."""
    return Block(
        key=record.key,
        assertion_id=record.assertion_id,
        node_id=record.node_id,
        author=record.author,
        created_ms=record.created_ms,
        room=record.room,
        to=record.to,
        parents=tuple(record.parents),
        categories=record.categories,
        proof="legacy" if type(record) is _core.Hearsay else "signature",
    )


def judgement_of(evaluation: _core.Evaluation | None) -> Judgement | None:
    """Return an evaluation as a frozen value, or None where the record was not evaluated.

    It holds some fifty values of which most subscribers look at none: they are read when one is.
    """
    return None if evaluation is None else Judgement.later(_judgement, evaluation)


def _judgement(evaluation: _core.Evaluation) -> dict[str, object]:
    verdicts = tuple(
        CategoryVerdict(c.name, c.verdict, c.drift, c.nearest, c.weight, c.cause)
        for c in evaluation.categories
    )
    return {
        "decision": Decision(evaluation.decision),
        "total_drift": evaluation.total_drift,
        "field_drift": evaluation.field_drift,
        "temporal_drift": evaluation.temporal_drift,
        "categories": verdicts,
        "thresholds": evaluation.thresholds,
    }


def news_of(
    outcome: _core.Outcome,
    origin: Origin,
    trust: Trust,
    *,
    held: bool,
    numbered: tuple[int, int | None] | None = None,
) -> list[News]:
    """Return what subscribers hear of one outcome: the judgement, then the delivery or the mood.

    Args:
        held: The store had it from long ago; it was delivered then and is not delivered again.
        numbered: Its sender's number for it, and when it expires.
    """
    judgement = judgement_of(outcome.evaluation)
    told: list[News] = [Judged.later(_judged, outcome, origin, judgement)]
    record = outcome.record or outcome.hearsay
    if outcome.deliver and record is not None and not held:
        told.append(Delivered(_delivery(record, judgement, outcome, origin, trust, numbered)))
    elif outcome.mood:
        told.append(MoodHeard(origin.node_id, origin.name, outcome.mood))
    return told


def _judged(outcome: _core.Outcome, origin: Origin, judgement: Judgement | None) -> dict[str, object]:
    return {
        "from_node_id": origin.node_id,
        "from_name": origin.name,
        "outcome": outcome.kind,
        "reason": outcome.reason,
        "detail": outcome.detail or "",
        "key": outcome.key,
        "assertion_id": outcome.assertion_id,
        "author_node_id": outcome.node_id,
        "author": outcome.author,
        "directed": outcome.directed,
        "replayed": outcome.key in origin.context,
        "judgement": judgement,
    }


def _delivery(
    record: _core.Record | _core.Hearsay,
    judgement: Judgement | None,
    outcome: _core.Outcome,
    origin: Origin,
    trust: Trust,
    numbered: tuple[int, int | None] | None,
) -> Delivery:
    number, expires_ms = numbered or (None, None)
    return Delivery(
        block=block_of(record),
        judgement=judgement,
        ingested=outcome.kind == "admitted",
        directed=outcome.directed,
        wakes=trust.wakes(record.node_id, origin, record.key),
        from_node_id=origin.node_id,
        received_ms=origin.received_ms,
        number=number,
        expires_ms=expires_ms,
    )
