"""Every verb of `covey peer` against a real leader: a door that runs, with a model behind it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from tests.e2e.program import ROOM, Program, Running
from tests.fake_backend import FakeBackend

DOOR = """
listen = "127.0.0.1:{port}"
requests_per_minute = 6000
{more}
[backends.gpu]
url = "{url}"
[lanes.default]
steps = ["gpu=small"]
[admin]
enabled = true
update = true
models = ["gpu=large"]
extras = ["mcp"]
folder = "{folder}"
installer = ["{python}", "{installer}"]
"""
INSTALLER = """
import pathlib, sys
here = pathlib.Path(__file__).parent
with open(here / "installed", "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
sys.exit(1 if (here / "fail").exists() else 0)
"""


@dataclass
class Leader:
    """A leader, and a user elsewhere that has a home of its own."""

    host: Program
    user: Program
    folder: Path
    backend: FakeBackend
    door: Running
    url: str
    key: Path
    admin: Path

    def admins(self, *words: str) -> Any:
        return self.user(*words, "--admin-key-file", str(self.admin))

    def connected(self) -> None:
        assert self.user("peer", "connect", self.url, "--key-file", str(self.key), "--skip-test").code == 0


@contextmanager
def leading(tmp_path: Path, more: str = "", port: int = 0) -> Iterator[Leader]:
    host, user = Program(tmp_path / "host"), Program(tmp_path / "user")
    (tmp_path / "installer.py").write_text(INSTALLER)
    key, admin = tmp_path / "ann.key", tmp_path / "ops.key"
    assert host("share", "add", "ann", "--out", str(key)).code == 0
    assert host("share", "add", "ops", "--admin", "--out", str(admin)).code == 0
    with FakeBackend() as backend:
        config = tmp_path / "door.toml"
        config.write_text(
            DOOR.format(
                port=port,
                more=more,
                url=backend.url,
                folder=tmp_path / "tree",
                python=sys.executable,
                installer=tmp_path / "installer.py",
            )
        )
        with host.start("share", "start", "--config", str(config), "--room", ROOM, "--json") as door:
            url = door.event("ready")["url"]
            yield Leader(host, user, tmp_path, backend, door, url, key, admin)


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *who, "-C", str(folder), *words], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip()


def test_m27_m28_a_leader_is_saved_only_when_its_test_passes_shown_without_its_key_and_forgotten(
    tmp_path: Path,
) -> None:
    with leading(tmp_path) as at:
        user, secret = at.user, at.key.read_text().strip()
        wrong = tmp_path / "wrong.key"
        wrong.write_text("cvk-00000000-" + "A" * 43)
        failed = user("peer", "connect", at.url, "--key-file", str(wrong))
        assert failed.code == 14 and "not saved" in failed.out
        assert user("peer", "show").code == 1
        wrong.write_text("schlüssel")
        assert user("peer", "connect", at.url, "--key-file", str(wrong)).code == 2
        nobody = user("peer", "connect", at.url)
        assert nobody.code == 2 and "--key-file" in nobody.err

        saved = user("peer", "connect", at.url, "--key-file", str(at.key), "--probes", "2", "--json")
        told = json.loads(saved.out.splitlines()[-1])
        assert (told["saved"], told["changed"], told["failed"]) == (True, True, None)
        kept = user.home / "leader.json"
        assert kept.stat().st_mode & 0o777 == 0o600 and secret in kept.read_text()
        before = kept.read_bytes()
        again = user("peer", "connect", at.url.removesuffix("/v1"), "--key-file", str(at.key))
        assert again.code == 0 and kept.read_bytes() == before, "the same again changes nothing"

        shown = user("peer", "show")
        assert "last test: passed" in shown.out
        assert secret[13:] not in shown.out + user("peer", "show", "--json").out + saved.out
        assert at.host("share", "add", "ann2", "--out", str(tmp_path / "new.key")).code == 0
        assert user("peer", "key", "--key-file", str(tmp_path / "new.key")).code == 0
        assert secret not in kept.read_text() and not (user.home / "leader-probe.json").exists()
        assert user("peer", "test", "--probes", "1").code == 0
        assert (user.home / "leader-probe.json").exists()
        assert user("peer", "forget").code == 0
        assert [each.name for each in user.home.iterdir() if "leader" in each.name] == []
        assert user("peer", "forget").code == 0 and user("peer", "test").code == 1


def test_m29_each_stage_of_a_test_has_its_code_and_its_next_step(tmp_path: Path) -> None:
    with leading(tmp_path) as at, socket.create_server(("127.0.0.1", 0)) as listening:
        closed = listening.getsockname()[1]
        listening.close()
        key = ("--key-file", str(at.key))
        found = at.user("peer", "test", at.url, *key, "--probes", "3", "--json")
        told = found.json
        assert found.code == 0 and [stage["name"] for stage in told["stages"]] == [
            "parse",
            "dns",
            "tls",
            "reach",
            "auth",
            "model",
            "latency",
        ]
        latency = told["stages"][-1]["facts"]
        assert latency["probes"] == 3 and 0 < latency["p50_ms"] <= latency["p95_ms"]
        for address, code, stage in (
            ("gopher://x", 10, "parse"),
            ("http://nowhere.invalid:1", 11, "dns"),
            (f"http://127.0.0.1:{closed}", 13, "reach"),
            (at.backend.url, 13, "reach"),
            (at.url.replace("http:", "https:"), 12, "tls"),
        ):
            ended = at.user("peer", "test", address, *key)
            assert ended.code == code and f"FAIL {stage}" in ended.out and "next:" in ended.out, address
        for verb in ("test", "connect"):
            unasked = at.user("peer", verb, "gopher://x")
            assert unasked.code == 10, "no key is asked for where there is no address"
        assert not (at.user.home / "leader.json").exists()
        assert at.host("share", "revoke", "ann").code == 0
        assert at.user("peer", "test", at.url, *key).code == 14
        assert at.host("share", "add", "ann", "--out", str(tmp_path / "b.key")).code == 0
        at.backend.status = 500
        ended = at.user("peer", "test", at.url, "--key-file", str(tmp_path / "b.key"), "--json")
        assert ended.code == ended.json["exit_code"] == 15 and ended.json["failed"] == "model"


@pytest.mark.skipif(which("openssl") is None, reason="no openssl to make a certificate with")
def test_m29_a_certificate_is_believed_only_from_whom_is_named(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = (
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    )
    subprocess.run(["openssl", *words.split(), *names], check=True, capture_output=True, timeout=60)
    with leading(tmp_path, f'tls_certificate = "{certificate}"\ntls_key = "{key}"') as at:
        assert at.url.startswith("https://")
        reach = ("peer", "test", at.url, "--key-file", str(at.key), "--probes", "1")
        doubted = at.user(*reach)
        assert doubted.code == 12 and "--ca" in doubted.out
        assert at.user(*reach, "--ca", str(certificate)).code == 0


def test_m30_version_dependencies_and_logs_are_read_and_a_follower_goes_on_after_a_break(
    tmp_path: Path,
) -> None:
    with leading(tmp_path) as at:
        at.connected()
        version = at.user("peer", "version")
        assert "(the same;" in version.out
        assert "httpx2" in at.user("peer", "deps").out
        refused = at.user("peer", "logs", "--admin-key-file", str(at.key))
        assert refused.code == 1 and "admin key" in refused.err
        first = at.admins("peer", "logs", "--lines", "1", "--json")
        assert first.code == 0 and len(first.out.splitlines()) == 1
        words = ("peer", "logs", "-f", "--lines", "1", "--json", "--admin-key-file", str(at.admin))
        with at.user.start(*words) as following:
            lines = following.lines()
            seen = json.loads(next(lines))["seq"]
            assert at.admins("peer", "drain").code == 0
            found = json.loads(next(line for line in lines if "door-draining" in line))
            assert found["seq"] > seen, "by number, and none twice"
            following.signal(signal.SIGINT)
            assert following.end().code == 0


def test_m31_an_update_is_said_first_refused_on_a_dirty_tree_done_and_rolled_back(tmp_path: Path) -> None:
    origin, tree, work = tmp_path / "origin", tmp_path / "tree", tmp_path / "work"
    for folder in (origin, work):
        folder.mkdir()
    git(origin, "init", "--bare", "-q")
    subprocess.run(
        ["git", "clone", "-q", str(origin), str(work)], check=True, capture_output=True, timeout=60
    )
    (work / "file").write_text("one")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "one")
    git(work, "push", "-q", "origin", "HEAD:main")
    subprocess.run(
        ["git", "clone", "-q", "-b", "main", str(origin), str(tree)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    old = git(tree, "rev-parse", "HEAD")
    with leading(tmp_path) as at:
        at.connected()
        ann = at.user("peer", "update", "--admin-key-file", str(at.key))
        assert ann.code == 1 and git(tree, "rev-parse", "HEAD") == old, "a peer's key is no admin's"
        assert "up to date" in at.admins("peer", "update", "--apply").out
        (work / "file").write_text("two")
        git(work, "commit", "-qam", "two")
        git(work, "push", "-q", "origin", "HEAD:main")
        dry = at.admins("peer", "update")
        assert dry.code == 0 and "1 commits" in dry.out and "nothing was changed" in dry.out
        assert git(tree, "rev-parse", "HEAD") == old and not (tmp_path / "installed").exists()
        (tree / "file").write_text("mine")
        dirty = at.admins("peer", "update", "--apply")
        assert dirty.code == 1 and "changes of its own: file" in dirty.err
        git(tree, "checkout", "-q", "file")

        (tmp_path / "fail").touch()
        failed = at.admins("peer", "update", "--apply")
        assert failed.code == 1 and "installer.py" in failed.err
        assert git(tree, "rev-parse", "HEAD") == old and (tree / "file").read_text() == "one"
        (tmp_path / "fail").unlink()
        assert at.admins("peer", "update", "--apply").code == 0
        assert git(tree, "rev-parse", "HEAD") == git(work, "rev-parse", "HEAD")
        assert (tmp_path / "installed").read_text().splitlines()[-1] == str(tree)

        assert "nothing was changed" in at.admins("peer", "restart").out
        config = tmp_path / "door.toml"
        good = config.read_text()
        config.write_text(good + "\nnonsense = 1\n")
        kept = at.admins("peer", "restart", "--apply")
        assert kept.code == 1 and "nonsense" in kept.err, "a leader that would not come back stays"
        config.write_text(good)
        assert at.admins("peer", "restart", "--apply").code == 0
        assert at.door.event("ready")["peer"] == "leader", "the same process, begun anew"


def test_m31_m32_what_the_operator_did_not_allow_is_refused(tmp_path: Path) -> None:
    with leading(tmp_path) as at:
        at.connected()
        for words, said in (
            (("llm", "default", "gpu=other"), "not on the list"),
            (("llm", "nope", "gpu=large"), "no lane nope"),
            (("install", "requests"), "not on the list"),
            (("install", "mcp;evil"), "not on the list"),
        ):
            refused = at.admins("peer", *words)
            assert refused.code == 1 and said in refused.err, words
    config = tmp_path / "door.toml"
    config.write_text(config.read_text().partition("[admin]")[0])
    with FakeBackend() as backend:
        lines = config.read_text().splitlines()
        config.write_text("\n".join(f'url = "{backend.url}"' if "url" in each else each for each in lines))
        with at.host.start("share", "start", "--config", str(config), "--room", ROOM, "--json") as door:
            url = door.event("ready")["url"]
            assert at.user("peer", "connect", url, "--key-file", str(at.key), "--skip-test").code == 0
            for words in (
                ("update",),
                ("restart",),
                ("drain",),
                ("install", "mcp"),
                ("llm", "default", "gpu=x"),
            ):
                refused = at.admins("peer", *words)
                assert refused.code == 1 and "upkeep from elsewhere is off" in refused.err


def test_m32_a_model_is_switched_and_an_extra_installed_from_the_list_saying_old_and_new(
    tmp_path: Path,
) -> None:
    with leading(tmp_path) as at:
        at.connected()
        switched = at.admins("peer", "llm", "default", "gpu=large")
        assert "gpu=small -> gpu=large" in switched.out
        assert at.user("peer", "test", "--probes", "1").code == 0
        assert at.backend.asked[-1]["model"] == "large"
        dry = at.admins("peer", "install", "mcp")
        assert "nothing was changed" in dry.out and not (tmp_path / "installed").exists()
        done = at.admins("peer", "install", "mcp", "--apply", "--json").json
        assert done["applied"] and done["old"].keys() == done["new"].keys()
        assert (tmp_path / "installed").read_text() == "covey[mcp]\n"


def test_m33_nodes_are_written_whole_checked_with_lines_and_listed_as_they_are(tmp_path: Path) -> None:
    with leading(tmp_path) as at:
        user, file = at.user, at.user.home / "mesh.toml"
        assert user("peer", "list-nodes").code == 2
        assert user("peer", "init-mesh", "box", "http://127.0.0.1:1", "--role", "peer").code == 0
        assert user("peer", "init-mesh", "box", "http://127.0.0.1:1").code == 2, "there is one already"
        kept = file.read_text() + "# ours\n"
        file.write_text(kept)
        assert (
            user("peer", "add-node", "gpu", at.url, "--role", "leader", "--key-file", str(at.key)).code == 0
        )
        assert "# ours\n" in file.read_text(), "what a person wrote stays"
        assert user("peer", "add-node", "gpu", at.url).code == 2
        listed = {row["name"]: row for row in user("peer", "list-nodes", "--json").json["nodes"]}
        assert listed["gpu"]["state"] == "up" and listed["gpu"]["under_way"] == 0
        assert listed["box"]["here"] and listed["box"]["state"].startswith("down")
        assert "Error" not in listed["box"]["state"], "a reason, and no name of ours for it"
        assert user("peer", "version", "--node", "gpu").code == 0
        before = file.read_bytes()
        for words in (
            ("add-node", "two words", "http://x"),
            ("add-node", "x", "ftp://x"),
            ("add-node", "again", at.url),
            ("remove-node", "box"),
            ("remove-node", "nobody"),
        ):
            assert user("peer", *words).code == 2, words
        assert file.read_bytes() == before
        assert user("peer", "add-node", "gpu", "http://127.0.0.1:2", "--force").code == 0
        assert user("peer", "remove-node", "gpu").code == 0
        assert user("peer", "remove-node", "gpu").code == 2
        file.write_text("version = 1\nhere = 'box'\n[nodes.box]\nurl = 'http://x'\nroll = 'leader'\n")
        wrong = user("peer", "list-nodes")
        assert wrong.code == 1 and "mesh.toml:5: nodes.box.roll" in wrong.err
        file.write_text("version = 1\n[nodes.a]\nurl = 'http://x'\n[nodes.a]\nurl = 'http://y'\n")
        assert ":4" in user("peer", "list-nodes").err


def test_m34_a_drained_leader_takes_nothing_new_finishes_its_work_and_stays_drained(tmp_path: Path) -> None:
    with leading(tmp_path) as at:
        at.connected()
        at.backend.hold()
        with at.user.start(
            "peer", "test", at.url, "--key-file", str(at.key), "--probes", "1", "--json"
        ) as busy:
            while at.admins("peer", "resume", "--json").json["under_way"] != 1:
                pass
            drained = at.admins("peer", "drain")
            assert "1 under way" in drained.out
            at.backend.go()
            ended = json.loads(busy.end().out)
            assert ended["stages"][5]["good"], "what was under way is finished"
        assert at.user("peer", "test", "--probes", "1").code == 13
        assert at.admins("peer", "restart", "--apply").code == 0
        at.url = at.door.event("ready")["url"]
        at.connected()
        assert at.user("peer", "test", "--probes", "1").code == 13, "also after a restart"
        assert "takes new work" in at.admins("peer", "resume").out
        assert at.user("peer", "test", "--probes", "1").code == 0


def test_m19_a_machines_role_is_printed_with_the_rule_that_chose_it(covey: Program, tmp_path: Path) -> None:
    bare = {"ANTHROPIC_API_KEY": "", "OPENAI_API_KEY": "", "OLLAMA_HOST": "127.0.0.1:9"}

    def rule(**env: str) -> tuple[str, str]:
        found = covey("role", "--json", **{**bare, **env}).json
        return found["role"], found["rule"]

    assert rule() == ("leader", "default")
    assert rule(OPENAI_API_KEY="sk-test") == ("solo", "model")
    key = tmp_path / "k"
    key.write_text("secret-of-a-leader")
    words = ("peer", "connect", "http://127.0.0.1:9", "--key-file", str(key), "--skip-test")
    assert covey(*words).code == 0
    assert rule() == ("peer", "connection")
    assert covey("share", "add", "ann").code == 0
    assert rule() == ("leader", "door")
    (tmp_path / ".cloudflared").mkdir()
    (tmp_path / ".cloudflared" / "config.yml").touch()
    assert rule() == ("leader", "tunnel")
    assert covey("peer", "init-mesh", "box", "http://127.0.0.1:9", "--role", "peer").code == 0
    assert rule() == ("peer", "mesh-file")
    assert covey("role", "--set", "solo", **bare).out == "solo: covey role --set said so\n"
    assert rule(COVEY_ROLE="leader") == ("leader", "environment")
    assert covey("role", COVEY_ROLE="boss").code == 2
    assert covey("role", "--unset", **bare).code == 0 and rule()[1] == "mesh-file"


def test_a_verbs_words_and_flags_are_its_own(covey: Program) -> None:
    for words in (
        ("connect",),
        ("show", "more"),
        ("show", "--apply"),
        ("drain", "--follow"),
        ("list-nodes", "--role", "peer"),
    ):
        assert covey("peer", *words).code == 2, words
