"""An agent that thinks with a peer's model: no port is open for it, and nothing on the way can read it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.netns import Laboratory, full, laboratory, on_loopback
from tests.e2e.program import ROOM, SECONDS, Program
from tests.e2e.test_networks import TOKEN
from tests.e2e.test_node_killed import ROOT
from tests.e2e.test_three_networks import RELAY, certificate, relay, three_networks
from tests.fake_backend import FakeBackend

WORDS = ('{"focus": "thought ', 'elsewhere"}')
DOOR = '[backends.gpu]\nurl = "{url}"\n[lanes.default]\nsteps = ["gpu=small"]\n'
LEADER = """
[identity]
name = "leader"
role = "generic"
[mesh]
room = "{room}"
[model]
adapter = "scripted"
[[scripted.rules]]
when = {{ author = "nobody" }}
emit = {{ focus = "heard" }}
[share]
door = "door.toml"
"""
AGENT = """
[identity]
name = "ann"
role = "generic"
[mesh]
room = "{room}"
{more}
[model]
adapter = "mesh"
peer = "{leader}"
answer_as = "json"
[trust]
strangers_may_wake = true
"""


def known(user: Program, host: Program) -> None:
    """Let ann's node in at the leader, without any key."""
    assert user("keygen", "ann").code == 0
    ann = user("fingerprint", "ann", "--json").json
    words = ("--node", ann["node_id"], "--fingerprint", ann["fingerprint"])
    assert host("share", "add", "ann", *words).code == 0


def test_m25_an_agent_thinks_with_the_model_of_a_peer_that_serves_nothing_but_the_mesh(
    covey: Program, tmp_path: Path
) -> None:
    with FakeBackend(words=WORDS) as backend:
        known(covey, covey)
        door, config = tmp_path / "door.toml", tmp_path / "ann.toml"
        door.write_text(DOOR.format(url=backend.url))
        with covey.start("share", "start", "--config", str(door), "--room", ROOM, "--json") as leader:
            ready = leader.event("ready")
            assert ready["url"] is None
            config.write_text(AGENT.format(room=ROOM, more="", leader=ready["node_id"]))
            assert "of the peer" in covey("dry-run", "--config", str(config)).out
            with covey.start("run", "--config", str(config), "--json") as ann:
                ann.event("ready")
                assert covey("observe", "--focus", "what do you think?").code == 0
                assert ann.event("agent-emitted")
            assert backend.asked[0]["model"] == "small"
            status = covey("share", "status", "--json").json
            assert status["accounts"]["ann"]["ends"] == {"answered": 1}
            assert status["accounts"]["ann"]["prompt_tokens"] == 7
            assert "ann" in covey("share", "status").out
            found = covey("recall", "ann", "elsewhere", "--json").json["blocks"]
            assert any("thought elsewhere" in str(block) for block in found)


def test_m25_an_agent_shares_a_model_beside_its_own_work(covey: Program, tmp_path: Path) -> None:
    """`[share]` of agent.toml: `covey run` opens the door and says so; a wrong one stops it at once."""
    with FakeBackend(words=WORDS) as backend:
        door, leader = tmp_path / "door.toml", tmp_path / "leader.toml"
        leader.write_text(LEADER.format(room=ROOM))
        assert covey("dry-run", "--config", str(leader)).code == 1, "there is no door.toml yet"
        refused = covey("run", "--config", str(leader))
        assert refused.code != 0 and "door.toml" in refused.err
        door.write_text(DOOR.format(url=backend.url) + "[admin]\nenabled = true\nupdate = true\n")
        assert "default by" in covey("dry-run", "--config", str(leader)).out
        known(covey, covey)
        with covey.start("run", "--config", str(leader), "--json") as running:
            ready = running.event("ready")
            assert ready["shares"] == {"url": None, "lanes": ["default"]}
            config = tmp_path / "ann.toml"
            config.write_text(AGENT.format(room=ROOM, more="", leader=ready["node_id"]))
            with covey.start("run", "--config", str(config), "--json") as ann:
                ann.event("ready")
                assert covey("observe", "--focus", "what do you think?").code == 0
                assert ann.event("agent-emitted")
            status = covey("share", "status", "--json").json
            assert status["accounts"]["ann"]["ends"] == {"answered": 1}


@pytest.fixture
def lab() -> Iterator[Laboratory]:
    with laboratory() as made:
        yield made


@contextlib.contextmanager
def inside(name: str) -> Iterator[str]:
    """Serve a model in a namespace; give its address there."""
    words = ["ip", "netns", "exec", full(name), sys.executable, "-m", "tests.fake_backend", *WORDS]
    process = subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)


def test_m25_a_model_is_reached_through_a_relay_from_another_network_and_no_port_is_open(
    lab: Laboratory, tmp_path: Path
) -> None:
    three_networks(lab)
    cert, key = certificate(tmp_path)
    env = {"COVEY_RELAY_TOKEN": TOKEN, "SSL_CERT_FILE": str(cert)}
    host = lab.program("ann", tmp_path / "home-host", **env)
    user = lab.program("bob", tmp_path / "home-user", **env)
    known(user, host)
    with relay(lab, tmp_path, cert, key), inside("ann") as url:
        door, config = tmp_path / "door.toml", tmp_path / "ann.toml"
        door.write_text(DOOR.format(url=url))
        words = ("--room", "lab", "--relay", f"wss://{RELAY}:8787", "--json")
        with host.start("share", "start", "--config", str(door), *words) as leader:
            node_id = leader.event("ready")["node_id"]
            more = f'relay = "wss://{RELAY}:8787"'
            config.write_text(AGENT.format(room="lab", more=more, leader=node_id))
            with user.start("run", "--config", str(config), "--json") as ann:
                ann.event("ready")
                words = ("observe", "--room", "lab", "--focus", "what do you think?")
                with user.start(*words) as observing:
                    assert ann.event("agent-emitted")
                    observing.end()
                paths = user("peers", "ann", "--json").json["peers"]
                assert {path["path"] for each in paths for path in each["paths"]} == {"relay"}
            assert host("share", "status", "--json").json["accounts"]["ann"]["ends"] == {"answered": 1}
            assert on_loopback(lab.listeners("ann")), "nothing that could be dialled from elsewhere"
