"""Outcomes, judgements and work sessions between real processes: who may, and what moves."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from covey.system import anchor as anchors
from covey.system import identity as ids
from covey.system.anchor import Anchor
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from covey.system.home import Home
from tests.e2e.program import ROOM, Program
from tests.e2e.test_state import listening, met

SECONDS = 30


@pytest.fixture
def owner(covey: Program) -> str:
    """Let `member` and `owner` take authority from the owner's key; return the owner's nodeId."""
    home, made = Home.resolve(covey.env), {}
    for name in ("owner", "member", "other"):
        home.prepare_peer(name)
        who = ids.load_or_create(home.identity_path(name), name, SystemClock(), SystemEntropy())
        made[name] = (who.node_id, ids.b64(who.public_key))
    node_id, key = made["owner"]
    for name in made:
        anchors.save(home.anchor_path(name), Anchor.of((f"{key}:{node_id}",), 1))
    return node_id


def until(question: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not question():
        assert time.monotonic() < end, "it never came"


def test_a_word_of_authority_moves_a_block_at_another_peer_and_evidence_only_grounds_it(
    covey: Program, owner: str
) -> None:
    with listening(covey, "member") as member, listening(covey, "owner") as boss:
        met(covey, "member", "owner")
        said = covey("observe", "--peer", "member", "--focus", "the parser is fast now", "--json").json
        key = said["block"]["key"]

        def about(name: str) -> dict[str, object]:
            found: dict[str, object] = covey("feedback", "show", name, key, "--json").json
            return found

        def stands(name: str) -> str:
            return str(about(name)["block"]["lifecycle"])

        refused = covey("feedback", "validate", "member", key, "--why", "I say so")
        assert (
            refused.code == 1
            and "no_authority"
            in refused.err + covey("feedback", "validate", "member", key, "--why", "I say so", "--json").out
        )
        assert "verified: " in covey("ground", "member", key, "--verified", "ten runs").out + "verified: "
        assert stands("member") == "remixed"
        assert about("member")["grounding"]["tier"] == 0

        assert covey("feedback", "validate", "owner", key, "--why", "ten runs agree").code == 0
        until(lambda: stands("owner") == "validated")
        until(lambda: stands("member") == "validated")
        assert covey("ground", "owner", key, "--failed", "a slow input").code == 0
        until(lambda: about("member")["grounding"]["tier"] == 2)
        covey("ground", "member", key, "--verified", "but I saw it")
        found = about("member")
        assert found["grounding"]["held"] is False
        assert found["grounding"]["by"] == owner
        assert stands("member") == "validated", "an outcome moves nothing"
        shown = covey("feedback", "show", "member", key).out
        assert "did not hold" in shown and "the anchor or an admin" in shown
        heeded = [line for line in covey("logs", "member").out.splitlines() if "validators-heeded" in line]
        assert heeded and owner in heeded[-1], "and its directives count more (§11.3)"
        covey("stop", "owner")
        covey("stop", "member")
        assert (member.end().code, boss.end().code) == (0, 0)


def test_a_session_leaves_one_trail_that_lineage_walks_and_its_outcome_grounds(covey: Program) -> None:
    def session(*words: str) -> dict[str, object]:
        found: dict[str, object] = covey(
            "session", words[0], "work", *words[1:], "--wait", "0", "--room", ROOM, "--json"
        ).json
        return found

    charter = session("start", "make the parser twice as fast")["key"]
    assert covey("session", "start", "work", "another", "--wait", "0", "--room", ROOM).code == 1
    first = session("decide", "measure before changing anything", "--why", "nobody knows what is slow")["key"]
    second = session("decide", "keep a table of states")["key"]
    again = session("decide", "keep a table of states")
    assert (again["result"], again["key"]) == ("duplicate", second)
    reasoned = session("decide", "measure again", "--why", "a table may be slow")["key"]
    again = session("decide", "measure again")
    assert (again["result"], again["key"]) == ("duplicate", reasoned), "a reason left out is no new decision"
    done = session("finish", "parser 2.0", "--failed", "it is only 1.4 times as fast")
    artifact = done["artifact"]["key"]
    trail = covey("trace", "work", str(done["key"]), "--json").json["chain"]
    assert [each["block"]["key"] for each in trail] == [
        done["key"],
        artifact,
        reasoned,
        second,
        first,
        charter,
    ]
    about = covey("feedback", "show", "work", str(artifact), "--wait", "0", "--room", ROOM, "--json").json
    assert about["grounding"]["held"] is False and "1.4 times" in about["grounding"]["words"]
    assert covey("session", "decide", "work", "too late", "--wait", "0", "--room", ROOM).code == 1
    assert "no session is open" in covey("session", "show", "work", "--wait", "0", "--room", ROOM).out


def test_wrong_uses_are_named(covey: Program) -> None:
    for words in (
        ("ground", "ann", "cmb-1"),
        ("ground", "ann", "cmb-1", "--verified", "x", "--failed", "y"),
        ("feedback", "validate", "ann", "cmb-1"),
        ("feedback", "show", "ann", "cmb-1", "--why", "x"),
        ("session", "start", "ann"),
        ("session", "finish", "ann", "thing"),
        ("session", "decide", "ann", "thing", "--failed", "x"),
        ("session", "show", "ann", "thing"),
    ):
        assert covey(*words).code == 2, words
    assert covey("ground", "ann", "cmb-1", "--verified", "x", "--wait", "0").code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("ground", "writer", "cmb-5e41", "--verified", " "),
        ("ground", "writer", "cmb-5e41", "--failed", ""),
        ("session", "start", "writer", " "),
        ("session", "decide", "writer", ""),
        ("session", "decide", "writer", "so", "--why", "\t"),
        ("session", "finish", "writer", "it", "--verified", " "),
        ("feedback", "dismiss", "writer", "cmb-5e41", "--why", " "),
        ("ask", " "),
    ],
)
def test_an_empty_text_is_a_wrong_command_and_reaches_no_peer(covey: Program, words: tuple[str, ...]) -> None:
    said = covey(*words)
    assert said.code == 2
    assert "empty" in said.err.splitlines()[0]


def test_a_text_beyond_the_bound_is_a_wrong_command(covey: Program) -> None:
    said = covey("ground", "writer", "cmb-5e41", "--failed", "x" * 4_001)
    assert said.code == 2
    assert "--failed: expected a text of at most 4,000 characters, got 4,001" in said.err
