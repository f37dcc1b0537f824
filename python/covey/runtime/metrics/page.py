"""One page of metrics in Prometheus' text format, version 0.0.4, and the bound on what its labels may say.

Rules: names begin with `covey_` (or `process_`, where Prometheus has given them), units are base units and
stand last; a counter ends in `_total`. A label's value is a word that covey chose or a bounded set admits:
what peers, models or vendors say never makes a time series.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Final, Literal

from covey import limits
from covey.values import dataclass

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OTHER: Final = "other"

Kind = Literal["counter", "gauge", "histogram"]

_NAME: Final = re.compile(r"(?:covey|process)_[a-z0-9]+(?:_[a-z0-9]+)*")
_LABEL: Final = re.compile(r"[a-z][a-z0-9_]*")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}")
_FAMILY: Final = re.compile(r"[^a-z0-9]+")


class Words:
    """The words of labels: the first METRIC_WORDS of each family stay, what comes later is `other`.

    A word is never given up again, so that no counter ever falls.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        """Know none."""
        self._known: dict[str, set[str]] = {}

    def word(self, family: str, word: str) -> str:
        """Return `word` where it is short, plain and among the first of its family; else `other`."""
        known = self._known.setdefault(family, set())
        if word in known:
            return word
        if len(known) >= limits.METRIC_WORDS or _WORD.fullmatch(word) is None:
            return OTHER
        known.add(word)
        return word


@dataclass(slots=True)
class _Family:
    kind: Kind
    about: str
    samples: dict[str, float] = field(default_factory=dict)


class Page:
    """Samples, put together family by family.

    Args:
        words: What labels may say; kept by whoever makes page after page.
    """

    def __init__(self, words: Words) -> None:
        self._words = words
        self._families: dict[str, _Family] = {}

    def gauge(self, name: str, about: str, value: float, **labels: str) -> None:
        """Say how something stands."""
        self._add(name, "gauge", about, name, value, labels)

    def counter(self, name: str, about: str, value: float, **labels: str) -> None:
        """Say how often or how much so far; `name` ends in `_total`."""
        if not name.endswith("_total"):
            raise ValueError(f"a counter ends in _total: {name}")
        self._add(name, "counter", about, name, value, labels)

    def dotted(self, prefix: str, about: str, counters: Mapping[str, int]) -> None:
        """Say counters that have dotted names: the first word makes the family, the rest is its `kind`.

        `records.refused.replay` becomes `<prefix>_records_total{kind="refused.replay"}`. Kinds may overlap
        (what is received is also admitted or refused), so a sum over them says nothing.
        """
        for name, count in sorted(counters.items()):
            first, _, rest = name.partition(".")
            family = _FAMILY.sub("_", first.lower()).strip("_")
            labels = {"kind": rest} if rest else {}
            self.counter(f"{prefix}_{family}_total", f"{about}: {family.replace('_', ' ')}", count, **labels)

    def histogram(self, name: str, about: str, seen: Histogram, **labels: str) -> None:
        """Say how values were spread."""
        for bound, count in seen.cumulative():
            self._add(name, "histogram", about, f"{name}_bucket", count, {**labels, "le": _number(bound)})
        self._add(name, "histogram", about, f"{name}_sum", seen.sum, labels)
        self._add(name, "histogram", about, f"{name}_count", seen.count, labels)

    def text(self) -> str:
        """Return the page; families in the order in which they were first said."""
        lines: list[str] = []
        for name, family in self._families.items():
            lines += [f"# HELP {name} {_escaped(family.about)}", f"# TYPE {name} {family.kind}"]
            lines += [f"{sample} {_number(value)}" for sample, value in family.samples.items()]
        return "\n".join(lines) + "\n"

    def _add(
        self, name: str, kind: Kind, about: str, sample: str, value: float, labels: Mapping[str, str]
    ) -> None:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"no name of a metric: {name}")
        family = self._families.setdefault(name, _Family(kind, about))
        said = []
        for label, word in labels.items():
            if _LABEL.fullmatch(label) is None:
                raise ValueError(f"no name of a label: {label}")
            # The bounds of a histogram are numbers of ours; everything else passes the bounded set.
            shown = word if label == "le" else self._words.word(f"{name}.{label}", word)
            said.append(f'{label}="{_escaped(shown)}"')
        key = f"{sample}{{{','.join(said)}}}" if said else sample
        # Several words may have become `other`: of counters the sum is meant, of gauges too.
        family.samples[key] = family.samples.get(key, 0) + value


class Histogram:
    """How values were spread over fixed bounds.

    Args:
        bounds: Upper bounds, rising; what lies above the last is counted too.
    """

    __slots__ = ("_bounds", "_counts", "count", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * len(bounds)
        self.count = 0
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Take one value."""
        self.count += 1
        self.sum += value
        for place, bound in enumerate(self._bounds):
            if value <= bound:
                self._counts[place] += 1
                return

    def cumulative(self) -> list[tuple[float, int]]:
        """Return, for each bound and for infinity, how many values lay at or below it."""
        below, found = 0, []
        for bound, count in zip(self._bounds, self._counts, strict=True):
            below += count
            found.append((bound, below))
        return [*found, (math.inf, self.count)]


def _number(value: float) -> str:
    if math.isinf(value) or math.isnan(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
