"""What nobody subscribed to becomes no Python object: neither for each block, nor for a while."""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Sequence
from types import FrameType
from typing import Any

import pytest

from covey.model import Proposal
from covey.proto import effects as fx
from covey.proto import news as nw
from covey.proto import reception
from covey.proto.inbox import news_of
from covey.proto.options import AdmissionOptions
from covey.runtime.subscribers import Subscribers
from tests.unit.proto.virtual import Host, Mesh

EVERYTHING = AdmissionOptions(stable=2.0, guarded=2.0, redundancy=0.0)
FEW, MANY = 4, 64


class Room:
    """One that speaks, and one that hears batches of it: what Python did for one, and what was left of it."""

    def __init__(self, *, watched: bool) -> None:
        self.mesh = Mesh()
        self.speaker = self.mesh.host(1, admission=EVERYTHING)
        self.hearer = self.mesh.host(2, watched=watched, admission=EVERYTHING)
        self.mesh.introduce(self.speaker, self.hearer)
        self._said = 0
        self._calls = 0
        self._left: list[fx.Effect] = []
        self._handle = self.hearer.engine.handle
        self.hearer.engine.handle = self._counted  # type: ignore[method-assign]  # its calls are counted

    def batch(self, blocks: int) -> tuple[int, int, list[nw.News]]:
        """Return the calls of functions, the values still there, and the news, of one batch at its hearer."""
        before = self.hearer.counts["records.admitted"]
        numbers = range(self._said, self._said + blocks)
        wanted = [fx.Emit(1_000 + n, Proposal({"focus": f"matter {n * 7919} of {n}"})) for n in numbers]
        self._said += blocks
        self._calls, self._left = 0, []
        (end,) = self.hearer.ends.values()
        end.paused = True
        self.speaker.feed(fx.EmitMany(tuple(wanted)))
        self.mesh.settle()
        end.waiting = deque([b"".join(end.waiting)])  # one read brings them all
        end.paused = False
        self.mesh.settle()
        assert self.hearer.counts["records.admitted"] == before + blocks
        return self._calls, len(self._left), [e.news for e in self._left if isinstance(e, fx.Notify)]

    def _counted(self, event: fx.Event, now: fx.Now) -> list[fx.Effect]:
        def called(_frame: FrameType, what: str, _argument: Any) -> None:
            self._calls += what in {"call", "c_call"}

        gc.disable()  # what others have called at a collection is not the engine's
        sys.setprofile(called)
        try:
            effects = self._handle(event, now)
        finally:
            sys.setprofile(None)
            gc.enable()
        self._left += effects
        return effects


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how often reception asks for news of an outcome."""
    found: list[int] = []

    def counted(*values: Any, **named: Any) -> Sequence[nw.News]:
        found.append(1)
        return news_of(*values, **named)

    monkeypatch.setattr(reception, "news_of", counted)
    return found


def test_unwatched_a_batch_costs_python_the_same_however_many_blocks_it_has(asked: list[int]) -> None:
    room = Room(watched=False)
    _ = room.batch(FEW), room.batch(MANY)  # what is made at the first one, and kept
    few, many = room.batch(FEW), room.batch(MANY)
    assert many[1:] == few[1:], "what is left, and the news: none of it is of a block"
    # A few more or less: caches of the whole process decide whether a count is made anew.
    assert abs(many[0] - few[0]) < (MANY - FEW) / 2, "and no call is"
    assert few[2] == []
    assert asked == []


def test_watched_every_block_becomes_news(asked: list[int]) -> None:
    room = Room(watched=True)
    room.batch(FEW)
    asked.clear()
    (few, _, _), (many, _, news) = room.batch(FEW), room.batch(MANY)
    assert len(asked) == FEW + MANY
    assert many - few >= MANY - FEW, "so the count that says nothing was done can say that something was"
    assert [type(each) for each in news] == [nw.Judged, nw.Delivered] * MANY


def test_news_begin_with_the_first_subscriber_and_end_with_the_last() -> None:
    room = Room(watched=False)
    hearer: Host = room.hearer
    subscribers = Subscribers(lambda on: hearer.feed(fx.Watch(on)), lambda error: pytest.fail(str(error)))
    assert room.batch(FEW)[2] == []
    ends = [subscribers.add(lambda news: None), subscribers.add(lambda news: None)]
    assert len(room.batch(FEW)[2]) == 2 * FEW
    ends[0]()
    assert len(room.batch(FEW)[2]) == 2 * FEW
    ends[1]()
    assert room.batch(FEW)[2] == []
