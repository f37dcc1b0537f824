"""What an application hears of what its peer judged: its own weights over the peer's drifts (§14.9.2).

Rules: pure, and narrowing only. Each category's drift, age, lineage and what others learned are the peer's
own judgement; the weights say how much each category counts to this one listener. Memory does not notice, and
what is addressed to this peer is heard in any case: delivery is another decision than relevance (§9.2.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from covey import typed
from covey.errors import UsageError
from covey.limits import JSON_INTEGER, SUBSCRIBER_WEIGHT
from covey.model import CAT7, CategoryVerdict, Decision, Judgement
from covey.values import dataclass

_SILENT: Final = "no-text"
"""Why a category is not evaluable: the block says nothing in it; that memory has nothing is another cause."""
_FORM: Final = "focus=2,mood=0.8"
_SAME: Final = 1e-9
_WORD: Final = 64
_JUDGEMENT: Final = tuple(each.name for each in fields(Judgement))
_CATEGORY: Final = tuple(each.name for each in fields(CategoryVerdict))
_HINT: Final = 'for instance {"focus": 2.0, "issue": 2.0, "mood": 0.8}'


@dataclass(frozen=True, slots=True)
class Listening:
    """How much each category counts to one listener, in CAT7 order; what it leaves out counts nothing.

    `threshold` is the total drift up to which a block is heard; None is the peer's own (its guarded band).
    """

    weights: tuple[float, ...]
    threshold: float | None = None

    def hears(self, judgement: Judgement | None, *, directed: bool = False) -> bool:
        """Tell whether a block that was judged so is one for this listener.

        Args:
            judgement: The peer's own; None where there was nothing to judge by.
            directed: It is addressed to this peer.
        """
        if judgement is None or directed:
            return True
        weighed = [
            (weight, each)
            for weight, each in zip(self.weights, judgement.categories, strict=True)
            if weight > 0 and each.cause != _SILENT
        ]
        if not weighed:
            return False  # it says nothing in what this listener asked about
        if all(each.drift is None for _, each in weighed) or _unsure(judgement):
            return True  # memory cannot tell yet what belongs: it has to begin somewhere (§9.2.1)
        most = judgement.thresholds.get("guarded") if self.threshold is None else self.threshold
        return most is None or self.drift(judgement) <= most

    def drift(self, judgement: Judgement) -> float:
        """Return the total drift as these weights make it: age and lineage stay what they were."""
        field = _mean(self.weights, judgement.categories) * _left_by_lineage(judgement)
        moved = field - judgement.field_drift
        return judgement.total_drift + (1.0 - judgement.thresholds.get("temporal_lambda", 0.0)) * moved


def listening(weights: object, threshold: object = None) -> Listening:
    """Read a listener's wish.

    Args:
        weights: A number from 0 to 100 for each category that counts, by its name; at least one above 0.
        threshold: A drift from 0 to 1, or None.

    Raises:
        UsageError: Something in it is wrong (`invalid_weights`); it names what.
    """
    if not isinstance(weights, Mapping) or not weights:
        raise _wrong("weights: expected a number for each category that counts")
    unknown = sorted(str(name) for name in weights if name not in CAT7)
    if unknown:
        raise _wrong(f"weights: no such category: {unknown[0][:64]}", hint=f"the seven are {', '.join(CAT7)}")
    for name, value in weights.items():
        if not _is_number(value, SUBSCRIBER_WEIGHT):
            raise _wrong(f"weights.{name}: expected a number from 0 to {SUBSCRIBER_WEIGHT:g}")
    if not any(value > 0 for value in weights.values()):
        raise _wrong("weights: at least one category counts more than 0")
    if threshold is not None and not _is_number(threshold, 1.0):
        raise _wrong("threshold: expected a drift from 0 to 1")
    return Listening(tuple(float(weights.get(name, 0.0)) for name in CAT7), _float(threshold))


def narrowed(arguments: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool] | None:
    """Return what lets through the events of one subscription of a control socket; None lets all through.

    Args:
        arguments: Of the subscription: `weights`, and perhaps `threshold`.

    Raises:
        UsageError: Something in them is wrong (`invalid_weights`).
    """
    if "weights" not in arguments and "threshold" not in arguments:
        return None
    wish = listening(arguments.get("weights"), arguments.get("threshold"))

    def hears(event: Mapping[str, Any]) -> bool:
        about = judgement_in(event)
        return about is None or wish.hears(about[0], directed=about[1])

    return hears


def read(text: str) -> dict[str, float]:
    """Read weights as a person writes them: `focus=2,issue=2,mood=0.8`.

    Raises:
        UsageError: It is not of that form, or names a category twice.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not equals or number < 0:
            raise _wrong(f"weights: expected category=number, got {part.strip()[:64]!r}", hint=_FORM)
        if name in found:
            raise _wrong(f"weights: {name[:64]} is given twice")
        found[name] = number
    return found


def judgement_in(event: Mapping[str, Any]) -> tuple[Judgement | None, bool] | None:
    """Return what was judged of the block an event is about, and whether it is addressed to this peer.

    Args:
        event: News as a control socket carries it.

    Returns:
        None for an event that is about no block that was heard, and so concerns everybody.

    Raises:
        WrongTypeError: It says of itself that it is about one, and is none such.
    """
    about = event
    if event.get("event") == "delivered":
        about = event["delivery"]
    elif event.get("event") != "judged":
        return None
    directed = typed.flag(about["directed"], "directed")
    if about["judgement"] is None:
        return None, directed
    told = typed.members(about["judgement"], "judgement", _JUDGEMENT)
    rows = typed.exactly(list(told["categories"]), "categories", len(CAT7))
    judgement = Judgement(
        _decision(told["decision"]),
        _number(told["total_drift"], "total_drift"),
        _number(told["field_drift"], "field_drift"),
        _number(told["temporal_drift"], "temporal_drift"),
        tuple(map(_verdict, rows)),
        {name: _number(value, name) for name, value in told["thresholds"].items()},
    )
    return judgement, directed


def _decision(value: object) -> Decision:
    if value not in set(Decision):
        raise typed.WrongTypeError(f"decision: expected one of {', '.join(Decision)}")
    return Decision(str(value))


def _verdict(row: object) -> CategoryVerdict:
    told = typed.members(row, "category", _CATEGORY)
    cause = told["cause"]
    drift, nearest = (
        None if told[name] is None else _number(told[name], name) for name in ("drift", "nearest")
    )
    return CategoryVerdict(
        typed.text(told["name"], "name", _WORD),
        typed.text(told["verdict"], "verdict", _WORD),
        drift,
        nearest,
        _number(told["weight"], "weight"),
        None if cause is None else typed.text(cause, "cause", _WORD),
    )


def _number(value: object, name: str) -> float:
    return typed.amount(value, name, least=-JSON_INTEGER)


def _unsure(judgement: Judgement) -> bool:
    """Tell whether the peer took it although it lies beyond its band: its memory is young."""
    accepted = judgement.decision in (Decision.ALIGNED, Decision.GUARDED)
    return accepted and judgement.total_drift > judgement.thresholds.get("guarded", math.inf)


def _left_by_lineage(judgement: Judgement) -> float:
    """Return how much of its drift a block keeps here: less than 1 where it answers a block that is held.

    covey's own path sums no mood, the reference's does; so what explains the sum as it is comes first.
    """
    weights = [each.weight for each in judgement.categories]
    without_mood = [0.0 if name == "mood" else weight for name, weight in zip(CAT7, weights, strict=True)]
    sums = [_mean(each, judgement.categories) for each in (weights, without_mood)]
    if any(abs(each - judgement.field_drift) < _SAME for each in sums) or sums[1] == 0:
        return 1.0
    return min(1.0, judgement.field_drift / sums[1])


def _mean(weights: tuple[float, ...] | list[float], categories: tuple[CategoryVerdict, ...]) -> float:
    counted = [
        (weight, each.drift)
        for weight, each in zip(weights, categories, strict=True)
        if weight > 0 and each.drift is not None
    ]
    total = sum(weight for weight, _ in counted)
    return sum(weight * drift for weight, drift in counted) / total if total > 0 else 0.0


def _is_number(value: object, most: float) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value <= most


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _wrong(message: str, *, hint: str = _HINT) -> UsageError:
    return UsageError(message, code="invalid_weights", hint=hint)
