"""Authority between real processes: a grant reaches the one that was away; nothing forged counts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from covey.system import anchor as anchors
from covey.system import identity as ids
from covey.system.anchor import Anchor
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from covey.system.home import Home
from tests.e2e.program import Program, Running

SECONDS = 30


@pytest.fixture
def keys(covey: Program) -> dict[str, dict[str, Any]]:
    """Identities of four peers; the first three take authority from the owner, the last from itself."""
    home, made = Home.resolve(covey.env), {}
    for name in ("owner", "member", "away", "forger"):
        home.prepare_peer(name)
        who = ids.load_or_create(home.identity_path(name), name, SystemClock(), SystemEntropy())
        made[name] = {"node_id": who.node_id, "public_key": ids.b64(who.public_key)}
    for name in made:
        anchor = made["forger" if name == "forger" else "owner"]
        pinned = Anchor.of((f"{anchor['public_key']}:{anchor['node_id']}",), 1)
        anchors.save(home.anchor_path(name), pinned)
    return made


def listed(covey: Program, name: str) -> dict[str, Any]:
    return covey("authority", "list", name, "--json").json


def standings(covey: Program, name: str) -> dict[str, str]:
    return {each["id"]: each["standing"] for each in listed(covey, name)["statements"]}


def until(question: Callable[[], bool]) -> None:
    """Ask until it is so: what one process does shows in another when its frames have arrived."""
    end = time.monotonic() + SECONDS
    while not question():
        assert time.monotonic() < end, "it never came"


def listening(covey: Program, name: str) -> Running:
    started = covey.start("listen", name, "--json")
    started.event("listening")
    return started


def test_a_grant_reaches_who_was_away_and_a_revoke_ends_it_everywhere(
    covey: Program, keys: dict[str, dict[str, Any]]
) -> None:
    words = (keys["member"]["node_id"], keys["member"]["public_key"], "validator")
    with listening(covey, "member"):
        with listening(covey, "owner"):
            grant = covey("authority", "grant", "owner", *words, "--json").json
            assert grant["standing"] == "in-force"
            until(lambda: standings(covey, "member").get(grant["id"]) == "in-force")
        # The owner is gone; who comes now learns it from who was told.
        with listening(covey, "away"):
            until(lambda: standings(covey, "away").get(grant["id"]) == "in-force")
            holders = {each["node_id"]: each["roles"] for each in listed(covey, "away")["holders"]}
            assert holders[keys["member"]["node_id"]] == [{"role": "validator", "scope": None}]
            revoke = covey("authority", "revoke", "owner", grant["id"], "--json").json  # it does not run
            assert revoke["standing"] == "in-force"
            with listening(covey, "owner"):
                until(lambda: standings(covey, "away").get(grant["id"]) == "removed")
                until(lambda: standings(covey, "member").get(grant["id"]) == "removed")
    roots = {listed(covey, name)["root"] for name in ("owner", "member", "away")}
    assert len(roots) == 1, "also after a restart, judged again from the disk"


def test_a_revoke_wins_in_any_order_of_arrival(covey: Program, keys: dict[str, dict[str, Any]]) -> None:
    words = (keys["member"]["node_id"], keys["member"]["public_key"], "admin")
    grant = covey("authority", "grant", "owner", *words, "--json").json
    covey("authority", "revoke", "owner", grant["id"])
    told = covey("authority", "export", "owner").out.splitlines()
    assert len(told) == 2
    for name, order in (("member", told), ("away", told[::-1])):
        file = covey.home / f"{name}.jsonl"
        file.write_text("\n".join(order))
        assert covey("authority", "import", name, str(file)).code == 0
        assert standings(covey, name)[grant["id"]] == "removed"
    assert listed(covey, "member")["root"] == listed(covey, "away")["root"]


def test_a_forged_statement_is_refused_and_counted(covey: Program, keys: dict[str, dict[str, Any]]) -> None:
    words = (keys["forger"]["node_id"], keys["forger"]["public_key"], "admin")
    assert covey("authority", "grant", "forger", *words).code == 0
    file = covey.home / "forged.jsonl"
    assert covey("authority", "export", "forger", "--out", str(file)).code == 0
    refused = covey("authority", "import", "member", str(file), "--json")
    assert (refused.code, refused.json["taken"]) == (1, [])
    with listening(covey, "member"), listening(covey, "forger"):
        counted = "authority.refused.bad_signature"
        until(lambda: covey("status", "member", "--json").json["node"]["counters"].get(counted, 0) > 0)
        assert listed(covey, "member")["held"] == 0
    log = next((covey.home / "logs").glob("**/member*")).read_text()
    assert any(json.loads(line)["evt"] == "statement-refused" for line in log.splitlines())


def test_another_anchor_takes_its_place_only_by_name(covey: Program, keys: dict[str, dict[str, Any]]) -> None:
    other = keys["forger"]["public_key"]
    refused = covey("authority", "pin", "member", other)
    assert refused.code == 1
    assert keys["owner"]["public_key"] in refused.err
    assert "--replace" in refused.err
    config = covey.home / "member.toml"
    config.write_text(
        f'[identity]\nname = "member"\nrole = "writer"\n[model]\nadapter = "scripted"\n'
        f'[[scripted.rules]]\nemit = {{ focus = "x" }}\n[trust]\nanchor = "{other}"\n'
    )
    ended = covey("run", "--config", str(config))
    assert ended.code == 1
    assert "covey authority pin member" in ended.err
    replaced = covey("authority", "pin", "member", other, "--replace")
    assert (replaced.code, "given up" in replaced.out) == (0, True)
    assert covey("authority", "pin", "member", "--json").json["members"] == [other]


def test_words_that_cannot_be_meant_are_refused(covey: Program, keys: dict[str, dict[str, Any]]) -> None:
    key, node_id = keys["member"]["public_key"], keys["member"]["node_id"]
    for words in (
        ("grant", "owner", node_id, key),
        ("grant", "owner", "bob", key, "admin"),
        ("revoke", "owner"),
        ("list", "owner", "x"),
        ("list", "owner", "--scope", "a:b"),
        ("pin", "owner", "key"),
        ("pin", "owner", key, "--threshold", "2"),
        ("import", "owner"),
        ("bless", "owner"),
    ):
        assert covey("authority", *words).code == 2, words
    assert covey("authority", "grant", "owner", node_id, key, "king").code == 2
    beyond = covey("authority", "grant", "member", node_id, key, "admin")
    assert (beyond.code, "no authority in force" in beyond.err) == (1, True)
    nobody = covey("authority", "list", "nobody")
    assert (nobody.code, "covey authority pin nobody" in nobody.err) == (1, True)
