"""dry-run --probe: a model is really asked, and what that took is said."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests.e2e.fake_model import FakeModel
from tests.e2e.program import Ended, Program

KEY = "sk-test-abcdefghijkl"


def probe(covey: Program, folder: Path, url: str, *words: str, more: str = "") -> Ended:
    path = folder / "agent.toml"
    path.write_text(
        '[identity]\nname = "writer"\n[model]\nadapter = "openai"\nmodel_name = "gpt-4o-mini"\n'
        f'base_url = "{url}"\napi_key_env = "PROBE_KEY"\ntimeout_seconds = 5\n{more}'
    )
    return covey("dry-run", "--config", str(path), *words, PROBE_KEY=KEY)


def test_x06_a_probe_says_what_the_answer_took_and_cost(covey: Program, tmp_path: Path) -> None:
    with FakeModel(lambda name, system, user: "ready") as model:
        assert probe(covey, tmp_path, model.url).code == 0
        assert model.requests == [], "without --probe nobody is contacted"
        ended = probe(covey, tmp_path, model.url, "--probe")
        found = probe(covey, tmp_path, model.url, "--probe", "--json").json
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("covey dry-run — no mesh join, one tiny model call, no CMB emission\n")
    line = next(line for line in ended.out.splitlines() if "  probe  " in line)
    assert re.fullmatch(
        r"  ok    probe  — openai/gpt-4o-mini answered in \d+ ms, 100\+20 tokens, "
        r"\$0\.000027 \(list price of \d{4}-\d{2}\)",
        line,
    ), line
    assert "PASS — 10/10 checks passed" in ended.out
    check = found["checks"][-1]
    assert (check["name"], check["state"], check["cost_usd"]) == ("probe", "ok", 0.000027)
    assert 0 < check["latency_ms"] < 5_000
    assert len(model.requests) == 2
    assert not model.requests[0].get("tools")
    assert KEY not in ended.out
    assert not covey.home.exists(), "a dry run leaves nothing behind"


@pytest.mark.parametrize(("status", "says"), [(401, "gpt-4o-mini"), (404, "gpt-4o-mini"), (429, "may pass")])
def test_a_probe_that_is_refused_fails_in_the_adapters_words(
    covey: Program, tmp_path: Path, status: int, says: str
) -> None:
    with FakeModel(lambda name, system, user: status) as model:
        ended = probe(covey, tmp_path, model.url, "--probe")
    assert ended.code == 1
    line = next(line for line in ended.out.splitlines() if "  probe  " in line)
    assert line.startswith("  FAIL  probe  — ")
    assert says in line
    assert KEY not in ended.out + ended.err


def test_a_probe_of_nobody_fails(covey: Program, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: a dial is refused at once
        ended = probe(covey, tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "--probe")
    assert ended.code == 1
    assert "  FAIL  probe  — " in ended.out


def test_a_probe_that_the_cap_does_not_allow_is_not_made(covey: Program, tmp_path: Path) -> None:
    with FakeModel(lambda name, system, user: "ready") as model:
        more = "[budget]\nmax_cost_usd_per_run = 0.000001\n"
        ended = probe(covey, tmp_path, model.url, "--probe", more=more)
        assert model.requests == []
    assert ended.code == 1
    assert re.search(
        r"FAIL  probe  — not asked: it may cost \$0\.\d+, and max_cost_usd_per_run is", ended.out
    )


def test_rules_have_nobody_to_contact(covey: Program, tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(
        '[identity]\nname = "writer"\n[model]\nadapter = "scripted"\n'
        '[[scripted.rules]]\nemit = { focus = "x" }\n'
    )
    ended = covey("dry-run", "--config", str(path), "--probe")
    assert ended.code == 0
    assert "ok    probe  — (info) rules answer in place of a model" in ended.out
