"""`cmb-key-v1` and `cmb-sig-v1`: the addresses and signed payloads of MMP 1.1.

A peer reads these on the legacy wire only; Core Secure refuses both forms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from covey.conform.family import Family, judged, refused
from covey.conform.folder import Artifact, Collection
from covey.conform.reference import b64, lp
from covey.conform.report import Case, same
from covey.conform.subject import Subject


def _keys(artifact: Artifact, _: Collection, subject: Subject) -> Iterator[Case]:
    for case in artifact.value["cases"]:
        texts = {name: _said(value) for name, value in case["fields"].items()}
        answer = subject.ask(
            "legacy_key", texts=texts, parents=case.get("parents", []), receiver=case.get("receiver")
        )
        yield judged(case["label"], answer, {"key": case["expectedKey"]})


def _said(value: Any) -> str:
    text = value["text"] if isinstance(value, dict) else value
    return "" if text is None else str(text)


def _signatures(artifact: Artifact, _: Collection, subject: Subject) -> Iterator[Case]:
    key = artifact.value["testKeypair"]["publicKeyB64url"]
    for case in artifact.value["cases"]:
        label, cmb = case["label"], case["cmb"]
        said = (cmb["key"], cmb["createdBy"], cmb["createdAt"], cmb["group"], cmb.get("to") or "")
        payload = b"mmp-sig-v1\n" + b"".join(map(lp, said))
        yield same(f"construction: {label}", case["signingPayloadHex"], payload.hex())
        asked = {"message": b64(payload), "signature": case["expectedSig"], "public_key": key}
        yield judged(f"{label}: verifies", subject.ask("verify_signature", **asked), {})
        bent = {**asked, "message": b64(payload + b"x")}
        yield refused(f"{label}: other bytes", subject.ask("verify_signature", **bent))


def _cases_with(*names: str) -> Callable[[Artifact], bool]:
    def recognises(artifact: Artifact) -> bool:
        cases = artifact.value.get("cases") if isinstance(artifact.value, dict) else None
        first = cases[0] if isinstance(cases, list) and cases else None
        return isinstance(first, dict) and all(name in first for name in names)

    return recognises


KEYS = Family("1.1 addresses", _cases_with("fields", "expectedKey"), _keys)
SIGNATURES = Family("1.1 signatures", _cases_with("cmb", "signingPayloadHex"), _signatures)
