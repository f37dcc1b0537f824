"""The stage: an operator peer in this process, three agents in theirs, one task, and a stated end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from covey.cli.demo import outcome as ends
from covey.cli.demo.children import Child
from covey.cli.demo.outcome import Outcome
from covey.cli.demo.scenario import AGENTS, OPERATOR, Run, agent_toml
from covey.cli.loop import Stop
from covey.cli.peer import PeerPlan, open_peer
from covey.model import Minted, Proposal
from covey.proto.news import News, as_dict
from covey.proto.options import NodeOptions
from covey.runtime.node import Node
from covey.runtime.story import Story
from covey.system import identity as ids
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from covey.system.home import Home
from covey.values import dataclass

MEET_SECONDS: Final = 30.0
"""mDNS answers in about a second and the registry at once; a loaded machine starts four peers in ten."""
QUIET_SECONDS: Final = 5.0
"""Nobody thinks and nothing is on its way for so long: a delivery on loopback takes milliseconds."""
LEAVE_SECONDS: Final = 15.0
"""After the last closing block agents end by themselves, once each has its receipts."""


@dataclass(frozen=True, slots=True)
class Cast:
    """What a demo needs before the curtain: its home, its bounds, the environment of its agents."""

    home: Home
    run: Run
    task: str
    env: Mapping[str, str]


def make_identities(home: Home) -> dict[str, str]:
    """Give every agent an identity of its own; return nodeId by name.

    Raises:
        StoreError: A folder cannot be made or is not ours.
        IdentityError: An identity cannot be written or read.
    """
    clock, entropy = SystemClock(), SystemEntropy()
    made: dict[str, str] = {}
    for name in AGENTS:
        home.prepare_peer(name)
        made[name] = ids.load_or_create(home.identity_path(name), name, clock, entropy).node_id
    return made


def write_configs(home: Home, run: Run) -> dict[str, Path]:
    """Write every agent's agent.toml beside its identity; return the paths by name."""
    paths = {name: home.peer_folder(name) / "agent.toml" for name in AGENTS}
    for name, path in paths.items():
        path.write_text(agent_toml(name, run), "utf-8")
    return paths


class Stage:
    """One demo from start to end.

    Args:
        cast: What it needs.
        say: Called with each line for a person.
    """

    def __init__(self, cast: Cast, say: Callable[[str], None]) -> None:
        """Prepare; nothing is started before `play`."""
        self.story = Story((OPERATOR, *AGENTS))
        self.children: dict[str, Child] = {}
        self._cast = cast
        self._say = say
        self._moved = asyncio.Event()
        self._stopping = False

    def say_with(self, say: Callable[[str], None]) -> None:
        """Hand the lines for a person to another place, a live view that draws this stage's story."""
        self._say = say

    async def play(self, stop: Stop) -> Outcome:
        """Start everybody, give the task, watch until the end, and reap every process.

        Args:
            stop: The person's wish to end.

        Raises:
            CoveyError: The operator's peer or a file of an agent cannot be used.
        """
        cast = self._cast
        options = NodeOptions(room=cast.run.room)
        async with AsyncExitStack() as stack:
            peer = await stack.enter_async_context(open_peer(PeerPlan(cast.home, OPERATOR, options)))
            stack.callback(peer.node.subscribe(self._on_news))
            self._take(OPERATOR, {"event": "ready", "node_id": peer.node.node_id, "peers": []})
            stack.push_async_callback(self._reap)
            for name, path in write_configs(cast.home, cast.run).items():
                self.children[name] = await Child.start(name, path, cast.env, self._take, self._on_exit)
            found = await self._until_end(peer.node, stop)
            if found.reason == "thread-closed":
                await self._everybody_leaves()
            return found

    # --- acts -----------------------------------------------------------------------------------

    async def _until_end(self, node: Node, stop: Stop) -> Outcome:
        playing = asyncio.ensure_future(self._acts(node))
        asked = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({playing, asked}, return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                return playing.result()
            return Outcome("interrupted", f"stopped by {asked.result()}", done=False)
        finally:
            for task in (playing, asked):
                task.cancel()
            await asyncio.gather(playing, asked, return_exceptions=True)

    async def _acts(self, node: Node) -> Outcome:
        seconds = self._cast.run.seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._meet() or await self._give_task(node) or await self._watch()
        except TimeoutError:
            return Outcome("timeout", f"not finished after {seconds:g} s", done=False)

    async def _meet(self) -> Outcome | None:
        """Wait until everybody sees everybody: only then does a block that is emitted reach all."""
        try:
            async with asyncio.timeout(MEET_SECONDS):
                while not self.story.everybody_meets():
                    if (early := self._somebody_died()) is not None:
                        return early
                    await self._next_move()
        except TimeoutError:
            return ends.never_met(self.story, MEET_SECONDS)
        return None

    async def _give_task(self, node: Node) -> Outcome | None:
        result = await node.emit(Proposal({"focus": self._cast.task}))
        if isinstance(result, Minted):
            return None
        detail = getattr(result, "detail", "") or f"the task is held already: {getattr(result, 'key', '')}"
        return Outcome("task-refused", detail, done=False)

    async def _watch(self) -> Outcome:
        story = self.story
        while True:
            if story.everybody_closed(AGENTS):
                return ends.closed()
            if (early := self._somebody_died()) is not None:
                return early
            agents = [story.actors[name] for name in AGENTS]
            if all(actor.failure is not None or actor.exit_code is not None for actor in agents):
                return ends.quiet(story)
            try:
                async with asyncio.timeout(None if story.anybody_busy() else QUIET_SECONDS):
                    await self._next_move()
            except TimeoutError:
                return ends.quiet(story)

    async def _everybody_leaves(self) -> None:
        """Let the agents end by themselves, each for its own stated reason."""
        waiting = [asyncio.ensure_future(child.gone()) for child in self.children.values()]
        _, late = await asyncio.wait(waiting, timeout=LEAVE_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _reap(self) -> None:
        self._stopping = True
        await asyncio.gather(*(child.stop() for child in self.children.values()))

    # --- what comes in --------------------------------------------------------------------------

    def _take(self, name: str, event: Mapping[str, Any]) -> None:
        text = self.story.take(name, event)
        if text is not None:
            self._say(text)
        self._moved.set()

    def _on_news(self, news: News) -> None:
        self._take(OPERATOR, as_dict(news))

    def _on_exit(self, name: str, exit_code: int) -> None:
        self._say(self.story.exited(name, exit_code))
        self._moved.set()

    async def _next_move(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def _somebody_died(self) -> Outcome | None:
        for name, child in self.children.items():
            if self.story.actors[name].state == "died":
                return ends.died(self.story, name, " ".join(child.complaints))
        return None
