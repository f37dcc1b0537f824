"""Wakes, money, breaker and books at their edges; the laws stand in tests/laws."""

from __future__ import annotations

import json

import pytest

from covey.errors import StoreError
from covey.model import Usage
from covey.safety import (
    Breaker,
    BreakerState,
    CostGuard,
    CostRefused,
    CycleGuard,
    Go,
    Ledger,
    LoopGuard,
    Moment,
    Quarantine,
    Reserved,
    Wait,
    WakeAllowed,
    WakeBudget,
    WakeDenied,
    Window,
)


def reserve(guard: CostGuard, usd: float, now: float = 0.0) -> Reserved:
    given = guard.reserve(usd, now)
    assert isinstance(given, Reserved)
    return given


def test_x11_each_window_has_its_word_and_its_way_back() -> None:
    budget = WakeBudget(2, 3, 4)
    assert isinstance(budget.take(0), WakeAllowed)
    assert isinstance(budget.take(10), WakeAllowed)
    denied = budget.take(20)
    assert isinstance(denied, WakeDenied)
    assert (denied.reason, denied.counts.minute) == ("burst", 2)
    assert denied.retry_in_s == pytest.approx(40, abs=0.01)
    assert isinstance(budget.take(60), WakeAllowed), "a wake exactly one minute old is out"
    sustained = budget.take(200)
    assert isinstance(sustained, WakeDenied)
    assert sustained.reason == "sustained"
    assert isinstance(budget.take(3_700), WakeAllowed)
    daily = budget.take(8_000)
    assert isinstance(daily, WakeDenied)
    assert (daily.reason, daily.window) == ("daily", Window.DAY)


def test_x11_looking_consumes_nothing_and_the_soft_line_is_said_once() -> None:
    budget = WakeBudget(5, 100, 1000)
    said = []
    for now in range(5):
        taken = budget.take(now)
        assert isinstance(taken, WakeAllowed)
        said.append(taken.nearly_used)
        assert budget.counts(now) == budget.counts(now)
    assert said == [None, None, None, Window.MINUTE, None]


def test_x11_a_clock_that_goes_back_opens_nothing() -> None:
    budget = WakeBudget(1, 10, 10)
    budget.take(1_000)
    assert isinstance(budget.take(1), WakeDenied)
    assert isinstance(budget.take(1_059), WakeDenied)
    assert isinstance(budget.take(1_060), WakeAllowed)


def test_x11_a_restart_keeps_the_budget() -> None:
    budget = WakeBudget(2, 3, 9)
    budget.take(100.0)
    budget.take(100.0)
    restarted = WakeBudget(2, 3, 9)
    restarted.restore(budget.export(Moment(130.0, 1_000_000)), Moment(5.0, 1_020_000))
    assert restarted.counts(5.0).minute == 2, "50 of 60 seconds have passed"
    assert restarted.counts(15.0).minute == 0


def test_x13_a_call_that_does_not_fit_is_refused_before_it_is_made() -> None:
    guard = CostGuard(1.0, 0.5, 2.0)
    first = reserve(guard, 0.3)
    refused = guard.reserve(0.3, 0.0)
    assert isinstance(refused, CostRefused)
    assert (refused.reason, refused.cap_usd, refused.spent_usd, refused.reserved_usd) == (
        "cost-hour",
        0.5,
        0.0,
        0.3,
    )
    guard.settle(first, 0.1, 1.0)
    second = reserve(guard, 0.3, 2.0)
    guard.release(second)
    assert guard.view(3.0).hour_usd == pytest.approx(0.1)
    assert guard.view(3.0).reserved_usd == 0


def test_x13_money_leaves_the_hour_and_the_day_but_not_the_run() -> None:
    guard = CostGuard(1.0, 0.5, 0.8)
    guard.settle(reserve(guard, 0.5, 0.0), 0.5, 0.0)
    refused = guard.reserve(0.1, 10.0)
    assert isinstance(refused, CostRefused)
    assert refused.retry_in_s is not None
    assert 3_590 <= refused.retry_in_s <= 3_650
    later = 10.0 + refused.retry_in_s
    guard.settle(reserve(guard, 0.3, later), 0.3, later)
    daily = guard.reserve(0.1, later + 3_700)
    assert isinstance(daily, CostRefused)
    assert daily.reason == "cost-day"
    next_day = later + 90_000
    guard.settle(reserve(guard, 0.2, next_day), 0.2, next_day)
    run = guard.reserve(0.1, next_day + 90_000)
    assert isinstance(run, CostRefused)
    assert (run.reason, run.retry_in_s) == ("cost-run", None)


def test_x13_what_nobody_knows_counts_as_spent() -> None:
    guard = CostGuard(1.0, 1.0, 1.0)
    assert guard.settle(reserve(guard, 0.25), None, 0.0) == pytest.approx(0.25)
    assert guard.view(0.0).run_usd == pytest.approx(0.25)


def test_x13_a_cap_of_nothing_still_lets_free_models_work() -> None:
    guard = CostGuard(0.0, 0.0, 0.0)
    guard.settle(reserve(guard, 0.0), 0.0, 0.0)
    assert isinstance(guard.reserve(0.000_001, 0.0), CostRefused)


def test_x13_small_amounts_add_up_exactly() -> None:
    guard = CostGuard(1.0, 1.0, 1.0)
    for _ in range(1_000):
        guard.settle(reserve(guard, 0.001), 0.001, 0.0)
    assert guard.view(0.0).run_usd == 1.0
    assert isinstance(guard.reserve(0.000_000_001, 0.0), CostRefused)


@pytest.mark.parametrize("usd", [-0.1, float("nan"), float("inf")])
def test_an_amount_that_is_none_is_a_bug(usd: float) -> None:
    with pytest.raises(ValueError, match="an amount of money"):
        CostGuard(1, 1, 1).reserve(usd, 0.0)


def test_x15_the_breaker_opens_probes_once_and_reopens() -> None:
    breaker = Breaker()
    now = 0.0
    for failure in range(5):
        attempt = breaker.attempt(now)
        assert attempt == Go(probe=False)
        breaker.failure(now)
        pause = breaker.attempt(now)
        assert isinstance(pause, Wait)
        assert pause.reason == ("open" if failure == 4 else "backoff")
        now += pause.retry_in_s
    assert breaker.view(now - 0.001).state is BreakerState.OPEN
    assert breaker.view(now).state is BreakerState.HALF_OPEN
    assert breaker.attempt(now) == Go(probe=True)
    other = breaker.attempt(now)
    assert isinstance(other, Wait)
    assert other.reason == "probing"
    breaker.failure(now + 1, probe=True)
    again = breaker.attempt(now + 2)
    assert isinstance(again, Wait)
    assert (again.reason, again.retry_in_s) == ("open", pytest.approx(59.0))
    assert breaker.attempt(now + 61) == Go(probe=True)
    breaker.success(probe=True)
    assert breaker.view(now + 61).state is BreakerState.CLOSED
    assert breaker.attempt(now + 61) == Go(probe=False)


def test_x15_the_vendors_retry_after_is_honoured_up_to_an_hour() -> None:
    breaker = Breaker()
    breaker.failure(0.0, retry_after_s=20.0)
    assert breaker.attempt(19.9) == Wait("backoff", pytest.approx(0.1))
    assert breaker.attempt(20.0) == Go(probe=False)
    breaker.failure(20.0, retry_after_s=1e9)
    assert breaker.view(20.0).retry_in_s == 3_600


def test_x15_a_probe_that_was_never_made_is_free_again() -> None:
    breaker = Breaker(threshold=1)
    breaker.failure(0.0)
    assert breaker.attempt(60.0) == Go(probe=True)
    breaker.abandoned()
    assert breaker.attempt(60.0) == Go(probe=True)
    assert isinstance(breaker.attempt(600.0), Wait)
    assert breaker.attempt(660.0) == Go(probe=True), "a lost probe blocks no longer than a call can last"


def test_the_books_count_what_happened_and_outlive_the_run() -> None:
    ledger = Ledger()
    ledger.started()
    ledger.woke()
    ledger.called(Usage(100, 20, 0.25))
    ledger.called(Usage(10, 2, None), assumed_usd=0.5)
    ledger.call_failed(assumed_usd=0.125)
    ledger.heard()
    ledger.emitted()
    ledger.suppressed()
    ledger.held()
    expected = {
        "runs": 1,
        "wakes": 1,
        "calls": 2,
        "failed_calls": 1,
        "input_tokens": 110,
        "output_tokens": 22,
        "heard": 1,
        "emitted": 1,
        "suppressed": 1,
        "held": 1,
        "cost_usd": 0.25,
        "assumed_usd": 0.625,
    }
    assert ledger.run.as_dict() == ledger.lifetime.as_dict() == expected
    again = Ledger()
    again.restore(ledger.export())
    again.started()
    assert (again.lifetime.runs, again.run.runs, again.lifetime.cost_nano_usd) == (2, 1, 250_000_000)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"null", b"\xff", b"[" * 9_999, b'{"state":"other","version":1}', b" " * 5_000_000],
)
def test_an_unreadable_state_is_an_error_and_changes_nothing(raw: bytes) -> None:
    budget, guard, ledger = WakeBudget(1, 1, 1), CostGuard(1, 1, 1), Ledger()
    cycle = CycleGuard("n", depth=5, max_hops=9, max_calls=4)
    budget.take(0.0)
    for restore in (
        lambda: budget.restore(raw, Moment(0.0, 0)),
        lambda: guard.restore(raw, Moment(0.0, 0)),
        lambda: ledger.restore(raw),
        lambda: cycle.restore(raw),
        lambda: LoopGuard(4).restore(raw, Moment(0.0, 0)),
        lambda: Quarantine(60.0).restore(raw, Moment(0.0, 0)),
    ):
        with pytest.raises(StoreError) as caught:
            restore()
        assert caught.value.code == "state_unreadable"
        assert "\n" not in caught.value.message
    assert budget.counts(0.0).day == 1


def test_a_state_with_wrong_contents_is_an_error_too() -> None:
    budget = WakeBudget(1, 1, 1)
    good = json.loads(budget.export(Moment(0.0, 5)))
    for change in (
        {"saved_ms": -1},
        {"saved_ms": True},
        {"ages_ms": None},
        {"ages_ms": ["x"]},
        {"version": 2},
    ):
        with pytest.raises(StoreError):
            budget.restore(json.dumps({**good, **change}).encode(), Moment(0.0, 0))
    guard = CostGuard(1, 1, 1)
    money = json.loads(guard.export(Moment(0.0, 5)))
    with pytest.raises(StoreError, match="pair up"):
        guard.restore(json.dumps({**money, "ages_s": [1, 2, 3]}).encode(), Moment(0.0, 0))
