"""A seed under a passphrase: argon2id makes the key, XChaCha20-Poly1305 seals it and binds what is public.

Rules: nothing is derived before every member of a box was checked against its bounds; a box that was changed
anywhere does not open; no passphrase and no seed reaches a repr, a message or a log. PyNaCl is imported by
what derives, never by what only reads.
"""

from __future__ import annotations

import base64
from dataclasses import field
from typing import Any, Final

from covey import limits
from covey.errors import IdentityError, UsageError
from covey.ports import Entropy
from covey.values import dataclass

KDF: Final = "argon2id13"
CIPHER: Final = "xchacha20poly1305-ietf"
SEED_BYTES: Final = 32
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 24
_BOX_BYTES: Final = SEED_BYTES + 16
_MEMBERS: Final = frozenset({"kdf", "operations", "memoryBytes", "salt", "cipher", "nonce", "box"})


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A passphrase as bytes, in one normal form however it was typed. Make one with `of`."""

    secret: bytes = field(repr=False)

    @staticmethod
    def of(text: str, source: str) -> Passphrase:
        """Read a passphrase.

        Args:
            text: One line, 1 to 1,024 bytes in UTF-8; composed and decomposed letters are the same.
            source: Where it came from, for the message.

        Raises:
            UsageError: It is empty, too long, not UTF-8, or more than one line.
        """
        import unicodedata  # a passphrase is read once; its tables are a quarter megabyte

        try:
            secret = unicodedata.normalize("NFC", text).encode("utf-8")
        except UnicodeEncodeError as error:
            raise UsageError(f"passphrase from {source}: not valid UTF-8", code="passphrase") from error
        if not secret:
            raise UsageError(f"passphrase from {source}: empty", code="passphrase")
        if len(secret) > limits.PASSPHRASE_BYTES:
            raise UsageError(
                f"passphrase from {source}: more than {limits.PASSPHRASE_BYTES} bytes", code="passphrase"
            )
        if text.splitlines() != [text] or "\0" in text:
            raise UsageError(f"passphrase from {source}: expected one line of text", code="passphrase")
        return Passphrase(secret)

    @property
    def chars(self) -> int:
        """Return how many characters it has."""
        return len(self.secret.decode("utf-8"))


def _within(member: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"sealed: {member}: expected a whole number from {least} to {most}")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs: passes over so much memory. The bounds keep a file from stalling its reader."""

    operations: int
    memory_bytes: int

    def __post_init__(self) -> None:
        _within("operations", self.operations, limits.SEAL_OPERATIONS_LEAST, limits.SEAL_OPERATIONS_MOST)
        _within("memoryBytes", self.memory_bytes, limits.SEAL_MEMORY_LEAST, limits.SEAL_MEMORY_MOST)


MODERATE: Final = Cost(3, 268_435_456)
"""libsodium's moderate limits: about a second of a desktop, a quarter of a gigabyte."""
INTERACTIVE: Final = Cost(2, 67_108_864)
"""libsodium's interactive limits: a tenth of that, for machines without that much memory."""


@dataclass(frozen=True, slots=True)
class Box:
    """A sealed seed and how its key is derived."""

    cost: Cost
    salt: bytes
    nonce: bytes
    sealed: bytes

    @staticmethod
    def of(members: Any) -> Box:
        """Read a box and check all of it. Nothing is derived.

        Raises:
            ValueError: A member is missing, unknown, of the wrong kind, or out of its bounds.
        """
        if not isinstance(members, dict) or members.keys() != _MEMBERS:
            raise ValueError("sealed: expected the members " + ", ".join(sorted(_MEMBERS)))
        for name, known in (("kdf", KDF), ("cipher", CIPHER)):
            if members[name] != known:
                raise ValueError(f"sealed: {name}: expected {known}")
        return Box(
            Cost(members["operations"], members["memoryBytes"]),
            unb64(members["salt"], _SALT_BYTES, "salt"),
            unb64(members["nonce"], _NONCE_BYTES, "nonce"),
            unb64(members["box"], _BOX_BYTES, "box"),
        )

    def members(self) -> dict[str, object]:
        """Return the box as its file holds it."""
        return {
            "kdf": KDF,
            "operations": self.cost.operations,
            "memoryBytes": self.cost.memory_bytes,
            "salt": b64(self.salt),
            "cipher": CIPHER,
            "nonce": b64(self.nonce),
            "box": b64(self.sealed),
        }


def seal(seed: bytes, about: bytes, passphrase: Passphrase, cost: Cost, entropy: Entropy) -> Box:
    """Seal a seed.

    Args:
        seed: 32 bytes.
        about: What is bound to it and stays readable; the box opens only beside the same bytes.
        passphrase: What opens it.
        cost: What deriving its key costs.
        entropy: Where salt and nonce come from.

    Raises:
        IdentityError: This machine has not the memory to derive the key.
    """
    from nacl.secret import Aead

    salt, nonce = entropy.bytes(_SALT_BYTES), entropy.bytes(_NONCE_BYTES)
    box = Aead(_key(passphrase, salt, cost)).encrypt(seed, about, nonce)
    return Box(cost, salt, nonce, bytes(box.ciphertext))


def unseal(box: Box, about: bytes, passphrase: Passphrase) -> bytes | None:
    """Return the seed; None when the passphrase is another one, or anything was changed.

    Raises:
        IdentityError: This machine has not the memory to derive the key.
    """
    from nacl.exceptions import CryptoError
    from nacl.secret import Aead

    opener = Aead(_key(passphrase, box.salt, box.cost))
    try:
        return bytes(opener.decrypt(box.sealed, about, box.nonce))
    except CryptoError:
        return None


def b64(raw: bytes) -> str:
    """Return bytes in base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def unb64(text: object, size: int, member: str) -> bytes:
    """Return `size` bytes from their only spelling in base64url.

    Raises:
        ValueError: It is another spelling, or of another size.
    """
    if isinstance(text, str) and len(text) == (size * 4 + 2) // 3:
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            raw = b""
        if len(raw) == size and b64(raw) == text:
            return raw
    raise ValueError(f"{member}: expected {size} bytes in base64url")


def _key(passphrase: Passphrase, salt: bytes, cost: Cost) -> bytes:
    from nacl import exceptions
    from nacl.pwhash import argon2id

    try:
        return argon2id.kdf(32, passphrase.secret, salt, cost.operations, cost.memory_bytes)
    except (exceptions.RuntimeError, MemoryError) as error:
        raise IdentityError(
            f"cannot derive the key: not {cost.memory_bytes // 1_048_576} MiB of memory free",
            code="passphrase_memory",
            hint="free memory; `covey keygen <peer> --reseal --cost interactive` takes 64 MiB",
        ) from error
