"""Substrates, bundles and signers for the tests of substrate."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from covey import _core
from covey.substrate.bundle import compose
from covey.substrate.folding import Contribution, TrustClass
from covey.substrate.identity import IdentityFilter
from covey.substrate.learning import Episode, Learned, learn
from covey.substrate.manifest import Filtered
from covey.substrate.values import Concept, Link, ShareableSubstrate, confidence_of

LEXIS = _core.Encoder("lexis-h1024")
WORDS = _core.Encoder("words-1")
"""What memory is compared with; what is learned is read with the other."""
NO_FILTER = IdentityFilter(guess=False)
FILTERED = Filtered(True, 2, 0)
PARSER = (
    "the parser drops the last frame of a burst",
    "frames of a burst are lost in the parser",
    "a burst of frames is more than the parser takes",
)
SPAM = ("buy cheap watches today", "cheap watches, buy two today")


def signer(number: int) -> _core.Identity:
    seed = hashlib.sha256(f"substrate {number}".encode()).digest()
    return _core.Identity(f"01900000-0000-7000-8000-{number:012x}", f"peer-{number}", seed)


def fingerprint(number: int) -> str:
    return hashlib.sha256(signer(number).public_key).hexdigest()


def episode(text: str, *outcomes: str, key: str = "", parents: Sequence[str] = ()) -> Episode:
    return Episode(key or f"cmb-{text[:8]}", {"focus": text}, tuple(parents), outcomes, {}, 1_700_000_000_000)


def learned(*episodes: Episode, identities: IdentityFilter = NO_FILTER) -> Learned:
    return learn(episodes, {"aligned": 3}, LEXIS, identities)


def usual() -> ShareableSubstrate:
    said = [episode(text, "validated") for text in PARSER] + [episode(text, "dismissed") for text in SPAM]
    return learned(*said).substrate


def bundle_of(substrate: ShareableSubstrate, contributor: str = "ada", by: int | None = 1) -> bytes:
    sign = None if by is None else (signer(by).public_key, signer(by).sign_statement)
    return compose(substrate, contributor, FILTERED, sign=sign)


def concept(text: str, members: int = 5) -> Concept:
    code = LEXIS.traces({"focus": text}).code
    assert code is not None
    return Concept(code, members)


def substrate(*said: tuple[str, int, str], as_of_ms: int = 1) -> ShareableSubstrate:
    """Return a substrate of (text, members, outcome)."""
    concepts = {concept(text, members).id: concept(text, members) for text, members, _ in said}
    links = {(concept(text).id, word): members for text, members, word in said}
    return ShareableSubstrate(
        LEXIS.kernel,
        LEXIS.dimensions,
        as_of_ms,
        tuple(concepts[each] for each in sorted(concepts)),
        tuple(
            Link(cause, word, count, 1.0, confidence_of(count))
            for (cause, word), count in sorted(links.items())
        ),
    )


def contribution(name: str, what: ShareableSubstrate, trust: TrustClass = "trusted") -> Contribution:
    return Contribution(name, hashlib.sha256(name.encode()).hexdigest(), trust, what)
