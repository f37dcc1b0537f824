"""From a block that wakes an agent to its answer on the mesh, without the model: `python -m benches.wake`.

Two peers of one process on loopback, each with its own store. The clock runs at the agent, from the delivery
of a block (durable already) to the note that its answer was minted (durable, and handed to the session), and
stops while the model is asked. What is left is covey's: claim, context, reserve, guards, signature, commits.
With `--tools` the model first uses a tool, a Python function: two rounds in each wake. An agent is asked when
it has rested for a moment, as agents mostly have; with `--busy` each block follows the answer to the
last one at once, and waits for what the disk still has to do for it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benches import samples
from benches.loopback import EVERYTHING, peer
from covey.agent.setup import engine_options, guards, persona
from covey.model import Minted, ModelReply, ModelRequest, Proposal, ToolCall, Usage
from covey.proto.news import Delivered, News
from covey.proto.options import NodeOptions
from covey.runtime.agent import AgentRuntime, Note
from covey.settings import parse
from covey.store import StoreWakes
from covey.store.memory import StoreMemory
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from covey.tools.toolbox import build

REST_SECONDS = 0.03
"""Between an answer and the next block: what follows an answer (receipts, books) takes some 10 ms."""
WAKES = 100
WARM_UP = 10
"""Wakes that are not counted: files are new, caches empty."""
AGENT = f"""
[identity]
name = "bench"
role = "reviewer"
[mesh]
room = "{samples.ROOM}"
[model]
adapter = "openai"
[budget]
max_wakes_per_minute = 100_000
max_wakes_per_hour = 100_000
max_wakes_per_day = 100_000
[safety]
approval_gates = "default"
"""
TOOLS = '[tools.python.bench]\nfile = "tool.py"\npermissions = { look = "allow" }\n'
TOOL = (
    'from covey.tools import tool\n\n@tool\ndef look(at: str) -> str:\n    """Look."""\n    return at * 20\n'
)


class Thoughtless:
    """A model that answers at once, and counts the time it took."""

    label = "bench/thoughtless"

    def __init__(self) -> None:
        self.seconds = 0.0
        self._number = 0

    def reserve_usd(self, request: ModelRequest) -> float:
        return 0.0001

    async def warm(self) -> None: ...

    async def close(self) -> None: ...

    async def call(self, request: ModelRequest) -> ModelReply:
        began = time.perf_counter()
        if len(request.tools) > 1 and not request.rounds:
            call = ToolCall("1", "bench__look", {"at": "here"}, '{"at": "here"}')
        else:
            self._number += 1
            said = {"focus": f"answer {self._number} to what was said", "commitment": f"done {self._number}"}
            call = ToolCall("1", "emit_cmb", said)
        reply = ModelReply("", (call,), Usage(800, 60, 0.0001), "tool_use", "bench")
        self.seconds += time.perf_counter() - began
        return reply


async def measured(folder: Path, tools: bool, wakes: int, rest: float = 0.0) -> list[float]:
    """Return the seconds of each wake, the model's own taken out."""
    (folder / "tool.py").write_text(TOOL)
    settings = parse(AGENT + (TOOLS if tools else ""), base=folder)
    trusted = frozenset({samples.NODE_ID})
    hearing = NodeOptions(room=samples.ROOM, admission=EVERYTHING, trusted=trusted)
    model, seconds, began = Thoughtless(), list[float](), dict[str, tuple[float, float]]()
    answered = asyncio.Event()

    def on_news(news: News) -> None:
        if isinstance(news, Delivered):
            began[news.delivery.block.key] = (time.perf_counter(), model.seconds)

    def on_note(note: Note) -> None:
        if note.event == "emitted":
            at, thought = began.pop(note.facts["parents"][0])
            seconds.append(time.perf_counter() - at - (model.seconds - thought))
            answered.set()

    async with peer(samples.OTHER, folder / "agent", hearing) as node:
        node.subscribe(on_news)
        agent = _agent(node, model, settings)
        agent.subscribe(on_note)
        agent.attach()
        await agent.start()
        speaking = NodeOptions(room=samples.ROOM, admission=EVERYTHING, addresses=(("127.0.0.1", node.port),))
        async with peer(samples.IDENTITY, folder / "speaker", speaking) as speaker:
            assert await speaker.wait_for_peers(1, 20)
            for number in range(WARM_UP + wakes):
                answered.clear()
                assert isinstance(await speaker.emit(Proposal(samples.categories(number))), Minted)
                await asyncio.wait_for(answered.wait(), 20)
                await asyncio.sleep(rest)
        await agent.close()
    return seconds[WARM_UP:]


def _agent(node: Any, model: Thoughtless, settings: Any) -> AgentRuntime:
    # The bench lends the node's own store to the agent, as `covey run` does.
    store = node._store._store
    return AgentRuntime(
        node,
        model,
        persona=persona(settings, node.node_id),
        options=engine_options(settings, node.node_id),
        guards=guards(settings, node.node_id, model.reserve_usd),
        memory=StoreMemory(store, node.node_id),
        store=StoreWakes(store),
        clock=SystemClock(),
        entropy=SystemEntropy(),
        tools=build(settings.tools, {}) if settings.tools else None,
    )


def main() -> int:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wakes", type=int, default=WAKES)
    parser.add_argument("--tools", action="store_true", help="let the model use a tool in each wake")
    parser.add_argument("--busy", action="store_true", help="let each block follow the last answer at once")
    arguments = parser.parse_args()
    rest = 0.0 if arguments.busy else REST_SECONDS
    with tempfile.TemporaryDirectory() as name:
        seconds = asyncio.run(measured(Path(name), arguments.tools, arguments.wakes, rest))
    median, slow = statistics.median(seconds), statistics.quantiles(seconds, n=10)[8]
    rounds = "two rounds and a tool" if arguments.tools else "one round"
    print(
        f"wake to emit beyond the model, {rounds}: {median * 1000:.2f} ms median, {slow * 1000:.2f} ms p90, "
        f"{min(seconds) * 1000:.2f} ms least, of {len(seconds)} wakes"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
