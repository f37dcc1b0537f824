"""Shared state in JSON terms: requests become writes or are refused, and what is held is shown as data."""

import pytest

from covey import core
from covey.errors import UsageError
from covey.state import values

WHO = core.Identity("018f47a0-7b21-7abc-8def-00000000000a", "ann", b"a" * 32)


def held(*requests):
    state = core.StateMap("room:x", WHO.author, seed=bytes(16))
    for op, arguments in requests:
        state.commit(values.writes_of(op, arguments), now_ms=1_790_000_000_000, identity=WHO)
    return state


def test_what_is_written_is_read_back_as_json():
    state = held(
        ("set", {"name": "x", "value": {"deep": [1, None, "é"]}}),
        ("incr", {"name": "n", "by": -2}),
        ("add", {"name": "s", "element": "red"}),
        ("grant", {"name": "b", "issuer": WHO.author, "amount": 9}),
        ("spend", {"name": "b", "issuer": WHO.author, "amount": 4}),
    )
    assert values.value_of(state, "x") == {"name": "x", "kind": "register", "value": {"deep": [1, None, "é"]}}
    assert values.value_of(state, "n") == {"name": "n", "kind": "counter", "value": -2}
    assert values.value_of(state, "s") == {"name": "s", "kind": "set", "elements": ["red"], "whole": True}
    (budget,) = values.value_of(state, "b")["budgets"]
    assert (budget["granted"], budget["spent"], budget["overspent"]) == (9, 4, [])
    assert values.value_of(state, "nothing") is None


def test_bytes_and_elements_that_are_no_text_are_shown_as_data():
    state = held()
    writes = [("put", "raw", b"\xff\x00"), ("add", "s", b"\xff")]
    state.commit(writes, now_ms=1, identity=WHO)
    assert values.value_of(state, "raw") == {"name": "raw", "kind": "bytes", "base64": "/wA="}
    assert values.value_of(state, "s")["elements"] == ["\\xff"]


def test_lists_are_bounded_and_say_so():
    state = held(*(("set", {"name": f"a/{number}", "value": number}) for number in range(5)))
    found, whole = values.listed(state, "a/", 3)
    assert ([each["value"] for each in found], whole) == ([0, 1, 2], False)
    assert values.listed(state, "b", 3) == ([], True)


@pytest.mark.parametrize(
    ("op", "arguments"),
    [
        ("nonsense", {"name": "x"}),
        ("set", {"name": "x"}),
        ("set", {"name": "", "value": 1}),
        ("set", {"name": "x", "value": float("nan")}),
        ("incr", {"name": "x", "by": True}),
        ("incr", {"name": "x", "by": 1.5}),
        ("add", {"name": "x"}),
        ("spend", {"name": "x", "issuer": WHO.author, "amount": 0}),
        ("give", {"name": "x", "issuer": WHO.author, "amount": 1}),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_written(op, arguments):
    with pytest.raises(UsageError):
        values.writes_of(op, arguments)
