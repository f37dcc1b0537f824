"""The shell of syndication: applies an agent's policy to its scopes, and keeps the signed log of what left.

Rules: before a scope may be spoken of, it holds what the policy says, on disk. Nothing is served until the
policy was read; a policy that cannot be read serves nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from covey import _core, limits, typed
from covey.errors import CoveyError, StoreError, UsageError
from covey.proto.state import wants
from covey.proto.state.scopes import ANYBODY, agent_scope, read_scope
from covey.runtime.state import StateError
from covey.state.syndication import (
    AUTHOR,
    CLASSES,
    DiaryFacts,
    Kept,
    Policy,
    Rule,
    changes,
    checked,
    desired,
    flushes,
)

if TYPE_CHECKING:
    from covey.ports import AgentStore, Clock
    from covey.runtime.state import SharedState

_POLICY: Final = "syndication"
AUDIT_KIND: Final = "covey-syndication-audit-v1"
_FIRST: Final = "0" * 64


class Syndicator:
    """What one agent lets others have, for the control socket and for programs.

    Args:
        identity: The agent; it signs the log.
        state: Its peer's shared state.
        store: What it keeps, its diary's facts, its log. Called on worker threads.
        clock: Wall time for the log.
    """

    def __init__(self, identity: _core.Identity, state: SharedState, store: AgentStore, clock: Clock) -> None:
        self._identity = identity
        self._state = state
        self._store = store
        self._clock = clock
        self._policy = Policy()
        self._trouble = ""
        self._lock = asyncio.Lock()
        self._audits: asyncio.Queue[wants.Left] = asyncio.Queue(limits.STATE_WRITES)
        self._writer: asyncio.Task[None] | None = None
        self._lost = 0
        state.on_left = self._on_left
        self.guard: Callable[[str], str] = lambda _: ""
        """Says why a class may not be written now; empty where it may."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Read the policy and apply it; a policy that cannot be read shares nothing, and `show` says so."""
        self._writer = asyncio.create_task(self._write_audits())
        try:
            data = await asyncio.to_thread(self._store.state_get, _POLICY)
            self._policy = Policy() if data is None else Policy.read(data)
            await self._apply(self._policy)
        except (CoveyError, _core.CoreError) as error:
            self._trouble = str(error)

    async def stop(self) -> None:
        """Write down what left, then end."""
        self._state.serve(_POLICY, frozenset())  # the engine says what left up to now
        if self._writer is not None:
            await self._audits.join()
            self._writer.cancel()

    async def allow(self, rule: Rule) -> None:
        """Share a class from now on.

        Raises:
            CoveyError: It cannot be written.
        """
        await self._change(self._policy.allow(rule))

    async def deny(self, label: str, to: str) -> None:
        """Send nothing more of a class; what was sent stays where it is."""
        await self._change(self._policy.deny(label, to))

    async def retract(self, label: str, to: str) -> None:
        """Send nothing more of a class, and delete at its holders what was sent."""
        await self._change(self._policy.retract(label, to))

    async def keep(self, label: str, name: str, value: object) -> None:
        """Keep an entry of the agent's own; it is shared where the policy says so.

        Raises:
            UsageError: The class or the value cannot be kept.
            CoveyError: It cannot be written.
        """
        kept = checked(label, name, value)
        self._check(label)
        now_ms = self._clock.now_ms()
        await asyncio.to_thread(self._store.kept_put, kept.label, kept.name, kept.value, now_ms)
        await self.refresh()

    async def forget(self, label: str, name: str) -> bool:
        """Forget an entry, here and where it was shared; say whether there was one."""
        self._check(label)
        gone = await asyncio.to_thread(self._store.kept_delete, label, name)
        await self.refresh()
        return gone

    async def arrange(self, allowed: Sequence[Rule], denied: Sequence[tuple[str, str]]) -> None:
        """Make several rules at once, and end others; those that stand already are left as they are.

        Raises:
            CoveyError: They do not fit, or cannot be written.
        """
        policy = self._policy
        for label, to in denied:
            policy = policy.deny(label, to)
        held = {(rule.label, rule.to) for rule in policy.rules if not rule.retracted}
        for rule in allowed:
            policy = policy if (rule.label, rule.to) in held else policy.allow(rule)
        if policy != self._policy:
            await self._change(policy)

    async def replace(self, label: str, entries: Mapping[str, bytes]) -> None:
        """Let a class hold exactly these entries (JSON bytes by name), whatever it held.

        Raises:
            CoreError: The store refuses.
        """
        now_ms = self._clock.now_ms()
        held = {row[1]: row[2] for row in await asyncio.to_thread(self._store.kept) if row[0] == label}
        for name in held.keys() - entries.keys():
            await asyncio.to_thread(self._store.kept_delete, label, name)
        for name, value in entries.items():
            if held.get(name) != value:
                await asyncio.to_thread(self._store.kept_put, label, name, value, now_ms)
        await self.refresh()

    async def refresh(self) -> None:
        """Let the scopes hold what is kept now, under the policy as it stands."""
        async with self._lock:
            await self._apply(self._policy)

    async def answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request of the control socket.

        Raises:
            CoveyError: An argument is wrong, or it could not be done.
        """
        try:
            return await self._answer(arguments)
        except _core.CoreError as error:
            raise StoreError(f"store: {error.detail}", code=error.reason) from error

    async def _answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        op, label = arguments.get("op"), str(arguments.get("class") or "")
        if op == "show":
            return await self.show()
        if op == "audit":
            return await self.audit(_whole(arguments.get("after") or 0))
        if op == "entries":
            rows = [row for row in await asyncio.to_thread(self._store.kept) if label in ("", row[0])]
            return _listed(rows)
        if op == "keep":
            await self.keep(label, str(arguments.get("name") or ""), arguments.get("value"))
        elif op == "forget":
            return {"op": op, "gone": await self.forget(label, str(arguments.get("name") or ""))}
        elif op in ("allow", "deny", "retract"):
            to = self._author(str(arguments.get("to") or ""))
            if op == "allow":
                await self.allow(_rule(label, to, arguments))
            else:
                await (self.deny if op == "deny" else self.retract)(label, to)
            return {"op": op, "class": label, "to": to}
        else:
            raise UsageError(f"syndicate: unknown operation: {str(op)[:64]}")
        return {"op": op, "class": label, "name": arguments.get("name")}

    async def show(self) -> dict[str, Any]:
        """Return exactly what leaves, to whom, rule by rule; nothing where there are none."""
        rules = []
        for rule in self._policy.rules:
            held = self._state.sync.held(agent_scope(self._state.author, rule.to, rule.label).name)
            names = [] if held is None else held.map.names()
            rules.append(
                {
                    "class": rule.label,
                    "to": rule.to,
                    "peer": self._named(rule.to),
                    "prefix": rule.prefix,
                    "without": list(rule.without),
                    "retracted": rule.retracted,
                    "names": names[: limits.STATE_LISTED_ELEMENTS],
                    "entries": len(names),
                    "bytes": 0 if held is None else held.map.size_bytes,
                }
            )
        return {
            "author": self._state.author,
            "rules": rules,
            "classes": list(CLASSES),
            "trouble": self._trouble,
        }

    async def audit(self, after: int = 0) -> dict[str, Any]:
        """Return the log of what left, behind a number; each line is held against the agent's key."""
        await self._audits.join()
        rows = await asyncio.to_thread(self._store.audit_page, after, limits.SYNDICATION_AUDIT_LINES)
        lines, before = [], None
        for number, at_ms, entry, signature in rows:
            line = _audit_line(entry)
            whole = line["damaged"] is None and _holds(self._identity.public_key, entry, signature)
            linked = before is None or line["previous"] == before
            lines.append({"number": number, "at_ms": at_ms, **line, "verified": whole and linked})
            before = hashlib.sha256(entry).hexdigest()
        return {"author": self._state.author, "lines": lines, "lost": self._lost}

    # --- within -----------------------------------------------------------------------------------

    async def _change(self, policy: Policy) -> None:
        async with self._lock:
            # What is no longer allowed is muted before anything else happens.
            still = policy.scopes(self._state.author) & self._policy.scopes(self._state.author)
            self._state.serve(_POLICY, still)
            await asyncio.to_thread(self._store.state_put, _POLICY, policy.to_json())
            self._policy, self._trouble = policy, ""
            await self._apply(policy)

    async def _apply(self, policy: Policy) -> None:
        rows = await asyncio.to_thread(self._store.kept)
        facts = DiaryFacts(*await asyncio.to_thread(self._store.diary_facts))
        kept = [Kept(label, name, value) for label, name, value, _ in rows]
        author = self._state.author
        for scope, should in desired(author, policy, kept, facts).items():
            held = self._state.sync.held(scope)
            holds = {} if held is None else _registers(held.map)
            for piece in flushes(changes(holds, should)):
                await self._state.write(piece, scope)
        self._state.serve(_POLICY, policy.scopes(author))

    def _check(self, label: str) -> None:
        """Refuse a write of an agent that another peer holds.

        Raises:
            StateError: It says who.
        """
        reason = self.guard(label)
        if reason:
            raise StateError(f"{label}: not written: {reason}", code="fenced", hint="covey continuity status")

    def _on_left(self, left: wants.Left) -> None:
        if self._audits.full():
            self._lost += len(left.rows)  # shown by `audit`: a disk that is this slow hides nothing
            return
        self._audits.put_nowait(left)

    async def _write_audits(self) -> None:
        while True:
            left = await self._audits.get()
            try:
                await asyncio.to_thread(self._sign, left)
            except _core.CoreError:
                self._lost += len(left.rows)
            finally:
                self._audits.task_done()

    def _sign(self, left: wants.Left) -> None:
        last = self._store.audit_last()
        previous = _FIRST if last is None else hashlib.sha256(last[2]).hexdigest()
        for scope, node_id, frames, size in left.rows:
            read = read_scope(scope, "")
            entry = {
                "previous": previous,
                "class": "" if read is None else read.label,
                "audience": "" if read is None else read.to,
                "node_id": node_id,
                "frames": frames,
                "bytes": size,
            }
            data = json.dumps(entry, separators=(",", ":")).encode()
            signature = self._identity.sign_statement(AUDIT_KIND, data)
            self._store.audit_add(self._clock.now_ms(), data, signature)
            previous = hashlib.sha256(data).hexdigest()

    def _author(self, to: str) -> str:
        """Return the author that a request names: `*`, an author, or a connected peer's name or nodeId."""
        found = {author for node, name, author in self._state.present() if to in (node, name, author)}
        if not found and AUTHOR.fullmatch(to) is None and to != ANYBODY:
            names = ", ".join(sorted(name for _, name, _ in self._state.present())) or "nobody"
            raise UsageError(
                f"to: no connected peer is called {to[:64]}",
                hint=f"connected: {names}; one that is away is named by its author, the whole room by *",
            )
        if to == ANYBODY or not found:
            return to  # an author that is not here now is taken as it is
        if len(found) > 1:
            raise UsageError(
                f"to: {len(found)} peers are called {to}: name the author, as state status shows it"
            )
        return found.pop()

    def _named(self, to: str) -> str | None:
        return next((name for _, name, author in self._state.present() if author == to), None)


def _whole(after: object) -> int:
    try:
        return typed.whole(after, "after")
    except typed.WrongTypeError as error:
        raise UsageError(str(error)) from error


def _rule(label: str, to: str, arguments: Mapping[str, Any]) -> Rule:
    """Return the rule that a request asks for; a filter of another type is refused, and lets nothing out."""
    most = limits.STATE_NAME_BYTES
    try:
        prefix = typed.text(arguments.get("prefix") or "", "prefix", most)
        without = typed.texts(arguments.get("without") or [], "without", limits.SYNDICATION_WITHOUT, most)
    except typed.WrongTypeError as error:
        raise UsageError(f"filter: {error}") from error
    return Rule(label, to, prefix, without)


def _registers(state: _core.StateMap) -> dict[str, bytes]:
    held = ((name, state.get(name)) for name in state.names())
    return {name: found[1] for name, found in held if found is not None}


def _listed(rows: Sequence[tuple[str, str, bytes, int]]) -> dict[str, Any]:
    """Return as many entries as fit one answer, and whether these are all."""
    size, shown = 0, 0
    for row in rows[: limits.STATE_LISTED]:
        size += len(row[2])
        if shown and size > limits.STATE_LISTED_BYTES:
            break
        shown += 1
    return {"entries": [_entry(row) for row in rows[:shown]], "whole": shown == len(rows)}


def _entry(row: tuple[str, str, bytes, int]) -> dict[str, Any]:
    try:
        value = typed.loaded(row[2])
    except typed.WrongTypeError as error:
        raise StoreError(f"{row[0]}: {row[1]}: what is kept is damaged: {error}") from error
    return {"class": row[0], "name": row[1], "value": value, "at_ms": row[3]}


def _audit_line(entry: bytes) -> dict[str, Any]:
    """Return what a line of the audit says; of one that cannot be read, why, and that it says nothing."""
    texts, numbers = ("previous", "class", "audience", "node_id"), ("frames", "bytes")
    try:
        found = typed.members(typed.loaded(entry), "line", (*texts, *numbers))
        said = {name: typed.text(found[name], name, limits.SYNDICATION_AUDIT_CHARS) for name in texts}
        return {**said, **{name: typed.whole(found[name], name) for name in numbers}, "damaged": None}
    except typed.WrongTypeError as error:
        return {**dict.fromkeys(texts, ""), **dict.fromkeys(numbers, 0), "damaged": str(error)}


def _holds(key: bytes, entry: bytes, signature: bytes) -> bool:
    try:
        _core.verify_statement(AUDIT_KIND, entry, signature, key)
    except _core.CoreError:
        return False
    return True
