"""`covey ask` between real processes: one cited answer, with a model and without; silence; exit codes."""

from __future__ import annotations

import json

from tests.e2e.fake_model import FakeModel
from tests.e2e.program import Program

QUESTION = "which frame does the parser drop?"


def fake(_name: str, _system: str, user: str) -> str:
    """Cite what bob contributed, and add what nobody did."""
    line = next(each for each in user.splitlines() if 'by "bob"' in each)
    number = int(line[1 : line.index("]")])
    rows = [
        {"text": "The parser drops the last frame of a burst.", "cites": [number]},
        {"text": "It will cost 4000 dollars.", "cites": [number]},
    ]
    return json.dumps({"sentences": rows})


def test_a_question_gets_one_cited_answer_with_a_model_and_without(covey: Program) -> None:
    with covey.start("listen", "bob", "--json") as bob, covey.start("listen", "cid", "--json") as cid:
        for each in (bob, cid):
            each.event("listening")
        bob.event("peer-joined")
        said = covey(
            "observe", "--peer", "bob", "--focus", "the parser drops the last frame of a burst", "--json"
        ).json
        source = said["block"]["key"]

        plain = covey("ask", QUESTION, "--peer", "ann")
        assert plain.code == 0
        assert "drops the last frame of a burst [1]" in plain.out
        assert "illustrative, no model's words" in plain.out and "written back as cmb-" in plain.out
        assert "dropped: cid: echo" in plain.out, "cid heard it from bob, and adds nothing"

        with FakeModel(fake) as model:
            flags = ("--adapter", "compatible", "--base-url", model.url, "--model", "m")
            found = covey("ask", QUESTION, "--peer", "ann", *flags, "--json").json
        assert found["mode"] == "model" and found["model"] == "compatible/m"
        (sentence,) = found["answer"]
        assert source in sentence["cites"]
        assert [each["reason"] for each in found["withheld"]] == ["unsupported"]

        through = covey("ask", QUESTION, "--peer", "cid", "--json").json
        assert through["ok"] and through["peer"] == "cid", "through a peer that runs"
        assert {each["name"]: each["reason"] for each in through["silent"]} == {}

        quiet = covey("ask", "who repairs the espresso machine?", "--peer", "ann")
        assert quiet.code == 1 and "no answer: nobody had anything to say" in quiet.err
        assert "silent: bob: no grounding in own store" in quiet.out
        covey("stop", "bob")
        covey("stop", "cid")
        assert (bob.end().code, cid.end().code) == (0, 0)


def test_nobody_there_and_wrong_uses_are_named(covey: Program) -> None:
    alone = covey("ask", QUESTION, "--within", "0.3", "--json")
    assert alone.code == 1 and alone.json["error"]["code"] == "nobody"
    for words in (
        ("ask",),
        ("ask", "   "),
        ("ask", "x" * 2_001),
        ("ask", QUESTION, "--within", "0"),
        ("ask", QUESTION, "--model", "m"),
        ("ask", QUESTION, "--config", "a.toml", "--adapter", "ollama"),
        ("ask", QUESTION, "--adapter", "no-such-adapter"),
    ):
        assert covey(*words).code == 2, words
