"""The cryptography of channels, through libsodium: sealed boxes to an agent's key, XChaCha20-Poly1305.

Rules: an agent opens boxes with the X25519 form of its own Ed25519 key, so that whoever knows whose words to
believe knows to whom to seal; nothing further is published or kept. PyNaCl is imported by what seals.
"""

from __future__ import annotations

from typing import Final

from covey.ports import Entropy
from covey.system.identity import PeerIdentity

_NONCE_BYTES: Final = 24
_KEY_BYTES: Final = 32


class ChannelSeal:
    """What one agent seals and opens with.

    Args:
        identity: The agent; its seal must be open.
        entropy: Where keys and nonces come from.
    """

    def __init__(self, identity: PeerIdentity, entropy: Entropy) -> None:
        self._seed = identity.seed
        self._public_key = identity.public_key
        self._entropy = entropy

    def fresh(self) -> bytes:
        """Return a new key."""
        return self._entropy.bytes(_KEY_BYTES)

    def wrap(self, text: bytes, public_key: bytes) -> bytes | None:
        """Seal a text to the agent with this public key; None where nothing can be sealed to it."""
        from nacl import bindings
        from nacl.exceptions import CryptoError

        try:
            return bindings.crypto_box_seal(text, bindings.crypto_sign_ed25519_pk_to_curve25519(public_key))
        except (CryptoError, ValueError, TypeError):
            return None

    def unwrap(self, box: bytes) -> bytes | None:
        """Open what was sealed to this agent; None where it was not, or was changed."""
        from nacl import bindings
        from nacl.exceptions import CryptoError

        secret = bindings.crypto_sign_ed25519_sk_to_curve25519(self._seed + self._public_key)
        public = bindings.crypto_scalarmult_base(secret)
        try:
            return bindings.crypto_box_seal_open(box, public, secret)
        except (CryptoError, ValueError, TypeError):
            return None

    def seal(self, key: bytes, text: bytes, about: bytes) -> bytes:
        """Seal a text under a key: a nonce, then the sealed text."""
        from nacl.secret import Aead

        nonce = self._entropy.bytes(_NONCE_BYTES)
        return nonce + bytes(Aead(key).encrypt(text, about, nonce).ciphertext)

    def open(self, key: bytes, sealed: bytes, about: bytes) -> bytes | None:
        """Open it; None where the key, the text or what it is about is another."""
        from nacl.exceptions import CryptoError
        from nacl.secret import Aead

        try:
            return bytes(Aead(key).decrypt(sealed[_NONCE_BYTES:], about, sealed[:_NONCE_BYTES]))
        except (CryptoError, ValueError, TypeError):
            return None
