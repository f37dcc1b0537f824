"""`ed25519-strict-v2`: one rule of valid signatures for everybody (update 1, §18.3.2)."""

from __future__ import annotations

from collections.abc import Iterator

from covey.conform.family import Family, judged, refused
from covey.conform.folder import Artifact, Collection
from covey.conform.reference import b64
from covey.conform.report import Case
from covey.conform.subject import Subject


def _run(artifact: Artifact, _: Collection, subject: Subject) -> Iterator[Case]:
    for case in artifact.value["cases"]:
        answer = subject.ask(
            "verify_signature",
            message=b64(bytes.fromhex(case["messageHex"])),
            signature=b64(bytes.fromhex(case["signatureHex"])),
            public_key=b64(bytes.fromhex(case["publicKeyHex"])),
        )
        accepted = case["expected"] == "accept"
        yield judged(case["label"], answer, {}) if accepted else refused(case["label"], answer)


def _recognises(artifact: Artifact) -> bool:
    cases = artifact.value.get("cases") if isinstance(artifact.value, dict) else None
    return isinstance(cases, list) and bool(cases) and "signatureHex" in cases[0]


FAMILY = Family("strict Ed25519", _recognises, _run)
