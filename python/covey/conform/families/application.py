"""`application-v2`: application bytes, carried and committed to (§8.8.3).

The commitment stands inside the signed payload, so an implementation shows it by the assertion id of what it
mints.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from covey.conform.family import Family, members
from covey.conform.folder import Artifact, Collection
from covey.conform.reference import application_commitment, b64, lp, unpadded
from covey.conform.report import Case, failed, not_covered, same
from covey.conform.subject import Subject

_NODE: Final = "018f47a0-7b21-7abc-8def-0123456789ab"
_SEED: Final = b64(b"\x42" * 32)
_TEXTS: Final = {
    name: f"about {name}"
    for name in ("focus", "issue", "intent", "motivation", "commitment", "perspective", "mood")
}


def _run(artifact: Artifact, _: Collection, subject: Subject) -> Iterator[Case]:
    for case in artifact.value["cases"]:
        label, given, published = case["label"], case["application"], case["expectedCommitment"]
        yield same(f"{label}: commitment", published, application_commitment(given))
        if given is not None:
            data = unpadded(given["data"])
            yield same(f"{label}: data", case["decodedDataUtf8"], data.decode())
            yield same(f"{label}: digest", given["digest"], "sha256-" + hashlib.sha256(data).hexdigest())
        yield _committed(f"{label}: in an assertion", given, published, subject)


def _committed(label: str, given: dict[str, Any] | None, commitment: str, subject: Subject) -> Case:
    application = given and {
        "media_type": given["mediaType"],
        "schema": given["schema"],
        "data": given["data"],
    }
    asked = {"node_id": _NODE, "author": "vector-author", "created_ms": 1, "room": "conformance-room"}
    answer = subject.ask("sign_record", texts=_TEXTS, seed=_SEED, application=application, **asked)
    if answer.unsupported:
        return not_covered(label, "the implementation has no such operation")
    text = answer.member("json")
    if not isinstance(text, str):
        return failed(label, f"refused: {answer.reason}")
    metadata = json.loads(text)["metadata"]
    no_parents = hashlib.sha256(b"mmp-fp-v1\n" + b"".join(lp(name) + lp(0) for name in _TEXTS)).hexdigest()
    said = ("2.0", "mmp-cmb-merkle-v2", metadata["key"], *asked.values(), "", 0, no_parents, commitment)
    payload = b"mmp-sig-v2.0\n" + b"".join(lp(part) for part in said)
    return same(label, "asrt-" + hashlib.sha256(payload).hexdigest(), metadata["assertionId"])


FAMILY = Family("application bytes", lambda artifact: members(artifact, "construction", "cases"), _run)
