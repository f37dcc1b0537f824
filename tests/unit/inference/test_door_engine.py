"""The door's engine: the cap, the queue, each peer's own rate, deadlines, drains and a day's tokens."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from covey.inference.accounts import Accounts, Used
from covey.inference.door import Admit, DoorEngine, Refuse, Rules
from covey.inference.keys import Entry

DAY_MS = 1_800_000_000_000


def entry(account: str, **more: object) -> Entry:
    return replace(Entry("00000000", account, "0" * 64, 0), **more)  # type: ignore[arg-type]  # test's words


ANN, BOB = entry("ann"), entry("bob")


def engine(**rules: object) -> DoorEngine:
    return DoorEngine(Rules(**{"per_minute": 1_000, **rules}), Accounts())  # type: ignore[arg-type]  # as above


def test_m22_no_more_than_the_cap_are_under_way_and_the_rest_waits_its_turn():
    door = engine(concurrent=2)
    found = [effect for ticket in range(5) for effect in door.ask(ticket, ANN, 0.0, DAY_MS)]
    assert [each.ticket for each in found if isinstance(each, Admit)] == [0, 1]
    assert door.view()["waiting"] == 3
    (next_one,) = door.done(0, 4.0)
    assert isinstance(next_one, Admit) and next_one.ticket == 2 and next_one.waited == 4.0


def test_m22_a_full_queue_refuses_with_its_depth_and_when_to_come_back():
    door = engine(concurrent=1, queue=2, queue_each=2)
    for ticket in range(3):
        door.ask(ticket, ANN, 0.0, DAY_MS)
    (refused,) = door.ask(3, ANN, 0.0, DAY_MS)
    assert isinstance(refused, Refuse)
    assert (refused.status, refused.reason, refused.queue_depth) == (429, "queue-full", 2)
    assert refused.retry_after_s is not None and refused.retry_after_s >= 1
    others = door.ask(4, BOB, 0.0, DAY_MS)
    assert [(each.ticket, type(each)) for each in others] == [(2, Refuse)], "the newest of ann's goes for bob"


def test_m21_a_peer_over_its_rate_is_told_when_to_come_back_and_nobody_else_is():
    door = engine(per_minute=3)
    assert [door.limited(ANN, 0.0) for _ in range(3)] == [None] * 3
    refused = door.limited(ANN, 0.0)
    assert refused is not None and (refused.status, refused.reason, refused.retry_after_s) == (
        429,
        "rate",
        20,
    )
    assert all(door.limited(BOB, 0.0) is None for _ in range(3))
    assert door.limited(ANN, 20.0) is None, "a token every twenty seconds"
    assert door.limited(ANN, 20.0) is not None
    own = entry("eve", per_minute=1)
    assert door.limited(own, 0.0) is None and door.limited(own, 0.0) is not None


def test_m21_two_keys_of_one_peer_are_no_way_around_its_rate():
    door = engine()
    slow, fast = entry("ann", per_minute=3), entry("ann", per_minute=6)
    let_in = sum(door.limited((slow, fast)[turn % 2], 0.0) is None for turn in range(40))
    assert let_in == 3, "changing keys gives nothing back"
    assert door.limited(BOB, 0.0) is None
    assert door.limited(fast, 10.0) is None, "the faster key's tokens come as fast as it says"


def test_m22_whoever_waits_past_its_time_or_deadline_is_refused():
    door = engine(concurrent=1, queue_seconds=5.0)
    door.ask(0, ANN, 0.0, DAY_MS)
    door.ask(1, ANN, 0.0, DAY_MS)
    door.ask(2, BOB, 0.0, DAY_MS, deadline_s=2.0)
    assert door.next_due() == 2.0
    (late,) = door.due(2.0)
    assert isinstance(late, Refuse) and late.ticket == 2 and late.reason == "queue-timeout"
    (later,) = door.due(5.0)
    assert isinstance(later, Refuse) and later.ticket == 1
    (over,) = door.ask(3, BOB, 6.0, DAY_MS, deadline_s=0.0)
    assert isinstance(over, Refuse) and (over.status, over.reason) == (504, "deadline")
    assert door.next_due() is None


def test_who_leaves_the_queue_makes_room_and_who_leaves_twice_does_no_harm():
    door = engine(concurrent=1)
    door.ask(0, ANN, 0.0, DAY_MS)
    door.ask(1, BOB, 0.0, DAY_MS)
    assert door.left(1, 1.0) == [] and door.left(1, 1.0) == []
    assert door.done(0, 1.0) == [] and door.done(0, 1.0) == []
    assert door.under_way == 0


def test_one_peer_may_be_kept_from_taking_every_slot():
    door = engine(concurrent=4, concurrent_each=2)
    found = [each for ticket in range(4) for each in door.ask(ticket, ANN, 0.0, DAY_MS)]
    assert len(found) == 2
    (bobs,) = door.ask(9, BOB, 0.0, DAY_MS)
    assert isinstance(bobs, Admit) and bobs.ticket == 9


def test_a_key_says_the_highest_priority_it_may_ask_for():
    door = engine(concurrent=1, queue=100, queue_each=100)
    door.ask(0, ANN, 0.0, DAY_MS)
    boss = entry("boss", priority="high")
    for ticket in range(1, 15):
        door.ask(ticket, ANN, 0.0, DAY_MS, priority="high")  # may not: it is normal
        door.ask(ticket + 100, boss, 0.0, DAY_MS, priority="high")
    order, ticket = Counter[str](), 0
    for _ in range(10):
        (admitted,) = door.done(ticket, 0.0)
        ticket = admitted.ticket
        order["boss" if ticket > 100 else "ann"] += 1
    assert order["boss"] > order["ann"] > 0


def test_m34_a_draining_door_takes_nothing_new_and_finishes_what_it_has():
    door = engine(concurrent=1)
    door.ask(0, ANN, 0.0, DAY_MS)
    door.ask(1, ANN, 0.0, DAY_MS)
    door.draining = True
    (refused,) = door.ask(2, ANN, 0.0, DAY_MS)
    assert isinstance(refused, Refuse) and (refused.status, refused.reason) == (503, "draining")
    (admitted,) = door.done(0, 1.0)
    assert isinstance(admitted, Admit) and admitted.ticket == 1
    door.draining = False
    assert door.done(1, 2.0) == [] and isinstance(door.ask(3, ANN, 2.0, DAY_MS)[0], Admit)


def test_a_day_has_its_tokens_and_the_next_day_new_ones():
    accounts = Accounts()
    door = DoorEngine(Rules(), accounts)
    saver = entry("ann", tokens_per_day=10)
    accounts.ended("ann", "answered", Used(4, 6), 5, DAY_MS)
    (refused,) = door.ask(0, saver, 0.0, DAY_MS)
    assert isinstance(refused, Refuse) and refused.reason == "tokens" and refused.retry_after_s
    assert refused.retry_after_s <= 86_400
    assert isinstance(door.ask(1, saver, 0.0, DAY_MS + 86_400_000)[0], Admit)
    assert accounts.view()["ann"]["refused"] == {"tokens": 1}


@given(st.lists(st.tuples(st.sampled_from(["ask", "done", "left", "due"]), st.integers(0, 5)), max_size=120))
def test_every_ticket_ends_once_and_the_cap_holds_whatever_happens(steps):
    door = engine(concurrent=2, concurrent_each=2, queue=3, queue_each=2, queue_seconds=4.0)
    open_tickets: set[int] = set()
    running: list[int] = []
    waiting: list[int] = []
    for now, (what, number) in enumerate(steps):
        effects = []
        if what == "ask":
            waiting.append(now)
            open_tickets.add(now)
            effects = door.ask(now, (ANN, BOB)[number % 2], float(now), DAY_MS)
        elif what == "done" and running:
            ticket = running.pop(number % len(running))
            open_tickets.discard(ticket)
            effects = door.done(ticket, float(now))
        elif what == "left" and waiting:
            ticket = waiting.pop(number % len(waiting))
            open_tickets.discard(ticket)
            effects = door.left(ticket, float(now))
        elif what == "due":
            effects = door.due(float(now))
        for effect in effects:
            assert effect.ticket in waiting, "decided once, and only what waits"
            waiting.remove(effect.ticket)
            if isinstance(effect, Admit):
                running.append(effect.ticket)
            else:
                open_tickets.discard(effect.ticket)
        assert len(running) == door.under_way <= 2
        assert len(waiting) == door.view()["waiting"] <= 3
        assert not (waiting and len(running) < 2), "nobody waits beside a free slot"
        assert open_tickets == {*running, *waiting}
