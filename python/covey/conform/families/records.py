"""`record-signature-v2`: addresses, assertion ids and signatures of whole records (§8.8).

A signature is verified, never compared; what is signed is compared through its digest, the assertion id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from covey.conform.family import Family, judged, members, refused
from covey.conform.folder import Artifact, Collection
from covey.conform.mutate import spoiled
from covey.conform.reference import minified
from covey.conform.report import Case, failed, not_covered, same
from covey.conform.subject import Subject

Json = dict[str, Any]


def _run(artifact: Artifact, _: Collection, subject: Subject) -> Iterator[Case]:
    test_key = artifact.value["testKey"]
    public_key = test_key["publicKeyBase64url"]
    found = subject.ask("public_key", seed=test_key["privateSeedBase64url"])
    yield judged("test key", found, {"public_key": public_key})
    keys = set()
    for case in artifact.value["cases"]:
        record, label = case["record"], case["label"]
        keys.add(record["metadata"]["key"])
        payload = bytes.fromhex(case["expectedSigningPayloadHex"])
        assertion = "asrt-" + hashlib.sha256(payload).hexdigest()
        yield same(f"{label}: payload digests to the assertion id", case["expectedAssertionId"], assertion)
        expected = {"assertion_id": case["expectedAssertionId"], "key": record["metadata"]["key"]}
        answer = subject.ask("verify_record", json=minified(record), public_key=public_key)
        yield judged(f"{label}: verifies", answer, expected)
        yield _minted(label, record, test_key["privateSeedBase64url"], case["expectedAssertionId"], subject)
        yield from _addresses(label, record, subject)
        yield from _refusals(label, record, public_key, subject)
    if "invariant" in artifact.value:
        yield same("both cases have one cognition key", 1, len(keys))


def _addresses(label: str, record: Json, subject: Subject) -> Iterator[Case]:
    texts = {name: value["text"] for name, value in record["categories"].items()}
    for name, value in record["categories"].items():
        answer = subject.ask("category_key", name=name, text=value["text"])
        yield judged(f"{label}: key of {name}", answer, {"key": value["meta"]["key"]})
    answer = subject.ask("content_key", texts=texts)
    yield judged(f"{label}: content key", answer, {"key": record["metadata"]["key"]})


def _minted(label: str, record: Json, seed: str, assertion: str, subject: Subject) -> Case:
    """Sign the same draft: whatever the signature's bytes, it is the same assertion."""
    label = f"{label}: minted again"
    answer = subject.ask("sign_record", seed=seed, **draft(record))
    if answer.unsupported:
        return not_covered(label, "the implementation has no such operation")
    text = answer.member("json")
    if not isinstance(text, str) or assertion not in text:
        return failed(label, f"not the published assertion: {answer.reason or text}"[:240])
    return judged(label, subject.ask("parse_record", json=text), {})


def draft(record: Json) -> Json:
    """Return a record as arguments of `sign_record`."""
    metadata, application = record["metadata"], record["metadata"].get("application")
    return {
        "texts": {name: value["text"] for name, value in record["categories"].items()},
        "node_id": metadata["createdByNodeId"],
        "author": metadata["createdBy"],
        "created_ms": metadata["createdTimestamp"],
        "room": metadata["room"],
        "to": metadata["to"],
        "parents": (metadata["lineage"] or {}).get("parents", []),
        "category_parents": {n: value["meta"]["parents"] for n, value in record["categories"].items()},
        "application": None
        if application is None
        else {
            "media_type": application["mediaType"],
            "schema": application["schema"],
            "data": application["data"],
        },
    }


def _refusals(label: str, record: Json, public_key: str, subject: Subject) -> Iterator[Case]:
    for what, mutated in spoiled(record):
        answer = subject.ask("verify_record", json=minified(mutated), public_key=public_key)
        yield refused(f"{label}: {what}", answer)


FAMILY = Family(
    "record signature", lambda artifact: members(artifact, "signatureSuite", "testKey", "cases"), _run
)
