"""The desk of substrate bundles: one peer's export, merge, undo and what is merged, whether it runs or not.

Rules: every act is dry unless it says `apply`. A bundle is read whole and verified before anything is said of
it, and again each time it is folded; the journal is written before admission hears of a change.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Protocol

from covey import _core, limits
from covey.errors import StoreError
from covey.runtime import experience
from covey.substrate import bundle as bundles
from covey.substrate import merging
from covey.substrate.bundle import Bundle
from covey.substrate.folding import Contribution, Folded, TrustClass, fold
from covey.substrate.identity import IdentityFilter, known_identities
from covey.substrate.learning import Learned, learn
from covey.substrate.manifest import Filtered
from covey.substrate.values import BundleError, contributor_id
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import Clock

Result = dict[str, Any]
_EXPLAINED: Final = 256  # blocks that --explain lists


class Shelf(Protocol):
    """Where bundles and books are kept (`system/substrate_shelf`)."""

    def journal(self) -> Sequence[Mapping[str, Any]]:
        """Return the acts, oldest first."""

    def save_journal(self, acts: Sequence[Mapping[str, Any]]) -> None:
        """Write them whole."""

    def offers(self) -> Sequence[Mapping[str, Any]]:
        """Return what is offered, and to whom."""

    def save_offers(self, offers: Sequence[Mapping[str, Any]]) -> None:
        """Write them whole."""

    def put(self, digest: str, raw: bytes) -> None:
        """Keep a bundle."""

    def get(self, digest: str) -> bytes:
        """Return one."""

    def drop(self, digest: str) -> None:
        """Forget one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Whom a peer trusts now: key fingerprints that its operator named, and those it has met."""

    trusted: frozenset[str]
    known: frozenset[str]

    def of(self, fingerprint: str) -> TrustClass:
        """Return the class of a signer."""
        if fingerprint in self.trusted:
            return "trusted"
        return "known" if fingerprint in self.known else "unknown"


@dataclass(frozen=True, slots=True)
class Wish:
    """What an export is to be."""

    contributor: str
    denied: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    threshold: int = limits.IDENTITY_MARKS
    guess: bool = True
    signed: bool = True


_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_PUBLIC_KEY: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class SubstrateDesk:
    """One peer's substrate.

    Args:
        shelf: Its files.
        store: Its memory.
        own: Its nodeId, name and raw public key.
        sign: Signs a statement of a kind with its key; None where its key is sealed.
        encoder: What its admission reads with, or would.
        clock: Wall time.
        standing: Tells whom it trusts now.
        names: Gives the identities it knows, for the list of known ones.
    """

    def __init__(
        self,
        shelf: Shelf,
        store: _core.Store,
        own: tuple[str, str, bytes],
        *,
        sign: bundles.Sign | None,
        encoder: _core.Encoder,
        clock: Clock,
        standing: Callable[[], Standing],
        names: Callable[[], Sequence[str]],
    ) -> None:
        self.shelf = shelf
        self.encoder = encoder
        self._store = store
        self._node_id, self._name, self._key = own
        self._sign = sign
        self._clock = clock
        self._standing = standing
        self._names = names
        self._primed: Callable[[_core.Prior | None], bool] | None = None

    def attach(self, primed: Callable[[_core.Prior | None], bool]) -> None:
        """Take what hands a running peer's admission what is folded."""
        self._primed = primed

    # --- whom ---------------------------------------------------------------------------------------

    def key_of(self, word: str) -> str:
        """Return the fingerprint of the key that a word means: what `covey peers` shows of somebody.

        Args:
            word: A fingerprint, a public key, or the nodeId or name of a peer that was met. Blocks.

        Raises:
            BundleError: It means nobody, or several; nobody is offered anything by a name without a key.
        """
        plain = word.strip()
        if _FINGERPRINT.fullmatch(plain.lower()):
            return plain.lower()
        if _PUBLIC_KEY.fullmatch(plain):
            raw = base64.urlsafe_b64decode(plain + "=")
            return hashlib.sha256(raw).hexdigest()
        met = self._store.bindings()
        found = {hashlib.sha256(key).hexdigest() for node_id, key, name, _ in met if plain in (node_id, name)}
        if len(found) == 1:
            return found.pop()
        if found:
            raise BundleError(
                f"to: {plain[:64]} names {len(found)} keys that were met here",
                code="ambiguous",
                hint="name one by its fingerprint: covey peers shows them",
            )
        raise BundleError(
            f"to: {plain[:64]} was never met here, so its key is unknown",
            code="unknown_key",
            hint="name it by its fingerprint: covey fingerprint, where it lives, shows it",
        )

    def offered_to(self, words: Iterable[str]) -> frozenset[str]:
        """Return whom a row means: keys; a nodeId of an older row by its key, where it was met."""
        keys = {node_id: hashlib.sha256(key).hexdigest() for node_id, key, _, _ in self._store.bindings()}
        return frozenset(keys.get(word, word) for word in words)

    # --- export ---------------------------------------------------------------------------------

    def learned(self, wish: Wish) -> Learned:
        """Learn of the store, leaving out what the wish says. Blocks."""
        known = known_identities([self._node_id, self._name, *self._names(), *wish.denied])
        spared = {word.casefold() for word in wish.allowed}
        identities = IdentityFilter(frozenset(known - spared), wish.threshold, wish.guess)
        held = experience.episodes(self._store, self._node_id, self.encoder.kernel)
        return learn(held, experience.decisions(self._store), self.encoder, identities)

    def export(self, wish: Wish) -> tuple[bytes, Result]:
        """Make a bundle of what was learned; return it with what is to be said of it, to its maker only.

        Raises:
            BundleError: nothing_learned, reserved, sealed.
        """
        contributor = contributor_id(wish.contributor)
        learned = self.learned(wish)
        if not learned.substrate.concepts:
            raise BundleError(
                f"nothing to share: {learned.blocks} blocks hold no matter that two of them share",
                code="nothing_learned",
                hint="--explain says what was left out and why",
            )
        known = len(known_identities([self._node_id, self._name, *self._names(), *wish.denied]))
        raw = bundles.compose(
            learned.substrate,
            contributor,
            Filtered(wish.guess, wish.threshold, known),
            sign=self._signer() if wish.signed else None,
        )
        return raw, {**facts(bundles.read(raw)), **explained(learned)}

    def _signer(self) -> tuple[bytes, bundles.Sign]:
        if self._sign is None:
            raise BundleError("its key is sealed: nothing can be signed", code="sealed")
        return self._key, self._sign

    # --- merge and undo -------------------------------------------------------------------------

    def acts(self) -> tuple[merging.Act, ...]:
        """Return the journal.

        Raises:
            StoreError: It cannot be read.
        """
        return tuple(_act(row) for row in self.shelf.journal())

    def merge(self, raws: Sequence[bytes], *, apply: bool, again: bool = False) -> Result:
        """Say what merging these bundles would change, and with `apply` do it.

        Raises:
            BundleError: One of them is refused; then none is merged.
            StoreError: The journal or a bundle cannot be read or written.
        """
        before = self.acts()
        after, found = before, []
        for raw in raws:
            bundle = bundles.read(raw)
            merged = self._mergeable(bundle)
            verdict = merging.verdict(after, merged, own=self._fingerprint, again=again)
            if verdict in merging.CHANGES:
                after = merging.appended(after, merging.Act("merge", merged, self._clock.now_ms()))
            found.append({**facts(bundle), "verdict": verdict, "trust": self._standing().of(merged.signer)})
        fresh = {hashlib.sha256(raw).hexdigest(): raw for raw in raws}
        weights = (self.folded(before), self.folded(after, fresh))
        changed = self._changed(before, after, fresh, weights, apply=apply)
        return {"bundles": found, **changed}

    def undo(self, contributor: str, signer: str | None, *, apply: bool) -> Result:
        """Say what taking a contributor back would change, and with `apply` do it.

        It goes also where a bundle cannot be read: what cannot be folded is None, and is no prior.

        Raises:
            BundleError: not_merged, ambiguous, full.
            StoreError: The journal cannot be read or written.
        """
        before = self.acts()
        gone = merging.undone(before, contributor, signer)
        after = merging.appended(before, merging.Act("undo", gone, self._clock.now_ms()))
        changed = self._changed(
            before, after, {}, (self._readable(before), self._readable(after)), apply=apply
        )
        return {"undone": asdict(gone), **changed}

    def folded(
        self, acts: Sequence[merging.Act] | None = None, fresh: Mapping[str, bytes] | None = None
    ) -> Folded:
        """Return everything merged as one prior.

        Raises:
            StoreError: A bundle that the journal names is not there.
            BundleError: One is no bundle any more.
        """
        held = merging.state_of(self.acts() if acts is None else acts)
        standing, here = self._standing(), fresh or {}
        found = [
            Contribution(
                each.contributor,
                each.signer,
                standing.of(each.signer),
                bundles.read(here.get(each.digest) or self._kept(each)).substrate,
            )
            for each in held.values()
        ]
        return fold(found, self.encoder.kernel, self.encoder.dimensions)

    def _kept(self, merged: merging.Merged) -> bytes:
        try:
            return self.shelf.get(merged.digest)
        except StoreError as error:
            raise StoreError(
                f"{error.message}, of {merged.contributor}",
                code=error.code,
                hint=f"covey substrate undo {self._name} {merged.contributor} --apply, then merge --again",
            ) from error

    def prime(self) -> bool:
        """Hand admission what is merged; False where it takes none: the baseline, or another encoder."""
        return self._primed is not None and self._prime(self.folded())

    def show(self) -> Result:
        """Return what is merged, and the journal."""
        acts, standing = self.acts(), self._standing()
        held = merging.state_of(acts)
        return {
            "merged": [{**asdict(each), "trust": standing.of(each.signer)} for each in held.values()],
            "journal": [{"kind": act.kind, "at_ms": act.at_ms, **asdict(act.bundle)} for act in acts],
            "prior": self._weight(self.folded(acts)),
        }

    def keeps(self, digest: str) -> bool:
        """Tell whether a bundle is merged, and its file therefore needed."""
        return any(each.digest == digest for each in merging.state_of(self.acts()).values())

    # --- below ----------------------------------------------------------------------------------

    @property
    def _fingerprint(self) -> str:
        return hashlib.sha256(self._key).hexdigest()

    def _mergeable(self, bundle: Bundle) -> merging.Merged:
        """Return how the journal names a bundle; what nobody signed has no standing.

        Raises:
            BundleError: unsigned.
        """
        signer = bundle.signer_fingerprint
        if signer is None:
            raise BundleError(
                "nobody signed it, so nobody stands for it", code="unsigned", hint="inspect or import it"
            )
        manifest = bundle.manifest
        return merging.Merged(manifest.contributor, signer, bundle.digest, manifest.sequence)

    def _changed(
        self,
        before: tuple[merging.Act, ...],
        after: tuple[merging.Act, ...],
        fresh: Mapping[str, bytes],
        folds: tuple[Folded | None, Folded | None],
        *,
        apply: bool,
    ) -> Result:
        was, now = (None if each is None else self._weight(each) for each in folds)
        said = {"applied": False, "before": was, "after": now}
        if not apply or after == before:
            return said
        held = merging.state_of(after)
        for bundle in held.values():
            if bundle.digest in fresh:
                self.shelf.put(bundle.digest, fresh[bundle.digest])
        self.shelf.save_journal([_row(act) for act in after])
        offered = {row["digest"] for row in self.shelf.offers()}
        kept = {each.digest for each in held.values()} | offered
        for digest in {each.digest for each in merging.state_of(before).values()} - kept:
            self.shelf.drop(digest)
        return {**said, "applied": True, "primed": self._prime(folds[1])}

    def _readable(self, acts: Sequence[merging.Act]) -> Folded | None:
        """Return everything merged as one prior, or None where a bundle cannot be read any more."""
        try:
            return self.folded(acts)
        except (StoreError, BundleError):
            return None

    def _prime(self, folded: Folded | None) -> bool:
        if self._primed is None:
            return False
        return self._primed(None if folded is None else folded.prior(self.encoder))

    def _weight(self, folded: Folded) -> Result:
        held = int(self._store.stats()["records"])
        pulls = [pull for _, pull, _ in folded.concepts]
        return {
            "for": sum(pull > 0 for pull in pulls),
            "against": sum(pull < 0 for pull in pulls),
            "links": len(folded.links),
            "mass": folded.mass,
            "held": held,
            "most": folded.share(min(held, limits.LEARNED_BLOCKS)),
            "left_out": dict(folded.left_out),
            "weights": dict(folded.statistics.weights),
            "guarded": folded.statistics.guarded,
        }


def facts(bundle: Bundle) -> Result:
    """Return what a bundle says of itself, and what stands in it, in numbers."""
    manifest, substrate = bundle.manifest, bundle.substrate
    return {
        "contributor": manifest.contributor,
        "schema_version": manifest.schema_version,
        "sequence": manifest.sequence,
        "digest": bundle.digest,
        "signer": bundle.signer_fingerprint,
        "kernel": manifest.kernel,
        "identity_filter": asdict(manifest.filtered),
        "contents": {
            name: {"bytes": size, "sha256": mark} for name, (size, mark) in manifest.contents.items()
        },
        "concepts": len(substrate.concepts),
        "members": substrate.members,
        "links": len(substrate.links),
        "decisions": dict(substrate.statistics.decisions),
        "weights": dict(substrate.statistics.weights),
        "guarded": substrate.statistics.guarded,
    }


def explained(learned: Learned) -> Result:
    """Return what was left out of an export and why; for its maker, never for the bundle."""
    listed = [{"key": key, "why": why} for key, why in learned.dropped[:_EXPLAINED]]
    return {"blocks": learned.blocks, "left_out": len(learned.dropped), "dropped": listed}


def _act(row: Mapping[str, Any]) -> merging.Act:
    kind: merging.ActKind = "undo" if row["kind"] == "undo" else "merge"
    merged = merging.Merged(row["contributor"], row["signer"], row["digest"], row["sequence"])
    return merging.Act(kind, merged, row["atMs"])


def _row(act: merging.Act) -> Mapping[str, Any]:
    bundle = act.bundle
    return {
        "kind": act.kind,
        "contributor": bundle.contributor,
        "signer": bundle.signer,
        "digest": bundle.digest,
        "sequence": bundle.sequence,
        "atMs": act.at_ms,
    }
