"""What a running peer answers on its control socket: one method for each verb, over node, memory and agent.

Rules: arguments come from any program of this user and are checked here before they reach an engine; results
are plain JSON values; nothing here knows of sockets or lines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol, cast, get_args

from covey import __version__, limits
from covey.errors import CoveyError, IpcError, RefusedArgumentError
from covey.model import CAT7, Fresh, Proposal
from covey.ports import Archive, Carried, Judgements, Memory, Outbox
from covey.runtime import answers
from covey.runtime.emit import addressee, emit_and_wait, track
from covey.runtime.node import Node
from covey.runtime.reasons import why

Arguments = Mapping[str, Any]
Result = dict[str, Any]


class AgentView(Protocol):
    """What an agent tells about itself."""

    def status(self) -> Mapping[str, Any]:
        """Return how the agent is doing: model, this run and lifetime, wakes, cost and caps, breaker."""
        ...

    def tools(self) -> Mapping[str, Any]:
        """Return what its model may use, what is missing, and the calls that wait for a person."""
        ...

    def decide_call(self, word: str, *, approve: bool) -> Mapping[str, Any]:
        """Take a person's word on a tool's call that waits; return what came of it."""

    def quarantined(self) -> Mapping[str, Any]:
        """Return the answers that wait for a person, and those that were decided lately."""
        ...

    async def decide(self, word: str, *, approve: bool, why: str = "") -> Mapping[str, Any]:
        """Let an answer out of quarantine, or throw it away; return what came of it."""
        ...


class PeerMemory(Memory, Archive, Carried, Judgements, Outbox, Protocol):
    """A peer's store, as a person asks about it."""


class Control:
    """The verbs of one running peer.

    Args:
        node: The peer on the mesh.
        memory: Its store, as an agent reads it; called on worker threads.
        inbox: Its durable inbox; called on worker threads too.
        stop: Called once somebody asks the peer to end, with the seconds it may drain (None: the usual).
        agent: Gives its agent, where it has one; asked each time, since it joins late and leaves early.
        more: Further verbs, of rooms beside records.
        facts: Further facts for `status` (paths, process id), asked each time.
    """

    def __init__(
        self,
        node: Node,
        memory: PeerMemory,
        inbox: answers.InboxStore,
        stop: Callable[[float | None], None],
        *,
        agent: Callable[[], AgentView | None] = lambda: None,
        facts: Callable[[], Mapping[str, Any]] = dict,
        more: Mapping[str, Callable[[Arguments], Awaitable[Result]]] | None = None,
    ) -> None:
        self._node = node
        self._memory = memory
        self._inbox_store = inbox
        self._stop = stop
        self._agent = agent
        self._facts = facts
        self._verbs: dict[str, Callable[[Arguments], Awaitable[Result]]] = {
            "status": self._status,
            "peers": self._peers,
            "observe": self._observe,
            "send": self._send,
            "track": self._track,
            "outbox": self._outbox,
            "recall": self._recall,
            "inbox": self._inbox,
            "trace": self._trace,
            "why": self._why,
            "cost": self._cost,
            "tools": self._tools,
            "gates": self._gates,
            "stop": self._stop_peer,
            **(more or {}),
        }

    async def handle(self, cmd: str, arguments: Arguments) -> Result:
        """Do one request.

        Raises:
            CoveyError: The verb is unknown, an argument is wrong, or it could not be done.
        """
        verb = self._verbs.get(cmd)
        if verb is None:
            raise IpcError(
                f"unknown verb: {cmd[:64]}",
                code="unknown_cmd",
                hint=f"known: {', '.join(sorted([*self._verbs, 'subscribe']))}",
            )
        return await verb(arguments)

    async def _status(self, arguments: Arguments) -> Result:
        _only(arguments)
        agent = self._agent()
        return {
            "peer": self._node.identity.name,
            "version": __version__,
            **self._facts(),
            "node": self._node.status(),
            "agent": None if agent is None else dict(agent.status()),
        }

    async def _peers(self, arguments: Arguments) -> Result:
        _only(arguments)
        return {
            "peer": self._node.identity.name,
            "peers": [asdict(peer) for peer in self._node.peers()],
            "members": [asdict(member) for member in self._node.members()],
        }

    async def _observe(self, arguments: Arguments) -> Result:
        _only(arguments, "categories", "parents", "wait_seconds", "fresh")
        return await self._emit(arguments, None)

    async def _send(self, arguments: Arguments) -> Result:
        _only(arguments, "categories", "parents", "wait_seconds", "within_seconds", "to", "fresh")
        return await self._emit(arguments, addressee(_text(arguments, "to"), self._node.peers()))

    async def _track(self, arguments: Arguments) -> Result:
        """Return what became of a directed block, once that is not what the asker knows."""
        _only(arguments, "assertion_id", "state", "wait_seconds")
        wait_seconds = _number(arguments, "wait_seconds", limits.IPC_RECEIPT_SECONDS, 0, 600)
        asserted = _text(arguments, "assertion_id")
        known = _text(arguments, "state") if "state" in arguments else ""
        return await track(self._node, self._memory, asserted, known, wait_seconds)

    async def _outbox(self, arguments: Arguments) -> Result:
        _only(arguments, "limit")
        limit = int(_number(arguments, "limit", limits.IPC_OUTBOX_ROWS, 1, limits.IPC_OUTBOX_ROWS))
        return await asyncio.to_thread(answers.outbox, self._memory, limit)

    async def _emit(self, arguments: Arguments, to: str | None) -> Result:
        wait_seconds = _number(arguments, "wait_seconds", limits.IPC_RECEIPT_SECONDS, 0, 600)
        within = None
        if "within_seconds" in arguments:
            within = _number(arguments, "within_seconds", 0, 0.001, limits.OUTBOX_SECONDS)
        proposal = Proposal(_categories(arguments), _parents(arguments), to, within, fresh=_fresh(arguments))
        return answers.emission_as_dict(await emit_and_wait(self._node, proposal, wait_seconds))

    async def _recall(self, arguments: Arguments) -> Result:
        """Return what matches words, or everything that `search` asks for."""
        _only(arguments, "query", "limit", "search")
        limit = int(_number(arguments, "limit", 10, 1, limits.IPC_RECALL_BLOCKS))
        asked = arguments.get("search")
        if asked is not None:
            if not isinstance(asked, dict):
                raise _wrong("search: expected an object")
            return await asyncio.to_thread(answers.found, self._memory, answers.search_of(asked), limit)
        query = _text(arguments, "query") if "query" in arguments else ""
        return {"blocks": await asyncio.to_thread(answers.recalled, self._memory, query, limit)}

    async def _inbox(self, arguments: Arguments) -> Result:
        """Return deliveries after a position (by default the acknowledged one); acknowledge if asked."""
        _only(arguments, "after", "limit", "ack")
        limit = int(_number(arguments, "limit", 10, 1, limits.IPC_RECALL_BLOCKS))
        after = arguments.get("after")
        if after is not None:
            after = int(_number(arguments, "after", 0, 0, 2**53))
        ack = arguments.get("ack", False)
        if not isinstance(ack, bool):
            raise _wrong("ack: expected true or false")
        found = await asyncio.to_thread(answers.read_inbox, self._inbox_store, after, limit, ack)
        if ack and self._agent() is None:
            # Where no agent decides, whoever reads the inbox is the application: read on is finished.
            for each in found["deliveries"]:
                if each["directed"]:
                    self._node.ended(each["block"]["assertion_id"], "executed", "acknowledged by its reader")
        return found

    async def _trace(self, arguments: Arguments) -> Result:
        _only(arguments, "key", "depth", "down")
        depth = int(_number(arguments, "depth", limits.IPC_TRACE_DEPTH, 1, limits.IPC_TRACE_DEPTH))
        down = arguments.get("down", False)
        if not isinstance(down, bool):
            raise _wrong("down: expected true or false")
        walk = answers.descendants if down else answers.trace
        return await asyncio.to_thread(walk, self._memory, _text(arguments, "key"), depth)

    async def _why(self, arguments: Arguments) -> Result:
        _only(arguments, "key")
        return await asyncio.to_thread(why, self._memory, _text(arguments, "key"))

    async def _gates(self, arguments: Arguments) -> Result:
        """List what waits for a person, or take a person's word on it."""
        _only(arguments, "action", "answer", "why")
        agent = self._agent()
        if agent is None:
            name = self._node.identity.name
            raise IpcError(f'peer "{name}" has no agent, so nothing is held', code="no_agent")
        action = arguments.get("action", "list")
        if action == "list":
            return {"peer": self._node.identity.name, **agent.quarantined()}
        if action not in ("approve", "deny"):
            raise _wrong("action: expected list, approve or deny")
        why = _text(arguments, "why") if "why" in arguments else ""
        decided = await agent.decide(_text(arguments, "answer"), approve=action == "approve", why=why[:200])
        return {"peer": self._node.identity.name, **decided}

    async def _cost(self, arguments: Arguments) -> Result:
        _only(arguments)
        agent = self._agent()
        if agent is None:
            raise IpcError(
                f'peer "{self._node.identity.name}" has no agent, so nothing costs', code="no_agent"
            )
        found = agent.status()
        shown = ("model", "run", "lifetime", "cost", "cost_caps", "team")
        return {"peer": self._node.identity.name, **{name: found[name] for name in shown if name in found}}

    async def _tools(self, arguments: Arguments) -> Result:
        """List what a model may use, or take a person's word on a call."""
        _only(arguments, "action", "call")
        agent, name = self._agent(), self._node.identity.name
        if agent is None:
            raise IpcError(f'peer "{name}" has no agent, so nothing uses tools', code="no_agent")
        action = arguments.get("action", "list")
        if action == "list":
            return {"peer": name, **agent.tools()}
        if action not in ("allow", "deny"):
            raise _wrong("action: expected list, allow or deny")
        return {"peer": name, **agent.decide_call(_text(arguments, "call"), approve=action == "allow")}

    async def _stop_peer(self, arguments: Arguments) -> Result:
        _only(arguments, "timeout_seconds")
        asked = "timeout_seconds" in arguments
        most = limits.AGENT_DRAIN_SECONDS_MOST
        self._stop(_number(arguments, "timeout_seconds", 0, 0, most) if asked else None)
        return {"accepted": True}


def _only(arguments: Arguments, *known: str) -> None:
    for name in arguments:
        if name not in known:
            raise _wrong(f"unknown argument: {name[:64]}")


def _text(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str):
        raise _wrong(f"{name}: expected text")
    return value


def _number(arguments: Arguments, name: str, default: float, least: float, most: float) -> float:
    value = arguments.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise _wrong(f"{name}: expected a number from {least:g} to {most:g}")
    return value


def _categories(arguments: Arguments) -> dict[str, str]:
    value = arguments.get("categories")
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise _wrong("categories: expected an object of texts")
    unknown = sorted(value.keys() - set(CAT7))
    if unknown:
        raise _wrong(f"categories: unknown: {', '.join(unknown)[:64]}")
    return dict(value)


def _fresh(arguments: Arguments) -> Fresh:
    """Return what is new in a block: a program of this user says it, unless it says otherwise."""
    value = arguments.get("fresh", "application")
    if value not in get_args(Fresh):
        raise _wrong(f"fresh: expected one of {', '.join(get_args(Fresh))}")
    return cast("Fresh", value)


def _parents(arguments: Arguments) -> tuple[str, ...]:
    value = arguments.get("parents", [])
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        raise _wrong("parents: expected a list of keys")
    return tuple(value)


def _wrong(message: str) -> CoveyError:
    return RefusedArgumentError(message)
