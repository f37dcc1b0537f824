"""The GitHub Action's own step, as a runner executes it; GitHub is a local server."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.tidy import tree

ACTION = yaml.safe_load(tree.text("action.yml"))
REVIEW = next(step for step in ACTION["runs"]["steps"] if step.get("id") == "review")
DIFF = "--- a/parser.py\n+++ b/parser.py\n+def parse(text): return eval(text)\n"
TAPE = "examples/review-on-tape/00001-anthropic.json"
TITLE = 'parse "it"; $(touch canary) `touch canary` ::error::x'


class Hub:
    """GitHub, as far as the action asks it; keeps what it was sent."""

    def __init__(self) -> None:
        said = self.said = queue.Queue[tuple[str, str, str | None, bytes]]()
        self.comments: list[dict[str, object]] = [{"id": 1, "body": "a person's"}]
        self.refuses = False
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_diff = self.headers["Accept"] == "application/vnd.github.diff"
                self._answer(DIFF.encode() if is_diff else json.dumps(hub.comments).encode())

            def do_POST(self) -> None:
                self._answer(b"{}", 403 if hub.refuses else 201)

            do_PATCH = do_POST  # noqa: N815  # the name that http.server looks for

            def _answer(self, body: bytes, status: int = 200) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                said.put((self.command, self.path, self.headers["Authorization"], sent))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def sent(self) -> list[tuple[str, str, str | None, bytes]]:
        return [self.said.get_nowait() for _ in range(self.said.qsize())]


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    serving = threading.Thread(target=made.server.serve_forever)
    serving.start()
    yield made
    made.server.shutdown()
    serving.join()
    made.server.server_close()


class Runner:
    """One step of a job: its folders, its environment, and the files it writes to."""

    def __init__(self, folder: Path, hub: Hub) -> None:
        self.workspace, self.temp = folder / "repository", folder / "temp"
        self.workspace.mkdir()
        programs = self.temp / "covey/env/bin"
        programs.mkdir(parents=True)
        # What the step before installs.
        (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (programs / "python").chmod(0o755)
        event = folder / "event.json"
        event.write_text(json.dumps({"pull_request": {"number": 7, "title": TITLE}}))
        self.output, self.summary = folder / "output", folder / "summary"
        self.env = {
            "PATH": os.environ["PATH"],
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_ACTION_PATH": str(tree.ROOT),
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_API_URL": f"http://127.0.0.1:{hub.server.server_port}",
            "GITHUB_REPOSITORY": "octo/parser",
            "GITHUB_RUN_ID": "77",
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "PYTHONSAFEPATH": "1",
            "PYTHONPATH": os.pathsep.join([str(tree.ROOT), str(tree.ROOT / "python")]),
            "COVEY_ACTION_PYTHONPATH": str(tree.ROOT / "python"),
        }

    def step(self, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run the step's script with these inputs, from the repository under review, as the runner does."""
        given = {name: spec.get("default", "") for name, spec in ACTION["inputs"].items()}
        given |= {"room": f"ci-{os.urandom(4).hex()}", "github-token": "t0ken"}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        env = {
            variable: given[text.removeprefix("${{ inputs.").removesuffix(" }}")]
            for variable, text in REVIEW["env"].items()
            if text.startswith("${{ inputs.")
        }
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", REVIEW["run"]]
        return subprocess.run(
            words,
            cwd=self.workspace,
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def outputs(self) -> dict[str, str]:
        lines = iter(self.output.read_text().splitlines())
        found = {}
        for line in lines:
            name, end = line.split("<<")
            value = []
            while (each := next(lines)) != end:
                value.append(each)
            found[name] = "\n".join(value)
        return found

    def touched(self) -> list[str]:
        return [path.name for path in self.workspace.rglob("*canary*")]


@pytest.fixture
def runner(tmp_path: Path, hub: Hub) -> Runner:
    made = Runner(tmp_path, hub)
    tape = made.workspace / "tape"
    tape.mkdir()
    (tape / "00001-anthropic.json").write_text(tree.text(TAPE))
    return made


def test_x27_a_pull_request_is_reviewed_and_the_answer_posted(runner: Runner, hub: Hub) -> None:
    # What a hostile repository could put in Python's way.
    for name in ("json.py", "covey.py", "sitecustomize.py"):
        (runner.workspace / name).write_text("open('canary', 'w')")
    done = runner.step(replay="tape")
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = runner.outputs()
    assert outputs["cmbs-emitted"] == "1" and float(outputs["cost-usd"]) > 0
    listed, compared, posted = hub.sent()[1:], None, None
    for method, path, token, body in listed:
        assert token == "Bearer t0ken"
        compared = compared or (path if method == "GET" else None)
        posted = body if method == "POST" else posted
    assert compared == "/repos/octo/parser/issues/7/comments?per_page=100" and posted is not None
    comment = json.loads(posted)["body"]
    assert comment == Path(outputs["result-path"]).read_text() == runner.summary.read_text()
    assert "**issue**\n\n```text\nwhat stands here was written by hand" in comment
    assert runner.touched() == []
    assert "\n::error" not in done.stdout and TITLE not in done.stdout
    store = runner.temp / "covey/home"
    assert any(b"return eval(text)" in path.read_bytes() for path in store.rglob("*.db*")), (
        "the diff was the seed"
    )


def test_a_second_review_writes_its_earlier_comment_anew(runner: Runner, hub: Hub) -> None:
    hub.comments.append({"id": 5, "body": "<!-- covey-review -->\nold"})
    (runner.workspace / "change.diff").write_text(DIFF)
    assert runner.step(replay="tape", diff="change.diff").returncode == 0
    assert [(method, path.partition("?")[0]) for method, path, _, _ in hub.sent()] == [
        ("GET", "/repos/octo/parser/issues/7/comments"),
        ("PATCH", "/repos/octo/parser/issues/comments/5"),
    ]


def test_a_comment_that_is_not_allowed_is_a_warning_with_its_remedy(runner: Runner, hub: Hub) -> None:
    hub.refuses = True
    done = runner.step(replay="tape")
    assert done.returncode == 0
    assert "::warning" in done.stdout and "pull-requests: write" in done.stdout


@pytest.mark.parametrize("name", ["role", "model", "config"])
def test_x27_hostile_inputs_are_values_and_never_commands(name: str, runner: Runner, hub: Hub) -> None:
    text = "\"; touch canary; $(touch canary2) `touch canary3` ' && touch canary4 #\n::error::pwned"
    done = runner.step(**{"replay": "tape", "comment": "false", "duration_seconds": "20", name: text})
    assert runner.touched() == []
    assert "Traceback" not in done.stderr
    word = next((line.split("::")[1] for line in done.stdout.splitlines() if "stop-commands" in line), None)
    outside = done.stdout if word is None else done.stdout.partition("::stop-commands::")[0]
    assert "pwned" not in outside


def test_without_a_key_it_ends_with_what_the_dry_run_says(runner: Runner, hub: Hub) -> None:
    done = runner.step()
    assert done.returncode == 1
    assert "ANTHROPIC_API_KEY" in done.stdout and "::error title=covey review::" in done.stdout
    assert hub.sent() == []
