"""A peer with an agent as a process of its own, for tests that kill it at a chosen moment.

`python -m tests.e2e.agent_peer <folder> <number> <port> <where>` prints `port N` and its agent's notes, one a
line. `where` is the moment at which it stands still and says so, to be killed there: `claim` (a wake
is about to be marked), `model` (the model is asked), or `-` (never). It stops when its input closes.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from covey.agent.setup import engine_options, guards, persona
from covey.model import ModelReply, ToolCall, Usage
from covey.runtime.agent import AgentRuntime, Note
from covey.settings import parse
from covey.store import StoreMemory, StoreWakes
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from tests.e2e.node_peer import identity, make

CONFIG = """
[identity]
name = "agent"
role = "writer"
[model]
adapter = "openai"
"""


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def stand_still(at: str) -> None:
    """Say where we are, and stay there: whoever reads it kills us."""
    say(f"at {at}")
    threading.Event().wait()


class Wakes(StoreWakes):
    """Where wakes are marked; stands still before it does, where that is wanted."""

    __slots__ = ("where",)

    def state_put(self, values: Mapping[str, bytes], woken: Sequence[str] = ()) -> None:
        if woken and self.where == "claim":
            stand_still("claim")
        super().state_put(values, woken)


class Model:
    """Answers each block with one of its own."""

    label = "test/model"

    def __init__(self, where: str) -> None:
        self._where = where

    def reserve_usd(self, _request: Any) -> float:
        return 0.0

    async def warm(self) -> None: ...

    async def close(self) -> None: ...

    async def call(self, request: Any) -> ModelReply:
        if self._where == "model":
            await asyncio.to_thread(stand_still, "model")
        said = request.metadata["wake"].block.categories["focus"]
        calls = (ToolCall("1", "emit_cmb", {"focus": f"done: {said}", "intent": "report"}),)
        return ModelReply("", calls, Usage(1, 1, 0.0), "stop", "model")


async def serve(folder: Path, number: int, port: int, where: str) -> None:
    node, store = make(folder, number, port)
    settings = parse(CONFIG, file="agent.toml")
    wakes = Wakes(store._store)
    wakes.where = where
    agent = AgentRuntime(
        node,
        Model(where),
        persona=persona(settings, identity(number).node_id),
        options=engine_options(settings, identity(number).node_id),
        guards=guards(settings, identity(number).node_id, lambda _request: 0.0),
        memory=StoreMemory(store._store, node.node_id),
        store=wakes,
        clock=SystemClock(),
        entropy=SystemEntropy(),
    )

    def tell(note: Note) -> None:
        say(f"note {note.event}")

    agent.subscribe(tell)
    agent.attach()
    async with node:
        await agent.start()
        say(f"port {node.port}")
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await agent.close()
    store.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
