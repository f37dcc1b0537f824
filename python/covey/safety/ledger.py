"""The ledger: what one peer did and paid, in this run and ever.

Rules: pure. A thing is counted when it has happened: a call when its answer came, a block when it was minted.
What it cost is kept apart by how sure we are: known, or assumed from an assumed price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from covey.model import Usage
from covey.safety import state
from covey.values import dataclass

_NAME = "ledger"
_NANO = 1_000_000_000


@dataclass(slots=True)
class Totals:
    """Counts of one run, or of all runs."""

    runs: int = 0
    wakes: int = 0
    calls: int = 0
    failed_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano_usd: int = 0
    assumed_nano_usd: int = 0
    heard: int = 0
    emitted: int = 0
    suppressed: int = 0
    held: int = 0

    def as_dict(self) -> dict[str, object]:
        """Return the totals for status and `--json`, money in USD."""
        counts = {spec.name: getattr(self, spec.name) for spec in fields(self) if "nano" not in spec.name}
        return {
            **counts,
            "cost_usd": self.cost_nano_usd / _NANO,
            "assumed_usd": self.assumed_nano_usd / _NANO,
        }


class Ledger:
    """Counts for the run and for the peer's whole life; both move together."""

    def __init__(self) -> None:
        self.run = Totals()
        self.lifetime = Totals()

    def started(self) -> None:
        """Count a run."""
        self._add(runs=1)

    def woke(self) -> None:
        """Count a wake that the budget allowed."""
        self._add(wakes=1)

    def called(self, usage: Usage, assumed_usd: float = 0.0) -> None:
        """Count an answered model call.

        Args:
            usage: Its tokens and, where the price is known, its cost.
            assumed_usd: What was set against the caps where the price is not known.
        """
        known = 0 if usage.cost_usd is None else round(usage.cost_usd * _NANO)
        assumed = round(assumed_usd * _NANO) if usage.cost_usd is None else 0
        self._add(
            calls=1,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_nano_usd=known,
            assumed_nano_usd=assumed,
        )

    def call_failed(self, assumed_usd: float = 0.0) -> None:
        """Count a model call without an answer, and what it may have cost."""
        self._add(failed_calls=1, assumed_nano_usd=round(assumed_usd * _NANO))

    def emitted(self) -> None:
        """Count a block that was minted."""
        self._add(emitted=1)

    def heard(self) -> None:
        """Count a block that reached this peer from another."""
        self._add(heard=1)

    def held(self) -> None:
        """Count an answer that waits for a person."""
        self._add(held=1)

    def suppressed(self) -> None:
        """Count an answer that safety or the node did not let out."""
        self._add(suppressed=1)

    def export(self) -> bytes:
        """Return what must survive a restart."""
        return state.pack(_NAME, {spec.name: getattr(self.lifetime, spec.name) for spec in fields(Totals)})

    def restore(self, raw: bytes) -> None:
        """Take over the lifetime of earlier runs.

        Raises:
            StoreError: The document cannot be read; the ledger is as it was.
        """
        content = state.unpack(_NAME, raw)
        # A count that this version knows and an earlier one did not is missing, and was not counted.
        names = [spec.name for spec in fields(Totals) if spec.name in content]
        earlier = {name: state.whole(_NAME, content, name) for name in names}
        if "runs" not in earlier:
            raise state.unreadable(_NAME, "runs is not a count")
        _increase(self.lifetime, earlier)

    def _add(self, **amounts: int) -> None:
        _increase(self.run, amounts)
        _increase(self.lifetime, amounts)


def _increase(totals: Totals, amounts: Mapping[str, int]) -> None:
    for name, amount in amounts.items():
        setattr(totals, name, getattr(totals, name) + amount)
