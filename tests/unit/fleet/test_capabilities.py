"""Offers: one line of a member, read leniently, found among the living."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.fleet import capabilities as caps
from covey.fleet.capabilities import CapabilityError, Offer, Standing

WORDS = st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True)
OFFERS = st.builds(
    Offer,
    nickname=WORDS,
    capabilities=st.lists(WORDS, min_size=1, max_size=4, unique=True).map(tuple),
    capacity=st.integers(1, 100),
    running=st.integers(0, 200),
)


def standing(meta, *, alive=True, suspicion=0.0):
    return Standing("01900000-0000-7000-8000-000000000001", "ann", alive, suspicion, meta)


@given(st.lists(OFFERS, max_size=5))
def test_s01_what_is_written_is_read(offers):
    found, bad = caps.read(standing(caps.written(offers)), heeded=True)
    assert bad == 0
    assert [(o.nickname, o.capabilities, o.capacity, o.running) for o in found] == [
        (o.nickname, o.capabilities, o.capacity, o.running) for o in offers
    ]
    assert {(o.node_id, o.peer) for o in found} <= {(standing("").node_id, "ann")}


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_line_of_anything_gives_offers_or_none(value):
    found, _ = caps.read(standing(json.dumps({"agents": value})), heeded=True)
    assert all(isinstance(each, Offer) for each in found)


def test_what_is_no_offer_is_left_out_and_counted():
    rows = [
        ["a", ["draw"], 1, 0],
        ["b", [], 1, 0],
        ["c", ["x y"], 1, 0],
        ["d", ["draw"], True, 0],
        ["e", ["draw"], 1, -1],
        7,
    ]
    found, bad = caps.read(standing(json.dumps({"agents": rows})), heeded=True)
    assert ([each.nickname for each in found], bad) == (["a"], 5)
    assert caps.read(standing("not json"), heeded=True) == ((), 1)


def test_s08_s10_the_least_loaded_of_the_living_that_can_is_found_first():
    offers = [
        Offer("a", ("draw",), 2, 2),
        Offer("b", ("draw", "write"), 4, 1),
        Offer("c", ("write",)),
        Offer("d", ("draw",), 1, 0),
    ]
    assert [each.nickname for each in caps.chosen(offers, "draw")] == ["d", "b", "a"]
    assert [
        each.nickname
        for each in caps.chosen(offers, "draw", lambda each: each.load < 0.5 and each.capacity > 1)
    ] == ["b"]
    lines = [
        standing("{}"),
        standing("{}", alive=False),
        standing("{}", suspicion=0.4),
        standing("{}", suspicion=0.6),
    ]
    assert [each.suspicion for each in caps.living(lines)] == [0.0, 0.4]


def test_more_than_fits_a_line_is_refused_where_it_is_said():
    many = [Offer(f"agent-{n}", tuple(f"capability-{m}" for m in range(8))) for n in range(10)]
    with pytest.raises(CapabilityError, match="fit"):
        caps.written(many)
    assert len(caps.written(many[:5]).encode()) <= limits.MEMBER_META_BYTES
