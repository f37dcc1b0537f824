"""The identity of one peer, on disk: node id, name and key, written once and whole before first use.

Rules: the file is 0600 from its first byte, arrives whole or not at all, survives a power cut, and is never
replaced unless the caller says so. One agent, one node id, one key (MMP 2.0 §3.2): a new key is a new node.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from covey.errors import IdentityError
from covey.names import peer_name
from covey.ports import Clock, Entropy
from covey.system.private_file import sync_folder, write_new

if TYPE_CHECKING:
    from covey._core import Identity

_FILE_BYTES: Final = 16_384
_VERSION: Final = 1
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_MEMBERS: Final = frozenset({"version", "nodeId", "name", "createdMs", "publicKey", "seed"})


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """A peer's identity as it is kept. `seed` (32 bytes) is the secret; it never appears in a repr."""

    node_id: str
    name: str
    created_ms: int
    public_key: bytes
    seed: bytes = field(repr=False)

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
        return _b64(self.public_key)


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


def save(path: Path, identity: PeerIdentity, *, replace: bool = False) -> None:
    """Write `identity` whole: temporary file, fsync, rename, fsync of the folder.

    Args:
        path: Where; its folder exists and is private.
        replace: True to take the place of an identity that is there (its node is then gone for good).

    Raises:
        IdentityError: There is one already, or the file cannot be written; either way nothing changed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_new(temporary, _encode(identity))
        try:
            if replace:
                temporary.replace(path)
            else:
                os.link(temporary, path)  # unlike a rename, this fails where a file exists
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
        sync_folder(path.parent)
    except FileExistsError as error:
        raise IdentityError(
            f"identity exists: {path}",
            code="identity_exists",
            hint="use --force to replace it; its node id and key are then gone",
        ) from error
    except OSError as error:
        raise IdentityError(f"cannot write identity {path}: {error.strerror or error}") from error


def load(path: Path) -> PeerIdentity:
    """Read an identity and check all of it, permissions included. Changes nothing.

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


def load_or_create(path: Path, name: str, clock: Clock, entropy: Entropy) -> PeerIdentity:
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


def _encode(identity: PeerIdentity) -> bytes:
    members = {
        "version": _VERSION,
        "nodeId": identity.node_id,
        "name": identity.name,
        "createdMs": identity.created_ms,
        "publicKey": identity.public_key_text,
        "seed": _b64(identity.seed),
    }
    return json.dumps(members, indent=2, ensure_ascii=False).encode("utf-8") + b"\n"


def _decode(raw: bytes) -> PeerIdentity:
    members: Any = json.loads(raw.decode("utf-8"))
    if not isinstance(members, dict) or members.keys() != _MEMBERS:
        raise ValueError("expected the members " + ", ".join(sorted(_MEMBERS)))
    if members["version"] != _VERSION:
        raise ValueError(f"version: expected {_VERSION}")
    if not isinstance(members["nodeId"], str) or not _UUID.fullmatch(members["nodeId"]):
        raise ValueError("nodeId: expected a lower-case uuid of version 7")
    if type(members["createdMs"]) is not int or members["createdMs"] < 0:
        raise ValueError("createdMs: expected milliseconds since the epoch")
    if not isinstance(members["name"], str):
        raise TypeError("name: expected text")
    return PeerIdentity(
        node_id=members["nodeId"],
        name=members["name"],
        created_ms=members["createdMs"],
        public_key=_unb64(members["publicKey"], "publicKey"),
        seed=_unb64(members["seed"], "seed"),
    )


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


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _unb64(text: object, member: str) -> bytes:
    if not isinstance(text, str) or len(text) != 43:
        raise ValueError(f"{member}: expected 32 bytes in base64url")
    raw = base64.urlsafe_b64decode(text + "=")
    if _b64(raw) != text:
        raise ValueError(f"{member}: expected 32 bytes in base64url")
    return raw
