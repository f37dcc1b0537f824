"""`record-size-v2`: records at and past every size limit (update 1, §8.8.6)."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from typing import Any

from covey.conform.family import Family, judged, members, refused
from covey.conform.folder import Artifact, Collection
from covey.conform.reference import b64, minified
from covey.conform.report import Case, same
from covey.conform.subject import Subject


def _run(artifact: Artifact, _: Collection, subject: Subject) -> Iterator[Case]:
    for case in artifact.value["cases"]:
        label, text = case["label"], minified(_expanded(artifact.value["base"], case))
        yield same(f"{label}: measured", case["expected"]["recordBytes"], len(text.encode()))
        answer = subject.ask("parse_record", json=text)
        yield judged(label, answer, {}) if case["expected"]["within"] else refused(label, answer)


def _expanded(base: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    record = copy.deepcopy(base)
    for name, fill in case.get("fill", {}).items():
        record["categories"][name]["text"] = fill["unit"] * fill["count"]
    if "applicationBytes" in case:
        data = b"\x61" * case["applicationBytes"]
        record["metadata"]["application"] = {
            "mediaType": "application/octet-stream",
            "schema": "https://meshcognition.org/schema/size-fixture-v1.json",
            "encoding": "base64url",
            "byteLength": len(data),
            "digest": "sha256-" + hashlib.sha256(data).hexdigest(),
            "data": b64(data),
        }
    return record


FAMILY = Family("record size", lambda artifact: members(artifact, "measure", "base", "cases"), _run)
