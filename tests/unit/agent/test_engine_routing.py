"""Routing: to whom an answer goes, and that what became of it is counted as what it was."""

import pytest

from covey.agent import effects as fx
from covey.model import PeerSend, SendState


def send(node_id, state, reason=None):
    return PeerSend(node_id, node_id, state, reason)


@pytest.mark.parametrize(
    ("routing", "peers", "to"),
    [
        ("broadcast", ["you", "ann", "bob"], None),
        ("targeted", ["you"], "you"),
        ("targeted", ["ann"], None),
        ("auto", ["you", "ann"], None),
        ("auto", ["you", "ann", "bob"], "you"),
        ("auto", ["cat", "ann", "bob"], None),
    ],
)
def test_x10_an_answer_goes_where_its_rule_says(desk, block, routing, peers, to):
    d = desk(routing=routing, peers=peers).hear(block("you", focus="task")).reply(focus="a")
    assert d.emits[-1].proposal.to == to
    meant_for_one = routing == "targeted" or len(peers) > 2
    away = routing != "broadcast" and meant_for_one and "you" not in peers
    assert [fact["node_id"] for fact in d.noted("addressee-absent")] == (["you"] if away else [])


def test_x10_sends_are_counted_as_what_they_were(desk, block):
    d = desk().hear(block("you", focus="task")).reply(focus="a")
    made = d.mint(
        [
            send("ann", SendState.ACCEPTED),
            send("bob", SendState.ACCEPTED),
            send("cat", SendState.UNKNOWN, "away"),
        ]
    )
    assert d.noted("emitted")[0]["key"] == made.key
    d.feed(fx.Settled(made.key, send("ann", SendState.DELIVERED)))
    d.feed(fx.Settled(made.key, send("bob", SendState.REFUSED, "rate")))
    counted = {state: count for state, count in d.engine.sends.as_dict().items() if count}
    assert counted == {"delivered": 1, "refused": 1, "unknown": 1}
    levels = {note.facts["peer"]: note.level for note in d.notes if note.event == "settled"}
    assert levels == {"ann": "info", "bob": "warn"}


def test_x10_a_receipt_before_the_emissions_own_answer_counts_once(desk, block):
    d = desk().hear(block("you", focus="task")).reply(focus="a")
    probe = desk().hear(block("you", focus="task")).reply(focus="a").mint()
    d.feed(fx.Settled(probe.key, send("ann", SendState.DELIVERED)))
    assert sum(d.engine.sends.as_dict().values()) == 0
    made = d.mint([send("ann", SendState.ACCEPTED)])
    assert made.key == probe.key
    assert {state: count for state, count in d.engine.sends.as_dict().items() if count} == {"delivered": 1}


def test_x09_a_block_that_nobody_heard_is_said_to_be_so(desk, block):
    d = desk().hear(block("you", focus="task")).reply(focus="a")
    made = d.mint([])
    assert d.noted("emission-unheard")[0]["key"] == made.key
    assert d.engine.tally.emitted == 1
