"""doctor: what it finds on real folders, sockets and processes, and what --fix leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program, Running


def found(covey: Program, *words: str, **env: str) -> tuple[int, dict[tuple[str, str], dict[str, Any]]]:
    """Run doctor; return its code and its findings by section and name, the last of each."""
    ended = covey("doctor", "--json", *words, **env)
    return ended.code, {(each["section"], each["name"]): each for each in ended.json["findings"]}


def listening(covey: Program, name: str) -> Running:
    running = covey.start("listen", name, "--json")
    running.event("listening")
    return running


def test_x05_a_machine_without_peers_is_healthy_and_stays_as_it_was(covey: Program) -> None:
    ended = covey("doctor")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-1] == "summary: HEALTHY"
    assert f"covey doctor — health of {covey.home}" in ended.out
    assert "does not exist: no peer has run yet" in ended.out
    assert covey("doctor", "--fix").code == 0
    assert not covey.home.exists(), "looking makes nothing"


def test_defect_doctor_cannot_fix_what_a_killed_peer_left(covey: Program) -> None:
    """The Node product told people to rm the socket, and left registry rows to themselves."""
    with listening(covey, "writer") as running:
        running.signal(signal.SIGKILL)
        running.process.wait(timeout=30)
    socket_path = covey.home / "run" / "writer.sock"
    assert socket_path.exists()
    row = covey.home / "registry" / f"{covey('fingerprint', 'writer', '--json').json['node_id']}.json"
    # Written here too: whether the peer had announced itself before it was killed is another matter.
    row.write_text(json.dumps({"node_id": row.stem, "name": "writer", "pid": running.process.pid}))
    row.chmod(0o600)
    code, findings = found(covey)
    assert code == 1
    stale = findings["peer writer", "socket"]
    assert (stale["state"], stale["next"], stale["fixable"]) == ("FAIL", f"rm {socket_path}", True)
    assert findings["home", "registry"]["detail"] == f"{row.name}: process {running.process.pid} is gone"
    assert socket_path.exists(), "without --fix nothing is touched"
    # Three where it was killed while it wrote its row: then the temporary file is left too.
    assert re.fullmatch(r"`covey doctor --fix` repairs [23] of them\n", covey("doctor").err)

    fixed = covey("doctor", "--fix")
    assert (fixed.code, fixed.out.splitlines()[-2]) == (0, "summary: HEALTHY")
    assert re.fullmatch("fixed: [23]", fixed.out.splitlines()[-1])
    assert not socket_path.exists()
    assert not row.exists()
    with listening(covey, "writer") as running:
        code, findings = found(covey, "--fix")
        assert (code, findings["peer writer", "process"]["state"]) == (0, "ok")
        assert findings["peer writer", "process"]["detail"].startswith(f"ALIVE  pid={running.process.pid} ")
        assert covey("status", "writer").code == 0, "fixing harms no running peer"


def test_a_peer_that_does_not_answer_is_found_and_not_touched(covey: Program) -> None:
    with listening(covey, "writer") as running:
        running.signal(signal.SIGSTOP)
        began = time.monotonic()
        code, findings = found(covey, "--fix")
        assert time.monotonic() - began < 10
        running.signal(signal.SIGCONT)
        assert code == 1
        process = findings["peer writer", "process"]
        assert (process["state"], process["fixable"]) == ("FAIL", False)
        assert "does not answer" in process["detail"]
        assert covey("status", "writer").code == 0


def test_modes_are_tightened_and_what_that_means_is_said(covey: Program) -> None:
    covey("keygen", "writer")
    identity = covey.home / "peers" / "writer" / "identity.json"
    identity.chmod(0o644)
    covey.home.chmod(0o755)
    left = identity.with_name(".identity.json.2147483646")
    left.write_text("a seed, perhaps")
    code, findings = found(covey)
    assert code == 1
    assert findings["home", "permissions"]["next"] == f"chmod 600 {identity}"
    assert findings["peer writer", "identity"]["state"] == "FAIL"
    ended = covey("doctor", "--fix")
    assert (ended.code, ended.out.splitlines()[-2]) == (0, "summary: HEALTHY")
    assert "others could read this key" in ended.out
    assert (stat.S_IMODE(identity.stat().st_mode), stat.S_IMODE(covey.home.stat().st_mode)) == (0o600, 0o700)
    assert not left.exists()
    assert covey("fingerprint", "writer").code == 0


def test_a_home_that_holds_other_files_is_not_closed(covey: Program) -> None:
    covey("keygen", "writer")
    (covey.home / "letters.txt").write_text("mine")
    covey.home.chmod(0o755)
    code, findings = found(covey, "--fix")
    assert code == 1
    home = findings["home", "home"]
    assert home["state"] == "FAIL"
    assert "not fixed: folder is open to others and holds other files" in home["detail"]
    assert stat.S_IMODE(covey.home.stat().st_mode) == 0o755


def test_peers_of_the_node_product_are_pointed_to_migrate(covey: Program, tmp_path: Path) -> None:
    (tmp_path / ".xmesh").mkdir()
    _, findings = found(covey, COVEY_HOME=str(tmp_path / ".covey"))
    assert "covey migrate" in findings["home", "migrate"]["detail"]
    assert ("home", "migrate") not in found(covey)[1]


def test_a_damaged_store_is_found_and_kept(covey: Program) -> None:
    covey("observe", "--focus", "hello", "--peer", "writer", "--wait", "0")
    store = covey.home / "peers" / "writer" / "store.db"
    assert found(covey)[1]["peer writer", "store"]["detail"].startswith("1 blocks, ")
    raw = bytearray(store.read_bytes())
    raw[4096 * 2 : 4096 * 6] = os.urandom(4096 * 4)
    store.write_bytes(raw)
    for words in ((), ("--fix",)):
        code, findings = found(covey, *words)
        finding = findings["peer writer", "store"]
        assert (code, finding["state"], finding["fixable"]) == (1, "FAIL", False)
        assert "keep a copy" in finding["next"]
        assert store.read_bytes() == bytes(raw)


def test_a_clock_that_went_back_is_found(covey: Program) -> None:
    covey("keygen", "writer")
    later = time.time() + 86_400
    os.utime(covey.home / "peers" / "writer" / "identity.json", (later, later))
    code, findings = found(covey)
    assert (code, findings["machine", "clock"]["state"]) == (1, "FAIL")
    assert "the clock went back" in findings["machine", "clock"]["next"]


CONFIG = (
    '[identity]\nname = "writer"\n[model]\nadapter = "openai"\n[mesh]\nlisten = {port}\nrelay = "{url}"\n'
)


def test_a_configuration_leads_to_its_model_its_port_and_its_relay(covey: Program, tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    section = f"config {file}"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file.write_text(CONFIG.format(port=port, url=f"ws://127.0.0.1:{port}"))
        taken.close()
        with covey.start("relay", "--listen", "127.0.0.1:0", "--json") as relay:
            url = relay.event("relaying")["url"]
            file.write_text(CONFIG.format(port=port, url=url))
            key = "sk-proj-abcdefghijkl"
            code, findings = found(covey, "--config", str(file), OPENAI_API_KEY=key)
            assert code == 0
            assert findings[section, "relay"]["detail"].startswith(f"{url} answers in ")
            assert findings[section, "port"]["detail"] == f"{port} is free"
            assert findings["environment", "OPENAI_API_KEY"]["detail"] == "set (20 chars)"
            assert key not in str(findings)
        with socket.create_server(("127.0.0.1", port)):
            code, findings = found(covey, "--config", str(file))
    assert code == 1
    assert findings[section, "relay"]["state"] == "FAIL"
    assert findings[section, "port"]["detail"] == f"{port} is taken"
    assert "OPENAI_API_KEY is not set" in findings[section, "model adapter"]["detail"]


@pytest.mark.parametrize("text", ["[identity", '[identity]\nname = "a"\n[mesh]\ngroupp = "x"\n'])
def test_a_configuration_that_cannot_be_read_is_an_issue(covey: Program, tmp_path: Path, text: str) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(text)
    code, findings = found(covey, "--config", str(file))
    assert code == 1
    assert findings[f"config {file}", "load config"]["state"] == "FAIL"


def test_defect_asking_for_a_peer_that_is_not_there_makes_folders(covey: Program) -> None:
    """`status ghost` made ~/.xmesh, and migrate then saw a conflict."""
    for words in (["status", "ghost"], ["cost", "ghost"], ["stop", "ghost"], ["trace", "ghost", "cmb-1"]):
        assert covey(*words).code == 1
    for words in (["doctor"], ["peers"], ["recall", "ghost"], ["trust", "list", "ghost"]):
        covey(*words)
    assert not covey.home.exists()
