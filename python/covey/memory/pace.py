"""How often one outcome of one block is reported by this peer (MMP 2.0 §6.7): as often as others take it.

Rules: pure; the caller brings the time. A failure has a pace of its own: it is never held back by successes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from covey.limits import GROUNDING_PAIRS, GROUNDING_SECONDS, GROUNDINGS_PER_TARGET
from covey.model import EmissionRefused

TOO_OFTEN = "grounding_pace"


def outcome_in(categories: Mapping[str, str]) -> bool | None:
    """Return what a block says of how its parents turned out: they held, they did not, or nothing."""
    commitment = categories.get("commitment", "")
    if categories.get("intent") != "ground":
        return None
    if commitment.startswith("verified:"):
        return True
    return False if commitment.startswith("failed:") else None


class ReportPace:
    """Counts this peer's reports by block and outcome."""

    def __init__(self) -> None:
        self._said: OrderedDict[tuple[str, bool], tuple[int, int]] = OrderedDict()
        """Since when, in wall milliseconds, and how many."""

    def judge(self, targets: Iterable[str], *, held: bool, now_ms: int) -> EmissionRefused | None:
        """Say why a report may not go out now, or None; then it is counted."""
        pairs = [(target, held) for target in dict.fromkeys(targets)]
        for pair in pairs:
            since, count = self._lately(pair, now_ms)
            if count >= GROUNDINGS_PER_TARGET:
                minutes = max(1, round((since + GROUNDING_SECONDS * 1000 - now_ms) / 60_000))
                word = "verified" if held else "failed"
                return EmissionRefused(
                    TOO_OFTEN,
                    f"{word} was reported {count} times of {pair[0]} in an hour, and nobody takes more: "
                    f"in {minutes} min again",
                )
        for pair in pairs:
            since, count = self._lately(pair, now_ms)
            self._put(pair, (since, count + 1))
        return None

    def undone(self, targets: Iterable[str], *, held: bool) -> None:
        """Take a report back that came to nothing."""
        for target in dict.fromkeys(targets):
            since, count = self._said.get((target, held), (0, 0))
            if count:
                self._put((target, held), (since, count - 1))

    def _lately(self, pair: tuple[str, bool], now_ms: int) -> tuple[int, int]:
        since, count = self._said.get(pair, (now_ms, 0))
        return (since, count) if since <= now_ms < since + GROUNDING_SECONDS * 1000 else (now_ms, 0)

    def _put(self, pair: tuple[str, bool], value: tuple[int, int]) -> None:
        self._said[pair] = value
        self._said.move_to_end(pair)
        if len(self._said) > GROUNDING_PAIRS:
            self._said.popitem(last=False)
