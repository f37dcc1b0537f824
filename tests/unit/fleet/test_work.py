"""Tasks, piece by piece: what is read, who is chosen, what a submitter and a worker do at every turn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.errors import UsageError
from covey.fleet.work import choice
from covey.fleet.work.choice import STRATEGIES, Candidate
from covey.fleet.work.entry import row_of
from covey.fleet.work.owner import Forget, Grant, Keep, Note, Owner, Revoke
from covey.fleet.work.task import (
    Award,
    Revoked,
    Said,
    Task,
    TaskError,
    WorkError,
    read_award,
    read_revoked,
    read_said,
    task_id,
)
from covey.fleet.work.worker import Run, Say, Stop, Worker
from covey.proto.effects import Now

WHO = "ann@n1"


def now(seconds: float = 0.0) -> Now:
    return Now(1_000_000 + int(seconds * 1_000), 50.0 + seconds)


def task(key: str = "k", **changes: Any) -> Task:
    given = {"capability": "work", "payload": {"n": 1}, "deadline_ms": 1_600_000, "try_seconds": 300.0}
    return Task(**{"id": task_id("me", key), "key": key, **given, **changes})


def able(name: str = "ann", node: str = "n1", **changes: Any) -> Candidate:
    return Candidate(
        **{"address": f"{name}@{node}", "node_id": node, "capabilities": frozenset({"work"}), **changes}
    )


def owner(*tasks: Task, **options: Any) -> Owner:
    made = Owner(lambda: 0.5)
    for each in tasks:
        made.submit(each, now(), **options)
    return made


def grants(effects: Sequence[object]) -> list[Grant]:
    return [each for each in effects if isinstance(each, Grant)]


def said(what: str, fence: int, **changes: Any) -> Said:
    return Said(**{"what": what, "task_id": task().id, "fence": fence, "agent": WHO, "running": 0, **changes})


def revoked(effects: Sequence[object]) -> list[str]:
    return [each.revoked.why for each in effects if isinstance(each, Revoke)]


# --- what is said ------------------------------------------------------------------------------------------


@given(
    st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists, max_leaves=8)
)
def test_what_is_said_is_read_the_same(value: Any) -> None:
    award = Award(task(payload=value, visited=("a", "b")), 3, WHO, 10.0, 300.0)
    assert read_award(json.loads(json.dumps(award.payload()))) == award
    word = said("done", 3, value=value, detail="d", share=0.5, by="x@y")
    assert read_said(json.loads(json.dumps(word.payload()))) == word
    void = Revoked(task().id, 2, "late")
    assert read_revoked(void.payload()) == void


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"fence": 0}, "fence"),
        ({"fence": True}, "fence"),
        ({"lease_seconds": -1.0}, "lease_seconds"),
        ({"lease_seconds": float("nan")}, "lease_seconds"),
        ({"left_seconds": 1e9}, "left_seconds"),
        ({"to": 5}, "to"),
        ({"more": 1}, "award"),
        ({"task": []}, "task"),
    ],
)
def test_an_award_that_is_none_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    payload = {**Award(task(), 1, WHO, 10.0, 300.0).payload(), **change}
    with pytest.raises(TaskError, match=named):
        read_award(payload)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"id": "nothex"}, "id"),
        ({"key": ""}, "key"),
        ({"key": "\ud800"}, "key"),
        ({"capability": ""}, "capability"),
        ({"hops": limits.TASK_HOPS + 1}, "hops"),
        ({"tries": 0}, "tries"),
        ({"payload": float("inf")}, "payload"),
        ({"payload": "x" * limits.TASK_PAYLOAD_BYTES}, "payload"),
        ({"payload": "\ud800"}, "payload"),
        ({"visited": ("x",) * 100}, "visited"),
        ({"try_seconds": 0.0}, "try_seconds"),
    ],
)
def test_a_task_past_its_bounds_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(TaskError, match=named):
        task(**change)


def test_a_word_that_is_none_is_refused() -> None:
    for change in ({"what": "maybe"}, {"share": 2}, {"final": 1}, {"running": -1}, {"value": "x" * 200_000}):
        with pytest.raises(TaskError):
            read_said({**said("done", 1).payload(), **change})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["award", "said", "revoked"]), st.data())
def test_whatever_a_peer_sends_is_read_or_refused(what: str, data: st.DataObject) -> None:
    good: dict[str, Any] = {
        "award": Award(task(), 1, WHO, 10.0, 300.0).payload(),
        "said": said("done", 1, value=[1]).payload(),
        "revoked": Revoked(task().id, 2, "late").payload(),
    }[what]
    read = {"award": read_award, "said": read_said, "revoked": read_revoked}[what]
    place = good["task"] if what == "award" and data.draw(st.booleans()) else good
    changed = data.draw(st.sampled_from(sorted(place)))
    place[changed] = data.draw(JSON)
    try:
        assert read(good).payload().keys() == good.keys()
    except TaskError as error:
        assert str(error)


# --- who is chosen -----------------------------------------------------------------------------------------


@given(st.sampled_from(sorted(STRATEGIES)), st.integers(1, 9), st.floats(0, 0.999), st.integers(0, 50))
def test_s10_a_strategy_chooses_one_of_those_it_is_given(
    name: str, count: int, chance: float, turn: int
) -> None:
    given_ = [
        able(str(index), running=index, capacity=10, latency_ms=index or None) for index in range(count)
    ]
    assert STRATEGIES[name](given_, lambda: chance, turn) in given_


def test_s10_each_strategy_means_what_its_name_says() -> None:
    low, high = (
        able("low", running=1, capacity=10, latency_ms=9.0),
        able("high", running=3, capacity=10, latency_ms=2.0),
    )
    none = able("none", running=0, capacity=1)
    assert choice.least_loaded([high, low], lambda: 0.9, 0) == low
    assert choice.nearest([low, high, none], lambda: 0.0, 0) == high
    assert [choice.round_robin([low, high], lambda: 0.0, turn) for turn in range(3)] == [low, high, low]
    draws = iter([0.0, 0.9])
    assert choice.power_of_two([high, low], lambda: next(draws), 0) == low
    assert choice.own_first([low, replace(high, own=True)], lambda: 0.0, 0).address == high.address
    assert choice.own_first([high, low], lambda: 0.0, 0) == low
    with pytest.raises(UsageError, match="unknown strategy"):
        choice.strategy("best", {})


def test_s10_a_programs_own_strategy_chooses_too() -> None:
    made = Owner(lambda: 0.0)
    made.strategies["last"] = lambda candidates, random, turn: candidates[-1]
    made.submit(task(), now(), choose="last")
    (grant,) = grants(made.look([able("a"), able("b"), able("c")], now()))
    assert grant.to.address == "c@n1"


def test_s10_nobody_who_can_is_a_typed_end_where_the_submitter_does_not_wait() -> None:
    made = owner(task(), patience="capable")
    made.look([able(capabilities=frozenset({"other"}))], now())
    entry = made.entries[task().id]
    assert (entry.state, entry.story[-1].what) == ("failed", "no_capable_agent")
    assert entry.detail == "no capable agent found: nobody can do it"
    busy = owner(task(), patience="capable")
    assert busy.look([able(running=1)], now()) == [] and busy.entries[task().id].state == "waiting"
    hasty = owner(task(), patience="free")
    hasty.look([able(running=1)], now())
    assert hasty.entries[task().id].detail == "no capable agent found: all who can are busy"


# --- the submitter -----------------------------------------------------------------------------------------


def test_the_same_key_is_the_same_task_and_other_work_under_it_is_refused() -> None:
    made = owner(task())
    entry, effects = made.submit(task(deadline_ms=9), now(5))
    assert effects == [] and entry.task.deadline_ms == 1_600_000
    with pytest.raises(WorkError) as refused:
        made.submit(task(payload={"n": 2}), now())
    assert refused.value.code == "key_conflict"


def test_s18_the_queue_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TASKS_OPEN", 2)
    made = owner(task("a"), task("b"))
    with pytest.raises(WorkError) as refused:
        made.submit(task("c"), now())
    assert refused.value.code == "queue_full" and made.counts["refused-queue-full"] == 1
    made.cancel(task("a").id, "enough", now())
    made.submit(task("c"), now())
    assert made.status()["waiting"] == 2


def test_a_lease_is_kept_before_it_is_given_and_its_result_before_it_is_told() -> None:
    made = owner(task())
    effects = made.look([able()], now())
    assert [type(each).__name__ for each in effects] == ["Keep", "Grant", "Note", "Changed"]
    verdict, effects = made.heard(said("done", 1, value=5), "n1", "proof", now())
    assert verdict == "accepted" and [type(each).__name__ for each in effects][:2] == ["Keep", "Changed"]
    entry = made.entries[task().id]
    assert (entry.state, entry.value, entry.by, entry.proof) == ("done", 5, WHO, "proof")


@pytest.mark.parametrize(
    ("word", "node"),
    [
        (said("done", 1), "n1"),
        (said("done", 2, agent="bob@n1"), "n1"),
        (said("done", 2), "n2"),
        (said("done", 3), "n1"),
    ],
)
def test_s17_a_result_of_another_fence_agent_or_peer_counts_for_nothing(word: Said, node: str) -> None:
    made = owner(task())
    made.look([able()], now())
    made.gone("n1", now(1))
    (grant,) = grants(made.look([able()], now(5)))
    assert grant.award.fence == 2
    verdict, effects = made.heard(word, node, "", now(6))
    assert verdict == "fenced" and made.entries[task().id].state == "leased"
    assert made.counts["fenced-done"] == 1 and f"fence {word.fence} is void" in revoked(effects)[0]
    assert any(isinstance(each, Note) and each.event == "task-fenced" for each in effects)
    assert made.heard(said("done", 2), "n1", "", now(6))[0] == "accepted"
    assert made.heard(said("done", 2), "n1", "", now(7))[0] == "duplicate"


def test_why_a_fence_is_void_can_be_read_however_long_the_story_is() -> None:
    made = owner(task())
    made.look([able()], now())
    made.heard(said("failed", 1, detail="x" * limits.TASK_DETAIL_CHARS), "n1", "", now())
    _, effects = made.heard(said("alive", 1), "n1", "", now())
    (told,) = [each.revoked for each in effects if isinstance(each, Revoke)]
    assert read_revoked(told.payload()) == told


def test_s17_a_silent_worker_is_given_up_and_a_heard_one_is_not() -> None:
    made = owner(task())
    made.look([able()], now())
    for second in range(1, 40):
        if second < 20:
            made.heard(said("alive", 1, share=second / 40), "n1", "", now(second))
        effects = made.look([able("bob", "n2"), able()], now(second))
        if grants(effects):
            break
    assert second == 30, "ten seconds after its last word, and a pause"
    assert grants(effects)[0].to.address == "bob@n2", "another one first"
    assert made.entries[task().id].share is None


def test_s17_who_was_stopped_itself_gives_up_nobody() -> None:
    made = owner(task())
    made.look([able()], now())
    made.tick(now(60))
    assert made.entries[task().id].state == "leased"
    for second in range(61, 75):
        made.tick(now(second))
    assert made.entries[task().id].state == "waiting"


def test_a_run_that_hangs_is_given_up_however_alive_its_process_is() -> None:
    made = owner(task(try_seconds=3.0))
    made.look([able()], now())
    for second in (1, 2):
        made.heard(said("alive", 1), "n1", "", now(second))
        made.tick(now(second))
    effects = made.tick(now(3))
    assert revoked(effects) == ["not over within 3 s"] and made.entries[task().id].tries == 1


def test_tries_are_bounded_with_growing_pauses_and_a_final_failure_ends_at_once() -> None:
    made = owner(task(tries=3))
    starts, second = [], 0.0
    while made.entries[task().id].open and second < 100:
        for grant in grants(made.look([able()], now(second))):
            starts.append(second)
            made.heard(said("failed", grant.award.fence, detail="no"), "n1", "", now(second))
        second += 0.25
    assert starts == [0.0, 0.5, 1.5] and made.entries[task().id].detail == "no"
    final = owner(task())
    final.look([able()], now())
    assert final.heard(said("failed", 1, final=True, detail="never"), "n1", "", now())[0] == "accepted"
    assert final.entries[task().id].state == "failed"


def test_s04_who_refuses_is_passed_over_and_asked_again_later() -> None:
    made = owner(task())
    made.look([able()], now())
    assert made.heard(said("refused", 1, detail="not my kind"), "n1", "", now())[0] == "retried"
    (grant,) = grants(made.look([able(), able("bob", "n2")], now()))
    assert grant.to.address == "bob@n2" and made.entries[task().id].tries == 0
    made.heard(said("refused", 2, agent="bob@n2"), "n2", "", now())
    assert grants(made.look([able(), able("bob", "n2")], now(1))) == []
    assert grants(made.look([able(), able("bob", "n2")], now(6)))


def test_s04_where_all_refuse_who_does_not_wait_hears_so() -> None:
    made = owner(task(), patience="capable")
    made.look([able()], now())
    made.heard(said("refused", 1), "n1", "", now())
    made.look([able()], now())
    assert made.entries[task().id].detail == "no capable agent found: all who can refused"


def test_a_worker_that_says_it_is_full_is_believed_over_gossip_for_a_while() -> None:
    made = owner(task(), task("b"))
    made.look([able(capacity=1)], now())
    made.heard(replace(said("refused", 1), running=1), "n1", "", now())
    assert grants(made.look([able("ann", "n1", running=0)], now(1))) == []
    assert grants(made.look([able("ann", "n1", running=0)], now(3)))[0].award.task.key == "b"


def test_nobody_says_of_anothers_agent_that_it_is_full() -> None:
    made = owner(task())
    made.heard(said("alive", 1, running=9), "n2", "", now())
    assert grants(made.look([able()], now())), "n2 spoke for an agent of n1"


def test_s14_a_task_nobody_can_do_goes_to_neighbours_that_may_know_somebody_and_not_round() -> None:
    knows = [able(f"desk{index}", f"n{index}", capabilities=frozenset(), forwards=True) for index in range(5)]
    made = owner(task(visited=("desk0@n0",), hops=1))
    asked = []
    for second in range(0, 40, 10):
        for grant in grants(made.look(knows, now(second))):
            asked.append(grant.to.address)
            word = said("refused", grant.award.fence, agent=grant.to.address)
            made.heard(word, grant.to.node_id, "", now(second))
    assert len(asked) == limits.TASK_FORWARDS and "desk0@n0" not in asked
    far = owner(task(hops=0), patience="free")
    far.look(knows, now())
    assert far.entries[task().id].detail == "no capable agent found: nobody can do it"


def test_deadlines_end_what_waits_and_what_runs() -> None:
    made = owner(task("runs", try_seconds=900.0), task("waits"))
    made.look([able()], now())
    for second in (300, 599, 600):
        made.heard(replace(said("alive", 1), task_id=task("runs").id), "n1", "", now(second))
        effects = made.tick(now(second))
    assert {each.state for each in made.entries.values()} == {"expired"}
    assert sorted(each.detail for each in made.entries.values()) == [
        "its deadline passed",
        "no capable agent found in time",
    ]
    assert revoked(effects) == ["its deadline passed"] and not made.busy


def test_cancelling_stops_the_worker_and_ends_once() -> None:
    made = owner(task())
    made.look([able()], now())
    assert revoked(made.cancel(task().id, "not needed", now())) == ["not needed"]
    assert made.cancel(task().id, "again", now()) == []
    verdict, effects = made.heard(said("done", 1), "n1", "", now())
    assert verdict == "fenced" and "the task is cancelled" in revoked(effects)[0]


def test_a_lease_that_did_not_arrive_is_no_try() -> None:
    made = owner(task())
    made.look([able()], now())
    assert made.undelivered(task().id, 7, "gone", now()) == []
    assert made.undelivered(task().id, 1, "gone", now())
    assert (made.entries[task().id].tries, made.entries[task().id].state) == (0, "waiting")
    made.look([able()], now(9))
    made.heard(said("alive", 2), "n1", "", now(9))
    assert made.undelivered(task().id, 2, "no answer", now(9)) == [], "it is heard of, so it has arrived"


def test_what_is_kept_is_read_again_and_what_is_no_row_is_counted() -> None:
    made = owner(task("waits"), task())
    made.look([able("x", "n1", capacity=1)], now())
    made.heard(
        replace(said("done", 1, value=["v"]), agent="x@n1", task_id=task("waits").id), "n1", "p", now()
    )
    made.look([able("x", "n1")], now(3))
    rows = [row_of(each) for each in made.entries.values()]
    again = Owner(lambda: 0.5)
    assert again.restore([*rows, b"{}", b"\xff", b"[1]"], now(9)) == 3
    assert {key: each.whole() for key, each in again.entries.items()} == {
        key: {**each.whole(), "share": None} for key, each in made.entries.items()
    }
    assert again.held_nodes == {"n1"} and again.busy
    assert again.heard(said("done", 1, agent="x@n1"), "n1", "", now(9))[0] == "accepted"


def test_what_is_over_is_forgotten_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TASKS_KEPT", 1)
    made = owner(task("a"), task("b"))
    made.cancel(task("a").id, "", now())
    effects = made.cancel(task("b").id, "", now())
    assert [each.task_id for each in effects if isinstance(each, Forget)] == [task("a").id]
    assert set(made.entries) == {task("b").id}


def test_a_story_stays_bounded_and_keeps_its_beginning() -> None:
    made = owner(task(tries=100))
    for second in range(0, 4_000, 40):
        for grant in grants(made.look([able()], now(second / 10))):
            made.undelivered(task().id, grant.award.fence, "x", now(second / 10))
    story = made.entries[task().id].story
    assert len(story) == limits.TASK_EVENTS and story[0].what == "submitted"


# --- the worker --------------------------------------------------------------------------------------------


def worker(capacity: int = 1) -> Worker:
    made = Worker()
    made.offer(WHO, capacity)
    return made


def words(effects: Sequence[object]) -> list[tuple[str, int]]:
    return [(each.said.what, each.said.fence) for each in effects if isinstance(each, Say)]


def award(fence: int, key: str = "k", **changes: Any) -> Award:
    return Award(task(key, **changes), fence, WHO, 9.0, 300.0)


def test_s20_a_task_that_is_awarded_again_runs_once_and_says_its_end_under_the_newest_fence() -> None:
    made = worker()
    effects = made.awarded("n0", award(1), now())
    assert words(effects) == [("alive", 1)] and [each for each in effects if isinstance(each, Run)]
    effects = made.awarded("n0", award(3), now())
    assert words(effects) == [("alive", 3)] and not [each for each in effects if isinstance(each, Run)]
    assert words(made.awarded("n0", award(2), now())) == [("alive", 3)]
    assert words(made.finished("n0", task().id, "done", value=1)) == [("done", 3)]
    (replayed,) = made.awarded("n0", award(4), now())
    assert isinstance(replayed, Say) and (replayed.said.fence, replayed.said.value) == (4, 1)
    assert made.counts["begun"] == 1 and made.running(WHO) == 0
    assert [each for each in made.awarded("n9", award(1), now()) if isinstance(each, Run)], "of another owner"


def test_a_key_that_is_used_again_for_other_work_gets_no_old_result() -> None:
    made = worker()
    made.awarded("n0", award(1), now())
    made.finished("n0", task().id, "done", value=1)
    effects = made.awarded("n0", award(1, payload={"n": 2}), now())
    assert [each for each in effects if isinstance(each, Run)]


def test_s04_a_full_or_unwilling_agent_says_so() -> None:
    made = worker()
    made.awarded("n0", award(1), now())
    (full,) = made.awarded("n0", award(1, "b"), now())
    assert isinstance(full, Say) and (full.said.what, full.said.detail, full.said.running) == (
        "refused",
        "busy",
        1,
    )
    (unwilling,) = worker().awarded("n0", award(1), now(), refuses="not today")
    assert isinstance(unwilling, Say) and unwilling.said.detail == "not today"
    assert words(made.awarded("n0", award(1, "c"), now(), slot=False)) == [("alive", 1)]


def test_a_line_of_an_agent_is_sent_whatever_stands_in_it() -> None:
    made = worker()
    made.awarded("n0", award(1), now())
    effects = made.finished("n0", task().id, "failed", detail="half \ud800 " + "x" * 5_000)
    (told,) = [each.said for each in effects if isinstance(each, Say)]
    assert told.detail.startswith("half ? x") and len(told.detail) == limits.TASK_DETAIL_CHARS


def test_a_void_fence_stops_its_run_and_no_later_one() -> None:
    made = worker()
    made.awarded("n0", award(2), now())
    assert made.revoked("n0", Revoked(task().id, 1, "old")) == []
    assert made.revoked("n1", Revoked(task().id, 2, "not mine")) == []
    effects = made.revoked("n0", Revoked(task().id, 2, "late"))
    assert Stop("n0", task().id, "late") in effects and made.running(WHO) == 0
    assert made.finished("n0", task().id, "done") == [], "nobody wants it"


def test_whatever_runs_is_said_to_be_alive_three_times_a_lease() -> None:
    made = worker()
    assert made.next_beat() is None
    made.awarded("n0", award(1), now())
    assert made.tick(now(2)) == [] and words(made.tick(now(3))) == [("alive", 1)]
    (told,) = made.progress("n0", task().id, 0.5, "half", now(4))
    assert isinstance(told, Say) and (told.said.share, told.said.detail) == (0.5, "half")
    assert made.next_beat() == now(7).monotonic


def test_a_submission_that_could_not_be_kept_is_taken_back() -> None:
    made = owner(task())
    made.drop(task().id)
    assert made.entries == {} and not made.busy
    _, effects = made.submit(task(), now())
    assert isinstance(effects[0], Keep)
