"""`record-projection-v2`: the canonical form of a record, and what is refused before it (§8.8.5)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from covey.conform.family import Family, judged, members, refused
from covey.conform.folder import Artifact, Collection
from covey.conform.reference import minified
from covey.conform.report import Case, failed, not_covered, passed
from covey.conform.subject import Subject


def _run(artifact: Artifact, _: Collection, subject: Subject) -> Iterator[Case]:
    key = artifact.value["testKey"]["publicKeyBase64url"]
    for case in artifact.value["cases"]:
        label, expected, text = case["label"], case["expected"], minified(case["record"])
        if not expected["accepted"]:
            yield refused(label, subject.ask("verify_record", json=text, public_key=key))
            continue
        yield _projected(f"{label}: projection", expected, text, subject)
        yield judged(f"{label}: verifies", subject.ask("verify_record", json=text, public_key=key), {})


def _projected(label: str, expected: dict[str, Any], text: str, subject: Subject) -> Case:
    answer = subject.ask("parse_record", json=text)
    if answer.unsupported:
        return not_covered(label, "the implementation has no such operation")
    found = answer.member("json")
    if not isinstance(found, str):
        return failed(label, f"refused: {answer.reason}")
    if json.loads(found) != expected["projection"]:
        return failed(label, "another projection")
    published = next(value for name, value in expected.items() if "sha256" in name.lower())
    if hashlib.sha256(found.encode()).hexdigest() != published.removeprefix("sha256-"):
        return failed(label, "not the RFC 8785 bytes of the projection")
    return passed(label)


def _recognises(artifact: Artifact) -> bool:
    if not members(artifact, "rule", "testKey", "cases"):
        return False
    return any("projection" in case.get("expected", {}) for case in artifact.value["cases"])


FAMILY = Family("record projection", _recognises, _run)
