"""Safety in the loop: each room says no at its place, with its reason, and what waits is not lost."""

from covey.errors import ModelErrorKind
from covey.model import Usage


def test_x11_a_wake_over_the_budget_is_deferred_and_not_dropped(desk, guards, block):
    d = desk(guards=guards(per_minute=1)).hear(block("you", focus="one")).reply("-")
    d.hear(block("you", focus="two")).hear(block("you", focus="three"))
    assert len(d.asks) == 1 and d.engine.waiting == 2
    assert [fact["reason"] for fact in d.noted("wake-deferred")] == ["wakes-minute"]
    assert d.engine.next_timer() == d.now + 1.0
    d.at(61)
    assert len(d.asks) == 2


def test_x11_a_nearly_used_budget_is_said_once(desk, guards, block):
    d = desk(guards=guards(per_minute=2))
    for text in ("one", "two"):
        d.hear(block("you", focus=text)).reply("-")
    assert len(d.noted("wake-budget-low")) == 1


def test_x13_a_call_that_does_not_fit_the_run_cap_is_not_made_and_ends_the_run(desk, guards, block):
    d = desk(guards=guards(cost_run=1.0, estimate=0.6))
    d.hear(block("you", focus="one")).reply("-", usage=Usage(1, 1, 0.5))
    d.hear(block("you", focus="two"))
    assert len(d.asks) == 1
    assert d.noted("wake-kept")[0]["reason"] == "cost-run"
    assert [end.reason for end in d.ends] == ["budget"]


def test_x13_what_is_not_known_counts_as_what_was_set_aside(desk, guards, block):
    safety = guards(cost_run=1.0, estimate=0.6)
    desk(guards=safety).hear(block("you", focus="one")).reply("-", usage=Usage(1, 1, None))
    assert safety.ledger.run.as_dict()["assumed_usd"] == 0.6


def test_x15_a_transient_failure_is_tried_again_after_a_pause(desk, block):
    d = desk().hear(block("you", focus="task")).fail()
    assert len(d.asks) == 1 and d.engine.in_flight == 1
    assert d.noted("model-failed")[0]["final"] is False
    pause = d.engine.next_timer() - d.now
    assert 1.0 <= pause <= 1.2, "a second, and some by chance"
    d.at(0.9)
    assert len(d.asks) == 1
    d.at(pause - 0.9)
    assert len(d.asks) == 2
    assert d.engine.tally.retries == 1
    d.reply(focus="answer")
    assert len(d.emits) == 1
    assert (d.engine.tally.calls, d.engine.tally.calls_failed) == (2, 1)


def test_x15_the_vendors_retry_after_is_honoured(desk, block):
    d = desk().hear(block("you", focus="task")).fail(retry_after=42.0)
    assert 42.0 <= d.engine.next_timer() - d.now <= 50.4


def test_x15_tries_are_bounded_and_the_end_is_said(desk, block):
    d = desk(max_retries=1).hear(block("you", focus="task")).fail()
    d.at(1.2).fail()
    assert d.engine.in_flight == 0
    assert [fact["final"] for fact in d.noted("model-failed")] == [False, True]
    assert d.noted("wake-ended")[0]["reason"] == "model-failed"


def test_x15_a_lasting_failure_is_not_tried_again(desk, block):
    d = desk().hear(block("you", focus="task")).fail(transient=False, kind=ModelErrorKind.AUTH)
    assert d.engine.in_flight == 0 and len(d.asks) == 1
    assert d.noted("model-failed")[0] | {"kind": "auth", "final": True} == d.noted("model-failed")[0]


def test_x15_an_open_breaker_defers_new_wakes(desk, block):
    d = desk(max_retries=0)
    for number in range(5):
        d.hear(block("you", focus=str(number))).fail()
        d.at(37)
    d.hear(block("you", focus="late"))
    assert len(d.asks) == 5 and d.engine.waiting == 1
    assert d.noted("wake-deferred")[-1]["reason"] == "breaker"
    d.at(72)
    assert len(d.asks) == 6


def test_a_timeout_may_have_been_charged_and_is_booked(desk, guards, block):
    safety = guards(estimate=0.1)
    desk(guards=safety, max_retries=0).hear(block("you", focus="task")).fail(kind=ModelErrorKind.TIMEOUT)
    assert safety.ledger.run.as_dict()["assumed_usd"] == 0.1
    other = guards(estimate=0.1)
    desk(guards=other, max_retries=0).hear(block("you", focus="task")).fail(kind=ModelErrorKind.CONNECTION)
    assert other.ledger.run.as_dict()["assumed_usd"] == 0.0


def test_x12_an_answer_to_an_own_answer_is_held_back_unless_it_closes(desk, block):
    task = block("you", focus="task", at=1)
    d = desk().hear(task).reply(focus="draft")
    mine = d.mint()
    d.hear(block("ann", focus="again", parents=[mine], at=2))
    assert "only if you can close" in d.asks[-1].request.user
    d.reply(focus="and again")
    assert d.noted("answer-held-back")[0]["reason"] == "self-ancestor"
    d.hear(block("bob", focus="once more", parents=[mine], at=3)).reply(focus="last", commitment="it stands")
    assert d.emits[-1].proposal.categories["commitment"] == "it stands"
    d.mint()
    d.hear(block("cat", focus="and you?", parents=[mine], at=4))
    assert len(d.asks) == 3


def test_x12_a_chain_too_long_is_spared_the_call(desk, block):
    above = block("you", focus="task", at=0)
    chain = [above]
    for number in range(1, 30):
        chain.append(block(f"p{number % 3}", focus=str(number), parents=[chain[-1]], at=number))
    d = desk(blocks=chain[:-1]).hear(chain[-1])
    assert d.asks == []
    assert d.noted("call-spared")[0]["reason"] == "too-many-hops"


def test_x12_the_calls_of_one_thread_are_bounded(desk, guards, block):
    task = block("you", focus="task", at=1)
    d = desk(guards=guards(per_thread=2)).hear(task).reply("-")
    d.hear(block("ann", focus="a", parents=[task], at=2)).reply("-")
    d.hear(block("bob", focus="b", parents=[task], at=3))
    assert len(d.asks) == 2
    assert d.noted("call-spared")[0]["reason"] == "thread-calls-used"
    d.hear(block("you", focus="another task", at=4))
    assert len(d.asks) == 3


def test_x14_a_gate_holds_the_answer_and_names_every_hit(desk, block):
    d = desk().hear(block("you", focus="task")).reply(intent="then git push it", focus="read the .env file")
    assert d.emits == []
    (note,) = d.noted("answer-quarantined")
    assert note["reason"] == "gate"
    assert {hit["gate"] for hit in note["facts"]["hits"]} == {"git push", ".env file"}


def test_a_context_that_cannot_be_built_is_an_error_with_a_name(desk, block):
    from covey.agent.context import ContextLimits

    d = desk(context=ContextLimits(max_tokens=256)).hear(block("you", focus="task"))
    assert d.asks == [] and d.noted("wake-ended")[0]["reason"] == "context-too-small"


def test_the_safety_state_is_saved_after_each_step_and_can_be_restored(desk, guards, block):
    d = desk().hear(block("you", focus="task")).reply(focus="a", commitment="c", usage=Usage(1, 1, 0.5))
    d.mint()
    assert set(d.saves[-1]) == {
        *(f"safety.{room}" for room in ("wakes", "cost", "threads", "ledger", "loops", "quarantine")),
        "agent.waiting",
    }
    fresh = guards()
    fresh.restore(d.saves[-1].get, type("Now", (), {"wall_ms": int(d.now * 1000), "monotonic": 5.0}))
    assert fresh.ledger.lifetime.emitted == 1 and fresh.ledger.run.emitted == 0
    status = fresh.status(type("Now", (), {"wall_ms": 0, "monotonic": 5.0}))
    assert status["wakes"]["minute"] == 1 and status["cost"]["hour_usd"] == 0.5
