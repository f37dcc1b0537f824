"""Peers, records and judged batches for the tests of the store."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence

from covey import _core
from covey.store import Answer

ROOM = "den"
NOW = 1_790_000_000_000


def identity(number: int) -> _core.Identity:
    seed = hashlib.sha256(f"store {number}".encode()).digest()
    return _core.Identity(f"01900000-0000-7000-8000-{number:012x}", f"peer-{number}", seed)


ME, ANN, BOB = identity(1), identity(2), identity(3)


def says(
    who: _core.Identity, focus: str, *, to: str | None = None, parents: Sequence[str] = ()
) -> _core.Record:
    draft = _core.Draft(
        {"focus": focus},
        node_id=who.node_id,
        author=who.name,
        created_ms=NOW,
        room=ROOM,
        to=to,
        parents=parents,
    )
    return _core.sign(draft, who)


def intake(*, takes_all: bool = True) -> _core.Intake:
    policy = {"stable": 2.0, "guarded": 2.0, "redundancy": 0.0} if takes_all else {}
    made = _core.Intake(ME.node_id, ROOM, [1.0] * 7, **policy)
    for who in (ME, ANN, BOB):
        made.bind(who.node_id, who.public_key)
    return made


def judged(judge: _core.Intake, *records: _core.Record) -> _core.OutcomeBatch:
    return judge.evaluate(_core.RecordBatch(records), session_node_id=ANN.node_id, now_ms=NOW)


def batch_of(count: int, word: str, judge: _core.Intake | None = None) -> _core.OutcomeBatch:
    return judged(judge or intake(), *(says(ANN, f"{word} {number}") for number in range(count)))


class Answers:
    """Collects a writer's answers; a test waits for as many as it needs."""

    def __init__(self) -> None:
        self.all: list[Answer] = []
        self.calls = 0
        self._more = threading.Condition()

    def __call__(self, answers: Sequence[Answer]) -> None:
        with self._more:
            self.all.extend(answers)
            self.calls += 1
            self._more.notify_all()

    def until(self, count: int) -> list[Answer]:
        with self._more:
            assert self._more.wait_for(lambda: len(self.all) >= count, timeout=30), self.all
            return list(self.all)


def at_once(work: Callable[[], None]) -> None:
    """Deliver on the writer's own thread."""
    work()
