"""Three peers solve something together: two have ideas and say what they think of them, one is never heard.

Run it: .venv/bin/python examples/solve.py
"""

import asyncio
import secrets
import tempfile
from collections.abc import Sequence

import covey
from covey.fleet.transcript import Entry
from covey.runtime.decide.solving import Mind, Remark

PROBLEM = "the parser drops the last frame of a burst"
IDEAS = {"ann": "read until the buffer is empty", "bob": "a test that sends one frame in two parts"}


class Engineer(Mind):
    """Has one idea, likes whatever begins with a test, and makes what was chosen."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def brainstorm(self, problem: str) -> Sequence[str]:
        """Return the one idea it has."""
        return [IDEAS[self.name]]

    async def critique(self, problem: str, ideas: Sequence[Entry]) -> Sequence[Remark]:
        """Return a remark on each idea that it likes."""
        liked = [each for each in ideas if "test" in each.text]
        return [Remark(each, f"{self.name} would see it fail first", 0.9) for each in liked]

    async def implement(self, problem: str, idea: Entry, remarks: Sequence[Entry]) -> str:
        """Return what came of it."""
        return f"{self.name}: {idea.text}"


class Away(Mind):
    """Never answers."""

    async def brainstorm(self, problem: str) -> Sequence[str]:
        """Wait for ever."""
        await asyncio.Event().wait()
        return []


async def main() -> None:
    """Let ann put the problem to all three, and bob check the transcript."""
    room = f"example-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as home:
        async with (
            covey.Peer("ann", room=room, home=home) as ann,
            covey.Peer("bob", room=room, home=home) as bob,
            covey.Peer("cid", room=room, home=home) as cid,
        ):
            ann.solving.join(Engineer("ann"))
            bob.solving.join(Engineer("bob"))
            cid.solving.join(Away())
            await ann.wait_for_peers(2)
            names = {ann.node_id: "ann", bob.node_id: "bob", cid.node_id: "cid"}
            record = await ann.solving.solve(PROBLEM, members=list(names), brainstorm=1.5)
            for each in record.entries():
                if each.phase == "brainstorm":
                    print(f"idea:    {names[each.by]}: {each.text}")
            steps = record.lineage()
            print(f"chosen:  {steps[0].text}")
            print(f"remark:  {steps[1].text}, and {len(steps) - 3} more")
            print(f"made:    {record.answer()}")
            print(f"silent:  {', '.join(f'{names[who]} in the {phase}' for phase, who in record.silent)}")
            print(f"holds:   {(await bob.solving.check(record)).holds}, by bob's own check")


asyncio.run(main())
