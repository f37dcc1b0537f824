"""The published constructions, written a second time, and a puppet peer that says anything.

Rules: nothing here comes from the native core, or the kit would ask the defendant for the verdict. Signing,
X25519 and ChaCha20-Poly1305 are libsodium's. Sections are of MMP 2.0; update 1 where it says so.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from nacl import bindings, signing

from covey.values import dataclass

CATEGORIES: Final = ("focus", "issue", "intent", "motivation", "commitment", "perspective", "mood")
SUITE: Final = "X25519-HKDF-SHA256-ChaCha20-Poly1305"
CLIENT_TO_SERVER: Final = "client-to-server"
SERVER_TO_CLIENT: Final = "server-to-client"
Json = dict[str, Any]


def unpadded(text: str) -> bytes:
    """Decode base64url without padding.

    Raises:
        ValueError: It is something else.
    """
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def b64(data: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def minified(value: object) -> str:
    """Write JSON without white space, no character escaped without need."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def framed(body: bytes) -> bytes:
    """Put the length before a frame (§4.1)."""
    return len(body).to_bytes(4, "big") + body


def lp(value: object) -> bytes:
    """Write decimal byte length, colon, bytes (§8.2.1); what is no bytes by its text."""
    data = value if isinstance(value, bytes) else str(value).encode()
    return f"{len(data)}:".encode() + data


def framed_set(items: Iterable[str]) -> bytes:
    """Write a list as handshakes do: de-duplicated and sorted bytewise (§5.2)."""
    unique = sorted({item.encode() for item in items})
    return lp(len(unique)) + b"".join(lp(item) for item in unique)


def application_commitment(application: Mapping[str, Any] | None) -> str:
    """Return the commitment to application bytes (§8.8.3), hex."""
    if application is None:
        return hashlib.sha256(b"mmp-app-v1\n" + lp("0")).hexdigest()
    parts = (
        "1",
        application["mediaType"],
        application["schema"],
        "base64url",
        application["byteLength"],
        application["digest"],
    )
    return hashlib.sha256(b"mmp-app-v1\n" + b"".join(lp(part) for part in parts)).hexdigest()


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything both sides derive from one handshake (§5.2.1)."""

    transcript: bytes
    transcript_hash: bytes
    session_id: str
    shared: bytes
    keys: Mapping[str, bytes]

    def proof_payload(self, role: str) -> bytes:
        """Return what a role signs to prove its identity key."""
        return b"mmp-handshake-proof-v2\n" + lp(role) + lp(self.transcript_hash.hex())

    def confirmation(self, role: str) -> bytes:
        """Return a role's key confirmation."""
        said = b"mmp-key-confirm-v2\n" + lp(role) + lp(self.transcript_hash.hex())
        return hmac.digest(self.keys[f"finished {role}"], said, "sha256")


def schedule(
    client: Mapping[str, Any], server: Mapping[str, Any], selected: Iterable[str], shared: bytes
) -> Schedule:
    """Derive a session from both hellos and the X25519 secret (§5.2.1)."""
    transcript = b"".join(
        (
            b"mmp-handshake-transcript-v2\n",
            *map(lp, ("2.0", client["room"], client["nonce"], server["nonce"])),
            _side(client),
            _side(server),
            framed_set(selected),
        )
    )
    digest = hashlib.sha256(transcript).digest()
    pseudorandom = hmac.digest(digest, shared, "sha256")
    infos = {
        "finished client": b"mmp-finished-v2 client",
        "finished server": b"mmp-finished-v2 server",
        CLIENT_TO_SERVER: b"mmp-aead-v2 client-to-server",
        SERVER_TO_CLIENT: b"mmp-aead-v2 server-to-client",
    }
    keys = {name: hmac.digest(pseudorandom, info + b"\x01", "sha256") for name, info in infos.items()}
    return Schedule(transcript, digest, digest[:16].hex(), shared, keys)


def _side(offer: Mapping[str, Any]) -> bytes:
    said = (
        offer["nodeId"],
        offer["identityPublicKey"],
        offer["e2ePublicKey"],
        offer["name"],
        offer["implementation"]["name"],
        offer["implementation"]["version"],
    )
    return b"".join(map(lp, said)) + framed_set(offer["extensions"])


def record_aad(session_id: str, direction: str, sequence: int, metadata: Mapping[str, Any]) -> bytes:
    """Return what the seal of a record binds (§18.2.1)."""
    bound = [metadata[name] for name in ("key", "assertionId", "createdByNodeId", "room")]
    said = ("2.0", session_id, direction, sequence, *bound, metadata["to"] or "")
    return b"mmp-aead-aad-v2\n" + b"".join(map(lp, said))


def control_aad(session_id: str, direction: str, sequence: int) -> bytes:
    """Return what the seal of a control frame binds (update 1, §18.2.1)."""
    return b"mmp-aead-control-v2\n" + b"".join(map(lp, ("2.0", session_id, direction, sequence)))


def seal(key: bytes, sequence: int, plaintext: bytes, aad: bytes) -> bytes:
    """Seal under the sequence as a 96-bit big-endian nonce."""
    nonce = sequence.to_bytes(12, "big")
    return bindings.crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, aad, nonce, key)


def open_sealed(key: bytes, sequence: int, sealed: bytes, aad: bytes) -> bytes:
    """Open what `seal` made.

    Raises:
        nacl.exceptions.CryptoError: It was made otherwise.
    """
    nonce = sequence.to_bytes(12, "big")
    return bindings.crypto_aead_chacha20poly1305_ietf_decrypt(sealed, aad, nonce, key)


class Puppet:
    """The client side of a session, played by hand: it can say everything, right or wrong, at any place."""

    def __init__(
        self,
        *,
        node_id: str,
        name: str,
        seed: bytes,
        room: str,
        e2e_secret: bytes,
        nonce: bytes,
        extensions: Iterable[str] = (),
    ) -> None:
        """Take an identity and the secrets of one handshake."""
        self.key = signing.SigningKey(seed)
        self.e2e_secret = e2e_secret
        self.hello: Json = {
            "type": "client-hello",
            "protocolVersion": "2.0",
            "room": room,
            "nodeId": node_id,
            "name": name,
            "identityPublicKey": b64(bytes(self.key.verify_key)),
            "e2ePublicKey": b64(bindings.crypto_scalarmult_base(e2e_secret)),
            "nonce": b64(nonce),
            "implementation": {"name": "conformance-puppet", "version": "1"},
            "extensions": list(extensions),
        }
        self.schedule: Schedule | None = None
        self.sequence = 0

    def finish(self, server_hello: Mapping[str, Any]) -> Json:
        """Answer a server-hello with a client-finish; the session's keys are kept.

        Raises:
            ValueError: Its confirmation does not hold.
        """
        shared = bindings.crypto_scalarmult(self.e2e_secret, unpadded(server_hello["e2ePublicKey"]))
        made = schedule(self.hello, server_hello, server_hello["selectedExtensions"], shared)
        if not hmac.compare_digest(made.confirmation("server"), unpadded(server_hello["keyConfirmation"])):
            raise ValueError("keyConfirmation: not of this handshake")
        self.schedule = made
        return {
            "type": "client-finish",
            "transcriptHash": made.transcript_hash.hex(),
            "proof": b64(self.key.sign(made.proof_payload("client")).signature),
            "keyConfirmation": b64(made.confirmation("client")),
        }

    def envelope(
        self, kind: str, plaintext: bytes, *, metadata: Json | None = None, sequence: int | None = None
    ) -> Json:
        """Seal as the next of its direction, or at `sequence`."""
        if self.schedule is None:
            raise ValueError("no session yet")
        place = self.sequence if sequence is None else sequence
        if sequence is None:
            self.sequence += 1
        session_id = self.schedule.session_id
        aad = (
            control_aad(session_id, CLIENT_TO_SERVER, place)
            if metadata is None
            else record_aad(session_id, CLIENT_TO_SERVER, place, metadata)
        )
        sealed = seal(self.schedule.keys[CLIENT_TO_SERVER], place, plaintext, aad)
        frame: Json = {
            "type": kind,
            "protocolVersion": "2.0",
            "suite": SUITE,
            "sessionId": session_id,
            "sequence": str(place),
            "direction": CLIENT_TO_SERVER,
        }
        if metadata is not None:
            frame["metadata"] = metadata
        return {**frame, "sealed": b64(sealed)}

    def control(self, inner: object, *, sequence: int | None = None) -> Json:
        """Seal one control frame, given as a value or as its bytes."""
        plaintext = inner if isinstance(inner, bytes) else minified(inner).encode()
        return self.envelope("control-encrypted", plaintext, sequence=sequence)

    def record(self, record: Mapping[str, Any], *, sequence: int | None = None) -> Json:
        """Seal one record (§18.2.1): categories and application bytes inside, the rest in the clear."""
        metadata: Json = {**record["metadata"]}
        inside: Json = {"categories": record["categories"]}
        if metadata.get("application") is not None:
            clear = dict(metadata["application"])
            inside["applicationData"] = clear.pop("data")
            metadata["application"] = clear
        plaintext = minified(inside).encode()
        return self.envelope("cmb-encrypted", plaintext, metadata=metadata, sequence=sequence)

    def read(self, frame: Mapping[str, Any]) -> Json:
        """Open a sealed control frame of the server."""
        if self.schedule is None:
            raise ValueError("no session yet")
        sequence = int(frame["sequence"])
        aad = control_aad(self.schedule.session_id, SERVER_TO_CLIENT, sequence)
        key = self.schedule.keys[SERVER_TO_CLIENT]
        inner: Json = json.loads(open_sealed(key, sequence, unpadded(frame["sealed"]), aad))
        return inner
