"""Convergence over time: what differs since when, and one alarm for each that differs too long."""

from types import SimpleNamespace

from covey.runtime.converge import Converge
from covey.state.convergence import Convergence


def scope(state, *, here=True, behind=0, ahead=0, said=5):
    peer = {"node_id": "n1", "name": "ann", "here": here, "state": state, "behind": behind, "ahead": ahead}
    return [{"scope": "room", "peers": [{**peer, "said_ms": said, "diverged_since_ms": None}]}]


def test_s24_equal_is_no_lag_and_behind_is_told_with_its_age():
    follows = Convergence(1000)
    (lag,), fresh = follows.look(scope("equal"), 10)
    assert (lag.equal, lag.since_ms, lag.alarm, fresh) == (True, None, False, [])
    (lag,), _ = follows.look(scope("behind", behind=3), 20)
    assert (lag.equal, lag.behind, lag.since_ms, lag.synced_ms) == (False, 3, 20, 5)


def test_s24_who_differs_too_long_is_one_alarm_until_it_is_equal_again():
    follows = Convergence(1000)
    follows.look(scope("diverged"), 0)
    assert follows.look(scope("diverged"), 1000)[1] == []
    (lag,), fresh = follows.look(scope("ahead", ahead=1), 1001)
    assert lag.alarm and fresh == [lag]
    (lag,), fresh = follows.look(scope("diverged"), 5000)
    assert lag.alarm and fresh == []
    (lag,), _ = follows.look(scope("equal"), 6000)
    assert not lag.alarm
    follows.look(scope("diverged"), 7000)
    assert len(follows.look(scope("diverged"), 8001)[1]) == 1


def test_s24_who_is_away_differs_and_alarms_nobody_and_silence_here_does():
    follows = Convergence(1000)
    (lag,), fresh = follows.look(scope("behind", here=False, behind=1), 0)
    assert (lag.since_ms, lag.alarm, fresh) == (None, False, [])
    follows.look(scope("unknown", said=None), 10)
    (lag,), fresh = follows.look(scope("unknown", said=None), 2000)
    assert lag.alarm and len(fresh) == 1
    (lag,), _ = follows.look(scope("behind", here=False), 3000)
    assert not lag.alarm and lag.since_ms == 10
    assert follows.look([], 4000) == ([], [])


def test_s21_s24_who_comes_back_from_a_partition_has_the_time_that_others_have():
    follows = Convergence(1000)
    follows.look(scope("behind", behind=1), 0)
    follows.look(scope("behind", behind=1, here=False), 500)
    (lag,), _ = follows.look(scope("behind", behind=1), 60_000)
    assert (lag.alarm, lag.since_ms) == (False, 0), "it differs since then, and is here since now"
    assert not follows.look(scope("behind", behind=1), 61_000)[0][0].alarm
    assert follows.look(scope("behind", behind=1), 61_001)[0][0].alarm


def test_s21_s24_a_dead_members_session_is_nobody_who_could_converge():
    state = SimpleNamespace(status=lambda: {"scopes": scope("behind", behind=1)})
    now: list[int] = []
    clock, said = SimpleNamespace(now_ms=lambda: now[-1]), []
    dead = Converge(state, clock, lambda *words: said.append(words), {"n1": "dead"}.get, 1.0)
    alive = Converge(state, clock, lambda *words: said.append(words), {"n1": "alive"}.get, 1.0)
    for at in (0, 2_000):
        now.append(at)
        found = [each.look()[0] for each in (dead, alive)]
    assert [(each.here, each.alarm) for each in found] == [(False, False), (True, True)]
    assert [level for level, _, _ in said] == ["warn"]
