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
import asyncio, sys, threading
from covey.cli import loop
async def work(stop):
    print("ready", flush=True)
    if sys.argv[1] == "draining":
        stop.request("stop")
        print("draining", flush=True)
        await asyncio.sleep(0)
        sys.stdin.readline()
    print(await stop.wait(), flush=True)
    if sys.argv[1] == "stuck":
        await asyncio.Event().wait()
    if sys.argv[1] == "blocked":
        threading.Event().wait()
    if sys.argv[1] == "thread":
        threading.Thread(target=threading.Event().wait).start()
    return 7
sys.exit(loop.run(work))
"""


def start(kind: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, kind],
        env=env,
        stdin=subprocess.PIPE,
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("kind", ["stuck", "blocked", "thread"])
def test_the_second_signal_ends_at_once(kind: str, number: signal.Signals) -> None:
    """While work waits, while it holds the loop, and when a thread keeps the ending process."""
    with start(kind) as process:
        assert process.stdout is not None
        process.send_signal(number)
        assert process.stdout.readline() == f"{number.name}\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (128 + number, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_does_not_cut_off_a_drain_that_somebody_else_asked_for(number: signal.Signals) -> None:
    """As when a service manager asks by command and then by signal."""
    with start("draining") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "draining\n"
        process.send_signal(number)
        out, err = process.communicate("go on\n", timeout=30)
    assert (process.returncode, out, err) == (7, "stop\n", "")


def test_signals_do_again_what_they_did_once_work_has_ended() -> None:
    async def work(stop: loop.Stop) -> int:
        return 3

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    assert loop.run(work) == 3
    assert {number: signal.getsignal(number) for number in before} == before


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
