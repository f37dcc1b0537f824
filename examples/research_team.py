"""Research, implementation and review of one task, each by another; one is killed midway, and the run ends.

Who implements is found by what it can do, so a second one takes the task up. Every step says on which it
rests, so that the end shows the way there. Each member is a process of its own.

Run it: .venv/bin/python examples/research_team.py
"""

import asyncio
import json
import secrets
import selectors
import subprocess
import sys
import tempfile

import covey

TASK = "the parser drops the last frame of a burst"
MEMBERS = {"lead": "", "implementer-1": "implement", "implementer-2": "implement", "reviewer": "review"}
WORDS = {
    "implement": "keep the tail of the buffer for the next read",
    "review": "holds for bursts of any size",
}


async def member(name: str, room: str, home: str) -> None:
    """Do what this member can, whenever it is asked; say midway that it is at it."""
    capability = MEMBERS[name]
    async with covey.Peer(name, room=room, home=home) as peer:

        async def work(task: dict[str, str]) -> str:
            say("midway", name)
            await asyncio.to_thread(
                sys.stdin.readline
            )  # the work itself: it lasts until we hear that it may end
            said = await peer.send(
                "lead", {"focus": f"{capability}: {WORDS[capability]}"}, parents=[task["of"]]
            )
            return said.result.block.key

        await peer.packs.offer(capability, {capability: work})
        say("ready", name)
        await peer.run()


async def lead(room: str, home: str) -> None:
    """Begin the task, have each step done by somebody who can, and print how it came about."""
    heard: dict[str, covey.Block] = {}
    async with covey.Peer("lead", room=room, home=home) as peer:
        news = asyncio.Event()

        @peer.on_block
        async def take(block: covey.Block) -> None:
            heard[block.key] = block
            news.set()

        await peer.wait_for_peers(len(MEMBERS) - 1)
        finding = (await peer.observe(focus=f"research: {TASK}")).result.block
        steps = [finding]
        for capability in WORDS:
            key = await by_anybody(peer, capability, {"of": steps[-1].key})
            while key not in heard:
                await news.wait()
                news.clear()
            steps.append(heard[key])
        for step, before in zip(steps, [None, *steps], strict=False):
            rests = (
                "" if before is None else f", on {step.parents.index(before.key) + 1} of {len(step.parents)}"
            )
            say("lineage", f"{step.author}: {step.categories['focus']}{rests}")
        say("ended", f"{len(steps)} steps")


async def by_anybody(peer: covey.Peer, capability: str, task: dict[str, str]) -> str:
    """Let the task be done by one who can, and by another where that one is lost on the way."""
    while True:
        try:
            return (await peer.packs.use(capability, task, timeout_seconds=20)).value
        except covey.CoveyError as error:
            if error.code != "lost":
                raise
            say("lost", str(error))  # it is not here any more: the next time another is asked


def say(event: str, text: str) -> None:
    """Tell the process that started us."""
    print(json.dumps([event, text]), flush=True)


def main() -> int:
    """Start the team, kill whoever implements first, and let the others go on."""
    room, killed, ended = f"team-{secrets.token_hex(4)}", "", False
    with tempfile.TemporaryDirectory() as home, selectors.DefaultSelector() as ears:
        words = [sys.executable, __file__]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        team = {name: subprocess.Popen([*words, name, room, home], **pipes) for name in MEMBERS}
        for name, process in team.items():
            ears.register(process.stdout, selectors.EVENT_READ, name)
        try:
            while not ended:
                for key, _ in ears.select():
                    line = key.fileobj.readline()
                    if not line:
                        ears.unregister(key.fileobj)
                        ended = key.data == "lead"
                        continue
                    event, text = json.loads(line)
                    if event == "midway" and not killed:
                        killed = text
                        team[text].kill()
                        print(f"killed: {text}, in the middle of its work")
                    elif event == "midway":
                        team[text].stdin.write("go on\n")
                        team[text].stdin.flush()
                    elif event != "ready":
                        print(f"{event}: {text}")
        finally:
            for process in team.values():
                process.kill()
                process.communicate()
    return 0 if killed and team["lead"].returncode == 0 else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        role, *where = sys.argv[1:]
        asyncio.run(lead(*where) if role == "lead" else member(role, *where))
    else:
        raise SystemExit(main())
