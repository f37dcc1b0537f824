"""X-12: circles are found by content ids and signed parents; a thread ends, and an answer is still heard."""

from __future__ import annotations

import pytest

from covey.errors import StoreError
from covey.limits import CYCLE_NODES, THREADS
from covey.model import CAT7, NEUTRAL, Block
from covey.safety import Clear, CycleGuard, Suspect, is_closing

ME = "n-me"


class Lineage:
    """The blocks of a room, written as `key: author < parents`."""

    def __init__(self, *lines: str) -> None:
        self.blocks: dict[str, Block] = {}
        for line in lines:
            key, _, rest = line.partition(": ")
            author, _, parents = rest.partition(" < ")
            said = dict.fromkeys(CAT7, NEUTRAL)
            self.blocks[key] = Block(
                key, "", f"n-{author}", author, 0, "r", None, tuple(parents.split()), said
            )

    def __call__(self, key: str) -> Block | None:
        return self.blocks.get(key)


def guard(depth: int = 5, max_hops: int = 24, max_calls: int = 4) -> CycleGuard:
    return CycleGuard(ME, depth=depth, max_hops=max_hops, max_calls=max_calls)


SAYS = {"focus": "x"}
CLOSES = {"focus": "x", "commitment": "done"}


def test_a_first_answer_to_a_task_is_clear() -> None:
    verdict = guard().before_emission(["task"], SAYS, Lineage("task: human"))
    assert verdict == Clear(("task",), 1)


def test_an_answer_to_an_own_answer_is_a_circle_unless_it_closes() -> None:
    room = Lineage("task: human", "draft: me < task", "review: bob < draft")
    before = guard().before_call("review", room)
    assert before == Clear(("task",), 3, closing_only=True)
    assert guard().before_emission(["review"], SAYS, room) == Suspect(
        "self-ancestor", ("task",), 3, "draft", 2
    )
    assert guard().before_emission(["review"], CLOSES, room) == Clear(("task",), 3, closes=True)


def test_a_thread_is_closed_once() -> None:
    room = Lineage("task: human", "draft: me < task", "review: bob < draft", "tests: amy < draft")
    mine = guard()
    verdict = mine.before_emission(["review"], CLOSES, room)
    assert isinstance(verdict, Clear)
    mine.close(verdict.threads)
    for again in (mine.before_emission(["tests"], CLOSES, room), mine.before_call("tests", room)):
        assert isinstance(again, Suspect)
        assert again.reason == "thread-closed"
    assert isinstance(mine.before_call("other", Lineage("other: human")), Clear)


def test_an_own_question_may_be_discussed() -> None:
    room = Lineage("ask: me", "answer: bob < ask")
    assert guard().before_emission(["answer"], SAYS, room) == Clear(("ask",), 2)


def test_an_own_answer_beyond_the_depth_is_not_a_circle_but_hops_have_an_end() -> None:
    chain = ["b0: human", "b1: me < b0"] + [f"b{n}: p{n} < b{n - 1}" for n in range(2, 10)]
    room = Lineage(*chain)
    assert isinstance(guard(depth=8).before_emission(["b9"], SAYS, room), Clear)
    hit = guard(depth=9).before_emission(["b9"], SAYS, room)
    assert hit == Suspect("self-ancestor", ("b0",), 10, "b1", 9)
    assert isinstance(guard(max_hops=10, depth=1).before_emission(["b9"], SAYS, room), Clear)
    late = guard(max_hops=9, depth=1).before_emission(["b9"], CLOSES, room)
    assert isinstance(late, Suspect)
    assert late.reason == "too-many-hops", "no commitment lifts the end of a thread"


def test_a_diamond_is_walked_once_and_the_nearest_hit_counts() -> None:
    room = Lineage("t: human", "a: me < t", "b: bob < a", "c: amy < a", "d: bob < b c a")
    hit = guard().before_emission(["d"], SAYS, room)
    assert hit == Suspect("self-ancestor", ("t",), 3, "a", 2)


def test_a_block_over_two_threads_belongs_to_both() -> None:
    room = Lineage("t1: human", "t2: human", "m: bob < t1 t2")
    mine = guard()
    assert mine.before_emission(["m"], SAYS, room) == Clear(("t1", "t2"), 2)
    mine.close(["t2"])
    assert isinstance(mine.before_emission(["m"], SAYS, room), Suspect)


def test_what_is_not_held_is_where_the_thread_is_known_to_begin() -> None:
    assert guard().before_emission(["x"], SAYS, Lineage("x: bob < lost")) == Clear(("lost",), 2)
    assert guard().before_emission([], CLOSES, Lineage()) == Clear((), 0)


def test_a_lineage_made_to_be_too_wide_is_refused() -> None:
    parents = " ".join(f"p{n}" for n in range(CYCLE_NODES + 1))
    wide = Lineage(f"x: eve < {parents}", "p0: eve < q")
    for verdict in (guard().before_emission(["x"], CLOSES, wide), guard().before_call("x", wide)):
        assert isinstance(verdict, Suspect)
        assert verdict.reason == "lineage-too-wide"


def test_calls_in_one_thread_have_an_end() -> None:
    room = Lineage("task: human", "a: bob < task", "other: human")
    mine = guard(max_calls=2)
    for _ in range(2):
        before = mine.before_call("a", room)
        assert isinstance(before, Clear)
        mine.called(before.threads)
    used = mine.before_call("task", room)
    assert isinstance(used, Suspect)
    assert used.reason == "thread-calls-used"
    assert isinstance(mine.before_call("other", room), Clear)
    assert isinstance(mine.before_emission(["a"], SAYS, room), Clear), (
        "an answer that was paid for may go out"
    )


def test_closed_threads_and_calls_survive_a_restart() -> None:
    room = Lineage("t1: human", "t2: human")
    mine, again = guard(max_calls=1), guard(max_calls=1)
    mine.close(["t1"])
    mine.called(["t2"])
    again.restore(mine.export())
    reasons = [
        verdict.reason for key in ("t1", "t2") if isinstance(verdict := again.before_call(key, room), Suspect)
    ]
    assert reasons == ["thread-closed", "thread-calls-used"]
    with pytest.raises(StoreError, match="pair up"):
        again.restore(b'{"state":"threads","version":1,"closed":[],"called":["a"],"calls":[]}')


def test_threads_are_forgotten_oldest_first() -> None:
    mine = guard()
    mine.close([f"t{n}" for n in range(THREADS)])
    mine.close(["t0"])  # closed again: remembered anew
    mine.close(["new"])
    assert mine.is_closed(["t0"])
    assert not mine.is_closed(["t1"])


@pytest.mark.parametrize(
    ("said", "closes"),
    [
        ({}, False),
        ({"commitment": ""}, False),
        ({"commitment": "  "}, False),
        ({"commitment": NEUTRAL}, False),
        (CLOSES, True),
    ],
)
def test_a_closing_block_commits_to_something(said: dict[str, str], closes: bool) -> None:
    assert is_closing(said) is closes
