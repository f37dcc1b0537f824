"""Laws of safety: no sequence of events passes a limit, and a refusal says truly when to come back."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from covey import limits
from covey.model import CAT7, Block
from covey.safety import (
    Breaker,
    Clear,
    CostGuard,
    CostRefused,
    CycleGuard,
    Go,
    Moment,
    Reserved,
    Suspect,
    WakeAllowed,
    WakeBudget,
    WakeDenied,
    Window,
)

steps = st.lists(
    st.one_of(st.floats(0, 90), st.floats(0, 4_000), st.sampled_from([0.0, 59.999, 60.0, 3_600.0, 86_400.0])),
    max_size=80,
)


@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 8), steps)
def test_no_window_ever_holds_more_wakes_than_its_cap(
    minute: int, hour: int, day: int, gaps: list[float]
) -> None:
    budget = WakeBudget(minute, hour, day)
    now, accepted = 1_000.0, []
    for gap in gaps:
        now += gap
        taken = budget.take(now)
        if isinstance(taken, WakeAllowed):
            accepted.append(int(now * 1000))
        else:
            assert taken.retry_in_s > 0
        for window, cap in ((Window.MINUTE, minute), (Window.HOUR, hour), (Window.DAY, day)):
            recent = [wake for wake in accepted if wake > int(now * 1000) - window.length_ms]
            assert len(recent) <= cap


@given(st.integers(1, 4), st.integers(1, 6), steps)
def test_a_denied_wake_is_allowed_when_it_was_told_to_come_back(
    minute: int, hour: int, gaps: list[float]
) -> None:
    budget = WakeBudget(minute, hour, 10_000)
    now = 5.0
    for gap in gaps:
        now += gap
        taken = budget.take(now)
        denials = 0
        while isinstance(taken, WakeDenied):
            denials += 1
            assert denials <= len(Window), "each window may hold a wake back once"
            now += taken.retry_in_s
            taken = budget.take(now)


@given(
    st.integers(1, 4),
    st.integers(1, 6),
    steps,
    st.integers(0, 79),
    st.integers(-(10**10), 10**11),
    st.sampled_from([0.0, 30.0, 4_000.0]),
)
def test_a_clock_that_was_set_while_the_peer_was_down_neither_frees_nor_blocks(
    minute: int, hour: int, gaps: list[float], cut: int, wall_jump_ms: int, away_s: float
) -> None:
    budget, restarted = WakeBudget(minute, hour, 50), WakeBudget(minute, hour, 50)
    now = 100.0
    for gap in gaps[:cut]:
        now += gap
        budget.take(now)
    raw = budget.export(Moment(now, 10**12, "one boot"))
    restarted.restore(raw, Moment(now + away_s, 10**12 + wall_jump_ms, "one boot"))
    before, after = budget.counts(now + away_s), restarted.counts(now + away_s)
    # Ages are kept in whole milliseconds: a wake may leave one millisecond early or late, not more.
    assert after == before or restarted.counts(now + away_s + 0.002) == budget.counts(now + away_s + 0.002)


@given(st.integers(1, 4), st.integers(1, 6), steps, st.integers(0, 79), st.integers(-(10**7), 10**8))
def test_a_reboot_never_opens_a_window_early(
    minute: int, hour: int, gaps: list[float], cut: int, wall_jump_ms: int
) -> None:
    budget, restarted = WakeBudget(minute, hour, 50), WakeBudget(minute, hour, 50)
    now = 100.0
    for gap in gaps[:cut]:
        now += gap
        budget.take(now)
    raw = budget.export(Moment(now, 10**12, "one boot"))
    # The new boot has another monotonic origin; the wall clock says how long it took, or went back.
    restarted.restore(raw, Moment(3.0, 10**12 + wall_jump_ms, "another"))
    away_s = max(0, wall_jump_ms) / 1000
    before, after = budget.counts(now + away_s), restarted.counts(3.0)
    assert (after.minute, after.hour, after.day) >= (before.minute, before.hour, before.day)
    if wall_jump_ms <= 0:
        assert after == before


@dataclass
class Spending:
    usd: float
    reserve: float
    gap: float
    open_for: int


spendings = st.lists(
    st.builds(
        Spending,
        usd=st.floats(0, 2),
        reserve=st.floats(0, 2),
        gap=st.sampled_from([0.0, 1.0, 59.0, 600.0, 3_600.0, 50_000.0]),
        open_for=st.integers(0, 3),
    ),
    max_size=40,
)


@given(spendings, st.floats(0, 3), st.floats(0, 3), st.floats(0, 3))
def test_a_cap_is_passed_by_no_more_than_calls_cost_beyond_their_reserves(
    calls: list[Spending], run: float, hour: float, day: float
) -> None:
    guard = CostGuard(run, hour, day)
    now, total, excess = 50.0, 0.0, 0.0
    spent: list[tuple[float, float]] = []
    pending: list[tuple[int, Reserved, Spending]] = []

    def settle(at: float, reserved: Reserved, call: Spending) -> tuple[float, float]:
        guard.settle(reserved, call.usd, at)
        spent.append((at, call.usd))
        return call.usd, max(0.0, call.usd - reserved.usd)

    for index, call in enumerate(calls):
        now += call.gap
        due = [entry for entry in pending if entry[0] <= index]
        pending = [entry for entry in pending if entry[0] > index]
        for _, reserved, earlier in due:
            cost, over = settle(now, reserved, earlier)
            total, excess = total + cost, excess + over
        given_out = guard.reserve(call.reserve, now)
        if isinstance(given_out, Reserved):
            pending.append((index + call.open_for, given_out, call))
        else:
            assert given_out.needed_usd > 0
        tolerance = 1e-6 + excess
        assert total <= run + tolerance
        assert sum(usd for at, usd in spent if at > now - 3_600) <= hour + tolerance
        assert sum(usd for at, usd in spent if at > now - 86_400) <= day + tolerance


@given(spendings, st.floats(0.1, 3))
def test_money_spent_before_a_restart_still_counts(calls: list[Spending], hour: float) -> None:
    guard = CostGuard(1_000, hour, 1_000)
    now = 10.0
    for call in calls:
        now += call.gap
        reserved = guard.reserve(call.reserve, now)
        if isinstance(reserved, Reserved) and call.open_for:
            guard.settle(reserved, min(call.usd, call.reserve), now)
    restarted = CostGuard(1_000, hour, 1_000)
    restarted.restore(guard.export(Moment(now, 10**12)), Moment(7.0, 10**12 - 5_000))
    before, after = guard.view(now), restarted.view(7.0)
    assert after.hour_usd >= before.hour_usd + before.reserved_usd - 1e-9, "an open reserve counts as spent"
    assert (after.run_usd, after.reserved_usd) == (0.0, 0.0)


def block(key: int, node: int, parents: list[int]) -> Block:
    said = dict.fromkeys(CAT7, "x")
    return Block(str(key), f"a{key}", f"n{node}", f"n{node}", 0, "r", None, tuple(map(str, parents)), said)


lineages = st.integers(1, 40).flatmap(
    lambda size: st.tuples(
        *(
            st.tuples(st.integers(0, 3), st.lists(st.integers(0, max(0, index - 1)), max_size=3, unique=True))
            for index in range(size)
        )
    )
)


@given(lineages, st.integers(1, 6), st.integers(1, 10))
@settings(max_examples=200)
def test_the_walk_finds_an_own_answer_exactly_within_its_depth(
    nodes: tuple[tuple[int, list[int]], ...], depth: int, max_hops: int
) -> None:
    blocks = {str(k): block(k, node, parents if k else []) for k, (node, parents) in enumerate(nodes)}
    last = str(len(nodes) - 1)
    guard = CycleGuard("n0", depth=depth, max_hops=max_hops, max_calls=1)
    verdict = guard.before_emission([last], {"focus": "x"}, blocks.get)

    distance, level, seen = {}, [last], {last}
    hops = 0
    while level:
        hops += 1
        distance.update(dict.fromkeys(level, hops))
        level = [p for p in dict.fromkeys(q for k in level for q in blocks[k].parents) if p not in seen]
        seen.update(level)
    own = [
        hop for k, hop in distance.items() if blocks[k].node_id == "n0" and blocks[k].parents and hop <= depth
    ]
    if hops > max_hops:
        assert isinstance(verdict, Suspect)
        assert verdict.reason == "too-many-hops"
    elif own:
        assert isinstance(verdict, Suspect)
        assert (verdict.reason, verdict.hit_depth) == ("self-ancestor", min(own))
    else:
        assert isinstance(verdict, Clear)
        assert verdict.threads == tuple(sorted(k for k in distance if not blocks[k].parents))


@given(st.integers(2, 4), st.integers(0, 2**31), st.sampled_from([1, 3, 1_000_000]))
def test_a_room_of_eager_models_falls_silent(peers: int, seed: int, closes_every: int) -> None:
    """However models that answer everything behave, one task ends, and its price has a bound."""
    blocks = {"0": block(0, 99, [])}
    guards = [CycleGuard(f"n{n}", depth=5, max_hops=24, max_calls=limits.THREAD_CALLS) for n in range(peers)]
    waiting = [(n, "0") for n in range(peers)]
    calls, closed = 0, [0] * peers
    while waiting:
        seed = (seed * 1_103_515_245 + 12_345) % 2**31
        me, waking = waiting.pop(seed % len(waiting))
        before = guards[me].before_call(waking, blocks.get)
        if isinstance(before, Suspect):
            continue
        calls += 1
        guards[me].called(before.threads)
        said = {"focus": "x"} if seed % closes_every else {"focus": "x", "commitment": "done"}
        verdict = guards[me].before_emission([waking], said, blocks.get)
        if isinstance(verdict, Suspect):
            continue
        if verdict.closes:
            guards[me].close(verdict.threads)
            closed[me] += 1
        key = str(len(blocks))
        blocks[key] = block(int(key), me, [int(waking)])
        waiting += [(n, key) for n in range(peers) if n != me]
    assert calls <= peers * limits.THREAD_CALLS
    assert max(closed) <= 1, "each peer has one last word in a thread"


def test_the_names_a_refusal_is_known_by() -> None:
    guard = CostGuard(0.5, 1, 1)
    refused = guard.reserve(0.6, 1.0)
    assert isinstance(refused, CostRefused)
    assert (refused.reason, refused.retry_in_s) == ("cost-run", None)
    assert isinstance(Breaker().attempt(0.0), Go)
