"""What a running peer answers about continuity: the verbs `continuity` and `agent` of its control socket.

Rules: arguments come from any program of this user and are checked here; results are plain JSON values.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from covey import __version__, _core, limits
from covey.errors import StoreError, UsageError
from covey.proto.continuity import wants
from covey.proto.continuity.case import Case
from covey.runtime.continuity import ContinuityError, Keeper, late_class, missed
from covey.state import continuity as moves
from covey.state.syndication import is_shareable, plain_class


class ContinuityDesk:
    """The verbs of continuity, over its keeper."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def continuity(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `continuity`: op is declare, status, adopt or handback.

        Raises:
            CoveyError: An argument is wrong, or it was not done.
        """
        op = arguments.get("op")
        try:
            if op == "declare":
                return await self._declare(arguments)
            if op == "status":
                return await self._status()
            if op == "adopt":
                force = arguments.get("force") is True
                agent = _text(arguments, "agent")
                answer = await self._keeper.asked(lambda token: wants.Adopt(token, agent, force))
                return {"op": op, "agent": agent, **answer.facts, **self._loss(agent)}
            if op == "handback":
                agent, to = _text(arguments, "agent"), str(arguments.get("to") or "")
                answer = await self._keeper.asked(lambda token: wants.HandOn(token, agent, to))
                return {"op": op, "agent": agent, **answer.facts}
        except _core.CoreError as error:
            raise StoreError(f"store: {error.detail}", code=error.reason) from error
        raise UsageError(f"continuity: unknown operation: {str(op)[:64]}")

    async def agent(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `agent`: op is push, allow, deny, show or config.

        Raises:
            CoveyError: An argument is wrong, or it was not done.
        """
        op = arguments.get("op")
        book = self._keeper.engine.book
        try:
            if op == "push":
                return await self._push(arguments)
            if op in ("allow", "deny"):
                who, given = _text(arguments, "from"), op == "allow"
                answer = await self._keeper.asked(lambda token: wants.Consent(token, who, given))
                return {"op": op, **answer.facts}
            if op == "show":
                self._keeper.report()
                return {"op": op, "allowed": sorted(book.consents)}
            if op == "config":
                return await self._config(_text(arguments, "agent"))
        except _core.CoreError as error:
            raise StoreError(f"store: {error.detail}", code=error.reason) from error
        raise UsageError(f"agent: unknown operation: {str(op)[:64]}")

    # --- declare, push ----------------------------------------------------------------------------

    async def _declare(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        classes = _classes(arguments)
        standbys, witnesses = _names(arguments, "standbys"), _names(arguments, "witnesses")
        epochs = arguments.get("epochs", limits.CONTINUITY_EPOCHS_USUAL)
        if type(epochs) is not int or not 1 <= epochs <= limits.CONTINUITY_EPOCHS:
            raise UsageError(f"epochs: expected a whole number from 1 to {limits.CONTINUITY_EPOCHS}")
        force = arguments.get("force") is True
        answer = await self._keeper.asked(
            lambda token: wants.Declare(token, standbys, witnesses, classes, epochs, force)
        )
        case = self._keeper.engine.book.cases[self._keeper.identity.author]
        return {
            "op": "declare",
            **answer.facts,
            "voters": len(case.plan.members),
            "majority": case.plan.majority,
            "automatic": case.plan.automatic,
            "standbys": [m.name for m in case.plan.members if m.role == "standby"],
            "witnesses": [m.name for m in case.plan.members if m.role == "witness"],
            "classes": list(case.plan.classes),
            "unable": await self._unable(case),
        }

    async def _unable(self, case: Case) -> dict[str, str]:
        """Ask every standby that is here whether it would take the agent; return who would not, and why."""
        present = self._keeper.engine.book.present
        here = [m for m in case.plan.members if m.role == "standby" and m.author in present]
        answers = await asyncio.gather(
            *(self._offer(m.author, case.plan.classes, 0) for m in here), return_exceptions=True
        )
        found: dict[str, str] = {}
        for member, answer in zip(here, answers, strict=True):
            if isinstance(answer, ContinuityError):
                found[member.name] = answer.message
            elif isinstance(answer, BaseException):
                raise answer
        return found

    async def _offer(self, to: str, classes: tuple[str, ...], size_bytes: int) -> wants.Answer:
        return await self._keeper.asked(lambda token: wants.Offer(token, to, classes, size_bytes))

    async def _push(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Move this peer's agent: the node says whether it can, the plan names it, then it goes on there."""
        keeper, to = self._keeper, _text(arguments, "to")
        own = keeper.identity.author
        case = keeper.engine.book.cases.get(own)
        named = _classes(arguments) if arguments.get("classes") else ()
        classes = named or (() if case is None else case.plan.classes)
        if not classes:
            raise UsageError("classes: name what moves, as in --class session")
        config = arguments.get("config")
        if config is not None and not isinstance(config, str):
            raise UsageError("config: expected text")
        rows = [row for row in await asyncio.to_thread(keeper.store.kept) if row[0] in classes]
        size = sum(len(row[2]) + len(row[1].encode()) for row in rows)
        try:
            offered = await self._offer(to, classes, size)
        except ContinuityError as error:
            raise ContinuityError(f"{to} does not take it: {error.message}", code=error.code) from error
        target = str(offered.facts["author"])
        if case is None or case.role(target) != "standby" or case.plan.classes != classes:
            await self._name(case, target, classes)
        answer = await self._move(target, classes, config)
        return {"op": "push", "to": to, "report": offered.facts["report"], "bytes": size, **answer}

    async def _name(self, case: Case | None, target: str, classes: tuple[str, ...]) -> None:
        """Have the node named as the first standby, beside those that are."""
        members = () if case is None else case.plan.members
        standbys = [m.author for m in members if m.role == "standby" and m.author != target]
        witnesses = [m.author for m in members if m.role == "witness" and m.author != target]
        first = (target, *standbys)
        epochs = limits.CONTINUITY_EPOCHS_USUAL
        await self._keeper.asked(lambda token: wants.Declare(token, first, tuple(witnesses), classes, epochs))

    async def _move(self, target: str, classes: Sequence[str], config: str | None) -> dict[str, Any]:
        """Describe and sign what moves while nothing changes, then hand it on."""
        keeper = self._keeper
        identity = keeper.identity
        keeper.freezing = "it is about to move to another node"
        try:
            await keeper.syndicator.refresh()  # what was being written is written
            case = keeper.engine.book.cases[identity.author]
            held: dict[str, dict[str, bytes]] = {}
            for label in classes:
                scope = keeper.state.sync.held(keeper.engine.book.scope(case, identity.author, target, label))
                held[label] = moves.entries_of(None if scope is None else scope.map)
            now_ms = keeper.clock.now_ms()
            body = moves.payload_body(identity.author, target, now_ms, __version__, config, held)
            signature = identity.sign_statement(moves.PAYLOAD, body)
            payload = {"body": body.decode(), "signature": signature.hex()}
            answer = await keeper.asked(lambda token: wants.HandOn(token, identity.author, target, payload))
        finally:
            keeper.freezing = ""
        return {**answer.facts, "classes": moves.described(held)}

    async def _config(self, word: str) -> dict[str, Any]:
        case = self._case(word)
        rows = await asyncio.to_thread(self._keeper.store.kept)
        found = [row for row in rows if row[0] == f"config:{case.line.agent}"]
        return {
            "op": "config",
            "agent": case.line.agent,
            "config": json.loads(found[0][2]) if found else None,
        }

    # --- status -----------------------------------------------------------------------------------

    async def _status(self) -> dict[str, Any]:
        keeper = self._keeper
        keeper.report()
        rows = await asyncio.to_thread(keeper.store.kept)
        late = [(row[0], row[1]) for row in rows if row[0].startswith("late:")]
        book = keeper.engine.book
        return {
            "author": keeper.identity.author,
            "agents": [self._shown(case, late) for _, case in sorted(book.cases.items())],
            "consents": sorted(book.consents),
            "trouble": book.broken or keeper.trouble,
        }

    def _shown(self, case: Case, late: Sequence[tuple[str, str]]) -> dict[str, Any]:
        keeper, line, plan = self._keeper, case.line, case.plan
        own = keeper.identity.author
        here = line.holder.author == own
        last = line.last
        prefix = [late_class(line.epoch, label) for label in plan.classes]
        acknowledged = case.acknowledged(own) if here else None
        return {
            "agent": line.agent,
            "owner": plan.owner.name,
            "plan": plan.number,
            "classes": list(plan.classes),
            "epoch": line.epoch,
            "last_epoch": plan.epochs,
            "holder": line.holder.name,
            "here": here,
            "why": "" if last is None else last.why,
            "decided": line.decided,
            "voters": len(plan.members),
            "majority": plan.majority,
            "automatic": plan.automatic,
            "reached": keeper.engine.electing.reach(case),
            "role": case.role(own),
            "mark": list(case.mark),
            "acknowledged": None if acknowledged is None else list(acknowledged),
            "members": [self._member(case, author) for author in (m.author for m in plan.members)],
            "asking": case.attempt is not None,
            "frozen": keeper.clock.monotonic() < case.frozen_until,
            "late": [list(each) for each in late if each[0] in prefix] if own == line.agent else [],
            **self._loss(line.agent),
        }

    def _member(self, case: Case, author: str) -> dict[str, Any]:
        keeper, member = self._keeper, case.plan.member(author)
        assert member is not None, "named by its own plan"
        own = author == keeper.identity.author
        return {
            "name": member.name,
            "author": author,
            "role": member.role,
            "here": own or author in keeper.engine.book.present,
            "state": "here" if own else keeper.look(member.node_id) or "unknown",
            "acknowledged": list(case.acked.get(author, (0, 0))),
        }

    def _loss(self, word: str) -> dict[str, Any]:
        """Return what is known to be lost where this peer went on with an agent."""
        case = self._case(word)
        line, last = case.line, case.line.last
        if last is None or line.holder.author != self._keeper.identity.author:
            return {"taken": None}
        source = line.plan.member(last.source)
        return {
            "taken": {
                "from": last.source if source is None else source.name,
                "mark": list(last.mark),
                "operations": dict(last.heads),
                "announced_and_missing": missed(self._keeper, line.agent, line),
                "at_ms": last.at_ms,
            }
        }

    def _case(self, word: str) -> Case:
        cases = self._keeper.engine.book.cases.values()
        found = [c for c in cases if word in (c.line.agent, c.plan.owner.name, c.plan.owner.node_id)]
        if len(found) != 1:
            raise ContinuityError(f"{len(found)} agents here are called {word}", code="unknown_agent")
        return found[0]


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name}: expected text")
    return value


def _names(arguments: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = arguments.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise UsageError(f"{name}: expected names")
    return tuple(value)


def _classes(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    found = tuple(sorted(set(_names(arguments, "classes"))))
    wrong = [each for each in found if not is_shareable(each) or each != plain_class(each) or each == "diary"]
    if wrong:
        raise UsageError(f"class: expected memory:<layer>, ontology or session, got {wrong[0][:64]}")
    return found
