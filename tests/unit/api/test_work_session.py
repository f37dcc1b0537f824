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
