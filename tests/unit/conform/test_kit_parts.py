"""Folders, adapters and the line protocol: what they make of what they are given."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from covey import limits
from covey.conform import folder, run
from covey.conform.own import Own
from covey.conform.process import Process
from covey.conform.report import State
from covey.conform.serve import answer_line, serve
from covey.conform.subject import SubjectError
from covey.errors import UsageError


def test_a_folder_is_read_whole_and_only_its_json(tmp_path: Path) -> None:
    (tmp_path / "schema").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "schema" / "a.json").write_text('{"x": 1}')
    (tmp_path / ".git" / "b.json").write_text("{}")
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "README.md").write_text("no")
    found = folder.read(tmp_path)
    assert [(artifact.path, artifact.value) for artifact in found.artifacts] == [("schema/a.json", {"x": 1})]


def test_a_file_that_cannot_be_read_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "good.json").write_text("{}")
    report = run.run(folder.read(tmp_path), Own())
    assert {row.artifact for row in report.rows if row.count(State.FAIL)} == {"bad.json", "deep.json"}
    assert not report.conforms


@pytest.mark.parametrize("make", ["nothing", "empty"])
def test_a_folder_with_nothing_to_check_is_asked_wrongly(tmp_path: Path, make: str) -> None:
    with pytest.raises(UsageError):
        folder.read(tmp_path / "absent" if make == "nothing" else tmp_path)


def test_an_artifact_built_otherwise_fails_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"measure": 1, "base": {}, "cases": [{"label": "x"}]}')
    (tmp_path / "b.json").write_text('{"what": "is this"}')
    report = run.run(folder.read(tmp_path), Own())
    assert [(row.family, row.count(State.FAIL), row.count(State.NOT_COVERED)) for row in report.rows] == [
        ("record size", 1, 0),
        ("unknown", 0, 1),
    ]


def test_digests_are_compared_with_the_files(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    for listed, state in ((digest, State.PASS), ("0" * 64, State.FAIL)):
        (tmp_path / "artifact-manifest.json").write_text(
            json.dumps({"files": {"x.json": listed, "y.json": digest}})
        )
        row = run.run(folder.read(tmp_path), Own()).rows[0]
        assert (row.family, row.count(state), row.count(State.NOT_COVERED)) == ("published digests", 1, 1)


@pytest.mark.parametrize(
    ("op", "arguments"),
    [
        ("category_key", {}),
        ("category_key", {"name": 5, "text": None}),
        ("parse_record", {"json": 5}),
        ("verify_record", {"json": "{}", "public_key": "!"}),
        ("verify_signature", {"message": "", "signature": "A", "public_key": ""}),
        ("sign_record", {"texts": {}}),
        ("evaluate", {"incoming": {"focus": ["x"]}, "anchors": [], "profile": {}, "age_seconds": 0}),
        ("session_receive", {"session": 99, "data": ""}),
        ("session_start", {"role": "neither"}),
        ("read_relay_frame", {"json": "null"}),
        ("read_published_frame", {"json": '{"type": []}'}),
        ("legacy_key", {"texts": {"nothing": "x"}}),
        ("read_legacy_frame", {"json": 5, "room": "default"}),
        ("read_legacy_frame", {"json": "[" * 1_000, "room": "default"}),
        ("attest_read", {"kind": "witness", "json": "null"}),
        ("attest_verify", {"kind": "none", "json": "{}", "public_key": ""}),
        ("attest_conflict", {"left": None, "right": "{}"}),
        ("attest_link", {"json": "{}"}),
        ("attest_witness", {"json": "{}", "held": 5}),
        ("attest_chain", {"node_id": "x", "seed": "", "room": "r", "steps": [1]}),
    ],
)
def test_whatever_is_asked_an_answer_comes_back(op: str, arguments: dict[str, Any]) -> None:
    answer = Own().ask(op, **arguments)
    assert answer.reason and not answer.ok and not answer.unsupported


def test_an_adapter_keeps_a_bounded_number_of_sessions() -> None:
    own, start = Own(), {"role": "server", "node_id": "018f47a0-7b21-7abc-8def-222222222222", "name": "x"}
    start |= {
        "seed": "A" * 42 + "E",
        "room": "r",
        "extensions": [],
        "e2e_secret": "A" * 43,
        "nonce": "A" * 43,
    }
    numbers = [
        own.ask("session_start", implementation={"name": "x", "version": "1"}, **start).member("session")
        for _ in range(limits.CONFORM_SESSIONS + 1)
    ]
    assert own.ask("session_receive", session=numbers[0], data="").reason == "bad_request"
    assert own.ask("session_receive", session=numbers[1], data="").ok


@pytest.mark.parametrize("line", [b"", b"null", b"[]", b"{}", b'{"id":1}', b"\xff", b"[" * 100_000])
def test_a_line_that_asks_nothing_is_answered(line: bytes) -> None:
    assert json.loads(answer_line(Own(), line))["reason"] == "bad_request"


def test_lines_are_answered_in_order() -> None:
    said: list[bytes] = []
    assert json.loads(answer_line(Own(), b'{"id":"\\ud800","op":"hello"}'))["id"] == "\ud800"
    serve(Own(), [b'{"id":1,"op":"hello"}\n', b"\n", b'{"id":2,"op":"no such"}\n'], said.append)
    first, second = (json.loads(line) for line in said)
    assert (first["id"], first["result"]["name"]) == (1, "covey")
    assert second == {"id": 2, "ok": False, "unsupported": True}


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("", "ended"),
        ("print('no json', flush=True); input()", "no JSON"),
        ("print('{}', flush=True); input()", "another question"),
        ('input(); print(\'{"id": 1, "ok": 5}\', flush=True); input()', "neither"),
        ("input(); print('x' * 20_000_000, flush=True)", "bytes"),
    ],
)
def test_an_adapter_that_breaks_off_is_named(tmp_path: Path, program: str, says: str) -> None:
    script = tmp_path / "adapter.py"
    script.write_text(program)
    with Process(f"{sys.executable} {script}") as broken, pytest.raises(SubjectError, match=says):
        broken.ask("hello")


def test_an_adapter_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "adapter.py"
    script.write_text("import sys; sys.stdin.read()")
    monkeypatch.setattr(limits, "CONFORM_ANSWER_SECONDS", 0.2)
    with Process(f"{sys.executable} {script}") as silent, pytest.raises(SubjectError, match="did not answer"):
        silent.ask("hello")


def test_no_such_adapter() -> None:
    with pytest.raises(SubjectError, match="cannot start"):
        Process("/no/such/program")
