"""`sym-attest-v1`: attestations in a chain, checkpoints over it, witnesses, and two histories told from one.

Payloads, links and roots are computed here from the published text and must come out as published. Signatures
are verified and never compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from covey.conform.family import Family, judged, members, refused
from covey.conform.folder import Artifact, Collection
from covey.conform.mutate import spoiled_members
from covey.conform.reference import CATEGORIES, b64, lp, minified, unpadded
from covey.conform.report import Case, failed, not_covered, same
from covey.conform.subject import Subject

Json = dict[str, Any]
_AT_MS: Final = 1_786_700_000_000
_BECAUSE: Final = {"overlapping ranges": "overlap", "same prev": "same_prev"}


def _run(artifact: Artifact, _: Collection, subject: Subject) -> Iterator[Case]:
    value = artifact.value
    attester, witness = (value["testKeys"][who] for who in ("attester", "witness"))
    for chain in ("attestations", "forkAttestations"):
        yield from _chain(chain, value[chain], attester["publicKeyBase64url"], subject)
    cuts = [("checkpoints", case, value["attestations"]) for case in value["checkpoints"]]
    cuts += [(name, case, value["forkAttestations"]) for name, case in value["forkCheckpoints"].items()]
    for label, case, chain in cuts:
        yield from _checkpoint(label, case, chain, attester["publicKeyBase64url"], subject)
    yield from _signed("witness", "witness", value["witness"], witness["publicKeyBase64url"], subject)
    yield from _histories(value, subject)
    for case in value["witnessLeads"]:
        yield from _lead(case, witness["publicKeyBase64url"], subject)
    yield from _own_chain(value, attester, subject)


def _chain(label: str, cases: list[Json], key: str, subject: Subject) -> Iterator[Case]:
    before = "genesis"
    for case in cases:
        told = case["attestation"]
        name = f"{label} {told['seq']}"
        yield same(f"construction: {name} follows", before, told["prev"])
        before = link(told)
        yield same(f"construction: {name} links", case.get("chainLinkOfThis", before), before)
        read = subject.ask("attest_read", kind="attestation", json=_frame("attestation", told))
        yield judged(
            f"{name}: read", read, {"link": before, "range": [told["seq"]] * 2, "signer": told["by"]}
        )
        yield from _signed(name, "attestation", case, key, subject)


def _checkpoint(label: str, case: Json, chain: list[Json], key: str, subject: Subject) -> Iterator[Case]:
    told = case["checkpoint"]
    first, last = told["fromSeq"], told["uptoSeq"]
    name = f"{label} {first}..{last}"
    inside = [one["attestation"] for one in chain if first <= one["attestation"]["seq"] <= last]
    segment = segment_root([unpadded(one["sig"]) for one in inside])
    yield same(f"construction: {name} segment", case["segmentRootHex"], segment.hex())
    yield same(f"construction: {name} root", told["root"], chain_root(told, segment))
    read = subject.ask("attest_read", kind="checkpoint", json=_frame("checkpoint", told))
    yield judged(f"{name}: read", read, {"root": told["root"], "range": [first, last], "signer": told["by"]})
    yield from _signed(name, "checkpoint", case, key, subject)


def _signed(name: str, kind: str, case: Json, key: str, subject: Subject) -> Iterator[Case]:
    """Hold the payload against the published one; the signature must hold, and no spoiled frame's may."""
    told = case[kind]
    yield same(f"construction: {name} payload", case["payloadHex"], PAYLOADS[kind](told).hex())
    asked = {"kind": kind, "public_key": key}
    yield judged(f"{name}: verifies", subject.ask("attest_verify", json=_frame(kind, told), **asked), {})
    for what, bent in spoiled_members(told):
        yield refused(f"{name}: {what}", subject.ask("attest_verify", json=_frame(kind, bent), **asked))


def _histories(value: Json, subject: Subject) -> Iterator[Case]:
    for case in (*value["conflicts"], *value["notConflicts"]):
        expected = {word: said in case["expected"]["because"] for said, word in _BECAUSE.items()}
        both = [_frame("checkpoint", case[side]) for side in ("a", "b")]
        for way, (left, right) in (("", both), (", the other way round", both[::-1])):
            yield judged(
                f"{case['label']}{way}", subject.ask("attest_conflict", left=left, right=right), expected
            )
    for case in value["linkChecks"]:
        asked = {"json": _frame("checkpoint", case["checkpoint"]), "held": _frame("checkpoint", case["prev"])}
        answer = subject.ask("attest_link", **asked)
        valid = case["expected"]["valid"]
        yield judged(case["label"], answer, {}) if valid else refused(case["label"], answer)


def _lead(case: Json, key: str, subject: Subject) -> Iterator[Case]:
    label = case["label"]
    yield from _signed(label, "witness", case, key, subject)
    told, held = _frame("witness", case["witness"]), [_frame("checkpoint", one) for one in case["held"]]
    expected = {
        "lead": case["expected"]["lead"],
        "against_witness": case["expected"]["evidenceAgainstWitness"],
    }
    yield judged(f"{label}: what it is", subject.ask("attest_witness", json=told, held=held), expected)
    if not case["expected"]["equivocationEvidence"]:
        for one in held:
            answer = subject.ask("attest_conflict", left=told, right=one)
            yield refused(f"{label}: no evidence of equivocation", answer)


def _own_chain(value: Json, attester: Json, subject: Subject) -> Iterator[Case]:
    """Let the implementation sign what the published chain says, and check what it made of it."""
    label = "a chain of its own"
    judgements = [case["attestation"] for case in value["attestations"]]
    cuts = {case["checkpoint"]["uptoSeq"] for case in value["checkpoints"]}
    steps: list[Any] = []
    for told in judgements:
        steps.append(_judged(told))
        if told["seq"] in cuts:
            steps.append(_AT_MS)
    answer = subject.ask(
        "attest_chain",
        node_id=attester["nodeId"],
        seed=attester["privateSeedBase64url"],
        room=judgements[0]["room"],
        steps=steps,
    )
    if answer.unsupported:
        yield not_covered(label, "the implementation has no such operation")
        return
    frames = answer.member("frames")
    if not isinstance(frames, list) or len(frames) != len(steps):
        yield failed(label, f"refused: {answer.reason}" if answer.reason else "not a frame for each step")
        return
    yield from _chain_made(label, frames, judgements, attester["publicKeyBase64url"], subject)


def _chain_made(
    label: str, frames: list[Json], judgements: list[Json], key: str, subject: Subject
) -> Iterator[Case]:
    before, root, signatures = "genesis", "genesis", list[bytes]()
    expected = iter(judgements)
    for frame in frames:
        kind = "attestation" if "attestation" in frame else "checkpoint"
        told = frame[kind]
        if kind == "attestation":
            wanted = {**next(expected), "prev": before, "sig": told["sig"]}
            before = link(told)
            signatures.append(unpadded(told["sig"]))
        else:
            made = {"fromSeq": told["uptoSeq"] - len(signatures) + 1, "prev": root, "at": _AT_MS}
            wanted = {**told, **made, "root": chain_root({**told, **made}, segment_root(signatures))}
            root, signatures = wanted["root"], []
        yield same(f"{label}: {kind} {told.get('seq', told.get('uptoSeq'))}", wanted, told)
        answer = subject.ask("verify_signature", **_asked(kind, told, key))
        yield judged(f"{label}: its signature over our payload", answer, {})


def _asked(kind: str, told: Json, key: str) -> Json:
    return {"message": b64(PAYLOADS[kind](told)), "signature": told["sig"], "public_key": key}


def _judged(told: Json) -> Json:
    return {
        "key": told["of"],
        "assertion_id": told["assertionId"],
        "decision": told["verdict"],
        "verdicts": [told["categories"][name] for name in CATEGORIES],
        "method": told["method"],
        "role": told["role"],
        "at_ms": told["at"],
    }


def _frame(kind: str, told: Json) -> str:
    return minified({"type": f"sym-attest-{kind}", kind: told})


# --- the constructions, by the extension's text (§16.4) ---------------------------------------------


def link(told: Json) -> str:
    """Return what the next attestation names as the one before it."""
    return hashlib.sha256(unpadded(told["sig"])).hexdigest()


def segment_root(signatures: Sequence[bytes]) -> bytes:
    """Return the Merkle root over a segment's signatures; one without a partner moves up."""
    level = [hashlib.sha256(b"mmp-attest-leaf-v1\n" + one).digest() for one in signatures]
    while len(level) > 1:
        pairs = (level[at : at + 2] for at in range(0, len(level), 2))
        level = [
            hashlib.sha256(b"mmp-attest-node-v1\n" + b"".join(pair)).digest() if len(pair) == 2 else pair[0]
            for pair in pairs
        ]
    return level[0]


def chain_root(told: Json, segment: bytes) -> str:
    """Return a checkpoint's root over the one before it and its segment."""
    said = (told["prev"], told["fromSeq"], told["uptoSeq"], segment.hex())
    return hashlib.sha256(b"mmp-attest-chain-v1\n" + b"".join(map(lp, said))).hexdigest()


def _attestation(told: Json) -> bytes:
    said = [told[name] for name in ("of", "assertionId", "by", "at", "room", "method", "verdict")]
    said += [told["categories"][name] for name in CATEGORIES]
    said += [told[name] for name in ("role", "seq", "prev")]
    return b"mmp-attest-v1\n" + b"".join(map(lp, said))


def _checkpoint_payload(told: Json) -> bytes:
    said = (told[name] for name in ("by", "room", "fromSeq", "uptoSeq", "prev", "root", "at"))
    return b"mmp-attest-checkpoint-v1\n" + b"".join(map(lp, said))


def _witness_payload(told: Json) -> bytes:
    said = (told[name] for name in ("attester", "room", "fromSeq", "uptoSeq", "root", "by", "role", "at"))
    return b"mmp-attest-witness-v1\n" + b"".join(map(lp, said))


PAYLOADS: Final = {
    "attestation": _attestation,
    "checkpoint": _checkpoint_payload,
    "witness": _witness_payload,
}
"""What each kind signs."""

FAMILY = Family("attestations", lambda artifact: members(artifact, "attestations", "checkpoints"), _run)
