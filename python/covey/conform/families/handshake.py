"""`handshake-v2`: transcript, session id, key schedule, proofs and the three frames (§5.2).

Proofs are Ed25519 signatures: verified, never compared. Everything else is compared character by character.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nacl import bindings

from covey.conform import live
from covey.conform.family import Family, judged, members
from covey.conform.folder import Artifact, Collection
from covey.conform.reference import Schedule, b64, schedule, unpadded
from covey.conform.report import Case, failed, not_covered, passed, same
from covey.conform.subject import Subject

Json = dict[str, Any]


def _run(artifact: Artifact, _: Collection, subject: Subject) -> Iterator[Case]:
    fixture, expected = artifact.value["fixture"], artifact.value["expected"]
    made = derived(fixture)
    yield from _derivations(made, expected)
    yield from _proofs(fixture, expected, subject)
    client, server = live.start(subject, fixture, "client"), live.start(subject, fixture, "server")
    if client.unsupported or server.unsupported:
        yield not_covered("three frames", "the implementation has no session operations")
        return
    frames = fixture["frames"]
    yield _frame("client-hello", frames["clientHello"], live.written(client))
    answer = live.give(subject, server.member("session"), frames["clientHello"])
    yield _frame("server-hello", frames["serverHello"], live.written(answer))
    greeted = live.give(subject, client.member("session"), frames["serverHello"])
    yield _frame("client-finish", frames["clientFinish"], live.written(greeted))
    accepted = live.give(subject, server.member("session"), frames["clientFinish"])
    for side, other, outcome in (("client", "server", greeted), ("server", "client", accepted)):
        yield _authenticated(side, fixture["handshake"][other], fixture, expected, outcome)
    yield from _wrong(fixture, subject)


def derived(fixture: Mapping[str, Any]) -> Schedule:
    """Derive the session of a fixture by the reference construction."""
    frames = fixture["frames"]
    secret = unpadded(fixture["clientE2EPrivateKeyBase64url"])
    shared = bindings.crypto_scalarmult(secret, unpadded(frames["serverHello"]["e2ePublicKey"]))
    selected = fixture["handshake"]["selectedExtensions"]
    return schedule(frames["clientHello"], frames["serverHello"], selected, shared)


def _derivations(made: Schedule, expected: Json) -> Iterator[Case]:
    """The kit's own construction must give what is published, or its puppets prove nothing."""
    found = {
        "transcriptHex": made.transcript,
        "transcriptHashHex": made.transcript_hash,
        "sharedSecretHex": made.shared,
        "clientFinishedKeyHex": made.keys["finished client"],
        "serverFinishedKeyHex": made.keys["finished server"],
        "clientKeyConfirmationHex": made.confirmation("client"),
        "serverKeyConfirmationHex": made.confirmation("server"),
        "clientToServerKeyHex": made.keys["client-to-server"],
        "serverToClientKeyHex": made.keys["server-to-client"],
        "clientProofPayloadHex": made.proof_payload("client"),
        "serverProofPayloadHex": made.proof_payload("server"),
    }
    for name, value in found.items():
        yield same(f"construction: {name}", expected[name], value.hex())


def _proofs(fixture: Json, expected: Json, subject: Subject) -> Iterator[Case]:
    for side in ("client", "server"):
        answer = subject.ask(
            "verify_signature",
            message=b64(bytes.fromhex(expected[f"{side}ProofPayloadHex"])),
            signature=expected[f"{side}ProofBase64url"],
            public_key=fixture["handshake"][side]["identityPublicKey"],
        )
        yield judged(f"{side}'s proof verifies", answer, {})


def _frame(label: str, published: Json, found: list[Json]) -> Case:
    if len(found) != 1:
        return failed(label, f"expected one frame, found {len(found)}")
    frame = {**found[0], "proof": published["proof"]} if "proof" in published else found[0]
    return same(label, published, frame)


def _authenticated(label: str, peer: Json, fixture: Json, expected: Json, outcome: Any) -> Case:
    label = f"{label} knows its peer"
    found = live.events(outcome, "authenticated")
    if len(found) != 1:
        return failed(label, f"no session: {outcome.result or outcome.reason}"[:240])
    wanted = {
        "node_id": peer["nodeId"],
        "public_key": peer["identityPublicKey"],
        "session_id": expected["sessionId"],
        "extensions": fixture["handshake"]["selectedExtensions"],
    }
    return same(label, wanted, {name: found[0].get(name) for name in wanted})


def _wrong(fixture: Json, subject: Subject) -> Iterator[Case]:
    """A hello or finish with one member of another handshake ends the attempt and sends nothing."""
    frames = fixture["frames"]
    for side, name in (("client", "serverHello"), ("server", "clientFinish")):
        for member in ("proof", "keyConfirmation", "transcriptHash", "clientNonce", "room", "e2ePublicKey"):
            if member not in frames[name]:
                continue
            session = live.start(subject, fixture, side).member("session")
            if side == "server":
                live.give(subject, session, frames["clientHello"])
            bent = {**frames[name], member: _bent(frames[name][member])}
            answer = live.give(subject, session, bent)
            label = f"{name}: another {member}"
            silent = answer.member("state") == "closed" and not live.written(answer)
            yield passed(label) if silent else failed(label, "not closed in silence")


def _bent(text: str) -> str:
    return text[:5] + ("a" if text[5] != "a" else "b") + text[6:]


FAMILY = Family("handshake", lambda artifact: members(artifact, "fixture", "expected"), _run)
