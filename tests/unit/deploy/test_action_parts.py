"""The parts of the GitHub Action: hostile inputs, hostile texts, and what reaches the runner of them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import settings
from covey.errors import ConfigError
from tools.action import github, inputs, peer

HOSTILE = (
    '"; touch canary; echo "',
    "$(touch canary)",
    "`touch canary`",
    "x\n[model]\nadapter = 'scripted'",
    "--help",
    "a'b",
    "::error::x",
    "${{ secrets.X }}",
    "\u202egnp.exe",
    "../../etc",
)


def env(**said: str) -> dict[str, str]:
    return {f"{inputs.PREFIX}{name}": value for name, value in said.items()}


def test_without_inputs_it_is_a_reviewer_with_small_bounds(tmp_path: Path) -> None:
    read = inputs.read({"GITHUB_RUN_ID": "77"}, tmp_path)
    assert (read.peer, read.role, read.adapter, read.room) == (
        "reviewer-77",
        "reviewer",
        "anthropic",
        "covey-ci",
    )
    assert (read.cost_cap_usd, read.duration_seconds, read.comment) == (1.0, 300.0, True)
    made = settings.parse(peer.configuration(read))
    assert made.budget.max_cost_usd_per_run == made.budget.max_cost_usd_per_day == 1.0
    assert made.run.max_calls == peer.CALLS and not made.mesh.lan


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", ["ROLE", "MODEL", "PROMPT", "ROOM", "PEER_NAME", "RELAY"])
def test_a_hostile_input_is_one_value_or_a_refusal(name: str, text: str, tmp_path: Path) -> None:
    read = inputs.read(env(**{name: text}), tmp_path)
    try:
        made = settings.parse(peer.configuration(read))
    except ConfigError:
        return
    assert made.model.adapter == "anthropic"
    if name == "PROMPT":
        assert made.prompt.system == text.strip()
    if name == "ROLE":
        assert made.identity.role == text.strip()


@pytest.mark.parametrize("name", ["COST_CAP_USD", "DURATION_SECONDS", "COMMENT", "CONFIG", "DIFF", "REPLAY"])
@pytest.mark.parametrize("text", [*HOSTILE, "nan", "-1", "inf", "\0"])
def test_a_number_a_flag_or_a_path_that_is_none_is_refused_without_its_value(
    name: str, text: str, tmp_path: Path
) -> None:
    with pytest.raises(inputs.InputError) as caught:
        inputs.read(env(**{name: text}), tmp_path)
    assert text not in str(caught.value) or text in ("-1", "nan", "inf")


def test_a_path_out_of_the_workspace_is_refused_through_links_too(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret").write_text("x")
    (inside / "link").symlink_to(tmp_path / "secret")
    for said in ("../secret", "link", str(tmp_path / "secret")):
        with pytest.raises(inputs.InputError, match="leads out"):
            inputs.read(env(DIFF=said), inside)


def test_an_unknown_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(inputs.InputError, match="expected one of anthropic"):
        peer.configuration(inputs.read(env(ADAPTER="x"), tmp_path))


def test_the_peer_gets_its_keys_and_nothing_else_of_the_step(tmp_path: Path) -> None:
    step = {"PATH": "p", "COVEY_INPUT_GITHUB_TOKEN": "t", "GITHUB_TOKEN": "t", "ACTIONS_RUNTIME_TOKEN": "t"}
    program = peer.Covey(tmp_path, step, {"ANTHROPIC_API_KEY": "k"})
    assert set(program._env) == {"PATH", "ANTHROPIC_API_KEY", "COVEY_HOME", "HOME", "PYTHONSAFEPATH"}


@given(st.text(alphabet=st.sampled_from("`~a\n @<!-[]()\u202e\x1b\r"), max_size=80))
def test_no_text_leaves_its_fence_in_a_comment(text: str) -> None:
    body = github.markdown([{"issue": text}], "facts")
    lines = body.split("\n")
    opened = next(
        place for place, line in enumerate(lines) if line.endswith("text") and line.startswith("```")
    )
    fence = lines[opened].removesuffix("text")
    closed = next(place for place in range(opened + 1, len(lines)) if lines[place].strip() == fence)
    # CommonMark: a fence ends at a line with at least as many of its own sign; the first one has to be ours.
    assert all(not line.strip().startswith(fence) for line in lines[opened + 1 : closed])
    assert lines[closed + 1 :] == ["", "<sub>facts</sub>", ""]
    assert "\x1b" not in body and "\u202e" not in body and "\r" not in body


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_no_value_sets_a_second_output(value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out"
        github.write_outputs(path, {"cost-usd": value})
        head, _, rest = path.read_bytes().decode().partition("\n")
    name, end = head.split("<<")
    assert name == "cost-usd" and rest.count(end) == 1 and rest.endswith(f"\n{end}\n")


def test_a_long_diff_is_cut_at_a_line_and_says_so() -> None:
    diff = "+ a line of the diff é\n" * 10_000
    cut = github.bounded(diff)
    kept, _, note = cut.rpartition("\n")
    assert len(cut.encode()) < github.DIFF_BYTES + 100
    assert set(kept.split("\n")) == {"+ a line of the diff é"}
    assert note == f"[cut here: {len(diff.encode()) - len(kept.encode())} bytes of the diff are missing]"
    assert github.bounded("short") == "short"


def test_the_events_pull_request_is_read_and_its_title_made_plain(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    assert github.pull_request(None) is None
    event.write_text(json.dumps({"pull_request": {"number": "7", "title": "x"}}))
    assert github.pull_request(event) is None
    event.write_text(json.dumps({"pull_request": {"number": 7, "title": "a\n::error::\x1b[1m" + "x" * 500}}))
    pull = github.pull_request(event)
    assert pull is not None and pull.number == 7
    assert "\n" not in pull.title and "\x1b" not in pull.title and len(pull.title) == github.TITLE_CHARS


def test_a_token_is_sent_by_https_only() -> None:
    with pytest.raises(github.GithubError, match="not https"):
        github.Github("http://evil.example", "o/r", "token")
