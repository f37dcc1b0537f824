"""A peer that addresses blocks to another one, as a process of its own, for tests that kill it.

`python -m tests.e2e.speaking_peer <folder> <number> <to> <port> <first> <count>` dials `port`, prints the
assertion id of each block once it is durable, then waits until its input closes.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from covey.model import Minted, Proposal
from tests.e2e.node_peer import identity, make


async def speak(folder: Path, number: int, to: int, port: int, first: int, count: int) -> None:
    node, store = make(folder, number, 0, ("127.0.0.1", port))
    async with node:
        for each in range(first, first + count):
            said = {"focus": f"errand {each}", "intent": f"do {each}"}
            result = await node.emit(Proposal(said, to=identity(to).node_id))
            assert isinstance(result, Minted)
            sys.stdout.write(f"{result.block.assertion_id}\n")
            sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    store.close()


if __name__ == "__main__":
    where, who, *numbers = sys.argv[1:]
    asyncio.run(speak(Path(where), int(who), *(int(each) for each in numbers)))
