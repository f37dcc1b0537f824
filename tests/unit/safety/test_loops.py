"""Loops across agents: the same matter in other words and new threads is one matter; other work is not."""

from __future__ import annotations

import pytest

from covey.safety import LoopGuard, Moment, Round

THEIRS = [
    "Please review the release plan for version two before Friday",
    "Could you look over the plan for releasing version two by Friday?",
    "Kindly check our version two release plan, it is due on Friday",
    "Friday is near: have a look at the plan we have to release version two",
    "I would be glad about a review of the version two release plan until Friday",
    "The plan for the release of version two wants reviewing, Friday at the latest",
]
OURS = [
    "I will review the version two release plan by Friday, please confirm the plan",
    "Reviewing the plan for the release of version two; confirm it before Friday",
    "The version two release plan needs your confirmation before I review it on Friday",
    "Before Friday I can review the plan to release version two if you confirm it",
    "Confirm the release plan for version two and I review it by Friday",
    "Your confirmation of the version two plan, then my review of the release on Friday",
]
WORK = [
    "The parser fails on empty input, see the trace in the report",
    "Which colour should the buttons on the start page have?",
    "Latency of the cache doubled after the upgrade of the driver",
    "Draft the newsletter about the meeting in October",
    "Translate the manual's second chapter into French",
    "Count the open invoices of the second quarter",
]


def play(guard: LoopGuard, theirs: list[str], ours: list[str], *, gap: float = 5.0) -> list[Round | None]:
    """Let ann and bob take turns with this peer, each under a new root; return the verdict on each turn."""
    now, verdicts = 100.0, []
    for index, (ask, answer) in enumerate(zip(theirs, ours, strict=True)):
        author = ("ann", "bob")[index % 2]
        now += gap
        guard.heard(author, {"focus": ask}, now)
        verdict = guard.before_call(author, {"focus": ask}, now)
        verdicts.append(verdict)
        if verdict is None:
            now += gap
            guard.spoke({"focus": answer}, now)
    return verdicts


def test_x12_the_same_matter_in_other_words_and_threads_is_stopped() -> None:
    verdicts = play(LoopGuard(4), THEIRS, OURS)
    assert verdicts[:4] == [None] * 4, "ask, answer, correct, thank: so much may be"
    assert isinstance(verdicts[4], Round)
    assert verdicts[4].rounds == 4
    assert set(verdicts[4].peers) == {"ann", "bob"}


def test_x12_other_work_with_the_same_peers_goes_on() -> None:
    assert play(LoopGuard(4), WORK * 4, [f"answer: {text}" for text in WORK * 4]) == [None] * 24


def test_x12_a_report_that_comes_every_ten_minutes_is_no_loop() -> None:
    assert play(LoopGuard(2), THEIRS, OURS, gap=301.0) == [None] * 6


def test_x12_many_questions_at_once_are_no_rounds() -> None:
    guard = LoopGuard(2)
    for index in range(8):
        guard.heard("ann", {"focus": f"{THEIRS[0]} number {index}"}, 100.0)
    for index in range(8):
        assert guard.before_call("ann", {"focus": f"{THEIRS[0]} number {index}"}, 101.0 + index) is None
        guard.spoke({"focus": OURS[0]}, 101.5 + index)


def test_x12_letters_that_only_look_different_do_not_hide_a_matter() -> None:
    disguised = [text.replace("e", "\u0435").replace("a", "\u0430") for text in THEIRS]
    mixed = [disguised[index] if index % 2 else THEIRS[index] for index in range(6)]
    assert isinstance(play(LoopGuard(4), mixed, OURS)[4], Round)


def test_x12_a_restart_forgets_no_round() -> None:
    guard, after = LoopGuard(4), LoopGuard(4)
    play(guard, THEIRS[:4], OURS[:4])
    after.restore(guard.export(Moment(145.0, 0, "era")), Moment(146.0, 0, "era"))
    assert isinstance(after.before_call("ann", {"focus": THEIRS[4]}, 146.0), Round)


@pytest.mark.parametrize("text", ["", "ok", "👍", "the and for"])
def test_texts_that_say_next_to_nothing_are_one_matter(text: str) -> None:
    verdicts = play(LoopGuard(4), [text] * 6, [text] * 6)
    assert isinstance(verdicts[4], Round)


def test_zero_rounds_watch_nothing() -> None:
    assert play(LoopGuard(0), THEIRS, OURS) == [None] * 6
