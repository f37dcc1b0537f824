"""Command lines, consoles and lines of text, without processes."""

from __future__ import annotations

import argparse
import io
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.cli.blocks import block_lines, event_lines, send_line, sends_summary, short_key
from covey.cli.console import Console, printable
from covey.cli.entry import guard
from covey.cli.parser import Parser, UnknownWord, check_text, path, seconds, whole
from covey.cli.status import duration, flat
from covey.cli.trace import tree
from covey.errors import UsageError


def parser() -> Parser:
    made = Parser("observe", "say it", "covey observe --focus x")
    made.add_argument("--focus")
    made.add_argument("--parent", action="append", default=[])
    made.add_argument("words", nargs="*")
    return made


def console(**options: Any) -> Console:
    return Console(io.StringIO(), io.StringIO(), {}, **options)


def read(*words: str) -> argparse.Namespace:
    found = parser().read(words)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "words",
    [
        ["release", "notes", "--focus", "x"],
        ["release", "--focus", "x", "notes"],
        ["--focus", "x", "release", "notes"],
        ["--focus", "x", "--", "release", "notes"],
    ],
)
def test_flags_may_stand_anywhere_between_words(words: list[str]) -> None:
    found = read(*words)
    assert (found.focus, found.words) == ("x", ["release", "notes"])


@pytest.mark.parametrize(
    ("words", "focus"),
    [
        (["--focus", "x"], "x"),
        (["--focus=x"], "x"),
        (["--focus", "-5"], "-5"),
        (["--focus", "-maybe"], "-maybe"),
        (["--focus", "- item"], "- item"),
        (["--focus="], ""),
        (["--focus", "two words"], "two words"),
    ],
)
def test_a_value_may_begin_with_a_dash(words: list[str], focus: str) -> None:
    assert read(*words).focus == focus


@pytest.mark.parametrize("first", ["-", "--", "A"])
@pytest.mark.parametrize("node", ["", ":01900000-0000-7000-8000-00000000000a"])
def test_a_public_key_is_a_word_whatever_it_begins_with(first: str, node: str) -> None:
    key = first + "B" * (43 - len(first)) + node
    assert read(key, "--focus", "x", "last").words == [key, "last"]


def test_a_mistyped_flag_is_not_taken_as_the_value_before_it() -> None:
    with pytest.raises(UnknownWord) as caught:
        read("--focus", "--parnt", "x")
    assert caught.value.hint == "did you mean --parent?"


def test_after_two_dashes_everything_is_a_word() -> None:
    assert read("--focus", "x", "--", "--help", "--nope").words == ["--help", "--nope"]


def test_flags_may_stand_between_words_before_two_dashes_too() -> None:
    found = read("one", "--focus", "x", "--parent=p", "two", "--", "--focus", "y")
    assert (found.words, found.focus, found.parent) == (["one", "two", "--focus", "y"], "x", ["p"])


def test_flags_are_never_abbreviated() -> None:
    with pytest.raises(UnknownWord, match="unknown flag: --foc"):
        read("--foc", "x")


def test_help_is_asked_for_anywhere_before_two_dashes() -> None:
    assert parser().read(["--focus", "x", "--help"]) is None
    assert parser().read(["-h"]) is None


@given(st.lists(st.text()))
def test_any_words_are_read_or_refused_and_never_end_the_process(words: list[str]) -> None:
    try:
        parser().read(words)
    except UsageError as error:
        assert error.message


@given(st.lists(st.text()))
def test_any_command_line_that_names_no_command_is_2_or_0(words: list[str]) -> None:
    out = console()
    assert guard(out, ["no-such-command", *words]) == 2
    assert isinstance(out.err, io.StringIO)
    assert out.err.getvalue().startswith("covey: unknown command: no-such-command\n")


@pytest.mark.parametrize("text", ["0", "11", "-1", "1.5", "", "x", "٣", "1_0", "9" * 30])
def test_whole_numbers_have_bounds(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="from 1 to 10"):
        whole(1, 10)(text)


@pytest.mark.parametrize("text", ["11", "-1", "", "x", "nan", "inf", "1e3", "1."])
def test_seconds_have_bounds(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="from 0 to 10"):
        seconds(0, 10)(text)


def test_numbers_and_paths_are_read() -> None:
    assert (whole(1, 10)("7"), seconds(0, 10)("2.5"), str(path("a/b"))) == (7, 2.5, "a/b")
    with pytest.raises(argparse.ArgumentTypeError):
        path("")


def test_text_that_is_not_utf8_is_named() -> None:
    check_text(argparse.Namespace(focus="é", parent=["ok"], wait=1.0))
    for arguments in (argparse.Namespace(focus="\udcff"), argparse.Namespace(focus=["a", "\udcff"])):
        with pytest.raises(UsageError, match="focus: not valid UTF-8"):
            check_text(arguments)


@given(st.text())
def test_printable_text_cannot_steer_a_terminal(text: str) -> None:
    shown = printable(text)
    assert all(char == " " or char.isprintable() for char in shown)
    assert printable(shown) == shown


def test_printable_text_keeps_what_is_harmless() -> None:
    assert printable("naïve 日本 🐦") == "naïve 日本 🐦"
    assert printable("a\tb\x1b\u202e") == "a\\tb\\x1b\\u202e"


def test_styles_are_only_for_consoles_that_want_them() -> None:
    assert console(colour=True).style("x", "bold", "red") == "\x1b[1;31mx\x1b[0m"
    assert console().style("x", "bold") == "x"


def test_json_output_is_one_line_and_text_is_left_out() -> None:
    out = console(as_json=True)
    out.say("text")
    out.result({"a": "é\n"}, "text")
    assert isinstance(out.out, io.StringIO)
    assert json.loads(out.out.getvalue()) == {"a": "é\n"}
    assert out.out.getvalue().count("\n") == 1


DELIVERY = {
    "event": "delivered",
    "delivery": {
        "block": {
            "key": "cmb-" + "a" * 64,
            "author": "ann\x1b",
            "parents": ["cmb-" + "b" * 64],
            "categories": {"focus": "x", "mood": "glad", "issue": "neutral"},
        },
        "judgement": {
            "decision": "guarded",
            "total_drift": 0.312,
            "categories": [
                {"name": "focus", "verdict": "guard", "drift": 0.4},
                {"name": "mood", "verdict": "silent", "drift": None},
            ],
        },
        "ingested": False,
        "directed": True,
        "received_ms": 0,
    },
}


def test_a_delivery_shows_who_what_and_why() -> None:
    lines = list(event_lines(console(), DELIVERY, 0))
    assert lines[0].endswith("guarded  ann\\x1b  drift 0.31  for me  not remembered  cmb-aaaaaaaaaaaa")
    assert lines[1:] == [
        "  focus        x  (guard 0.40)",
        "  mood         glad",
        "  answers      cmb-bbbbbbbbbbbb",
    ]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"event": "peer-joined", "peer": {"name": "b", "path": "in", "fingerprint": "f" * 64}}, "joined  b"),
        ({"event": "peer-left", "name": "bob", "reason": "closed"}, "left    bob  closed"),
        (
            {"event": "peer-left", "name": "bob", "reason": "peer_error", "detail": "off\x1b"},
            "left    bob  off\\x1b",
        ),
        ({"event": "dropped", "count": 7}, "missed 7 events"),
        (
            {"event": "send-settled", "send": {"name": "bob", "state": "refused", "reason": "why"}},
            "refused by bob: why",
        ),
        (
            {"event": "emitted", "block": {"key": "cmb-" + "c" * 64, "categories": {"focus": "x"}}},
            "emitted  cmb-cccccccccccc\n  focus        x",
        ),
        (
            {
                "event": "judged",
                "outcome": "rejected",
                "author": "bob",
                "from_name": "bob",
                "reason": None,
                "detail": "rejected: drift 0.90 is over 0.50",
                "directed": False,
                "key": None,
            },
            "rejected  bob  drift 0.90 is over 0.50",
        ),
        (
            {
                "event": "judged",
                "outcome": "redundant",
                "author": "bob",
                "from_name": "bob",
                "reason": None,
                "detail": "redundant: what can be compared repeats what is held",
                "directed": False,
                "key": "cmb-" + "c" * 64,
            },
            "redundant  bob  what can be compared repeats what is held  cmb-cccccccccccc",
        ),
        ({"event": "judged", "outcome": "rejected", "directed": True}, None),
        ({"event": "judged", "outcome": "admitted"}, None),
        (
            {"event": "invite-answered", "node_id": "n", "name": "bob", "answer": "used", "ours": True},
            "bob showed ours and is not welcome: somebody else came with it first; it is in the room",
        ),
        (
            {"event": "invite-answered", "node_id": "n", "name": "ann", "answer": "expired", "ours": False},
            "ann does not take ours: its time is over; this peer is in the room, and not trusted there",
        ),
        (
            {"event": "invite-answered", "node_id": "n", "name": "ann", "answer": "welcome", "ours": False},
            "ann welcomes and trusts this peer",
        ),
        ({"event": "mood-heard", "from_name": "bob", "mood": "tired"}, "mood  bob: tired"),
        (
            {"event": "mood-heard", "from_name": "bob", "mood": "glad", "context": "the release"},
            "mood  bob: glad  the release",
        ),
        ({"event": "something-new"}, None),
    ],
)  # fmt: skip
def test_each_kind_of_news_has_its_line_or_none(event: dict[str, Any], expected: str | None) -> None:
    shown = "\n".join(event_lines(console(), event, 0))
    assert (expected in shown) if expected else (shown == "")


def test_sends_are_summed_up() -> None:
    taken, refused = (
        {"state": "delivered", "name": "a", "reason": None},
        {"state": "refused", "name": "b", "reason": "r"},
    )
    assert sends_summary([taken, refused]) == "1 of 2 peers took it"
    assert (sends_summary([taken]), sends_summary([refused])) == ("taken", "not taken")
    assert send_line(console(), taken) == "delivered by a"


def test_a_block_of_another_day_carries_its_date() -> None:
    block = {"author": "ann", "to": None, "key": "cmb-1", "created_ms": 0, "said": {"focus": "x"}}
    old = next(block_lines(console(), block))
    new = next(block_lines(console(), {**block, "created_ms": time.time() * 1000}))
    assert old.startswith(("1970-01-01 ", "1969-12-31 "))
    assert new[2] == ":"


def test_a_tree_with_a_circle_ends() -> None:
    # Content addresses make circles impossible; a damaged store could still claim one.
    def held(name: str, parent: str) -> dict[str, Any]:
        return {"depth": 0, "block": {"key": name, "author": "x", "parents": [parent], "said": {}}}

    found = {"root": "a", "chain": [held("a", "b"), held("b", "a")], "missing": [], "cut": False}
    assert list(tree(console(), found)) == [
        "root: a",
        "[a] by x | ",
        "  [b] by x | ",
        "    [a] by x (shown above)",
    ]


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0s"), (59, "59s"), (61, "1m"), (5_400, "1.5h"), (90_000, "1.0d")]
)
def test_durations(value: float, shown: str) -> None:
    assert duration(value) == shown


def test_nested_facts_become_rows() -> None:
    assert list(flat({"a_b": {"c": 1, "d": None}, "e": "x"})) == [("a b c", 1), ("a b d", "-"), ("e", "x")]
    assert short_key("cmb-" + "a" * 64) == "cmb-aaaaaaaaaaaa"
