"""Traces from logs: one tree of many peers' lines, in any order, whatever they claim."""

import random

from hypothesis import given
from hypothesis import strategies as st

from covey.fleet import tracing

A, B, C, D = (letter * 32 for letter in "abcd")


def line(evt, logged_by, message, *, re="", trace=A, ts="t1", depth=0, **facts):
    about = {"trace": trace, "id": message, "re": re, "type": "X_T", "sender": "s", "recipient": "r"}
    return {"ts": ts, "evt": evt, "peer": logged_by, "data": {**about, "depth": depth, **facts}}


LINES = [
    line("bus-sent", "ann", A, ts="t1", peers=["n2"]),
    line("bus-heard", "bob", A, ts="t2", peer="n1"),
    line("bus-sent", "bob", B, re=A, ts="t3", depth=1),
    line("bus-heard", "cid", B, re=A, ts="t4", depth=1),
    line("bus-sent", "bob", C, re=A, ts="t5", depth=1),
    {
        "ts": "t6",
        "evt": "bus-lost",
        "peer": "bob",
        "data": {"id": C, "state": "unknown", "reason": "session-lost"},
    },
    line("bus-sent", "eve", D, trace=D),
    {"ts": "t0", "evt": "started", "peer": "ann", "data": {}},
]


def test_s22_a_trace_is_one_tree_over_all_peers_with_the_end_of_every_message():
    lines = list(LINES)
    random.Random(1).shuffle(lines)
    tree = tracing.gathered(lines, A)
    shown = [
        (level, step.id, [(hop.peer, hop.event) for hop in step.hops]) for level, step in tracing.walked(tree)
    ]
    assert shown == [
        (0, A, [("ann", "bus-sent"), ("bob", "bus-heard")]),
        (1, B, [("bob", "bus-sent"), ("cid", "bus-heard")]),
        (1, C, [("bob", "bus-sent"), ("bob", "bus-lost")]),
    ]
    assert tree.orphans == frozenset()


def test_s22_a_trace_is_named_by_any_of_its_messages_and_an_orphan_says_so():
    assert tracing.named(LINES, B[:8]) == {A}
    assert tracing.named(LINES, "dddd") == {D}
    assert tracing.named(LINES, "0000") == set()
    tree = tracing.gathered(LINES[2:5], A)
    assert [step.id for step in tree.roots] == [B, C] and tree.orphans == {B, C}


@given(st.lists(st.tuples(st.sampled_from([A, B, C, D]), st.sampled_from(["", A, B, C, D])), max_size=12))
def test_whatever_logs_claim_every_message_is_shown_once(claims):
    lines = [line("bus-sent", "p", own, re=parent) for own, parent in claims]
    walked = [step.id for _, step in tracing.walked(tracing.gathered(lines, A))]
    assert sorted(walked) == sorted({own for own, _ in claims})
