"""Deferral: what may not be asked now waits, over a restart too; nothing is lost without a word."""

import json

from covey.agent import effects as fx
from covey.agent.waiting import Kept, unpack
from covey.limits import WAITING_SECONDS
from covey.model import Usage
from covey.safety import Moment


def kept_of(d):
    """What a restart at this moment would find waiting."""
    return unpack(d.saves[-1]["agent.waiting"], d.memory.block, Moment(d.now, int(d.now * 1000)))


def test_x11_what_waits_is_found_by_the_next_run(desk, guards, block):
    d = desk(guards=guards(per_minute=1)).hear(block("you", focus="one")).reply("-")
    late = block("you", focus="two", at=5)
    d.hear(late)
    assert kept_of(d) == [Kept(late, False, 0.0)]
    again = desk(blocks=d.memory.blocks).feed(fx.Recalled((), tuple(kept_of(d))))
    assert again.noted("waiting-recalled")[0]["keys"] == [late.key]
    assert again.noted("woke")[0]["keys"] == [late.key]


def test_x11_a_wake_that_was_claimed_and_never_asked_is_asked_by_the_next_run(desk, block):
    task = block("you", focus="task")
    d = desk()
    d.refusing = ("team-cost-hour", 60.0)
    d.hear(task)
    assert d.asks == [] and task.key in d.claimed
    assert kept_of(d) == [Kept(task, True, 0.0)]
    again = desk(blocks=d.memory.blocks)
    again.claimed = d.claimed
    again.feed(fx.Recalled((), tuple(kept_of(d))))
    assert len(again.asks) == 1, "its claim of then counts as its own"


def test_x11_a_wake_that_was_asked_is_not_asked_again(desk, block):
    d = desk().hear(block("you", focus="task"))
    assert len(d.asks) == 1 and kept_of(d) == []


def test_x11_what_waits_too_long_is_let_go_with_a_reason(desk, block):
    old = block("you", focus="two", at=5)
    again = desk(blocks=[old]).feed(fx.Recalled((), (Kept(old, False, WAITING_SECONDS),)))
    assert again.asks == [] and again.noted("wake-skipped")[0]["reason"] == "waited-too-long"


def test_x11_a_full_queue_lets_the_oldest_go_and_says_so(desk, guards, block):
    d = desk(guards=guards(per_minute=1), max_waiting=2).hear(block("you", focus="first")).reply("-")
    blocks = [block("you", focus=str(number), at=number) for number in range(3)]
    for each in blocks:
        d.hear(each)
    assert [(fact["key"], fact["reason"]) for fact in d.noted("wake-skipped")] == [
        (blocks[0].key, "queue-full")
    ]
    assert [kept.block for kept in kept_of(d)] == blocks[1:]


def test_x13_the_reserve_is_durable_before_the_call(desk, guards, block):
    d = desk(guards=guards(estimate=0.5)).hear(block("you", focus="task"))
    assert d.secures[0].usd == 0.5
    restarted = guards(estimate=0.5)
    restarted.restore(d.kept_before_call.get, d.moment)
    assert restarted.status(d.moment)["cost"]["hour_usd"] == 0.5, "a killed call stays counted"


def test_x13_money_that_calls_under_way_hold_back_is_waited_for(desk, guards, block):
    d = desk(guards=guards(cost_run=1.0, estimate=0.6), max_in_flight=2)
    d.hear(block("you", focus="one")).hear(block("ann", focus="two"))
    assert len(d.asks) == 1 and d.engine.in_flight == 2
    assert d.noted("call-deferred")[0]["reason"] == "cost-run"
    d.feed(fx.Replied(d.asks[0].token, reply_of("-", Usage(1, 1, 0.1))))
    assert len(d.asks) == 2, "what the first call did not use is there for the second"
    d.feed(fx.Replied(d.asks[1].token, reply_of("-", Usage(1, 1, 0.6))))
    assert d.ends == []


def test_x13_a_purse_that_refuses_defers_and_takes_nothing(desk, guards, block):
    safety = guards(estimate=0.4, per_thread=1)
    d = desk(guards=safety)
    d.refusing = ("team-cost-hour", 2.0)
    d.hear(block("you", focus="task"))
    assert d.asks == [] and safety.status(d.moment)["cost"]["reserved_usd"] == 0.0
    d.at(2).at(2)
    assert [fact["reason"] for fact in d.noted("call-deferred")] == ["team-cost-hour"], "said once"
    d.refusing = None
    d.at(2)
    assert len(d.asks) == 1, "the refusals used up no call of the thread"
    d.reply("-", usage=Usage(10, 5, 0.1))
    assert (d.books[-1].usd, d.books[-1].usage) == (0.1, Usage(10, 5, 0.1))


def test_x13_a_call_that_failed_before_it_could_cost_gives_the_team_its_money_back(desk, guards, block):
    d = desk(guards=guards(estimate=0.4), max_retries=0).hear(block("you", focus="task")).fail()
    assert [(book.usd, book.usage) for book in d.books] == [(0.0, None)]


def test_x15_only_the_probe_calls_while_the_others_wait_for_its_end(desk, block):
    d = desk(max_retries=0, max_in_flight=3)
    for number in range(5):
        d.hear(block("you", focus=str(number))).fail()
        d.at(37)
    for name in ("ann", "bob", "cat"):
        d.hear(block(name, focus=f"{name} asks"))
    d.at(72)
    assert len(d.asks) == 6, "half-open lets one call through"
    assert d.guards.status(d.moment)["breaker"]["state"] == "probing"
    d.reply("-")
    assert len(d.asks) == 8, "its answer lets the others go on at once"


def test_every_decision_is_counted_by_reason_and_the_latest_is_shown(desk, guards, block):
    d = desk(guards=guards(per_minute=2)).hear(block("you", focus="one")).reply(intent="deploy it")
    d.hear(block("you", focus="two")).reply("-").hear(block("you", focus="three"))
    shown = d.engine.decisions.as_dict()
    assert shown["answer-quarantined"] == {"gate": 1}
    assert shown["wake-deferred"] == {"wakes-minute": 1}
    latest = d.engine.decisions.latest[-1]
    assert (latest["event"], latest["reason"], latest["at_ms"]) == (
        "wake-deferred",
        "wakes-minute",
        int(d.now * 1000),
    )
    assert json.dumps(shown) and json.dumps(list(d.engine.decisions.latest))


def reply_of(text, usage):
    from covey.model import ModelReply

    return ModelReply(text, (), usage, "stop", "m")
