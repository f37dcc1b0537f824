"""Lanes: names that requests ask for, the backends behind each in order, and how those are doing.

Rules: pure. A backend that fails several times in a row rests, each time longer; while it rests others of the
chain are asked first, and it is asked all the same where nobody else is left. A lane's figures are made from
its last answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from covey import limits
from covey.values import dataclass

DEFAULT: Final = "default"
"""The lane of requests that name none; the only one where none is configured."""


@dataclass(frozen=True, slots=True)
class Step:
    """One backend of a chain, and the model it is asked for; None passes on what the request names."""

    backend: str
    model: str | None = None

    def __str__(self) -> str:
        return self.backend if self.model is None else f"{self.backend}={self.model}"

    @staticmethod
    def parse(text: str) -> Step:
        """Read `backend` or `backend=model`.

        Raises:
            ValueError: What was expected.
        """
        backend, sign, model = text.partition("=")
        if not backend or (sign and not model) or len(text) > limits.DOOR_HEADER_CHARS:
            raise ValueError("a step as backend, or as backend=model")
        return Step(backend, model or None)


@dataclass(slots=True)
class Health:
    """How one backend is doing."""

    failures: int = 0
    rests_until: float = 0.0
    last_failure: str = ""

    def rests(self, now: float) -> bool:
        """Tell whether it should be left alone."""
        return now < self.rests_until

    def worked(self) -> None:
        """Take note of an answer."""
        self.failures, self.rests_until, self.last_failure = 0, 0.0, ""

    def failed(self, why: str, now: float) -> None:
        """Take note of a failure; several in a row send it to rest."""
        self.failures += 1
        self.last_failure = why
        over = self.failures - limits.DOOR_FAILURES
        if over >= 0:
            rest = limits.DOOR_REST_SECONDS * 2 ** min(over, 16)
            self.rests_until = now + min(rest, limits.DOOR_REST_LONGEST_SECONDS)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request of a lane that came to its end: seconds, whether it was answered, completion tokens."""

    seconds: float
    answered: bool
    tokens: int


@dataclass(slots=True)
class Figures:
    """What a lane's last requests were like."""

    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=limits.DOOR_SAMPLES))

    def view(self) -> dict[str, Any]:
        """Return p50 and p99 in seconds, the share that failed, and tokens a second; None without samples."""
        done = sorted(each.seconds for each in self.samples if each.answered)
        total = len(self.samples)
        busy = sum(each.seconds for each in self.samples if each.answered)
        tokens = sum(each.tokens for each in self.samples if each.answered)
        return {
            "requests": total,
            "p50_seconds": quantile(done, 0.5),
            "p99_seconds": quantile(done, 0.99),
            "failed_share": (total - len(done)) / total if total else None,
            "tokens_per_second": tokens / busy if busy > 0 else None,
        }


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the value below which that share of ordered values lies, by nearest rank; None of none."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1_000_000) * len(ordered) // 1_000_000) - 1))]


class Lanes:
    """All lanes of a door.

    Args:
        lanes: The chain of each by name; one of them should be `default`.
    """

    def __init__(self, lanes: Mapping[str, Sequence[Step]]) -> None:
        self._lanes = {name: tuple(steps) for name, steps in lanes.items()}
        self._health = {step.backend: Health() for steps in lanes.values() for step in steps}
        self._figures = {name: Figures() for name in self._lanes}

    def named(self, model: str) -> str:
        """Return the lane that a request's model names: its own, one that has this model, or the default."""
        if model in self._lanes:
            return model
        for name, steps in self._lanes.items():
            if any(step.model == model for step in steps):
                return name
        return DEFAULT if DEFAULT in self._lanes else next(iter(self._lanes))

    def chain(self, lane: str, model: str, now: float) -> tuple[Step, ...]:
        """Return whom to ask, in order: those that work first, what rests last; each with its model."""
        steps = self._lanes[lane]
        fit = [step for step in steps if step.model == model] or list(steps)
        rest = [step for step in steps if step not in fit]
        asked = [Step(step.backend, step.model or (None if model == lane else model)) for step in fit + rest]
        return tuple(sorted(asked, key=lambda step: self._health[step.backend].rests(now)))

    def worked(self, backend: str) -> None:
        """Take note that a backend answered."""
        self._health[backend].worked()

    def failed(self, backend: str, why: str, now: float) -> None:
        """Take note that a backend did not."""
        self._health[backend].failed(why, now)

    def ended(self, lane: str, sample: Sample) -> None:
        """Take note of a request's end."""
        self._figures[lane].samples.append(sample)

    def switch(self, lane: str, step: Step) -> Step:
        """Let a lane's first step have another model, or be another one; return what it was.

        Raises:
            KeyError: There is no such lane.
            ValueError: No lane has that backend.
        """
        if step.backend not in self._health:
            raise ValueError(f"a backend of this door: {', '.join(self._health)}")
        before, *others = self._lanes[lane]
        self._lanes[lane] = (step, *others)
        return before

    def steps(self, lane: str) -> tuple[Step, ...]:
        """Return a lane's chain as it is configured now."""
        return self._lanes[lane]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the lanes' names."""
        return tuple(self._lanes)

    def view(self, now: float) -> dict[str, Any]:
        """Return lanes with their figures, and backends with their health."""
        return {
            "lanes": {
                name: {"steps": [str(step) for step in steps], **self._figures[name].view()}
                for name, steps in self._lanes.items()
            },
            "backends": {
                name: {
                    "healthy": not health.rests(now) and health.failures == 0,
                    "failures": health.failures,
                    "rests_seconds": max(0.0, health.rests_until - now),
                    "last_failure": health.last_failure,
                }
                for name, health in self._health.items()
            },
        }
