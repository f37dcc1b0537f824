"""What a door reads on the way: the request's model, the tokens; nothing changes but what must."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.inference.accounts import Accounts, Used, from_json
from covey.inference.reading import BadRequestError, Tally, asked_of, body_of

DELTA = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
COUNTS = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"


def through(pieces: list[bytes], *, hide: bool) -> tuple[bytes, Used]:
    tally = Tally(40, stream=True, hide=hide)
    out = b"".join(tally.feed(piece) for piece in pieces) + tally.finish()
    return out, tally.used()


@given(st.data(), st.booleans())
def test_a_stream_comes_out_the_same_however_it_was_cut(data, crlf):
    whole = DELTA * 3 + COUNTS + DONE
    whole = whole.replace(b"\n", b"\r\n") if crlf else whole
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert through(pieces, hide=False) == (whole, Used(5, 2))
    counts = COUNTS.replace(b"\n", b"\r\n") if crlf else COUNTS
    assert through(pieces, hide=True) == (whole.replace(counts, b""), Used(5, 2))


def test_counts_that_come_with_words_stay():
    both = b'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n'
    assert through([both], hide=True) == (both, Used(1, 1))


def test_the_responses_api_says_its_counts_in_its_last_event():
    last = b'event: response.completed\ndata: {"response":{"usage":{"input_tokens":3,"output_tokens":4}}}\n\n'
    assert through([last], hide=False)[1] == Used(3, 4)


def test_what_nobody_counted_is_estimated_and_said_so():
    out, used = through([DELTA, DONE], hide=True)
    assert out == DELTA + DONE
    assert used.estimated and used.prompt == 10 and used.completion > 0
    assert Tally(40, stream=True).used() == Used()


def test_an_answer_that_is_no_stream_is_counted_too():
    tally = Tally(40, stream=False)
    tally.whole(b'{"usage":{"prompt_tokens":3,"total_tokens":3}}')
    assert tally.used() == Used(3, 0)
    tally = Tally(40, stream=False)
    tally.whole(b"not json at all!")
    assert tally.used() == Used(10, 4, estimated=True)


def test_an_event_without_end_is_refused():
    tally = Tally(1, stream=True, hide=True)
    with pytest.raises(ValueError, match="event"):
        for _ in range(3):
            tally.feed(b"x" * (limits.DOOR_EVENT_BYTES // 2 + 1))


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{", b'{"model":1}', b'{"stream":"yes"}', b"[" * 100_000, b'{"model":"%s"}' % (b"x" * 999)],
)
def test_what_is_no_request_is_refused(raw):
    with pytest.raises(BadRequestError):
        body_of(raw)


def test_a_stream_is_asked_for_its_counts_and_an_embedding_for_nothing():
    raw, hide = asked_of({"model": "lane", "stream": True}, "/chat/completions", "real")
    assert json.loads(raw) == {"model": "real", "stream": True, "stream_options": {"include_usage": True}}
    assert hide
    wanted = {"stream": True, "stream_options": {"include_usage": True, "x": 1}}
    raw, hide = asked_of(wanted, "/chat/completions", None)
    assert json.loads(raw) == wanted and not hide
    assert asked_of({"input": "a"}, "/embeddings", None) == (b'{"input":"a"}', False)


def test_accounts_read_back_and_damaged_ones_do_not():
    accounts = Accounts()
    accounts.ended("ann", "answered", Used(4, 6), 5, 86_400_000)
    accounts.ended("ann", "failed", Used(1, 1, estimated=True), 5, 86_400_000)
    accounts.refused("bob", "rate")
    kept = json.loads(json.dumps(accounts.view()))
    assert kept["ann"]["day_tokens"] == 12 and kept["ann"]["estimated_tokens"] == 2
    assert from_json(kept).view() == accounts.view()
    for wrong in (
        [],
        {"ann": {}},
        {"ann": {**kept["ann"], "day": -1}},
        {"ann": {**kept["ann"], "day": True}},
    ):
        with pytest.raises(ValueError):
            from_json(wrong)
