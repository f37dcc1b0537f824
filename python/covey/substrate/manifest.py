"""What a bundle says of itself, and the schemas it may say it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from covey import limits
from covey.substrate.slices import SLICES
from covey.substrate.values import KERNEL, BundleError, contributor_id
from covey.values import dataclass

SCHEMA_VERSION: Final = 2
KIND: Final = "substrate_bundle"
_MEMBERS: Final = frozenset(
    {"contents", "contributor_id", "encoder", "identity_filter", "kind", "schema_version", "sequence"}
)
_MOST_MS: Final = 2**53
_MOST_KNOWN: Final = 2**20
_MOST_THRESHOLD: Final = 1_000


@dataclass(frozen=True, slots=True)
class Filtered:
    """How identities were filtered: whether marks were counted, from how many a block was left out."""

    guess: bool
    threshold: int
    known: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself. `sequence` rises with what its contributor learns."""

    schema_version: int
    contributor: str
    sequence: int
    kernel: str
    dimensions: int
    filtered: Filtered
    contents: Mapping[str, tuple[int, str]]
    """Bytes and SHA-256 of each slice."""


def version_of(said: Mapping[str, Any]) -> int:
    """Return the schema that a bundle says it has.

    Raises:
        BundleError: It is no bundle's, or newer than what is read here.
    """
    version = said.get("schema_version")
    if said.get("kind") != KIND or isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise BundleError("manifest: not of a substrate bundle", code="malformed")
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"schema: {version}, and this covey reads up to {SCHEMA_VERSION}",
            code="newer",
            hint="update covey, or ask for an older bundle",
        )
    return version


def manifest_of(said: Mapping[str, Any], version: int) -> Manifest:
    """Read a manifest that was brought to the newest schema; `version` is the one it came in.

    Raises:
        BundleError: It is not one, or its contributor's id is reserved.
    """
    try:
        _only(said, _MEMBERS)
        _only(said["contents"], frozenset(SLICES))
        encoder, filtered = said["encoder"], said["identity_filter"]
        _only(encoder, frozenset({"dimensions", "kernel"}))
        _only(filtered, frozenset({"guess", "known", "threshold"}))
        return Manifest(
            version,
            contributor_id(said["contributor_id"]),
            _whole(said["sequence"], _MOST_MS),
            _kernel(encoder["kernel"]),
            _whole(encoder["dimensions"], limits.CONCEPT_DIMENSIONS),
            Filtered(
                filtered["guess"] is True,
                _whole(filtered["threshold"], _MOST_THRESHOLD),
                _whole(filtered["known"], _MOST_KNOWN),
            ),
            {name: (each["bytes"], each["sha256"]) for name, each in said["contents"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"manifest: {error}", code="malformed") from error


def _only(value: object, names: frozenset[str]) -> None:
    if not isinstance(value, Mapping) or set(value) != names:
        raise ValueError(f"expected {', '.join(sorted(names))}")


def _kernel(word: str) -> str:
    if KERNEL.fullmatch(word) is None:
        raise ValueError("encoder: no kernel's id")
    return word


def _whole(value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"expected a whole number up to {most}")
    return value
