"""`covey share` as a user runs it: a real door, real keys, a real client."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.e2e.program import ROOM, Program
from tests.fake_backend import FakeBackend

DOOR = """
listen = "127.0.0.1:0"
requests_per_minute = 600
[backends.gpu]
url = "{url}"
[lanes.large]
steps = ["gpu=llama-70b"]
[lanes.default]
steps = ["gpu"]
"""


def asked(url: str, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        f"{url}/chat/completions",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_m20_a_door_lets_its_keys_in_and_a_revoked_one_out_while_it_runs(
    covey: Program, tmp_path: Path
) -> None:
    with FakeBackend() as backend:
        config = tmp_path / "door.toml"
        config.write_text(DOOR.format(url=backend.url))
        made = covey("share", "add", "ann", "--per-minute", "100", "--json").json
        with covey.start("share", "start", "--config", str(config), "--room", ROOM, "--json") as door:
            ready = door.event("ready")
            assert ready["lanes"] == ["large", "default"]
            status, answer = asked(ready["url"], made["key"], {"model": "large", "messages": []})
            assert status == 200 and answer["choices"][0]["message"]["content"] == "one two three"
            assert backend.asked[-1]["model"] == "llama-70b"
            bob = tmp_path / "bob.key"
            assert made["key"] not in covey("share", "add", "bob", "--out", str(bob)).out
            assert bob.stat().st_mode & 0o777 == 0o600
            assert asked(ready["url"], bob.read_text().strip(), {"messages": []})[0] == 200
            listed = covey("share", "keys").out
            assert "ann" in listed and "bob" in listed and made["key"][13:] not in listed
            assert covey("share", "revoke", "ann").code == 0
            assert asked(ready["url"], made["key"], {"messages": []})[0] == 401
            assert asked(ready["url"], bob.read_text().strip(), {"messages": []})[0] == 200
            assert covey("stop", "leader").code == 0
            assert door.end().code == 0
        for file in covey.home.rglob("*"):
            if file.is_file():
                assert made["key"][13:].encode() not in file.read_bytes(), "no secret anywhere on disk"
        with covey.start("share", "start", "--config", str(config), "--room", ROOM, "--json") as door:
            url = door.event("ready")["url"].removesuffix("/v1")
            with urllib.request.urlopen(f"{url}/covey/status", timeout=30) as answer:
                assert json.load(answer)["accounts"]["bob"]["ends"] == {"answered": 2}


def test_what_is_wrong_with_a_door_is_said_with_its_line(covey: Program, tmp_path: Path) -> None:
    config = tmp_path / "door.toml"
    config.write_text(
        'listen = "0.0.0.0:8099"\nunsafe_no_keys = true\n'
        '[backends.gpu]\nurl = "http://127.0.0.1:1/v1"\n[lanes.a]\nsteps = ["cpu=x"]\n'
    )
    ended = covey("share", "start", "--config", str(config))
    assert ended.code == 1
    for said in ("door.toml:1: listen", "door.toml:2: unsafe_no_keys", "door.toml:6: lanes.a.steps[0]"):
        assert said in ended.err
    assert covey("share", "start").code == 2
    assert covey("share", "add").code == 2
    assert covey("share", "add", "two words").code == 2
    assert covey("share", "revoke", "nobody").code == 1
    assert covey("share", "keys", "--admin").code == 2
    assert "covey share add" in covey("share", "keys").out
