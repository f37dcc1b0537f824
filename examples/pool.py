"""Researcher, writer and reviewer: one pool in one process, then, unchanged, in three processes.

What they say is the same: an experiment, a draft, a revision that is asked for, a review, the end.

Run it: .venv/bin/python examples/pool.py
"""

import asyncio
import json
import secrets
import subprocess
import sys
import tempfile

import covey
from covey.fleet.message import Message
from covey.fleet.pooled import AgentFactory, Turn
from covey.runtime.bus.local import LocalBus
from covey.runtime.bus.port import Bus
from covey.runtime.pool import AgentPool
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy

DATA = {"frames": 120, "lost": 3}


async def researcher(turn: Turn) -> str | None:
    """Measure when told to begin, and hear when the paper is done."""
    if turn.percept == "begin":
        turn.send("writer", "EXPERIMENT_DATA", DATA)
    for message in turn.messages:
        if message.type == "TASK_COMPLETE":
            turn.memory.put("paper", message.payload["paper"])
            return str(message.payload["paper"])
    return None


async def writer(turn: Turn) -> None:
    """Write a draft of what was measured, revise it where that is asked for, and say when it is done."""
    for message in turn.messages:
        if message.type == "EXPERIMENT_DATA":
            lost, frames = message.payload["lost"], message.payload["frames"]
            turn.memory.put("for", message.sender)
            draft(turn, f"{lost} of {frames} frames are lost", 1, message)
        elif message.type == "REVISION_REQUEST":
            paper = f"{turn.memory.get('paper')}, {message.payload['wants']}"
            draft(turn, paper, turn.memory.get("version") + 1, message)
        elif message.type == "REVIEW_RESULT":
            said = {"paper": turn.memory.get("paper")}
            turn.send(turn.memory.get("for"), "TASK_COMPLETE", said, answers=message)


def draft(turn: Turn, paper: str, version: int, answers: Message) -> None:
    """Keep a version of the paper and send it to the reviewer."""
    turn.memory.put("paper", paper)
    turn.memory.put("version", version)
    turn.send("reviewer", "PAPER_DRAFT", {"paper": paper, "version": version}, answers=answers)


async def reviewer(turn: Turn) -> None:
    """Want one revision of every paper, then accept it."""
    for message in turn.messages:
        if message.payload["version"] == 1:
            turn.send(message.sender, "REVISION_REQUEST", {"wants": "at the end of bursts"}, answers=message)
        else:
            turn.send(message.sender, "REVIEW_RESULT", {"accepted": True}, answers=message)


ROLES = {"researcher": researcher, "writer": writer, "reviewer": reviewer}


def factory(role: str) -> AgentFactory:
    """Return what makes agents of a role."""
    return AgentFactory(ROLES[role], lambda: secrets.token_hex(6), role=role)


async def begun(pool: AgentPool, bus: Bus) -> str:
    """Let the researcher begin, and return the paper that comes of it."""
    done = asyncio.get_running_loop().create_future()

    async def hear(message: Message) -> None:
        if message.type == "TASK_COMPLETE" and not done.done():
            done.set_result(str(message.payload["paper"]))

    end = bus.register("researcher", hear)
    await pool.run_turn("researcher", "begin")
    paper = await done
    end()
    return paper


async def one_process() -> None:
    """Run all three in one pool."""
    bus = LocalBus(clock=SystemClock(), entropy=SystemEntropy())
    pool = AgentPool(bus, SystemClock(), turn_seconds=10)
    for role in ROLES:
        pool.add(factory(role).make(role))
    async with pool.attending():
        paper = await begun(pool, bus)
    for message in bus.history().messages:
        print(f"said:    {message.sender} to {message.recipient}: {message.type}")
    print(f"paper:   {paper}")
    await pool.shutdown()


async def one_of_three(role: str, room: str, home: str) -> None:
    """Run one of them, on a peer of its own; tell the process that started us what it heard."""
    async with covey.Peer(role, room=room, home=home) as peer:
        pool = AgentPool(peer.bus, SystemClock(), turn_seconds=10)
        pool.add(factory(role).make(role))
        async with pool.attending():
            for other in ROLES:
                await peer.bus.wait_for(other, 30)
            tell("ready")
            if role == "researcher":
                await asyncio.to_thread(sys.stdin.readline)  # all three are there
                tell("paper", await begun(pool, peer.bus))
            else:
                await asyncio.to_thread(sys.stdin.readline)  # it is over
            heard = [each for each in peer.bus.history().messages if each.recipient == role]
            tell("heard", [[each.depth, each.sender, each.recipient, each.type] for each in heard])
        await pool.shutdown()


def tell(event: str, facts: object = None) -> None:
    """Tell the process that started us."""
    print(json.dumps([event, facts]), flush=True)


def three_processes() -> None:
    """Run each in a process of its own, and print what they said to each other, in order."""
    room = f"pool-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as home:
        words = [sys.executable, __file__]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        team = {role: subprocess.Popen([*words, role, room, home], **pipes) for role in ROLES}

        def told(role: str, event: str) -> object:
            for line in team[role].stdout:
                found = json.loads(line)
                if found[0] == event:
                    return found[1]
            raise SystemExit(f"{role} ended before {event}")

        try:
            for role in team:
                told(role, "ready")
            go(team["researcher"])
            paper = told("researcher", "paper")
            for role in ("writer", "reviewer"):
                go(team[role])
            for _, sender, recipient, kind in sorted(each for role in team for each in told(role, "heard")):
                print(f"said:    {sender} to {recipient}: {kind}")
            print(f"paper:   {paper}")
        finally:
            for process in team.values():
                process.kill()
                process.communicate()


def go(process: subprocess.Popen[str]) -> None:
    """Let a process go on."""
    process.stdin.write("go on\n")
    process.stdin.flush()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(one_of_three(*sys.argv[1:]))
    else:
        print("in one process")
        asyncio.run(one_process())
        print("in three processes")
        three_processes()
