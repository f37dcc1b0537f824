from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from covey.proto.timers import Key, Timers

KEYS = st.tuples(st.sampled_from(["beat", "dial"]), st.integers(0, 3))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, st.floats(0, 100, allow_nan=False)),
        st.tuples(st.just("cancel"), KEYS, st.just(0.0)),
        st.tuples(st.just("due"), KEYS, st.floats(0, 100, allow_nan=False)),
    )
)


@given(STEPS)
def test_timers_behave_like_a_plain_dictionary_of_deadlines(steps: list[tuple[str, Key, float]]) -> None:
    timers, plain = Timers(), dict[Key, float]()
    for what, key, at in steps:
        if what == "set":
            timers.set(key, at)
            plain[key] = at
        elif what == "cancel":
            timers.cancel(key)
            plain.pop(key, None)
        else:
            expected = {k for k, deadline in plain.items() if deadline <= at}
            assert set(timers.due(at)) == expected
            for k in expected:
                del plain[k]
        upcoming = timers.next()
        assert (upcoming is None) == (not plain)
        # early is allowed (the shell then finds nothing due), late is not
        assert upcoming is None or upcoming <= min(plain.values())
        assert all(timers.wanted(k) == plain.get(k) for k in plain)


def test_due_keys_come_earliest_first() -> None:
    timers = Timers()
    timers.set(("beat", 2), 2.0)
    timers.set(("beat", 1), 1.0)
    timers.set(("beat", 3), 3.0)
    assert timers.due(2.5) == [("beat", 1), ("beat", 2)]


def test_a_deadline_moved_later_is_not_due_early() -> None:
    timers = Timers()
    timers.set(("beat", 1), 1.0)
    timers.set(("beat", 1), 5.0)
    assert timers.due(2.0) == []
    assert timers.next() == 5.0
    assert timers.due(5.0) == [("beat", 1)]
    assert timers.next() is None
