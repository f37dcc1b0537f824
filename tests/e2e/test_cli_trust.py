"""`covey trust` with the real program: whom a peer trusts, and that no key is given up in silence."""

from __future__ import annotations

import base64
import json
import stat

from covey import _core
from tests.e2e.program import Program

OTHER = "01997c00-0000-7000-8000-000000000001"
MARK = "ab" * 32


def test_x03_trust_is_added_listed_and_removed(covey: Program) -> None:
    added = covey("trust", "add", "writer", MARK, "--note", "from the other site", "--json").json
    assert (added["identity"], added["running"]) == (MARK, False)
    path = covey.home / "peers" / "writer" / "trust.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    listed = covey("trust", "list", "writer", "--json").json["trusted"]
    assert [(each["identity"], each["fingerprint"], each["note"]) for each in listed] == [
        (MARK, None, "from the other site")
    ]
    assert MARK in covey("trust", "list", "writer").out
    assert covey("trust", "remove", "writer", MARK).code == 0
    again = covey("trust", "remove", "writer", MARK)
    assert (again.code, "covey trust list writer" in again.err) == (1, True)
    assert covey("trust", "list", "writer", "--json").json["trusted"] == []


def test_a_public_key_is_trusted_as_its_fingerprint(covey: Program) -> None:
    other = covey("keygen", "reviewer", "--json").json
    added = covey("trust", "add", "writer", other["public_key"], "--json").json
    assert added["identity"] == other["fingerprint"]
    assert covey("trust", "remove", "writer", other["public_key"]).code == 0


def test_words_that_cannot_be_meant_are_refused(covey: Program) -> None:
    for words in (
        ("add", "writer"),
        ("add", "writer", "bob"),
        ("add", "writer", OTHER, MARK),
        ("pin", "writer", OTHER),
        ("pin", "writer", MARK, MARK),
        ("forgive", "writer", OTHER),
        ("add", "writer", MARK, "--note", "x" * 201),
    ):
        assert covey("trust", *words).code == 2, words
    assert not (covey.home / "peers" / "writer" / "trust.json").exists()


def test_x03_a_key_that_is_known_is_given_up_only_when_asked_and_named(covey: Program) -> None:
    made = covey("keygen", "writer", "--json").json
    raw = bytes(_core.SigningKey(b"\x07" * 32).public_key)
    known = _core.Identity(OTHER, "other", b"\x07" * 32).fingerprint
    store = _core.Store.open(covey.home / "peers" / "writer" / "store.db", node_id=made["node_id"])
    store.bind(OTHER, raw, "other", 1)
    store.close()

    assert covey("trust", "pin", "writer", OTHER, known).code == 0
    refused = covey("trust", "pin", "writer", OTHER, MARK)
    assert refused.code == 1
    assert known in refused.err
    assert "--replace" in refused.err
    assert covey("trust", "list", "writer", "--json").json["trusted"][0]["fingerprint"] == known

    replaced = covey("trust", "pin", "writer", OTHER, MARK, "--replace")
    assert replaced.code == 0
    assert f"given up: {known}" in replaced.out
    store = _core.Store.open(covey.home / "peers" / "writer" / "store.db", node_id=made["node_id"])
    assert store.bindings() == []
    store.close()
    assert covey("trust", "pin", "writer", OTHER, known).code == 1, "the pin itself is not replaced either"


def test_a_peer_whose_memory_contradicts_its_pins_does_not_start(covey: Program) -> None:
    made = covey("keygen", "writer", "--json").json
    store = _core.Store.open(covey.home / "peers" / "writer" / "store.db", node_id=made["node_id"])
    raw = base64.urlsafe_b64decode(made["public_key"] + "=")
    store.bind(OTHER, raw, "other", 1)
    store.close()
    book = covey.home / "peers" / "writer" / "trust.json"
    assert covey("trust", "pin", "reader", OTHER, MARK).code == 0
    book.write_text((covey.home / "peers" / "reader" / "trust.json").read_text())
    ended = covey("listen", "--name", "writer")
    assert ended.code == 1
    assert MARK in ended.err
    assert made["fingerprint"] in ended.err
    assert "covey trust pin writer" in ended.err


def test_what_stock_peers_claimed_is_shown_apart_and_forgotten_when_asked(covey: Program) -> None:
    assert covey("keygen", "writer").code == 0
    path = covey.home / "peers" / "writer" / "claims.json"
    claimed = {"nodeId": OTHER, "fingerprint": MARK, "name": "stock", "sinceMs": 5}
    path.write_text(json.dumps({"version": 1, "claimed": [claimed]}), encoding="utf-8")
    listed = covey("trust", "list", "writer", "--json").json
    assert listed["trusted"] == []
    assert [(each["node_id"], each["fingerprint"]) for each in listed["claimed"]] == [(OTHER, MARK)]
    assert "prove nothing" in covey("trust", "list", "writer").out
    assert covey("trust", "unclaim", "writer", OTHER).code == 0
    again = covey("trust", "unclaim", "writer", OTHER)
    assert (again.code, "covey trust list writer" in again.err) == (1, True)
    assert covey("trust", "list", "writer", "--json").json["claimed"] == []
    assert covey("trust", "unclaim", "writer", "bob").code == 2


def test_a_peer_that_is_not_there_is_no_peer_that_trusts_nobody(covey: Program) -> None:
    covey("keygen", "ann")
    for words in (("list", "nobody"), ("remove", "nobody", MARK)):
        said = covey("trust", *words)
        assert (said.code, 'no peer named "nobody"' in said.err, "ann" in said.err) == (1, True, True), words
    assert not (covey.home / "peers" / "nobody").exists()
    assert covey("trust", "list", "ann").code == 0
