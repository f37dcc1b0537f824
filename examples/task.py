"""A task is given to whoever can; its worker is killed in the middle; another does it, and one result counts.

Who asks names what is needed, not whom. The same key asked twice is the same task. Each worker is a process
of its own.

Run it: .venv/bin/python examples/task.py
"""

import asyncio
import secrets
import subprocess
import sys
import tempfile

import covey


async def worker(name: str, room: str, home: str) -> None:
    """Translate, for whoever may ask; the first one dies of it."""
    async with covey.Peer(name, room=room, home=home) as peer:

        async def translate(job):
            job.progress(0.5, f"half of it, says {name}")
            if name == "one":
                await asyncio.Event().wait()  # it works and works, until it is killed
            return job.payload.replace("good morning", "guten Morgen")

        peer.tasks.offer({"translate": translate})
        await peer.run()


async def main() -> None:
    """Ask, kill, and see what comes of it."""
    room = f"tasks-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as home:
        workers = {"one": start("one", room, home)}
        try:
            async with covey.Peer("lead", room=room, home=home) as lead:
                task = await lead.tasks.submit("translate", "good morning, all", key="greeting")
                async for view in task.news():
                    if view["share"] and workers["one"].poll() is None:
                        print(f"at work: {view['detail']}")
                        workers["one"].kill()
                        workers["two"] = start("two", room, home)
                for step in task.view()["story"]:
                    print(f"story: {step['what']} {step['detail']}".rstrip())
                done = await task.result()
                print(f"result: {done.value} ({done.tries} lost on the way)")
                again = await lead.tasks.submit("translate", "good morning, all", key="greeting")
                print(f"asked again: the same task is {again.view()['state']}, and nobody does it twice")
                try:
                    await lead.tasks.do("juggle", if_nobody="fail")
                except covey.CoveyError as error:
                    print(f"nobody: {error.message}")
        finally:
            for each in workers.values():
                each.kill()
                each.wait()


def start(name: str, room: str, home: str) -> subprocess.Popen[bytes]:
    """Start a worker."""
    return subprocess.Popen([sys.executable, __file__, name, room, home])


if __name__ == "__main__":
    asyncio.run(worker(*sys.argv[1:]) if len(sys.argv) > 1 else main())
