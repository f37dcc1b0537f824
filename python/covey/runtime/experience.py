"""What a store knows, as episodes to learn from: lifecycle and its own reports say how blocks ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.substrate.learning import Episode

if TYPE_CHECKING:
    from covey import _core

_STANDS: Final = {
    "remixed": ("remixed",),
    "validated": ("validated",),
    "canonical": ("canonical",),
    "dismissed": ("dismissed",),
}


def episodes(store: _core.Store, own: str, kernel: str) -> Iterator[Episode]:
    """Return the newest held blocks, oldest first, each with what became of it.

    Lifecycle is moved by authority alone; of reports only this peer's own count, so nobody else teaches it.
    Drifts are of decisions that `kernel` made: those of another encoder mean something else. Blocks.
    """
    reports = _reports(store, own)
    drifts = _drifts(store, kernel)
    for row in reversed(store.recent(limits.LEARNED_BLOCKS)):
        said = _STANDS.get(row.lifecycle, ())
        report = reports.get(row.key)
        yield Episode(
            row.key,
            {name: text for name, text in row.categories.items() if text != "neutral"},
            row.parents,
            said if report is None else (*said, report),
            drifts.get(row.key, {}),
            row.stored_ms,
        )


def decisions(store: _core.Store) -> Mapping[str, int]:
    """Return how often admission decided what, among the newest decisions. Blocks."""
    said = (row.evaluation for row in store.decisions(limits.LEARNED_DECISIONS))
    return Counter(each.decision for each in said if each is not None)


def _reports(store: _core.Store, own: str) -> Mapping[str, str]:
    """Return how this peer reported blocks to have turned out, the last word on each."""
    found: dict[str, str] = {}
    after = 0
    while rows := store.memory.feedback_after(after, limits.FEEDBACK_SLICE):
        after = rows[-1].seq
        found.update(
            (row.target, row.kind)
            for row in rows
            if row.node_id == own and row.kind in ("verified", "failed")
        )
        if len(rows) < limits.FEEDBACK_SLICE:
            break
    return found


def _drifts(store: _core.Store, kernel: str) -> Mapping[str, Mapping[str, float]]:
    found: dict[str, Mapping[str, float]] = {}
    for row in store.decisions(limits.LEARNED_DECISIONS):
        said, basis = row.evaluation, row.basis
        if said is None or basis is None or basis.kernel != kernel or row.key in found:
            continue
        measured = {each.name: each.drift for each in said.categories if each.drift is not None}
        found[row.key] = {**measured, "total": said.total_drift}
    return found
