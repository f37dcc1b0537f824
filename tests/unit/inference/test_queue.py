"""The fair queue: order, turns, bounds, and whom a full one turns away."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from covey.inference.queue import FairQueue, Waiting


def waiting(ticket: int, account: str, priority: str = "normal", until: float = 10.0) -> Waiting:
    return Waiting(ticket, account, priority, 0.0, until)  # type: ignore[arg-type]  # a word of the test's


def test_who_has_little_waiting_does_not_wait_behind_who_has_much():
    queue = FairQueue(100, 100)
    for ticket in range(10):
        assert queue.put(waiting(ticket, "greedy")) is None
    queue.put(waiting(10, "modest"))
    taken = [queue.take() for _ in range(3)]
    assert [each.account for each in taken if each] == ["greedy", "modest", "greedy"]
    assert [each.ticket for each in taken if each] == [0, 10, 1]


def test_priorities_take_weighted_turns_and_none_starves():
    queue = FairQueue(1_000, 1_000)
    for ticket in range(210):
        queue.put(waiting(ticket, "a", ("high", "normal", "low")[ticket % 3]))
    first = Counter(each.priority for _ in range(70) if (each := queue.take()))
    assert first == {"high": 40, "normal": 20, "low": 10}


def test_a_full_queue_turns_away_the_newest_of_whoever_holds_most():
    queue = FairQueue(4, 4)
    for ticket in range(4):
        queue.put(waiting(ticket, "greedy"))
    gone = queue.put(waiting(4, "modest"))
    assert gone is not None and (gone.ticket, gone.account) == (3, "greedy")
    again = waiting(5, "greedy")
    assert queue.put(again) is again, "a peer that floods crowds out only itself"
    assert len(queue) == 4


def test_one_peer_has_its_own_bound():
    queue = FairQueue(100, 2)
    queue.put(waiting(1, "a"))
    queue.put(waiting(2, "a"))
    third = waiting(3, "a")
    assert queue.put(third) is third
    assert queue.put(waiting(4, "b")) is None


def test_a_peer_that_may_not_have_more_under_way_is_passed_over():
    queue = FairQueue(10, 10)
    queue.put(waiting(1, "a", "high"))
    queue.put(waiting(2, "b", "low"))
    taken = queue.take(lambda account: account != "a")
    assert taken is not None and taken.ticket == 2
    assert queue.take(lambda account: False) is None


def test_what_waited_too_long_comes_out():
    queue = FairQueue(10, 10)
    queue.put(waiting(1, "a", until=1.0))
    queue.put(waiting(2, "a", until=2.0))
    assert queue.next_due() == 1.0
    assert [each.ticket for each in queue.late(1.0)] == [1]
    assert queue.drop(2) and not queue.drop(2) and queue.next_due() is None


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.sampled_from("abcd"), st.sampled_from(["high", "normal", "low"])),
            st.just(("take", "", "")),
        ),
        max_size=80,
    )
)
def test_nothing_is_lost_or_doubled_bounds_hold_and_each_peer_keeps_its_order(steps):
    queue = FairQueue(8, 4)
    inside: dict[int, Waiting] = {}
    for ticket, (what, account, priority) in enumerate(steps):
        if what == "put":
            new = waiting(ticket, account, priority)
            inside[ticket] = new
            gone = queue.put(new)
            if gone is not None:
                assert inside.pop(gone.ticket) is gone
                held = Counter(each.account for each in inside.values())
                assert gone is new or held[gone.account] >= held[new.account] - 1
        else:
            taken = queue.take()
            if taken is None:
                assert not inside
            else:
                same = [
                    each.ticket
                    for each in inside.values()
                    if (each.account, each.priority) == (taken.account, taken.priority)
                ]
                assert taken.ticket == min(same)
                del inside[taken.ticket]
        assert {each.ticket for each in queue} == set(inside)
        assert len(queue) == len(inside) <= 8
        assert max(Counter(each.account for each in inside.values()).values(), default=0) <= 4
