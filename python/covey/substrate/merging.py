"""Merging: what was merged is a set of bundles, one for each contributor under its key, and nothing else.

Rules: pure. The state is a join semilattice: for each contributor and signer the newest bundle stands (by
sequence, then digest), so merging in any order, twice, or in parts gives the same state. It follows from the
journal, whose acts are appended and never changed. Taking a contributor back removes all of it, exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from covey import limits
from covey.substrate.values import BundleError
from covey.values import dataclass

ActKind = Literal["merge", "undo"]
Key = tuple[str, str]
"""A contributor's id and its signer's key fingerprint: the same id under another key is somebody else."""

Verdict = Literal["new", "newer", "known", "older"]
CHANGES: Final[frozenset[Verdict]] = frozenset({"new", "newer"})


@dataclass(frozen=True, slots=True)
class Merged:
    """One bundle that is merged."""

    contributor: str
    signer: str
    digest: str
    sequence: int

    @property
    def key(self) -> Key:
        """Return whose it is."""
        return (self.contributor, self.signer)


@dataclass(frozen=True, slots=True)
class Act:
    """One line of the journal."""

    kind: ActKind
    bundle: Merged
    at_ms: int


def state_of(acts: Iterable[Act]) -> dict[Key, Merged]:
    """Return what is merged after these acts, by contributor and signer, in their order."""
    held: dict[Key, Merged] = {}
    for act in acts:
        if act.kind == "undo":
            held.pop(act.bundle.key, None)
        else:
            held = joined(held, {act.bundle.key: act.bundle})
    return dict(sorted(held.items()))


def joined(one: Mapping[Key, Merged], other: Mapping[Key, Merged]) -> dict[Key, Merged]:
    """Return the join of two states: commutative, associative, idempotent."""
    made = dict(one)
    for key, bundle in other.items():
        if key not in made or _rank(made[key]) < _rank(bundle):
            made[key] = bundle
    return made


def verdict(acts: Iterable[Act], bundle: Merged, *, own: str, again: bool = False) -> Verdict:
    """Say what merging a bundle would do.

    Args:
        acts: The journal.
        bundle: What is to be merged.
        own: The fingerprint of this peer's key: what it learned itself is no prior for it.
        again: Merge also what was taken back.

    Raises:
        BundleError: own, taken_back or full.
    """
    listed = tuple(acts)
    if bundle.signer == own:
        raise BundleError("signed by this very peer: what it learned itself is no prior for it", code="own")
    held = state_of(listed)
    last = next((act for act in reversed(listed) if act.bundle.key == bundle.key), None)
    if (
        last is not None
        and last.kind == "undo"
        and not again
        and _rank(bundle) <= _newest(listed, bundle.key)
    ):
        raise BundleError(
            f"{bundle.contributor} was taken back here", code="taken_back", hint="--again merges it anyway"
        )
    standing = held.get(bundle.key)
    if standing is None:
        if len(held) >= limits.CONTRIBUTORS:
            raise BundleError(f"contributors: {len(held)}, at most {limits.CONTRIBUTORS}", code="full")
        return "new"
    if _rank(standing) < _rank(bundle):
        return "newer"
    return "known" if standing == bundle else "older"


def undone(acts: Iterable[Act], contributor: str, signer: str | None) -> Merged:
    """Return the merged bundle that taking back this contributor removes.

    Raises:
        BundleError: There is none, or several keys speak under that id and none was named.
    """
    found = [each for each in state_of(acts).values() if each.contributor == contributor]
    if signer is not None:
        found = [each for each in found if each.signer.startswith(signer)]
    if not found:
        raise BundleError(f"nothing of {contributor[:64]} is merged here", code="not_merged")
    if len(found) > 1:
        keys = ", ".join(each.signer[:12] for each in found)
        raise BundleError(
            f"several keys speak as {contributor}: {keys}", code="ambiguous", hint="name one with --signer"
        )
    return found[0]


def appended(acts: tuple[Act, ...], act: Act) -> tuple[Act, ...]:
    """Return the journal with one act more.

    A merge leaves room to take back everything that stands, so that nobody stays because a book is full.

    Raises:
        BundleError: It is full.
    """
    standing = len(state_of((*acts, act))) if act.kind == "merge" else 0
    if len(acts) + standing >= limits.JOURNAL_ENTRIES:
        raise BundleError(f"journal: {len(acts)} acts, and it holds no more", code="full")
    return (*acts, act)


def _rank(bundle: Merged) -> tuple[int, str]:
    return (bundle.sequence, bundle.digest)


def _newest(acts: Iterable[Act], key: Key) -> tuple[int, str]:
    return max(_rank(act.bundle) for act in acts if act.bundle.key == key)
