"""The conformance kit on the published data: nothing fails, on this build and on a second process."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from covey.conform import folder, run
from covey.conform.own import Own
from covey.conform.process import Process
from covey.conform.report import Report, Row, State
from covey.conform.subject import Answer
from tests.conformance.conftest import SIBLING

PACKAGE = Path(__file__).parents[2] / "python"


@pytest.fixture(scope="module")
def collection() -> folder.Collection:
    place = Path(os.environ.get("COVEY_VECTORS", SIBLING / "vectors"))
    if not place.is_dir():
        pytest.skip(f"vectors: no data at {place}; set COVEY_VECTORS to run these")
    return folder.read(place)


@pytest.fixture(scope="module")
def own(collection: folder.Collection) -> Report:
    return run.run(collection, Own())


def test_nothing_published_fails(own: Report) -> None:
    failures = [(row.artifact, case) for row in own.rows for case in row.of(State.FAIL)]
    assert failures == []
    assert own.count(State.PASS) > 7_000


def test_every_published_artifact_is_known(own: Report) -> None:
    assert [row.artifact for row in own.rows if row.family == "unknown"] == []


def test_what_is_not_covered_is_known(own: Report) -> None:
    # A gap that is not in this list is a step back; one that is closed leaves it.
    gaps = {
        (row.artifact.rpartition("/")[2], case.detail)
        for row in own.rows
        for case in row.of(State.NOT_COVERED)
    }
    assert gaps <= {("SOURCES.json", "not in this folder")}


def test_a_second_process_comes_out_the_same(
    collection: folder.Collection, own: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PACKAGE))
    with Process(f"{sys.executable} -m covey conform --serve") as other:
        report = run.run(collection, other)
    assert report.as_dict() == own.as_dict()


class Listening:
    """This build, and which operation each artifact asks for."""

    def __init__(self) -> None:
        self.own = Own()
        self.asked: dict[str, set[str]] = {}
        self.now: set[str] = set()

    def ask(self, op: str, **arguments: Any) -> Answer:
        self.now.add(op)
        return self.own.ask(op, **arguments)

    def done(self, row: Row) -> None:
        for op in self.now:
            self.asked.setdefault(op, set()).add(row.artifact)
        self.now.clear()


@pytest.fixture(scope="module")
def heard(collection: folder.Collection) -> Listening:
    listening = Listening()
    run.run(collection, listening, listening.done)
    return listening


class Lying:
    """This build, but for one operation that answers wrongly."""

    def __init__(self, op: str) -> None:
        self.op = op
        self.own = Own()

    def ask(self, op: str, **arguments: Any) -> Answer:
        answer = self.own.ask(op, **arguments)
        if op != self.op:
            return answer
        if answer.result is None:
            return Answer(result={})
        return Answer(reason="no")


@pytest.mark.parametrize(
    "op",
    [
        "category_key",
        "content_key",
        "parse_record",
        "verify_record",
        "sign_record",
        "verify_signature",
        "public_key",
        "evaluate",
        "read_relay_frame",
        "read_published_frame",
        "legacy_key",
        "read_legacy_frame",
        "attest_read",
        "attest_verify",
        "attest_conflict",
        "attest_link",
        "attest_witness",
        "attest_chain",
    ],
)
def test_a_wrong_implementation_fails(collection: folder.Collection, heard: Listening, op: str) -> None:
    sizes = {artifact.path: len(artifact.raw) for artifact in collection.artifacts}
    small = sorted(heard.asked[op], key=lambda path: (sizes[path], path))[:6]
    report = run.run(collection, Lying(op), only=small)
    assert report.count(State.FAIL) > 0
    assert not report.conforms


class Deaf:
    """An implementation that can do nothing."""

    def ask(self, op: str, **arguments: Any) -> Answer:
        return Answer(unsupported=True)


def test_an_implementation_that_can_do_nothing_conforms_to_nothing(collection: folder.Collection) -> None:
    report = run.run(collection, Deaf())
    asked = [row for row in report.rows if row.family not in ("published digests", "schema")]
    # What passes is the kit's own construction against the vectors, which asks nobody.
    answered = [
        (row.artifact, case.label)
        for row in asked
        for case in row.of(State.PASS)
        if not case.label.startswith("construction")
        and row.family not in ("application bytes", "record size")
    ]
    assert {label for _, label in answered} <= {"both cases have one cognition key"} | {
        label for _, label in answered if "payload digests" in label
    }
    assert report.count(State.NOT_COVERED) > 100
