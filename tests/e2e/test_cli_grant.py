"""Rooms with an owner, with the real program: a grant lets a peer in, and nothing else does."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.e2e.program import ROOM, Program

AGENT = """
[identity]
name = "{name}"
role = "writer"

[model]
adapter = "scripted"

[[scripted.rules]]
emit = {{ focus = "heard: {{focus}}", commitment = "done with it" }}

[mesh]
room = "{room}"
room_owner = "{owner}"
"""


def config(folder: Path, name: str, owner: str, grant: Path | None) -> str:
    path = folder / f"{name}.toml"
    shown = "" if grant is None else f'room_grant = "{grant}"\n'
    path.write_text(AGENT.format(name=name, room=ROOM, owner=owner) + shown)
    return str(path)


def granted(covey: Program, folder: Path, name: str) -> Path:
    who = covey("keygen", name, "--json").json
    out = folder / f"{name}.grant"
    made = covey(
        "grant",
        "owner",
        "--room",
        ROOM,
        "--to",
        who["node_id"],
        "--key",
        who["public_key"],
        "--out",
        str(out),
        "--json",
    )
    assert made.json["grant"]["grantee"] == who["node_id"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    return out


def test_two_peers_with_grants_meet_and_one_with_a_copied_grant_does_not(
    covey: Program, tmp_path: Path
) -> None:
    owner = covey("keygen", "owner", "--json").json["public_key"]
    ann, bob = granted(covey, tmp_path, "ann"), granted(covey, tmp_path, "bob")
    with covey.start("run", "--config", config(tmp_path, "ann", owner, ann), "--json") as first:
        first.event("ready")
        with covey.start("listen", "ann", "--json") as ear:
            ear.event("listening")
            with covey.start("run", "--config", config(tmp_path, "thief", owner, bob), "--json") as thief:
                thief.event("ready")
                with covey.start("run", "--config", config(tmp_path, "bob", owner, bob), "--json") as second:
                    second.event("ready")
                    assert ear.event("peer-joined")["peer"]["name"] == "bob"
                    names = {each["name"] for each in covey("peers", "ann", "--json").json["peers"]}
                    assert names == {"bob"}
                    assert covey("status", "ann", "--json").json["node"]["gated"] is True
                    assert covey("peers", "thief", "--json").json["peers"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--room", "default"), "can be owned"),
        (("--hours", "25"), "expected hours from 0.01 to 24"),
        (("--key", "abc"), "public key"),
        (("--to", "bob"), "nodeId"),
    ],
)
def test_grants_that_nobody_can_make(covey: Program, words: tuple[str, str], said: str) -> None:
    me = covey("keygen", "owner", "--json").json
    flags = {"--room": "lab", "--to": me["node_id"], "--key": me["public_key"]} | dict([words])
    ended = covey("grant", "owner", *(word for flag in flags.items() for word in flag))
    assert ended.code == 2
    assert said in ended.err


def test_a_config_whose_grant_cannot_be_read_does_not_start(covey: Program, tmp_path: Path) -> None:
    owner = covey("keygen", "owner", "--json").json["public_key"]
    missing = covey("run", "--config", config(tmp_path, "ann", owner, tmp_path / "none.grant"))
    assert (missing.code, "covey grant" in missing.err) == (1, True)
    dry = covey("dry-run", "--config", config(tmp_path, "ann", owner, tmp_path / "none.grant"))
    assert (dry.code, "FAIL  room grant" in dry.out) == (1, True)
    bad = tmp_path / "bad.grant"
    bad.write_text("{}")
    assert covey("run", "--config", config(tmp_path, "ann", owner, bad)).code == 1
    common = Path(config(tmp_path, "ann", owner, None))
    common.write_text(common.read_text().replace(ROOM, "default"))
    refused = covey("run", "--config", str(common))
    assert refused.code == 1
    assert "mesh.room_owner" in refused.err


def test_a_dry_run_says_whom_and_how_long_a_grant_lets_in(covey: Program, tmp_path: Path) -> None:
    owner = covey("keygen", "owner", "--json").json["public_key"]
    path = config(tmp_path, "ann", owner, granted(covey, tmp_path, "ann"))
    line = next(line for line in covey("dry-run", "--config", path).out.splitlines() if "room grant" in line)
    assert line.startswith("  ok")
    assert covey("fingerprint", "ann", "--json").json["node_id"] in line
    Path(path).write_text(Path(path).read_text().replace(ROOM, "elsewhere"))
    assert "not elsewhere" in covey("dry-run", "--config", path).out
    alone = config(tmp_path, "owner", owner, None)
    assert "none shown" in covey("dry-run", "--config", alone).out
