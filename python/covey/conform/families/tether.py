"""`tether-v1`: drift against a lineage's root, and the attestation about it (§15.8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from nacl.signing import SigningKey

from covey.conform.family import Family, judged, members, refused
from covey.conform.folder import Artifact, Collection
from covey.conform.reference import b64, lp, minified
from covey.conform.report import Case, failed, passed, same
from covey.conform.subject import Answer, Subject

TOLERANCE: Final = 1e-9
"""The published decimals were printed by another language and rounded there."""

_TEST_KEY: Final = b64(bytes(SigningKey(b"\x42" * 32).verify_key))
"""The published test key pair of MMP 1.1: the byte 0x42, 32 times."""

_ATTESTED: Final = ("of", "anchor", "kernelId", "drift", "verdict", "by", "at")


def _run(artifact: Artifact, _: Collection, subject: Subject) -> Iterator[Case]:
    for case in artifact.value["driftCases"]:
        yield _measured(case, subject)
    yield from _attested(artifact.value["attestation"], subject)


def _measured(case: dict[str, Any], subject: Subject) -> Case:
    expected, label = case["expected"], case["label"]
    answer = subject.ask(
        "measure_tether",
        remix=_vectors(case["remixFields"]),
        root=_vectors(case["anchorFields"]),
        weights=case.get("fieldWeights", {}),
    )
    if answer.unsupported or answer.result is None:
        return judged(label, answer, {})
    for name in ("checked", "tethered"):
        if answer.member(name) is not expected[name]:
            return failed(label, f"{name}: expected {expected[name]}, found {answer.member(name)}")
    drift, published = answer.member("drift"), expected["drift"]
    if (drift is None) != (published is None) or (
        published is not None and abs(drift - published) > TOLERANCE
    ):
        return failed(label, f"drift: expected {published}, found {drift}")
    return passed(label)


def _vectors(fields: dict[str, Any]) -> dict[str, list[float]]:
    return {name: field["vector"] for name, field in fields.items()}


def _attested(published: dict[str, Any], subject: Subject) -> Iterator[Case]:
    record, whole = published["record"], attested(published)
    said = (*(record[name] for name in _ATTESTED[:3]), f"{record['drift']:.6f}")
    payload = b"mmp-tether-v1\n" + b"".join(map(lp, (*said, record["verdict"], record["by"], record["at"])))
    yield same("construction: attestation", published["payloadHex"], payload.hex())

    def verified(value: Any) -> Answer:
        return verify(value, subject)

    yield judged("attestation: verifies", verified(whole), {"payload": b64(payload)})
    others = {"drift": 0.752349, "verdict": "tethered", "at": record["at"] + 1}
    for name in _ATTESTED:
        bent = {**whole, name: others.get(name, f"{record[name]}x")}
        yield refused(f"attestation: another {name}", verified(bent))
    for pair in published["comparability"]:
        label = f"comparable: {pair['a']} and {pair['b']}"
        answer = subject.ask("compare_tethers", kernels=[pair["a"], pair["b"]])
        yield judged(label, answer, {"comparable": pair["comparable"]})


def attested(published: dict[str, Any]) -> dict[str, Any]:
    """Return the published attestation as its signer sends it."""
    return {**published["record"], "sig": published["expectedSig"], "sigAlg": published["sigAlg"]}


def verify(value: Any, subject: Subject) -> Answer:
    """Ask whether an attestation holds under the published test key."""
    return subject.ask("verify_tether", json=minified(value), public_key=_TEST_KEY)


def _recognises(artifact: Artifact) -> bool:
    return members(artifact, "driftCases", "attestation")


FAMILY = Family("lineage tether", _recognises, _run)
