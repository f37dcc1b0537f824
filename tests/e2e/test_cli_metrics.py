"""`covey metrics` and `[metrics] listen` on a real peer that has woken and answered."""

from __future__ import annotations

import urllib.request
from pathlib import Path

from tests.e2e.program import ROOM, Program

CONFIG = f"""
[identity]
name = "echo"
role = "generic"
[mesh]
room = "{ROOM}"
[metrics]
listen = "127.0.0.1:0"
[model]
adapter = "scripted"
[[scripted.rules]]
when = {{ author = "observer" }}
emit = {{ focus = "heard: {{focus}}", commitment = "echoed" }}
"""


def test_x26_a_peers_metrics_over_its_socket_and_over_http(covey: Program, tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG)
    checked = covey("dry-run", "--config", str(config))
    assert "metrics  — http://127.0.0.1:0/metrics, this machine only" in checked.out
    with covey.start("run", "--config", str(config), "--json") as echo:
        echo.event("ready")
        assert covey("observe", "--focus", "a canary in the text").code == 0
        echo.event("agent-emitted")
        url = covey("status", "echo", "--json").json["metrics"]
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url, timeout=20) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            served = answer.read().decode()
        with urllib.request.urlopen(url.removesuffix("metrics"), timeout=20) as answer:
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            seen = answer.read().decode()
        assert "<h1>echo</h1>" in seen and "<td>scripted/rules</td>" in seen
        printed = covey("metrics").out
        assert covey("metrics", "echo", "--json").json["text"].startswith("# HELP covey_build_info")
    for text in (served, printed):
        assert 'covey_agent_blocks_total{kind="emitted"} 1\n' in text
        assert "covey_agent_answer_seconds_count 1\n" in text
        assert 'covey_peer_records_total{kind="admitted"} 1\n' in text
        assert "canary" not in text and "observer" not in text


def test_a_peer_that_is_not_there_has_no_metrics(covey: Program) -> None:
    assert covey("metrics", "ghost").code == 1
    assert covey("metrics").code == 1
