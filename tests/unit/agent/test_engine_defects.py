"""The known defects of the runtime covey replaces (feature notes §0), as they show in the loop."""

from covey.agent import effects as fx
from covey.model import EmissionRefused, Usage


def test_defect_a_denied_wake_was_dropped(desk, guards, block):
    d = desk(guards=guards(per_minute=1)).hear(block("you", focus="one")).reply("-")
    d.hear(block("you", focus="two"))
    assert d.engine.waiting == 1
    d.at(61)
    assert len(d.asks) == 2


def test_defect_the_same_block_was_paid_for_three_times(desk, block):
    task = block("you", focus="task")
    d = desk().hear(task)
    d.hear(task).hear(task).reply("-", usage=Usage(1, 1, 0.0))
    d.hear(task)
    assert len(d.asks) == 1


def test_defect_eight_blocks_at_once_were_eight_calls_at_once(desk, block):
    d = desk()
    for number in range(8):
        d.hear(block(f"p{number}", focus=f"task {number}"))
    assert (len(d.asks), d.engine.waiting) == (1, 7)


def test_defect_retries_were_promised_and_never_made(desk, block):
    d = desk().hear(block("you", focus="task")).fail()
    d.at(1.2)
    assert len(d.asks) == 2


def test_defect_a_failed_emission_was_counted_as_emitted(desk, block):
    d = desk().hear(block("you", focus="task")).reply(focus="a")
    d.feed(fx.Ended(d.emits[-1].token, EmissionRefused("guard", "dropped")))
    assert (d.engine.tally.emitted, d.engine.tally.refused) == (0, 1)
    assert d.guards.ledger.run.emitted == 0
    assert d.noted("emitted") == []


def test_defect_the_new_blocks_id_was_not_logged(desk, block):
    d = desk().hear(block("you", focus="task")).reply(focus="a")
    assert d.mint().key == d.noted("emitted")[0]["key"]
