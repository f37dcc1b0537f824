"""migrate: what the Node product left becomes what covey reads; its files stay as they were."""

from __future__ import annotations

import base64
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from covey import core, settings
from tests.e2e.program import ROOM, Program

PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
SPKI = bytes.fromhex("302a300506032b6570032100")
CREATED = "2026-03-01T10:00:00.000Z"
MESH_ID = "01997c00-0000-7000-8000-000000000001"
CONFIG = f"""
# a comment that stays behind
[identity]
name = "writer"
role = "writer"
[mesh]
group = "{ROOM}"
[role_weights]
focus = 2.0
issue = 1.0
intent = 2.5
motivation = 1.5
commitment = 1.0
perspective = 0.5
mood = 0.6
[model]
adapter = "ollama"
[context]
n_group = 7
max_context_tokens = 4000
[budget]
max_cost_usd_per_hour = 0.5
[safety]
approval_gates = "none"
[logging]
level = "debug"
file_path = "writer.log"
"""


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public(seed: bytes) -> bytes:
    return core.Identity(MESH_ID, "x", seed).public_key


class Old:
    """The files of the Node product, as it writes them, in the home of a user."""

    def __init__(self, user: Path) -> None:
        self.base = user / ".xmesh"
        self.mesh = user / ".sym"

    def key(self, name: str, number: int) -> bytes:
        """Write a key pair; return its public half."""
        folder, seed = self.base / "keys", bytes([number]) * 32
        folder.mkdir(parents=True, exist_ok=True)
        raw = public(seed)
        (folder / f"{name}.key").write_bytes(PKCS8 + seed)
        (folder / f"{name}.key").chmod(0o600)
        (folder / f"{name}.pub").write_bytes(SPKI + raw)
        facts = {"peer": name, "algorithm": "ed25519", "createdAt": CREATED}
        self.json(folder / f"{name}.json", {**facts, "publicKeyBase64Url": b64(raw)})
        return raw

    def mesh_key(self, name: str, number: int) -> bytes:
        """Write the identity that signs on its mesh, readable by all as it does."""
        seed = bytes([number]) * 32
        facts = {"nodeId": MESH_ID, "name": name, "createdAt": 1_770_000_000_000}
        place = self.mesh / "nodes" / name / "identity.json"
        self.json(place, {**facts, "publicKey": b64(public(seed)), "privateKey": b64(seed)})
        place.chmod(0o644)
        return public(seed)

    def trust(self, group: str, peer: str, public_key: bytes) -> None:
        facts = {"peer": peer, "group": group, "algorithm": "ed25519", "trustedAt": CREATED}
        self.json(
            self.base / "trusted-keys" / group / f"{peer}.json",
            {**facts, "publicKeyBase64Url": b64(public_key)},
        )

    def state(self, name: str, config: Path | None = None, **totals: Any) -> None:
        counted = {"cmbsEmitted": 3, "cmbsSuppressed": 1, "costUsdTotal": 0.00123, "runs": 2, "modelCalls": 0}
        last = None if config is None else {"configPath": str(config), "group": ROOM}
        facts = {"schemaVersion": 1, "peer": name, "totals": {**counted, **totals}, "lastRun": last}
        self.json(self.base / "state" / f"{name}.json", facts)

    @staticmethod
    def json(place: Path, value: object) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(value, indent=2))

    def picture(self) -> dict[str, tuple[bytes, int, int]]:
        """Return every file with its content, mode and time."""
        found = {}
        for top in (self.base, self.mesh):
            for path in sorted(top.rglob("*")):
                facts = path.stat()
                content = path.read_bytes() if path.is_file() else b""
                found[str(path)] = (content, facts.st_mode, facts.st_mtime_ns)
        return found


@pytest.fixture
def old(covey: Program) -> Old:
    return Old(covey.home.parent)


@pytest.fixture
def writer(old: Old, tmp_path: Path) -> Path:
    """Leave a whole peer behind; return its agent.toml."""
    config = tmp_path / "project" / "agent.toml"
    config.parent.mkdir()
    config.write_text(CONFIG)
    own = old.key("writer", 1)
    old.trust(ROOM, "writer", own)
    old.trust(ROOM, "reviewer", public(b"\2" * 32))
    old.state("writer", config)
    return config


def steps(covey: Program, *words: str, code: int = 0) -> list[tuple[str, str, str]]:
    """Migrate; return (what, state, detail) of each step."""
    ended = covey("migrate", "--json", *words)
    assert ended.code == code, ended.out
    return [(each["what"], each["state"], each["detail"]) for each in ended.json["steps"]]


def states(found: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    return [(what, state) for what, state, _ in found if state not in ("note", "skip")]


def test_x04_a_whole_peer_moves_over_and_its_old_files_stay(covey: Program, old: Old, writer: Path) -> None:
    before = old.picture()
    planned = steps(covey)
    carried = ["identity", "config", "trust", "totals"]
    assert states(planned) == [(what, "write") for what in carried]
    assert not covey.home.exists(), "a dry run writes nothing"
    done = steps(covey, "--apply")
    assert states(done) == [(what, "wrote") for what in carried]
    assert states(steps(covey, "--apply")) == [(what, "same") for what in carried], "twice is once"
    assert states(steps(covey)) == [(what, "same") for what in carried]
    assert old.picture() == before
    assert writer.read_text() == CONFIG

    shown = covey("fingerprint", "writer", "--json").json
    assert shown["public_key"] == b64(public(b"\1" * 32))
    trusted = covey("trust", "list", "writer", "--json").json["trusted"]
    assert [(each["fingerprint"], each["identity"]) for each in trusted] == [
        (None, hashlib.sha256(public(b"\2" * 32)).hexdigest())
    ]
    assert "reviewer" in trusted[0]["note"]


def test_x04_the_configuration_says_the_same_in_coveys_words(covey: Program, old: Old, writer: Path) -> None:
    done = steps(covey, "--apply")
    file = covey.home / "peers" / "writer" / "agent.toml"
    read = settings.load(file)
    assert (read.identity.name, read.mesh.room, read.context.n_room) == ("writer", ROOM, 7)
    assert read.role_weights.as_dict() == tomllib.loads(CONFIG)["role_weights"]
    assert (read.budget.max_cost_usd_per_hour, read.logging.level) == (0.5, "debug")
    assert file.read_text().splitlines()[0] == "#:schema ./agent.schema.json"
    assert (file.parent / "agent.schema.json").exists()
    assert read.safety.approval_gates == "default", "none was ignored there and would hold here"
    assert read.model.name == "llama3.2:3b", "there every adapter was asked for claude-opus-4-7"
    told = [detail for what, _, detail in done if what == "config"]
    for word in ("mesh.group", "context.n_group", "approval_gates", "model_name", "logging.file_path"):
        assert any(word in line for line in told), word
    assert covey("dry-run", "--config", str(file)).code == 0


def test_a_peer_that_moved_runs_and_remembers_what_it_spent(covey: Program, old: Old, writer: Path) -> None:
    rule = '[[scripted.rules]]\nemit = { focus = "heard" }\n'
    writer.write_text(CONFIG.replace('"ollama"', '"scripted"') + rule)
    steps(covey, "--apply")
    file = covey.home / "peers" / "writer" / "agent.toml"
    with covey.start("run", "--config", str(file), "--json") as running:
        ready = running.event("ready")
        assert ready["node_id"] == covey("fingerprint", "writer", "--json").json["node_id"]
        life = covey("cost", "writer", "--json").json["lifetime"]
        assert (life["runs"], life["emitted"], life["suppressed"], life["cost_usd"]) == (3, 3, 1, 0.00123)
        found = steps(covey, code=1)
        assert found == [("peer", "FAIL", "it runs under covey: covey stop writer, then again")]
        assert covey("stop", "writer").code == 0
    again = dict(states(steps(covey)))
    assert again["totals"] == "keep", "covey has counted on by itself"


def test_the_key_that_signed_on_the_old_mesh_can_be_taken_instead(covey: Program, old: Old) -> None:
    old.key("writer", 1)
    signing = old.mesh_key("writer", 3)
    old.json(old.mesh / "nodes" / "writer" / "cmbs" / "cmb-1.json", {})
    told = steps(covey)
    assert any(state == "skip" and "--identity mesh" in detail for _, state, detail in told)
    assert any(what == "memory" and detail.startswith("1 blocks") for what, _, detail in told)
    steps(covey, "--apply", "--identity", "mesh")
    shown = covey("fingerprint", "writer", "--json").json
    assert (shown["node_id"], shown["public_key"]) == (MESH_ID, b64(signing))
    kept = steps(covey, "--apply")
    assert states(kept) == [("identity", "keep")], "an identity is never replaced"
    assert covey("fingerprint", "writer", "--json").json == shown


def test_an_open_key_is_carried_and_said_to_have_been_open(covey: Program, old: Old) -> None:
    old.mesh_key("writer", 3)
    old.state("writer")
    told = steps(covey, "--apply")
    assert any("could be read by others (mode 0644)" in detail for _, _, detail in told)
    identity = covey.home / "peers" / "writer" / "identity.json"
    assert identity.stat().st_mode & 0o777 == 0o600
    assert json.loads(identity.read_text())["createdMs"] == 1_770_000_000_000


def damage(old: Old, what: str) -> None:
    keys = old.base / "keys"
    if what == "key":
        (keys / "writer.key").write_bytes(b"\0" * 48)
    elif what == "pub":
        (keys / "writer.pub").write_bytes(SPKI + b"\0" * 32)
    elif what == "json":
        (keys / "writer.json").write_text("{")
    elif what == "state":
        (old.base / "state" / "writer.json").write_text('{"schemaVersion": 9}')
    elif what == "trust":
        (old.base / "trusted-keys" / ROOM / "reviewer.json").write_text('{"publicKeyBase64Url": "xyz"}')


@pytest.mark.parametrize("what", ["key", "pub", "json", "state", "trust"])
def test_what_is_damaged_is_named_and_the_rest_is_carried(
    covey: Program, old: Old, writer: Path, what: str
) -> None:
    damage(old, what)
    found = steps(covey, "--apply", "--config", str(writer), code=1)
    failed = [detail for _, state, detail in found if state == "FAIL"]
    assert len(failed) == 1
    assert str(old.base) in failed[0]
    assert sum(state == "wrote" for _, state, _ in found) >= 2


@pytest.mark.parametrize(
    ("change", "left", "code"),
    [
        (("[context]", "[contxt]"), "contxt: expected one of", 0),
        (("max_cost_usd_per_hour = 0.5", "max_cost_usd_per_hour = -1"), "budget.max_cost_usd_per_hour", 0),
        (('"debug"', "2026-01-01"), "logging.level: expected one of", 0),
        ((f'group = "{ROOM}"', 'group = "Big Room"'), "mesh.room: expected a room", 1),
        (
            ("[role_weights]\nfocus = 2.0", "[role_weights]\n'a.b\"\\n[x]' = 1\nfocus = 2.0"),
            "an unknown key",
            0,
        ),
        (('"ollama"', '"cohere"'), "covey's own adapters are anthropic, compatible", 1),
        (("[identity]", "[identity"), "is not valid TOML", 1),
    ],
)
def test_what_a_configuration_cannot_say_here_is_left_out_with_the_reason(
    covey: Program, old: Old, writer: Path, change: tuple[str, str], left: str, code: int
) -> None:
    writer.write_text(CONFIG.replace(*change))
    found = steps(covey, "--apply", "--config", str(writer), code=code)
    (told,) = [(state, detail) for what, state, detail in found if what == "config" and left in detail]
    assert told[0] == ("skip" if code == 0 else "FAIL")
    if code == 0:
        assert settings.load(covey.home / "peers" / "writer" / "agent.toml").identity.name == "writer"


def test_defect_a_name_of_the_old_product_leads_out_of_the_folder(covey: Program, old: Old) -> None:
    """`keygen ../../escape` wrote outside the keys folder there; such a name is not followed here."""
    old.state("writer")
    (old.base / "state" / "..escape.json").write_bytes((old.base / "state" / "writer.json").read_bytes())
    found = steps(covey, "--apply", code=1)
    assert ("peer", "FAIL", "no name for a peer here: no '..' and no leading dot or dash") in found
    assert [path.name for path in (covey.home / "peers").iterdir()] == ["writer"]


def test_what_is_not_carried_is_named(covey: Program, old: Old, writer: Path) -> None:
    old.trust("elsewhere", "x", public(b"\5" * 32))
    (old.base / "notes.txt").write_text("mine")
    (old.mesh).mkdir()
    (old.mesh / "relay.env").write_text("SYM_RELAY_TOKEN=secret-token-value")
    ended = covey("migrate")
    assert 'trusted keys of group "elsewhere"' in ended.out
    assert "notes.txt" in ended.out
    assert "relay.env" in ended.out
    assert "secret-token-value" not in ended.out
    assert ended.out.rstrip().endswith("this was a dry run: `covey migrate --apply` writes it")


def test_where_nothing_is_there_is_nothing_to_do(covey: Program, tmp_path: Path) -> None:
    ended = covey("migrate")
    assert (ended.code, ended.out.splitlines()[0]) == (
        0,
        f"nothing to do: no files of the Node product at {covey.home.parent / '.xmesh'}",
    )
    assert covey("migrate", "--from", str(tmp_path / "none")).code == 2
    assert not covey.home.exists()


def test_its_folder_is_found_by_its_own_rules(covey: Program, old: Old, tmp_path: Path) -> None:
    old.state("first")
    legacy = old.base.with_name(".xmesh-agent")
    old.base.rename(legacy)
    assert {each["peer"] for each in covey("migrate", "--json").json["steps"]} == {"first"}
    (old.base / "state").mkdir(parents=True)
    assert (0, f"{legacy} is there too: name it with --from") == (
        covey("migrate").code,
        covey("migrate", "--json").json["steps"][-1]["detail"],
    )
    moved = tmp_path / "elsewhere"
    legacy.rename(moved)
    for env in ({"XMESH_RUNTIME_DIR": str(moved)}, {"XMESH_AGENT_RUNTIME_DIR": str(moved)}):
        assert covey("migrate", "--json", **env).json["steps"]
    assert covey("migrate", "--json", "--from", str(moved)).json["steps"]
