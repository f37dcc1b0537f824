"""A work session from Python: one trail, one outcome, whatever ends it."""

from __future__ import annotations

import asyncio

import pytest

import covey
from covey.errors import IpcError, UsageError
from tests.e2e.program import ROOM


def test_a_session_is_a_trail_with_an_outcome_and_an_exception_is_one_too(tmp_path):
    asyncio.run(_worked(tmp_path))


async def _worked(tmp_path):
    async with covey.Peer("worker", room=ROOM, home=tmp_path) as peer:
        async with peer.session("make the parser fast") as work:
            first = await work.decide("measure first", "nobody knows")
            assert await work.decide("measure first", "nobody knows") == first
            with pytest.raises(IpcError):
                async with peer.session("another"):
                    pass
            end = await work.finish("parser 2.0", "twice as fast")
        report = await peer.block(end)
        assert report.said()["commitment"] == "verified: twice as fast"
        artifact = await peer.block(report.parents[0])
        assert artifact.parents == (first,)
        with pytest.raises(ValueError, match="boom"):
            async with peer.session("something else"):
                raise ValueError("boom")
        newest = (await peer.recent(1))[0]
        assert newest.said()["commitment"] == "failed: ended by ValueError"
        grounded = await peer.ground(first, "nothing was measured", held=False)
        assert grounded["result"] == "minted"
        with pytest.raises(IpcError):
            await peer.ground("cmb-" + "0" * 64, "x")
        with pytest.raises((IpcError, UsageError)):
            await peer.ground(first, " ")


def test_a_decision_said_again_later_leaves_the_trail_whole_and_a_second_failure_has_an_outcome(tmp_path):
    asyncio.run(_again(tmp_path))


async def _again(tmp_path):
    async with covey.Peer("again", room=ROOM, home=tmp_path) as peer:
        async with peer.session("keep the parser small") as work:
            first = await work.decide("measure first")
            second = await work.decide("cut the table in two")
            assert await work.decide("measure first") == first
            third = await work.decide("write the test")
            await work.finish("parser 3", "it is small")
        assert (await peer.block(third)).parents == (second,), "the head did not go back"
        ends = []
        for intent in ("try one way", "try another way"):
            with pytest.raises(ValueError, match="boom"):
                async with peer.session(intent):
                    raise ValueError("boom")
            ends.append((await peer.recent(1))[0])
        assert ends[0].key != ends[1].key, "each trail has an outcome of its own"
        for end, intent in zip(ends, ("try one way", "try another way"), strict=True):
            assert end.said()["commitment"] == "failed: ended by ValueError"
            above = [await peer.block(key) for key in end.parents]
            charters = [each for each in above if each.said().get("intent") == "charter"]
            grand = [await peer.block(key) for each in above for key in each.parents]
            assert intent in {each.said()["focus"] for each in [*charters, *grand]}


def test_what_ended_the_work_is_not_hidden_by_a_report_that_is_refused(tmp_path):
    asyncio.run(_hidden(tmp_path))


async def _hidden(tmp_path):
    async with covey.Peer("hidden", room=ROOM, home=tmp_path) as peer:
        work = peer.session("look for the cause")

        async def refused(asked):
            return {"result": "refused", "reason": "stopping", "detail": "this peer is shutting down"}

        with pytest.raises(ValueError, match="boom") as caught:
            async with work:
                work._words = type("Refusing", (), {"session": staticmethod(refused)})()
                raise ValueError("boom")
        assert any("was not reported" in note for note in caught.value.__notes__)
