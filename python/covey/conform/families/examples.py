"""Whole records without a key beside them, and records with one: examples, fixtures of other runtimes.

A published example has no key: its addresses and its schema are what can be held against it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from covey.conform.family import Family, judged, members
from covey.conform.folder import Artifact, Collection
from covey.conform.reference import minified
from covey.conform.report import Case, not_covered, same
from covey.conform.subject import Subject

Json = dict[str, Any]


def record_of(value: Any) -> Json | None:
    """Return the record inside an example: itself, in a clear frame, or in a fixture."""
    inner = [value.get(name) for name in ("cmb", "record")] if isinstance(value, dict) else []
    for inside in (value, *inner):
        if isinstance(inside, dict) and isinstance(inside.get("metadata"), dict) and "categories" in inside:
            return inside if "assertionId" in inside["metadata"] else None
    return None


def _run(artifact: Artifact, collection: Collection, subject: Subject) -> Iterator[Case]:
    record = record_of(artifact.value)
    if record is None:
        return
    answer = subject.ask("parse_record", json=minified(record))
    yield judged("well formed", answer, {})
    texts = {name: value["text"] for name, value in record["categories"].items()}
    yield judged("content key", subject.ask("content_key", texts=texts), {"key": record["metadata"]["key"]})
    for name, value in record["categories"].items():
        found = subject.ask("category_key", name=name, text=value["text"])
        yield judged(f"key of {name}", found, {"key": value["meta"]["key"]})
    if isinstance(answer.member("json"), str):
        projected = json.loads(answer.member("json"))
        again = subject.ask("parse_record", json=answer.member("json"))
        yield same(
            "the projection is its own projection", projected, json.loads(again.member("json") or "null")
        )
    yield from _signature(artifact, record, collection, subject)


def _signature(artifact: Artifact, record: Json, collection: Collection, subject: Subject) -> Iterator[Case]:
    expected = {"assertion_id": record["metadata"]["assertionId"]}
    own_key = artifact.value.get("authorPublicKeyBase64url")
    known = [own_key] if own_key else _test_keys(collection)
    for key in known:
        answer = subject.ask("verify_record", json=minified(record), public_key=key)
        if answer.ok or own_key:
            yield judged("signature and assertion id", answer, expected)
            return
    yield not_covered("signature", "the author's key is not published with it")


def _test_keys(collection: Collection) -> list[str]:
    found = {
        artifact.value["testKey"]["publicKeyBase64url"]
        for artifact in collection.having("testKey")
        if "publicKeyBase64url" in artifact.value["testKey"]
    }
    return sorted(found)


def _recognises(artifact: Artifact) -> bool:
    return not members(artifact, "cases") and record_of(artifact.value) is not None


FAMILY = Family("whole record", _recognises, _run)
