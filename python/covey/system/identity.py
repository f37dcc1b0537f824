"""The identity of one peer, on disk: node id, name and key, written once and whole before first use.

Rules: the file is 0600 from its first byte, arrives whole or not at all, survives a power cut, and is never
replaced unless the caller says so. One agent, one node id, one key (MMP 2.0 §3.2): a new key is a new node.
The seed may be sealed under a passphrase (version 2 of the file); the public half is always readable.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from covey.errors import IdentityError
from covey.names import peer_name
from covey.ports import Clock, Entropy
from covey.system import sealing
from covey.system.private_file import sync_folder, write_new
from covey.system.sealing import Box, Cost, Passphrase, b64, unb64
from covey.values import dataclass

if TYPE_CHECKING:
    from covey._core import Identity

_FILE_BYTES: Final = 16_384
_CLEAR_VERSION: Final = 1
_SEALED_VERSION: Final = 2
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_PUBLIC_MEMBERS: Final = frozenset({"version", "nodeId", "name", "createdMs", "publicKey"})


@dataclass(frozen=True, slots=True)
class PublicIdentity:
    """What everybody may know of a peer's identity."""

    node_id: str
    name: str
    created_ms: int
    public_key: bytes

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the raw public key, as 64 hex digits."""
        return hashlib.sha256(self.public_key).hexdigest()

    @property
    def keyprint(self) -> str:
        """Return the first 16 digits of the fingerprint, for people."""
        return self.fingerprint[:16]

    @property
    def public_key_text(self) -> str:
        """Return the public key in base64url without padding, as hellos carry it."""
        return b64(self.public_key)


@dataclass(frozen=True, slots=True)
class PeerIdentity(PublicIdentity):
    """An identity that can sign. `seed` (32 bytes) is the secret; it never appears in a repr."""

    seed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedIdentity(PublicIdentity):
    """An identity whose seed waits in a box; `unseal` makes a `PeerIdentity` of it."""

    box: Box = field(repr=False)


StoredIdentity = PeerIdentity | SealedIdentity
"""An identity as its file holds it."""


def generate(name: str, clock: Clock, entropy: Entropy) -> PeerIdentity:
    """Make a new identity: a uuid v7 and a fresh Ed25519 seed. Nothing is written.

    Raises:
        InvalidNameError: The name may not be a peer's.
    """
    from covey import _core  # native; reading a name or a fingerprint must not load it

    now_ms = clock.now_ms()
    seed = entropy.bytes(32)
    public_key = bytes(_core.SigningKey(seed).public_key)
    return PeerIdentity(uuid7(now_ms, entropy.bytes(10)), peer_name(name), now_ms, public_key, seed)


def uuid7(now_ms: int, random: bytes) -> str:
    """Return a uuid v7 (RFC 9562 §5.7) from wall-clock milliseconds and ten random bytes."""
    value = (now_ms & (1 << 48) - 1) << 80 | int.from_bytes(random[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def seal(identity: PeerIdentity, passphrase: Passphrase, cost: Cost, entropy: Entropy) -> SealedIdentity:
    """Return the same identity with its seed under a passphrase. Nothing is written.

    Raises:
        IdentityError: This machine has not the memory to derive the key.
    """
    box = sealing.seal(identity.seed, _about(identity, cost), passphrase, cost, entropy)
    return SealedIdentity(identity.node_id, identity.name, identity.created_ms, identity.public_key, box)


def unseal(identity: SealedIdentity, passphrase: Passphrase) -> PeerIdentity:
    """Return the identity that can sign.

    Raises:
        IdentityError: The passphrase is another one or the file was changed (`passphrase_wrong`), or this
            machine has not the memory to derive the key.
    """
    seed = sealing.unseal(identity.box, _about(identity, identity.box.cost), passphrase)
    if seed is None:
        raise IdentityError(
            f'wrong passphrase for peer "{identity.name}"',
            code="passphrase_wrong",
            hint="nothing was changed; if it is the right one, the file was: restore it from a backup",
        )
    return PeerIdentity(identity.node_id, identity.name, identity.created_ms, identity.public_key, seed)


def save(path: Path, identity: StoredIdentity, *, replace: bool = False) -> None:
    """Write `identity` whole: temporary file, fsync, rename, fsync of the folder.

    Args:
        path: Where; its folder exists and is private, and the peer's lock is held when it may be replaced.
        identity: What; sealed or in the clear.
        replace: True to take the place of what is there, an unfinished copy of it included.

    Raises:
        IdentityError: There is one already, or the file cannot be written; either way nothing changed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if replace:
            _sweep(path)
        try:
            write_new(temporary, _encode(identity))
            if replace:
                temporary.replace(path)
            else:
                os.link(temporary, path)  # unlike a rename, this fails where a file exists
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
        sync_folder(path.parent)
    except FileExistsError as error:
        raise taken(path) from error
    except OSError as error:
        raise IdentityError(f"cannot write identity {path}: {error.strerror or error}") from error


def taken(path: Path) -> IdentityError:
    """Return the error that says that there is an identity already."""
    return IdentityError(
        f"identity exists: {path}",
        code="identity_exists",
        hint="use --force to replace it; its node id and key are then gone",
    )


def load(path: Path) -> StoredIdentity:
    """Read an identity and check all of it, permissions included. Changes nothing, opens no seal.

    Raises:
        IdentityError: It is missing (`identity_missing`), readable by others, or not a whole identity.
    """
    raw = _read_private(path)
    try:
        return _decode(raw)
    except (ValueError, TypeError, RecursionError) as error:
        raise IdentityError(
            f"identity {path} is damaged: {error}",
            code="identity_damaged",
            hint="restore it from a backup, or make a new node with `covey keygen <peer> --force`",
        ) from error


def load_or_create(path: Path, name: str, clock: Clock, entropy: Entropy) -> StoredIdentity:
    """Return the peer's identity, making and writing one when there is none.

    Raises:
        IdentityError: As `load` and `save`, or the file belongs to a peer of another name.
    """
    try:
        identity = load(path)
    except IdentityError as error:
        if error.code != "identity_missing":
            raise
        identity = generate(name, clock, entropy)
        save(path, identity)
    if identity.name != name:
        raise IdentityError(
            f'identity {path} belongs to peer "{identity.name}", not "{name}"',
            hint="one agent has one node id and one key: give this peer its own folder",
        )
    return identity


def native(identity: PeerIdentity) -> Identity:
    """Return the native identity that signs, after checking that the seed belongs to the public key.

    Raises:
        IdentityError: The two do not fit: the file was changed by hand or damaged.
    """
    from covey import _core

    signer = _core.Identity(identity.node_id, identity.name, identity.seed)
    if bytes(signer.public_key) != identity.public_key:
        raise IdentityError(
            f'identity of "{identity.name}": publicKey is not the key of seed', code="identity_damaged"
        )
    return signer


def _public_members(identity: PublicIdentity, version: int) -> dict[str, object]:
    return {
        "version": version,
        "nodeId": identity.node_id,
        "name": identity.name,
        "createdMs": identity.created_ms,
        "publicKey": identity.public_key_text,
    }


def _about(identity: PublicIdentity, cost: Cost) -> bytes:
    """Return what a box is bound to: the readable members, so that none of them can be exchanged."""
    members = {
        **_public_members(identity, _SEALED_VERSION),
        "kdf": sealing.KDF,
        "operations": cost.operations,
        "memoryBytes": cost.memory_bytes,
        "cipher": sealing.CIPHER,
    }
    return json.dumps(members, sort_keys=True, separators=(",", ":")).encode("ascii")


def _encode(identity: StoredIdentity) -> bytes:
    if isinstance(identity, SealedIdentity):
        members = {**_public_members(identity, _SEALED_VERSION), "sealed": identity.box.members()}
    else:
        members = {**_public_members(identity, _CLEAR_VERSION), "seed": b64(identity.seed)}
    return json.dumps(members, indent=2, ensure_ascii=False).encode("utf-8") + b"\n"


def _decode(raw: bytes) -> StoredIdentity:
    members: Any = json.loads(raw.decode("utf-8"))
    sealed = isinstance(members, dict) and "sealed" in members
    version, secret = (_SEALED_VERSION, "sealed") if sealed else (_CLEAR_VERSION, "seed")
    expected = _PUBLIC_MEMBERS | {secret}
    if not isinstance(members, dict) or members.keys() != expected:
        raise ValueError("expected the members " + ", ".join(sorted(expected)))
    if type(members["version"]) is not int or members["version"] != version:
        raise ValueError(f"version: expected {version}")
    if not isinstance(members["nodeId"], str) or not _UUID.fullmatch(members["nodeId"]):
        raise ValueError("nodeId: expected a lower-case uuid of version 7")
    if type(members["createdMs"]) is not int or members["createdMs"] < 0:
        raise ValueError("createdMs: expected milliseconds since the epoch")
    if not isinstance(members["name"], str):
        raise TypeError("name: expected text")
    node_id, name, created_ms = members["nodeId"], members["name"], members["createdMs"]
    public_key = unb64(members["publicKey"], 32, "publicKey")
    if sealed:
        return SealedIdentity(node_id, name, created_ms, public_key, Box.of(members["sealed"]))
    seed = unb64(members["seed"], sealing.SEED_BYTES, "seed")
    return PeerIdentity(node_id, name, created_ms, public_key, seed)


def _read_private(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise IdentityError(
            f"no identity at {path}", code="identity_missing", hint="make one with `covey keygen <peer>`"
        ) from error
    except OSError as error:
        raise IdentityError(
            f"cannot open identity {path}: {error.strerror or error}",
            hint="check that the file and its folder are yours: owner, mode",
        ) from error
    try:
        return _checked(path, descriptor)
    finally:
        os.close(descriptor)


def _checked(path: Path, descriptor: int) -> bytes:
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise IdentityError(
            f"identity {path} is not a regular file",
            hint="move it away, or restore the file from a backup",
        )
    if stat.S_IMODE(facts.st_mode) & 0o077:
        raise IdentityError(
            f"identity {path} can be read by others: mode {stat.S_IMODE(facts.st_mode):04o}",
            code="identity_too_open",
            hint=f"if nobody else has seen it: chmod 600 {path}",
        )
    return os.read(descriptor, _FILE_BYTES)


def _sweep(path: Path) -> None:
    """Remove what a process left that died while it wrote: a forgotten copy may hold a seed in the clear."""
    for left in path.parent.glob(f".{path.name}.*"):
        left.unlink(missing_ok=True)
