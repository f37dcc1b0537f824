"""The known defects of the runtime covey replaces (feature notes §0): each fails on the behaviour of then.

Here are those of the safety rooms; those of the loop stand in tests/unit/agent/test_engine_defects.py, those
between processes in tests/e2e/test_safety.py.
"""

from __future__ import annotations

import pytest

from covey.model import Block
from covey.safety import (
    Breaker,
    CostGuard,
    CostRefused,
    CycleGuard,
    Gates,
    GatesPassed,
    Go,
    Moment,
    Reserved,
    Suspect,
    Wait,
    WakeBudget,
    WakeDenied,
)

ME, YOU = "me", "you"


def block(key: str, author: str, *parents: str) -> Block:
    return Block(key, f"asrt-{key}", author, author, 0, "r", None, parents, {"focus": key})


def test_defect_ping_pong_was_seen_as_clean() -> None:
    """Then: the thread's ids were unknown at the other end, so an answer to an own answer was `clean`."""
    thread = {b.key: b for b in (block("seed", YOU), block("a1", ME, "seed"), block("a2", YOU, "a1"))}
    guard = CycleGuard(ME, depth=5, max_hops=24, max_calls=12)
    verdict = guard.before_emission(["a2"], {"focus": "again"}, thread.get)
    assert isinstance(verdict, Suspect)
    assert (verdict.reason, verdict.hit_key) == ("self-ancestor", "a1")


def test_defect_a_commitment_freed_from_the_cycle_check_for_ever() -> None:
    """Then: whoever filled in `commitment` was never checked; now it closes a thread, once."""
    thread = {b.key: b for b in (block("seed", YOU), block("a1", ME, "seed"), block("a2", YOU, "a1"))}
    guard = CycleGuard(ME, depth=5, max_hops=24, max_calls=12)
    said = {"focus": "again", "commitment": "I will"}
    first = guard.before_emission(["a2"], said, thread.get)
    assert not isinstance(first, Suspect)
    assert first.closes
    guard.close(first.threads)
    second = guard.before_emission(["a2"], said, thread.get)
    assert isinstance(second, Suspect)
    assert second.reason == "thread-closed"


def test_defect_eight_calls_at_once_passed_the_cap_together() -> None:
    """Then: a poll every five seconds; a cap of 0.0002 met a bill of 0.001176 for eight calls in flight."""
    guard = CostGuard(0.0002, 1.0, 1.0)
    given = [guard.reserve(0.000147, 0.0) for _ in range(8)]
    calls = [each for each in given if isinstance(each, Reserved)]
    assert len(calls) == 1
    for call in calls:
        guard.settle(call, 0.000147, 1.0)
    assert guard.view(1.0).run_usd <= 0.0002


@pytest.mark.parametrize("window", ["hour", "day"])
def test_defect_caps_per_hour_and_day_were_never_enforced(window: str) -> None:
    guard = CostGuard(5.0, 0.5 if window == "hour" else 5.0, 0.5)
    first = guard.reserve(0.4, 0.0)
    assert isinstance(first, Reserved)
    guard.settle(first, 0.4, 0.0)
    refused = guard.reserve(0.4, 1.0)
    assert isinstance(refused, CostRefused)
    assert refused.reason == f"cost-{window}"


def test_defect_a_vendor_that_bills_more_than_the_estimate_overshot_call_after_call() -> None:
    guard = CostGuard(1.0, 1.0, 1.0)
    for _ in range(50):
        call = guard.reserve(0.01, 0.0)
        if isinstance(call, CostRefused):
            break
        guard.settle(call, 0.1, 0.0)
    assert guard.view(0.0).run_usd <= 1.0, "after the first surprise each reserve is ten times the estimate"


def test_defect_approval_gates_none_was_ignored() -> None:
    assert Gates("none").check({"intent": "git push"}) == GatesPassed()


@pytest.mark.parametrize("category", ["focus", "issue", "motivation", "perspective", "mood"])
@pytest.mark.parametrize("text", ["git push", "git -C . push", "rm -fr /", "start the deployment"])
def test_defect_gates_saw_two_categories_and_one_spelling(category: str, text: str) -> None:
    assert Gates().check({category: text}) != GatesPassed()


def test_defect_the_breaker_never_opened_again() -> None:
    """Then: a failure in half-open left it half-open for ever, every call allowed."""
    breaker, now = Breaker(), 0.0
    for _ in range(5):
        assert isinstance(breaker.attempt(now), Go)
        now += breaker.failure(now)
    assert breaker.attempt(now) == Go(probe=True)
    assert isinstance(breaker.attempt(now), Wait), "one probe, not many"
    breaker.failure(now, probe=True)
    again = breaker.attempt(now + 30)
    assert isinstance(again, Wait)
    assert again.reason == "open"


def test_defect_wake_windows_lived_in_memory_only() -> None:
    budget, restarted = WakeBudget(5, 50, 2), WakeBudget(5, 50, 2)
    for now in (0.0, 100.0):
        budget.take(now)
    restarted.restore(budget.export(Moment(200.0, 1_000_000, "boot")), Moment(230.0, 1_030_000, "boot"))
    denied = restarted.take(230.0)
    assert isinstance(denied, WakeDenied)
    assert denied.reason == "daily"


def test_defect_what_was_spent_was_lost_on_a_crash() -> None:
    """Then: up to ten seconds of cost were lost; now even the call under way is counted."""
    guard, restarted = CostGuard(5.0, 5.0, 5.0), CostGuard(5.0, 5.0, 5.0)
    call = guard.reserve(0.25, 0.0)
    assert isinstance(call, Reserved)
    restarted.restore(guard.export(Moment(0.0, 0, "boot")), Moment(1.0, 1_000, "boot"))
    assert restarted.view(1.0).hour_usd == 0.25
