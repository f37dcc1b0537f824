"""The three slices of a bundle as JSON: `nac` (what followed what), `ec` (concepts), `admission`.

Rules: writing is one spelling; reading takes what this module could have written and nothing else. Each slice
says whose it is, so that no slice of another contributor can stand in a bundle.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from covey import limits
from covey.model import CAT7
from covey.substrate.numbers import WEIGHT_FACTOR
from covey.substrate.strict_json import dumped, loaded
from covey.substrate.values import (
    NUMBERS,
    OUTCOMES,
    BundleError,
    Concept,
    Link,
    ShareableSubstrate,
    Statistics,
    Tally,
    concept_id,
    contributor_id,
    finite,
)

SLICES: Final = ("admission", "ec", "nac")
DECISIONS: Final = ("aligned", "guarded", "redundant", "rejected")
_DIGITS: Final = 9
"""Decimal places of a number: more say nothing, and the last bits differ between machines."""
_CONCEPTS: Final = limits.CONCEPTS_KEPT + limits.CONCEPTS_AGAINST
_MOST_DRIFT: Final = 2.0
Value = TypeVar("Value")


def encode(substrate: ShareableSubstrate, contributor: str) -> dict[str, bytes]:
    """Return the slices of a substrate by their names."""
    said = substrate.statistics
    drifts = {
        name: {"well": _tally(well), "badly": _tally(badly)} for name, (well, badly) in said.drifts.items()
    }
    weights = {name: round(factor, _DIGITS) for name, factor in said.weights.items()}
    guarded = None if said.guarded is None else round(said.guarded, _DIGITS)
    concepts = [
        {"id": each.id, "members": each.members, "vector": base64.b64encode(each.vector).decode()}
        for each in sorted(substrate.concepts, key=lambda each: each.id)
    ]
    links = [
        {
            "cause": each.cause,
            "confidence": round(each.confidence, _DIGITS),
            "count": each.count,
            "effect": each.effect,
            "predicted": round(each.predicted, _DIGITS),
            "valence": each.valence,
        }
        for each in sorted(substrate.links, key=lambda each: (each.cause, each.effect))
    ]
    whose = {"contributor": contributor}
    numbers = {"decisions": dict(said.decisions), "drifts": drifts, "weights": weights, "guarded": guarded}
    return {
        "admission": dumped({**whose, **numbers}),
        "ec": dumped({**whose, "concepts": concepts}),
        "nac": dumped({**whose, "links": links}),
    }


def decode(
    slices: Mapping[str, bytes], contributor: str, *, kernel: str, dimensions: int, as_of_ms: int
) -> ShareableSubstrate:
    """Read the slices of one contributor. Counts and confidences are bounded here, whatever they say.

    Raises:
        BundleError: malformed, reserved, or of another contributor.
    """
    read = {name: _whose(loaded(raw, name), name, contributor) for name, raw in slices.items()}
    concepts = _checked("ec", lambda: _concepts(read["ec"], dimensions))
    ids = {each.id for each in concepts}
    links = _checked("nac", lambda: _links(read["nac"], ids))
    statistics = _checked("admission", lambda: _statistics(read["admission"]))
    return ShareableSubstrate(kernel, dimensions, as_of_ms, concepts, links, statistics)


def _whose(value: dict[str, Any], name: str, contributor: str) -> dict[str, Any]:
    said = value.pop("contributor", None)
    if not isinstance(said, str):
        raise BundleError(f"{name}: says not whose it is", code="malformed")
    if contributor_id(said) != contributor:
        raise BundleError(
            f"{name}: is of {said[:64]!r} in a bundle of {contributor!r}", code="other_contributor"
        )
    return value


def _checked(name: str, read: Callable[[], Value]) -> Value:
    try:
        return read()
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
        raise BundleError(f"{name}: {str(error)[:120]}", code="malformed") from error


def _concepts(value: dict[str, Any], dimensions: int) -> tuple[Concept, ...]:
    _only(value, {"concepts"})
    listed = _listed(value["concepts"], _CONCEPTS)
    found = tuple(_concept(each, dimensions) for each in listed)
    _rising([each.id for each in found])
    return found


def _concept(value: dict[str, Any], dimensions: int) -> Concept:
    _only(value, {"id", "members", "vector"})
    vector = base64.b64decode(value["vector"], validate=True)
    if len(vector) != dimensions or not any(vector) or 0x80 in vector:
        raise ValueError("a vector is of another size, says nothing, or has a number under -127")
    if value["id"] != concept_id(vector):
        raise ValueError("an id is of another vector")
    return Concept(vector, _count(value["members"], limits.CONCEPT_MEMBERS))


def _links(value: dict[str, Any], ids: set[str]) -> tuple[Link, ...]:
    _only(value, {"links"})
    found = tuple(_link(each, ids) for each in _listed(value["links"], limits.LINKS))
    _rising([f"{each.cause} {each.effect}" for each in found])
    return found


def _link(value: dict[str, Any], ids: set[str]) -> Link:
    _only(value, {"cause", "confidence", "count", "effect", "predicted", "valence"})
    cause, effect = value["cause"], value["effect"]
    if cause not in ids or (effect not in ids and effect not in OUTCOMES):
        raise ValueError("a link names a concept that is not there")
    confidence = min(finite(value["confidence"], 0.0, 1.0), limits.CONFIDENCE)
    link = Link(cause, effect, _count(value["count"], 1), finite(value["predicted"], 0.0, 1.0), confidence)
    if value["valence"] != link.valence or isinstance(value["valence"], bool):
        raise ValueError("a valence is not its outcome's")
    return link


def _statistics(value: dict[str, Any]) -> Statistics:
    _only(value, {"decisions", "drifts", "guarded", "weights"})
    _named(value["decisions"], DECISIONS)
    _named(value["drifts"], NUMBERS)
    _named(value["weights"], CAT7)
    decisions = {name: _count(count, 0) for name, count in value["decisions"].items()}
    drifts = {name: (_read(each, "well"), _read(each, "badly")) for name, each in value["drifts"].items()}
    least, most = 1 / WEIGHT_FACTOR - 1e-6, WEIGHT_FACTOR + 1e-6
    weights = {name: finite(factor, least, most) for name, factor in value["weights"].items()}
    guarded = None if value["guarded"] is None else finite(value["guarded"], 0.0, _MOST_DRIFT)
    return Statistics(decisions, drifts, weights, guarded)


def _tally(tally: Tally) -> dict[str, float]:
    return {
        "count": tally.count,
        "mean": round(tally.mean, _DIGITS),
        "spread": round(tally.spread, _DIGITS),
    }


def _read(value: dict[str, Any], name: str) -> Tally:
    _only(value, {"badly", "well"})
    said = value[name]
    _only(said, {"count", "mean", "spread"})
    count = said["count"]
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= limits.LEARNED_DECISIONS:
        raise ValueError("a count is out of bounds")
    spread = finite(said["spread"], -1e-9, count * _MOST_DRIFT**2 / 4 + 1e-6)
    kept = min(count, limits.COUNT)
    share = kept / count if count else 0.0
    return Tally(kept, finite(said["mean"], 0.0, _MOST_DRIFT), max(spread, 0.0) * share)


def _count(value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError("a count is out of bounds")
    return min(value, limits.COUNT)


def _only(value: object, names: set[str]) -> None:
    if not isinstance(value, dict) or set(value) != names:
        raise ValueError(f"expected {', '.join(sorted(names))}")


def _named(value: object, names: tuple[str, ...]) -> None:
    if not isinstance(value, dict) or not set(value) <= set(names):
        raise ValueError("a name is none of those that there are")


def _listed(value: object, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(f"expected a list of at most {most}")
    return value


def _rising(names: list[str]) -> None:
    if sorted(set(names)) != names:
        raise ValueError("entries are out of order, or twice")
