"""A program that has tasks done and does those of others, for tests.

Started with home, room, name and the capabilities that it offers. A run says that it has begun and lasts
until a line {"go": true} comes, unless the task's payload has "at once"; one with a "pipe" for this name
holds up the whole process until somebody writes there. Reads JSON lines: {"submit": capability, "payload": …,
…options}, {"result": task}, {"counters": true}; writes events as JSON lines. WORK_PEER holds
further options of its peer, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import covey
from covey.errors import CoveyError
from covey.runtime.work.job import Job


def say(event: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


async def act(peer: covey.Peer, wish: dict[str, Any]) -> None:
    try:
        if "submit" in wish:
            handle = await peer.tasks.submit(wish.pop("submit"), wish.pop("payload", {}), **wish)
            say("submitted", task=handle.id)
        elif "result" in wish:
            done = await peer._running().fleet.desk.ended(wish["result"])
            say("ended", **{key: done[key] for key in ("state", "value", "by", "fence", "tries", "detail")})
        elif "counters" in wish:
            say("counters", **peer.tasks.counters())
    except CoveyError as error:
        say("failed", error=str(error), code=error.code)


async def main(home: str, room: str, name: str, *capabilities: str) -> None:
    go = asyncio.Event()
    options = json.loads(os.environ.get("WORK_PEER", "{}"))
    async with covey.Peer(name, room=room, home=home, **options) as peer:

        async def work(job: Job) -> str:
            say("begun", task=job.id, by=name)
            if job.capability == "relay":
                return str((await job.delegate("work", job.payload)).value)
            if name in job.payload.get("pipe", {}):
                Path(job.payload["pipe"][name]).read_text()  # noqa: ASYNC240  # a run that holds up everything
            elif not job.payload.get("at once"):
                await go.wait()
            say("worked", task=job.id, by=name)
            return f"done by {name}"

        if capabilities:
            peer.tasks.offer(dict.fromkeys(capabilities, work), capacity=4)
        say("ready", node_id=peer.node_id)
        loop = asyncio.get_running_loop()
        running = set()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            wish = json.loads(line)
            if "go" in wish:
                go.set()
            else:
                running.add(loop.create_task(act(peer, wish)))


asyncio.run(main(*sys.argv[1:]))
