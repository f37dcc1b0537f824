"""Speaking about blocks: outcomes, judgements, and the trail of a work session; over a running node.

Rules: everything said here is an ordinary block by the node's one way out. Who may judge is asked before a
word is signed, by the port that receivers ask too; an outcome needs no authority, and moves nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from covey import limits, typed
from covey.errors import IpcError, RefusedArgumentError, StoreError
from covey.memory.judging import VERBS, grounding, tier_of, words_about
from covey.model import CAT7, NEUTRAL, Duplicate, Fresh, LifecycleMove, Minted, Proposal
from covey.ports import Archive
from covey.runtime.answers import block_as_dict, emission_as_dict
from covey.runtime.emit import Emission, emit_and_wait

if TYPE_CHECKING:
    from covey.hindsight import Feedback, FeedbackKind
    from covey.model import Block
    from covey.ports import LifecycleAuthority
    from covey.runtime.node import Node

Result = dict[str, Any]
_MOVES: Final[dict[str, tuple[FeedbackKind, LifecycleMove]]] = {
    "validate": ("validate", "validate"),
    "dismiss": ("dismiss", "dismiss"),
    "archive": ("archive", "dismiss"),
    "canonise": ("canonise", "canonise"),
}
_KEY_CHARS: Final = len("cmb-") + 64
_SESSION: Final = "session"
"""Names the small value in the store that says where a session's trail stands."""


class Shelf(Archive, Protocol):
    """What is read of a peer's memory."""

    def block(self, key: str) -> Block | None:
        """Return a held block."""
        ...


class Notes(Protocol):
    """Where a session remembers its trail."""

    def state_get(self, name: str) -> bytes | None:
        """Return a small value kept by name, or None."""
        ...

    def state_put(self, values: Mapping[str, bytes]) -> None:
        """Keep small values by their names."""
        ...


class Words:
    """What a peer can be asked to say about blocks.

    Args:
        node: The peer on the mesh.
        memory: Its store.
        notes: Where the trail of a session stands.
        authority: Who may move blocks.
    """

    def __init__(self, node: Node, memory: Shelf, notes: Notes, authority: LifecycleAuthority) -> None:
        self._node = node
        self._memory = memory
        self._notes = notes
        self._authority = authority
        self._one_at_a_time = asyncio.Lock()

    @property
    def verbs(self) -> Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Result]]]:
        """Return the verbs of the control socket by their names."""
        return {"ground": self.ground, "judge": self.judge, "about": self.about, "session": self.session}

    async def ground(self, arguments: Mapping[str, Any]) -> Result:
        """Report how a held block turned out (MMP 2.0 §6.7).

        Raises:
            IpcError: An argument is wrong, or the block is not held.
        """
        _only(arguments, "key", "held", "outcome", "wait_seconds")
        held, outcome = arguments.get("held"), _text(arguments, "outcome")
        if not isinstance(held, bool):
            raise RefusedArgumentError("held: expected true or false")
        block = await self._block(_text(arguments, "key"))
        said = outcome_of(block, outcome, held=held)
        return await self._say(said, (block.key,), "outcome", arguments)

    async def judge(self, arguments: Mapping[str, Any]) -> Result:
        """Validate, dismiss, canonise or archive a held block, where this peer's authority reaches so far.

        Raises:
            IpcError: An argument is wrong, the block is not held, or this peer may not.
        """
        _only(arguments, "key", "move", "why", "learn", "wait_seconds")
        move = arguments.get("move")
        if not isinstance(move, str) or move not in _MOVES:
            raise RefusedArgumentError(f"move: expected one of {', '.join(_MOVES)}")
        kind, needed = _MOVES[move]
        ruling = self._authority.may(needed, self._node.node_id)
        if not ruling.allowed:
            raise IpcError(
                f"not said: {ruling.reason}",
                code="no_authority",
                hint="see who may: covey authority list; pin an anchor: covey authority pin",
            )
        block = await self._block(_text(arguments, "key"))
        learn = _text(arguments, "learn") if "learn" in arguments else ""
        said = judgement_of(block, kind, _text(arguments, "why"), learn, self._node.identity.name)
        return await self._say(said, (block.key,), "person", arguments)

    async def about(self, arguments: Mapping[str, Any]) -> Result:
        """Say where a block stands, and how it turned out as this peer sees it.

        Raises:
            IpcError: The block is not held.
        """
        _only(arguments, "key")
        block = await self._block(_text(arguments, "key"))
        words = await asyncio.to_thread(self._words_about, block)
        found = grounding(words, lambda node_id: tier_of(self._authority, node_id))
        direct = await asyncio.to_thread(self._memory.feedback_of, block.key, limits.FEEDBACK_WORDS)
        return {
            "block": block_as_dict(block),
            "grounding": None
            if found is None
            else {
                "held": found.held,
                "tier": found.tier,
                "by": found.word.node_id,
                "words": found.word.words,
                "key": found.word.key,
            },
            "words": [_word(each) for each in direct],
        }

    async def session(self, arguments: Mapping[str, Any]) -> Result:
        """Go on with a work session's trail (§14.12): `action` is start, decide, finish or show.

        Raises:
            IpcError: An argument is wrong, or there is no session to go on with.
        """
        async with self._one_at_a_time:
            match arguments.get("action"):
                case "start":
                    return await self._start(arguments)
                case "decide":
                    return await self._decide(arguments)
                case "finish":
                    return await self._finish(arguments)
                case "show":
                    _only(arguments, "action")
                    return {"session": await self._trail()}
        raise RefusedArgumentError("action: expected start, decide, finish or show")

    # --- the trail ------------------------------------------------------------------------------

    async def _start(self, arguments: Mapping[str, Any]) -> Result:
        _only(arguments, "action", "intent", "wait_seconds")
        trail = await self._trail()
        if trail is not None:
            raise IpcError(
                f"a session is open already: {trail['intent']}",
                code="session_open",
                hint="one member has one session: finish it, or start another under another name",
            )
        intent = _text(arguments, "intent")
        said = {"focus": intent, "intent": "charter", "perspective": f"work session {self._node.node_id}"}
        found = await self._say(said, (), "outcome", arguments)
        return await self._keep(found, {"intent": intent, "entries": 0})

    async def _decide(self, arguments: Mapping[str, Any]) -> Result:
        _only(arguments, "action", "decision", "why", "wait_seconds")
        trail = await self._open_trail()
        said = {"focus": _text(arguments, "decision"), "intent": "decision"}
        if "why" in arguments:
            said["motivation"] = _text(arguments, "why")
        head = (await self._block(trail["head"])).said()
        if {name: head.get(name) for name in said} == said:
            # Said again, at most without its reason: what stands is that decision (§14.12).
            return {"result": "duplicate", "key": trail["head"], "session": trail}
        return await self._keep(await self._say(said, (trail["head"],), "outcome", arguments), trail)

    async def _finish(self, arguments: Mapping[str, Any]) -> Result:
        _only(arguments, "action", "artifact", "outcome", "held", "wait_seconds")
        held = arguments.get("held")
        if not isinstance(held, bool):
            raise RefusedArgumentError("held: expected true or false")
        trail, outcome = await self._open_trail(), _text(arguments, "outcome")
        artifact = _text(arguments, "artifact")
        said = {"focus": artifact, "intent": "artifact", "commitment": f"artifact: {artifact}"}
        head = trail["head"]
        made = await self._say(said, (head,), "outcome", arguments)
        kept = await self._keep(made, trail)
        if made["result"] == "refused":
            return kept
        # An artifact of the same words is an earlier trail's: the outcome is then of this one's own end.
        ends = dict.fromkeys((head, made["key"]) if made["result"] == "duplicate" else (made["key"],))
        block = await self._block(next(iter(ends)))
        reported = await self._say(outcome_of(block, outcome, held=held), tuple(ends), "outcome", arguments)
        if reported["result"] != "refused":
            await asyncio.to_thread(self._notes.state_put, {_SESSION: b"null"})
        trail = kept["session"] or trail
        return {**reported, "artifact": made, "session": {**trail, "grounding": reported.get("key")}}

    async def _trail(self) -> Result | None:
        kept = await asyncio.to_thread(self._notes.state_get, _SESSION)
        return None if kept is None else _trail_of(kept)

    async def _open_trail(self) -> Result:
        trail = await self._trail()
        if trail is None:
            raise IpcError("no session is open", code="no_session", hint="begin one: covey session start")
        return trail

    async def _keep(self, found: Result, trail: Result) -> Result:
        """Remember the new head; what was said before is no error, and no entry: the head stays (§14.12)."""
        if found["result"] == "refused" or ("head" in trail and found["result"] == "duplicate"):
            return {**found, "session": trail if "head" in trail else None}
        key = found["key"]
        trail = {**trail, "charter": trail.get("charter", key), "head": key, "entries": trail["entries"] + 1}
        await asyncio.to_thread(self._notes.state_put, {_SESSION: json.dumps(trail).encode()})
        return {**found, "session": trail}

    # --- below ----------------------------------------------------------------------------------

    async def _say(
        self, said: Mapping[str, str], parents: tuple[str, ...], fresh: Fresh, arguments: Mapping[str, Any]
    ) -> Result:
        wait = arguments.get("wait_seconds", 0)
        if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 <= wait <= 600:
            raise RefusedArgumentError("wait_seconds: expected a number from 0 to 600")
        from covey import _core

        key = _core.content_key({name: said.get(name, NEUTRAL) for name in CAT7})
        if await asyncio.to_thread(self._memory.block, key) is not None:
            return {"result": "duplicate", "key": key}  # said before: no error, and no second block
        emission = await emit_and_wait(self._node, Proposal(said, parents, fresh=fresh), float(wait))
        return {**emission_as_dict(emission), "key": _key(emission)}

    async def _block(self, key: str) -> Block:
        block = await asyncio.to_thread(self._memory.block, key)
        if block is None:
            raise IpcError(
                f"no such block here: {key[:80]}", code="unknown_block", hint="keys begin with cmb-"
            )
        return block

    def _words_about(self, block: Block) -> list[Feedback]:
        from covey import _core
        from covey.cognition.tether import compared

        def tethered(key: str) -> bool:
            below = self._memory.block(key)
            if below is None:
                return False
            weights = self._node.options.admission.weights
            sides = compared(below.categories, block.categories)
            names = dict(zip(CAT7, weights, strict=True))
            floor = self._node.options.admission.tether_floor
            return _core.Tether.of_texts(*sides, weights=names, floor=floor).tethered

        return words_about(
            block.key,
            lambda key: self._memory.feedback_of(key, limits.FEEDBACK_WORDS),
            self._memory.children,
            tethered,
            max_blocks=limits.GROUNDED_BLOCKS,
        )


def outcome_of(block: Block, outcome: str, *, held: bool) -> dict[str, str]:
    """Return what a grounding says: it names what it reports on, and how that turned out."""
    return {
        "focus": f"outcome of: {_headline(block)}",
        "intent": "ground",
        "commitment": f"{'verified' if held else 'failed'}: {outcome}",
    }


def judgement_of(block: Block, kind: FeedbackKind, why: str, learn: str, name: str) -> dict[str, str]:
    """Return what a judgement says: reasons by category, and the signed word that moves its block (§11.2)."""
    verb = VERBS[kind]
    said = {
        "focus": f"{verb}: {_headline(block)}",
        "motivation": why,
        "commitment": f"{verb} {block.key}: {why}",
        "perspective": f"operator of {name}",
    }
    if learn:
        said["intent"] = learn
    return said


def _trail_of(kept: bytes) -> Result | None:
    """Return where the open session stands, or None where none is open.

    Raises:
        StoreError: What is kept is no trail: nothing is said in its place until somebody looks.
    """
    try:
        found = typed.loaded(kept)
        if found is None:
            return None
        trail = typed.members(found, "session", ("intent", "entries", "charter", "head"))
        return {
            "intent": typed.text(trail["intent"], "intent", limits.WORDS_CHARS),
            "entries": typed.whole(trail["entries"], "entries", least=1),
            "charter": typed.text(trail["charter"], "charter", _KEY_CHARS),
            "head": typed.text(trail["head"], "head", _KEY_CHARS),
        }
    except typed.WrongTypeError as error:
        raise StoreError(
            f"the work session that is kept is damaged: {error}", hint="restore the store: docs/operations.md"
        ) from error


def _headline(block: Block) -> str:
    return next(iter(block.said().values()), block.key)[:200]


def _key(emission: Emission) -> str | None:
    match emission.result:
        case Minted(block=block):
            return block.key
        case Duplicate(key=key):
            return key
    return None


def _word(word: Feedback) -> Result:
    return {
        "kind": word.kind,
        "key": word.key,
        "node_id": word.node_id,
        "stored_ms": word.stored_ms,
        "words": word.words,
    }


def _only(arguments: Mapping[str, Any], *known: str) -> None:
    for name in arguments:
        if name not in known:
            raise RefusedArgumentError(f"unknown argument: {name[:64]}")


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str):
        raise RefusedArgumentError(f"{name}: expected a text")
    if not value.strip():
        raise RefusedArgumentError(f"{name}: expected a text, got an empty one")
    if len(value) > limits.WORDS_CHARS:
        most = f"{limits.WORDS_CHARS:,}"
        raise RefusedArgumentError(f"{name}: expected a text of at most {most} characters")
    return value
