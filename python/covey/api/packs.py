"""Tool packs from Python: offer what an agent can do, find who can do something, and let it be done."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.errors import CoveyError, UsageError
from covey.fleet.packs import Pack
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.fleet.message import Message
    from covey.runtime.bus.mesh import MeshBus
    from covey.runtime.bus.requests import Requests
    from covey.runtime.packs import Packs as Shell
    from covey.runtime.registry import Registry

Work = Callable[[Any], Awaitable[Any]]
"""Does one thing: gets the arguments, returns a JSON value."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a use: the value, and where it came from, as the session that brought it proved."""

    value: Any
    capability: str
    pack: str
    node_id: str
    name: str
    author: str
    request_id: str


class Packs:
    """The tool packs of a peer's room."""

    def __init__(self, shell: Shell, bus: MeshBus, registry: Registry, node_id: str) -> None:
        self._shell = shell
        self._bus = bus
        self._registry = registry
        self._node_id = node_id
        self._requests: Requests | None = None
        self._work: dict[str, Work] = {}
        self._busy: Counter[str] = Counter()

    async def offer(self, name: str, capabilities: Mapping[str, Work], about: str = "") -> None:
        """Have a pack: the room sees it, `capabilities` finds it, and whoever is trusted here may use it.

        Args:
            name: What it is called.
            capabilities: By capability a coroutine function; each request runs it once.
            about: One line for people.

        Raises:
            CoveyError: A name is none, a function is no coroutine function, or nothing can be written.
        """
        plain = [word for word, work in capabilities.items() if not inspect.iscoroutinefunction(work)]
        if plain:
            raise UsageError(f"{plain[0]}: expected a coroutine function (async def)")
        pack = Pack(name, tuple(capabilities), about)
        self._asking()
        able = {**self._work, **capabilities}
        try:
            self._registry.announce(_nickname(self._node_id), tuple(able), capacity=limits.REQUESTS_RUNNING)
        except ValueError as error:
            raise UsageError(f"pack {name}: {error}") from error
        self._work = able
        await self._shell.offer(pack)

    def find(self, capability: str | None = None) -> Sequence[Mapping[str, Any]]:
        """Return the packs of every agent, or those with a capability; `here` says who can be asked now."""
        return self._shell.listed(capability)

    async def use(
        self,
        capability: str,
        arguments: object = None,
        *,
        at: str | None = None,
        timeout_seconds: float = limits.REQUEST_SECONDS,
    ) -> Done:
        """Let an agent that has a capability do it, once, and return what came of it.

        Of several the one that this peer keeps least busy is asked. It is not asked again elsewhere after a
        failure: it may have done its work.

        Args:
            capability: Which.
            arguments: A JSON value for it.
            at: Whom to ask, by name, nodeId or author; by default whoever has it.
            timeout_seconds: The longest wait, for such an agent to be here too.

        Raises:
            CoveyError: Nobody here has it (`no_capability`), it failed there, whoever was asked is gone
                (`lost`), or there was no answer in time.
        """
        chosen = await self._chosen(capability, at, timeout_seconds)
        node_id, nickname = str(chosen["node_id"]), _nickname(str(chosen["node_id"]))
        self._busy[node_id] += 1
        try:
            await self._bus.wait_for(nickname, timeout_seconds)
            asked = {"capability": capability, "arguments": arguments}
            question = self._asking().ask(nickname, asked, timeout_seconds=timeout_seconds)
            reply = await self._unless_lost(asyncio.ensure_future(question), node_id, chosen["name"])
        finally:
            self._busy[node_id] -= 1
        origin = reply.origin or self._node_id
        if origin != node_id:
            raise CoveyError(f"{capability}: answered by {origin} in place of {node_id}", code="wrong_origin")
        return Done(
            reply.payload.get("value"),
            capability,
            chosen["pack"],
            origin,
            chosen["name"],
            chosen["author"],
            reply.in_reply_to,
        )

    def close(self) -> None:
        """End what is asked and answered."""
        if self._requests is not None:
            self._registry.withdraw(_nickname(self._node_id))
            self._requests.close()

    async def _unless_lost(self, question: asyncio.Future[Message], node_id: str, name: str) -> Message:
        """Wait for a reply for as long as the peer that was asked is here, or may come back."""
        gone = 0
        try:
            while not question.done():
                await asyncio.wait([question], timeout=limits.PACKS_LOOK_SECONDS)
                gone = 0 if node_id in self._shell.here() else gone + 1
                if gone >= limits.PACKS_LOST_LOOKS and not question.done():
                    raise CoveyError(f"{name} is gone, and took the task with it", code="lost")
        finally:
            question.cancel()
        return question.result()

    async def _chosen(self, capability: str, at: str | None, timeout_seconds: float) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(timeout_seconds):
                while True:
                    able = [each for each in self.find(capability) if each["here"]]
                    if at is not None:
                        able = [e for e in able if at in (e["name"], e["node_id"], e["author"])]
                    if able:
                        return min(able, key=lambda each: (self._busy[each["node_id"]], each["node_id"]))
                    await self._shell.changed()
        except TimeoutError:
            where = "here" if at is None else f"at {at}"
            raise CoveyError(f"nobody {where} can do {capability}", code="no_capability") from None

    def _asking(self) -> Requests:
        if self._requests is None:
            from covey.runtime.bus.requests import Requests

            self._requests = Requests(self._bus, _nickname(self._node_id))
            self._requests.serve(self._serve)
        return self._requests

    async def _serve(self, message: Message) -> Mapping[str, Any]:
        capability = str(message.payload.get("capability"))
        work = self._work.get(capability)
        if work is None:
            raise UsageError(f"no such capability here: {capability[:64]}")
        return {"value": await work(message.payload.get("arguments"))}


def _nickname(node_id: str) -> str:
    return f"packs-{node_id}"
