"""Signals and the loop: a graceful first one, an immediate second one. In processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from covey.cli import loop

SCRIPT = """
import asyncio, sys
from covey.cli import loop
async def work(stop):
    print("ready", flush=True)
    print(await stop.wait(), flush=True)
    if sys.argv[1] == "stuck":
        await asyncio.Event().wait()
    return 7
sys.exit(loop.run(work))
"""


def start(kind: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, kind],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_is_a_wish(number: signal.Signals) -> None:
    with start("willing") as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (7, f"{number.name}\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_at_once(number: signal.Signals) -> None:
    with start("stuck") as process:
        assert process.stdout is not None
        process.send_signal(number)
        assert process.stdout.readline() == f"{number.name}\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (128 + number, "")


def test_work_that_is_stopped_is_cancelled_and_its_end_awaited() -> None:
    ended: list[str] = []

    async def scene() -> int:
        stop = loop.Stop()

        async def work() -> None:
            try:
                stop.request("test")
                await asyncio.Event().wait()
            finally:
                ended.append("tidied")

        return await loop.until_stopped(work(), stop)

    assert asyncio.run(scene()) == 130
    assert ended == ["tidied"]


def test_work_that_ends_or_fails_does_so() -> None:
    async def scene(fails: bool) -> int:
        async def work() -> None:
            if fails:
                raise ValueError("as it was")

        return await loop.until_stopped(work(), loop.Stop())

    assert asyncio.run(scene(fails=False)) == 0
    with pytest.raises(ValueError, match="as it was"):
        asyncio.run(scene(fails=True))
