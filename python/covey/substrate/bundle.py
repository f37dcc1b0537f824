"""A bundle: manifest, slices and signature in one file, made and read. It has no way to a block's text.

Rules: only what the manifest declares is in it; each slice stands there under its digest; a signature is over
the bytes of all other members, each framed by its length. A newer schema is refused and an older one brought
forward step by step; an algorithm that is not known is refused, never skipped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from covey import _core
from covey.substrate import slices
from covey.substrate.container import members_of, written
from covey.substrate.manifest import KIND, SCHEMA_VERSION, Filtered, Manifest, manifest_of, version_of
from covey.substrate.slices import SLICES
from covey.substrate.strict_json import dumped, loaded
from covey.substrate.values import BundleError, ShareableSubstrate, contributor_id
from covey.values import dataclass

_STATEMENT: Final = "covey-substrate-v2"
_ALGORITHM: Final = "ed25519"
_MANIFEST, _SIGNATURE = "manifest.json", "signature.json"

Sign = Callable[[str, bytes], bytes]
"""Signs a statement of a kind: `Identity.sign_statement`."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was read whole. `signer` is the raw key that signed it; None: nobody did."""

    manifest: Manifest
    substrate: ShareableSubstrate
    members: Mapping[str, bytes]
    digest: str
    signer: bytes | None

    @property
    def signer_fingerprint(self) -> str | None:
        """Return the signer's key fingerprint."""
        return None if self.signer is None else hashlib.sha256(self.signer).hexdigest()


def compose(
    substrate: ShareableSubstrate,
    contributor: str,
    filtered: Filtered,
    *,
    sign: tuple[bytes, Sign] | None = None,
) -> bytes:
    """Make a bundle: the same bytes for the same arguments.

    Args:
        substrate: What is shared. There is no argument that could be anything else.
        contributor: Who says it.
        filtered: How identities were filtered.
        sign: The raw public key, and what signs with its key; None leaves it unsigned.

    Raises:
        BundleError: The contributor's id is reserved or none, or it would be too large.
    """
    contributor_id(contributor)
    made = slices.encode(substrate, contributor)
    manifest = {
        "contents": {name: _entry(name, raw) for name, raw in made.items()},
        "contributor_id": contributor,
        "encoder": {"dimensions": substrate.dimensions, "kernel": substrate.kernel},
        "identity_filter": asdict(filtered),
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "sequence": substrate.as_of_ms,
    }
    members = {_MANIFEST: dumped(manifest), **{f"{name}.json": raw for name, raw in made.items()}}
    if sign is not None:
        key, signed = sign
        signature = signed(_STATEMENT, _framed(members)).hex()
        members[_SIGNATURE] = dumped(
            {"algorithm": _ALGORITHM, "public_key": key.hex(), "signature": signature}
        )
    return written(members)


def read(raw: bytes) -> Bundle:
    """Read a bundle whole: container, manifest, signature, slices, in that order.

    Raises:
        BundleError: Its code says which rule it broke.
    """
    members = members_of(raw)
    if _MANIFEST not in members:
        raise BundleError("manifest.json is not in it", code="no_manifest")
    said = loaded(members[_MANIFEST], "manifest")
    version = version_of(said)
    signer = _verified(members)
    declared = _declared(said, members)
    for step in range(version, SCHEMA_VERSION):
        said, declared = _FORWARD[step](said, declared)
    manifest = manifest_of(said, version)
    substrate = slices.decode(
        declared,
        manifest.contributor,
        kernel=manifest.kernel,
        dimensions=manifest.dimensions,
        as_of_ms=manifest.sequence,
    )
    return Bundle(manifest, substrate, members, hashlib.sha256(raw).hexdigest(), signer)


def _entry(name: str, raw: bytes) -> dict[str, Any]:
    return {"bytes": len(raw), "file": f"{name}.json", "sha256": hashlib.sha256(raw).hexdigest()}


def _framed(members: Mapping[str, bytes]) -> bytes:
    """Return the signed bytes: each member's name and content behind their lengths, in the order of names."""
    parts: list[bytes] = []
    for name in sorted(members):
        if name != _SIGNATURE:
            parts += [b"%d:" % len(name), name.encode(), b"%d:" % len(members[name]), members[name]]
    return b"".join(parts)


def _verified(members: Mapping[str, bytes]) -> bytes | None:
    if _SIGNATURE not in members:
        return None
    said = loaded(members[_SIGNATURE], "signature")
    if said.get("algorithm") != _ALGORITHM:
        raise BundleError(
            f"signature: unknown algorithm: {str(said.get('algorithm'))[:32]!r}", code="unknown_algorithm"
        )
    try:
        key, signature = _raw(said, "public_key", 32), _raw(said, "signature", 64)
        _core.verify_statement(_STATEMENT, _framed(members), signature, key)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"signature: {error}", code="malformed") from error
    except _core.CoreError as error:
        raise BundleError("signature: does not hold over these bytes", code="bad_signature") from error
    return key


def _raw(said: Mapping[str, Any], name: str, size: int) -> bytes:
    raw = bytes.fromhex(said[name])
    if len(said) != 3 or len(raw) != size or raw.hex() != said[name]:
        raise ValueError(f"{name}: expected {size} bytes as hexadecimal digits")
    return raw


def _declared(said: Mapping[str, Any], members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the slices that the manifest declares, each as its digest says, and nothing beside them."""
    contents = said.get("contents")
    if not isinstance(contents, dict) or not set(contents) <= set(SLICES):
        raise BundleError("manifest: contents are none that there are", code="malformed")
    found = {}
    for name, entry in contents.items():
        raw = members.get(f"{name}.json")
        if raw is None:
            raise BundleError(f"slice: {name} is declared and not there", code="undeclared")
        if entry != _entry(name, raw):
            raise BundleError(f"slice: {name} is not the one that is declared", code="digest")
        found[name] = raw
    beside = set(members) - {_MANIFEST, _SIGNATURE} - {f"{name}.json" for name in found}
    if beside:
        raise BundleError(f"member: nobody declared {sorted(beside)[0]}", code="undeclared")
    return found


Step = Callable[[dict[str, Any], dict[str, bytes]], tuple[dict[str, Any], dict[str, bytes]]]


def _from_1(said: dict[str, Any], found: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Schema 1 had concepts and links only: how admission went is not known."""
    whose = {"contributor": said.get("contributor_id")}
    empty = dumped({**whose, "decisions": {}, "drifts": {}, "weights": {}, "guarded": None})
    contents = {**said["contents"], "admission": _entry("admission", empty)}
    return {**said, "contents": contents}, {**found, "admission": empty}


_FORWARD: Final[Mapping[int, Step]] = {1: _from_1}
"""What brings a schema to the next one."""
