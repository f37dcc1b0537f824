"""The key of a peer's diary, and its exports: XChaCha20-Poly1305 through libsodium.

Rules: the key follows from the peer's seed, which lies in its identity file and not in the database; where
that is sealed under a passphrase, so is the diary. Each entry has a nonce of its own, and opens only at the
time and for the peer it was written at. PyNaCl is imported by what seals.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from typing import Final

from covey import limits, typed
from covey.errors import IdentityError, StoreError
from covey.ports import Entropy
from covey.system.identity import PeerIdentity
from covey.system.sealing import Box, Cost, Passphrase, b64, seal, unb64, unseal

_KEY_TAG: Final = b"covey-diary-key-v1"
_ENTRY_TAG: Final = b"covey-diary-entry-v1\n"
_EXPORT_TAG: Final = b"covey-diary-export-v1\n"
_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 24


class DiarySeal:
    """Seals and opens the entries of one peer's diary.

    Args:
        identity: The peer; its seal must be open.
        entropy: Where nonces come from.
    """

    def __init__(self, identity: PeerIdentity, entropy: Entropy) -> None:
        self._key = hmac.digest(identity.seed, _KEY_TAG, "sha256")
        self._about = _ENTRY_TAG + identity.node_id.encode() + b"\n"
        self._entropy = entropy

    def seal(self, text: bytes, at_ms: int) -> bytes:
        """Return an entry as it lies on disk: a version, a nonce, the sealed text."""
        from nacl.secret import Aead

        nonce = self._entropy.bytes(_NONCE_BYTES)
        box = Aead(self._key).encrypt(text, self._about + str(at_ms).encode(), nonce)
        return _VERSION + nonce + bytes(box.ciphertext)

    def open(self, sealed: bytes, at_ms: int) -> bytes | None:
        """Return the text of an entry; None where it was changed, moved in time, or is another peer's."""
        from nacl.exceptions import CryptoError
        from nacl.secret import Aead

        if sealed[:1] != _VERSION or len(sealed) < 1 + _NONCE_BYTES:
            return None
        nonce, box = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return bytes(Aead(self._key).decrypt(box, self._about + str(at_ms).encode(), nonce))
        except CryptoError:
            return None


def write_export(
    entries: Iterable[tuple[int, str]], about: str, passphrase: Passphrase, cost: Cost, entropy: Entropy
) -> bytes:
    """Return a whole diary in one file that opens with a passphrase and nothing else.

    Args:
        entries: (at_ms, text), oldest first.
        about: Whose it is; readable in the file, and bound to it.
        passphrase: What opens it.
        cost: What deriving its key costs.
        entropy: Where its key, salt and nonces come from.

    Raises:
        IdentityError: This machine has not the memory to derive the key.
    """
    from nacl.secret import Aead

    key, nonce = entropy.bytes(32), entropy.bytes(_NONCE_BYTES)
    bound = _EXPORT_TAG + about.encode()
    box = seal(key, bound, passphrase, cost, entropy)
    text = json.dumps([[at_ms, words] for at_ms, words in entries], ensure_ascii=False)
    sealed = Aead(key).encrypt(text.encode("utf-8", "surrogatepass"), bound, nonce)
    members = {"version": 1, "diary": about, "key": box.members(), "nonce": b64(nonce)}
    return json.dumps({**members, "entries": b64(bytes(sealed.ciphertext))}).encode() + b"\n"


def read_export(data: bytes, passphrase: Passphrase) -> tuple[str, list[tuple[int, str]]]:
    """Open an export; return whose it is, and its entries.

    Raises:
        StoreError: It is no export.
        IdentityError: The passphrase is another one, or the file was changed.
    """
    from nacl.exceptions import CryptoError
    from nacl.secret import Aead

    try:
        found = typed.members(typed.loaded(data), "export", {"version", "diary", "key", "nonce", "entries"})
        typed.whole(found["version"], "version", 1, 1)
        about, box = typed.text(found["diary"], "diary", len(data)), Box.of(found["key"])
        nonce = unb64(found["nonce"], _NONCE_BYTES, "nonce")
        size = len(typed.text(found["entries"], "entries", len(data))) * 3 // 4
        sealed = unb64(found["entries"], size, "entries")
    except ValueError as error:
        raise StoreError(f"diary: no export: {error}") from error
    bound = _EXPORT_TAG + about.encode()
    key = unseal(box, bound, passphrase)
    if key is None:
        raise IdentityError(
            "diary: the passphrase is another one, or the export was changed", code="passphrase_wrong"
        )
    try:
        opened = bytes(Aead(key).decrypt(sealed, bound, nonce))
    except CryptoError as error:
        raise IdentityError("diary: the export was changed", code="passphrase_wrong") from error
    try:
        text = opened.decode("utf-8", "surrogatepass")
        return about, [_entry(each) for each in typed.loaded(text)[: limits.DIARY_EXPORT_ENTRIES]]
    except (ValueError, TypeError) as error:
        raise StoreError(f"diary: no export: {error}") from error


def _entry(value: object) -> tuple[int, str]:
    """Return one entry; its words may hold half a character, as whoever wrote them said it."""
    at_ms, words = typed.exactly(value, "entry", 2)
    return typed.whole(at_ms, "entry"), typed.text(words, "entry", limits.JSON_INTEGER, halves=True)
