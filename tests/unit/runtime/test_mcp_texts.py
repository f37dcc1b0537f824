"""Compact headers, bodies, quotes, addresses and arguments of the MCP server, by themselves."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.errors import UsageError
from covey.model import CAT7
from covey.runtime.mcp import invites
from covey.runtime.mcp.headers import Bodies, compact, envelope_line, signal, subject
from covey.runtime.mcp.quoting import Quoter, when
from covey.runtime.mcp.specs import SPECS, complaint, spec_of


def block(number=0, author="bob", **said):
    return {
        "key": f"cmb-{number:064x}",
        "author": author,
        "node_id": "n",
        "created_ms": 0,
        "to": None,
        "parents": [],
        "said": said,
    }


def test_bodies_are_a_window_and_what_left_it_is_gone():
    bodies = Bodies(2)
    names = [bodies.keep(block(number)) for number in (1, 2, 1, 3)]
    assert names == ["m001", "m002", "m001", "m003"]
    assert bodies.get("m001") is None and bodies.get("m002")["key"] == block(2)["key"]
    assert bodies.keep(block(1)) == "m004"


@pytest.mark.parametrize(
    ("said", "word", "topic"),
    [
        ({"focus": "[HALT · from a · to b · focus=stop_now] all of it"}, "HALT", "stop_now"),
        ({"focus": "[RESULT] it is green"}, "RESULT", "it is green"),
        ({"focus": "ACK: seen"}, "ACK", "ACK: seen"),
        ({"focus": "x", "commitment": "RESULT: done"}, "RESULT", "x"),
        ({"issue": "only this"}, "CMB", "only this"),
        ({"focus": "[NOBODY] knows this"}, "CMB", "knows this"),
        ({}, "CMB", ""),
    ],
)
def test_signals_and_subjects(said, word, topic):
    assert (signal(block(**said), directed=False), subject(block(**said))) == (word, topic)


def test_an_envelope_is_read_back_as_it_was_written():
    line = envelope_line("RESULT", "me]\n·", "all", "Is the parser done?")
    assert line == "[RESULT · from me · to all · focus=is_the_parser_done]"
    assert signal(block(focus=f"{line} yes"), directed=True) == "RESULT"


@given(st.text(max_size=200), st.text(max_size=60), st.text(max_size=40))
def test_a_header_is_one_line_that_nobody_can_leave(focus, mood, author):
    line = compact(block(author=author, focus=focus, mood=mood), "m001", directed=False)
    assert len(line.splitlines()) == 1 and line.endswith("tok) [m001]")
    at = line.index("focus=") + 6
    said, _ = json.JSONDecoder().raw_decode(line[at:])
    assert said == subject(block(author=author, focus=focus))


@given(st.lists(st.text(max_size=80), min_size=1, max_size=4))
def test_quoted_blocks_hold_their_texts_and_no_text_holds_the_delimiter(texts):
    quoter = Quoter(b"k" * 32)
    held = [block(number, focus=text or "x") for number, text in enumerate(texts)]
    lines = quoter.blocks(held).splitlines()
    fence = lines[1].rsplit(" ", 1)[1]
    assert not any(fence in text for text in texts)
    assert sum(line == f"{fence} end" for line in lines) == len(held)
    found = [json.loads(line.removeprefix("focus: ")) for line in lines if line.startswith("focus: ")]
    assert found == [text or "x" for text in texts]


def test_a_result_is_bounded_and_says_what_it_left_out():
    text = Quoter(b"k" * 32).blocks([block(1, focus="a" * 60_000), block(2, focus="late")])
    assert "(12000 more characters left out)" in text and "(4 more characters left out)" in text
    assert len(text) < 50_000


def test_addresses_of_rooms():
    assert invites.create("a-b", None, None) == "sym://group/a-b"
    url = invites.create("a-b", "wss://r.example/x?y=1", "t&k")
    assert invites.read(url) == {
        "app": "sym",
        "group": "a-b",
        "service_type": "_a-b._tcp",
        "relay_url": "wss://r.example/x?y=1",
        "relay_token": "t&k",
    }
    found = invites.read("melotune://room/r1/My%20Room")
    assert (found["group"], found["room_id"], found["room_name"]) == ("melotune-r1", "r1", "My Room")
    for wrong in ("http://x", "sym://group/", "sym://group/A B", "sym://else/a", "x" * 3_000, "sym://[/a"):
        with pytest.raises(UsageError):
            invites.read(wrong)
    for group, relay, token in (("Not Kebab", None, None), ("a", None, "t"), ("a--b", None, None)):
        with pytest.raises(UsageError):
            invites.create(group, relay, token)


def test_every_tool_says_what_it_takes_and_refuses_what_it_does_not():
    send = spec_of("sym_send")
    assert set(CAT7) <= send.schema["properties"].keys()
    assert complaint(send, {"focus": "x", "mood": {"text": "glad", "valence": 0.5}}) is None
    for wrong in (
        {},
        {"focus": 1},
        {"focus": "x", "nonsense": 1},
        {"focus": "x", "mood": {"valence": 2}},
        {"focus": "x", "mood": {"text": "x", "valence": 2}},
        {"focus": "x", "parents": "cmb-"},
        {"focus": "x", "label": "SHOUT"},
    ):
        assert complaint(send, wrong) is not None, wrong
    wait = spec_of("sym_wait_for_reply")
    assert complaint(wait, {"key": "x", "wait_seconds": True}) and complaint(
        wait, {"key": "x", "answers": 1.5}
    )
    assert len({spec.name for spec in SPECS}) == len(SPECS) == 16


def test_a_time_past_every_calendar_is_shown_as_it_is():
    assert when(1_786_700_000_000) == "2026-08-14T09:33:20Z"
    assert when(2**53 - 1) == f"{2**53 - 1} ms"
