"""The shell of an agent's accounts: caps before it pays, the book before the budget, both before an answer.

Rules: one movement at a time. A movement is on disk in the book, then made in the room's state; where the
second fails the book is put back; where a crash comes between, the budget's row says later what stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from covey import _core, limits
from covey.errors import StoreError, UsageError
from covey.runtime.state import StateError
from covey.state import ledger
from covey.state.ledger import Entry, Head, LedgerError, Unit, Verb
from covey.state.ledger_book import Account, Book, Caps

if TYPE_CHECKING:
    from covey._core import StateMap
    from covey.ports import AgentStore, Clock
    from covey.runtime.state import SharedState

_KEPT: Final = "ledger"


class Ledger:
    """The accounts of one agent in its room, for programs and for the control socket.

    Args:
        identity: The agent; it signs what it moves.
        state: Its peer's shared state.
        store: Keeps its book. Called on worker threads.
        clock: Wall time.
    """

    def __init__(self, identity: _core.Identity, state: SharedState, store: AgentStore, clock: Clock) -> None:
        self._identity = identity
        self._state = state
        self._store = store
        self._clock = clock
        self._lock = asyncio.Lock()

    # --- moving -----------------------------------------------------------------------------------

    async def grant(self, unit: str, amount: int, memo: str = "") -> Entry:
        """Bring an amount of an own unit into being, on the own account; no cap holds for it.

        Raises:
            CoveyError: It is not made, and why.
        """
        return await self._move(Unit(unit, self._state.author), "grant", "", amount, memo)

    async def pay(self, to: str, amount: int, unit: str, memo: str = "", issuer: str | None = None) -> Entry:
        """Move an amount to another agent; it is durable here when this returns, and never more than is held.

        Args:
            to: A connected peer's name or nodeId, or an author that this peer knows.
            amount: How much.
            unit: Of what.
            memo: What for, for both sides to read.
            issuer: Whose unit; not needed where only one of this name is held.

        Raises:
            LedgerError: A cap is in the way.
            StateError: There is not so much on the account (`over_budget`), or nothing could be written.
            UsageError: Nobody, or more than one, is called so.
        """
        return await self._move(self._unit(unit, issuer), "pay", self._author(to), amount, memo)

    async def spend(self, amount: int, unit: str, memo: str = "", issuer: str | None = None) -> Entry:
        """Write off an amount that was used up.

        Raises:
            CoveyError: As `pay`.
        """
        return await self._move(self._unit(unit, issuer), "spend", "", amount, memo)

    async def cap(
        self, unit: str, each: int | None, day: int | None, issuer: str | None = None
    ) -> dict[str, Any]:
        """Set the most that one movement and all movements of a day may take from this agent's account.

        Raises:
            CoveyError: The book cannot be kept.
        """
        found, caps = self._unit(unit, issuer), Caps(each, day)
        async with self._lock:
            book = await self._read()
            await self._keep(book.having(found, replace(book.of(found), caps=caps)))
        return {"unit": found.name, "issuer": found.issuer, **asdict(caps)}

    # --- looking ----------------------------------------------------------------------------------

    async def accounts(self) -> list[dict[str, Any]]:
        """Return every unit with what each agent holds, and this agent's caps."""
        state, book = self._map(), await self._read()
        now_ms = self._clock.now_ms()
        shown = []
        for unit in sorted({*ledger.units(state), *book.accounts}):
            kept = book.of(unit)
            own = {"caps": asdict(kept.caps), "out_today": kept.went_out(now_ms)}
            shown.append({**ledger.statement(state, unit), **own, "names": self._names()})
        return shown

    async def journal(self, unit: str | None = None) -> dict[str, Any]:
        """Return the newest entries of everybody here that hold, oldest first, and how many do not."""
        found = await asyncio.to_thread(lambda: list(ledger.entries(self._map(), self._state.room)))
        good = [each for each in found if isinstance(each, Entry) and unit in (None, each.unit.name)]
        good.sort(key=lambda each: (each.at_ms, each.author, each.number))
        return {
            "entries": [shown(each) for each in good[-limits.LEDGER_LISTED :]],
            "whole": len(good) <= limits.LEDGER_LISTED,
            "wrong": sum(not isinstance(each, Entry) for each in found),
            "names": self._names(),
        }

    async def audit(self) -> dict[str, Any]:
        """Hold the journal against the budgets, every signature verified."""
        found = await asyncio.to_thread(ledger.audit, self._map(), self._state.room)
        return {**found, "names": self._names()}

    async def answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request of the control socket.

        Raises:
            CoveyError: An argument is wrong, or it could not be done.
        """
        op, unit = arguments.get("op"), str(arguments.get("unit") or "")
        issuer, memo = arguments.get("issuer"), str(arguments.get("memo") or "")
        if not isinstance(issuer, str | None):
            raise UsageError("issuer: expected text")
        amount: Any = arguments.get("amount")
        if op == "accounts":
            return {"author": self._state.author, "accounts": await self.accounts()}
        if op == "journal":
            return await self.journal(unit or None)
        if op == "audit":
            return await self.audit()
        if op == "cap":
            return await self.cap(unit, arguments.get("each"), arguments.get("day"), issuer)
        if op == "grant":
            return shown(await self.grant(unit, amount, memo))
        if op == "spend":
            return shown(await self.spend(amount, unit, memo, issuer))
        if op == "pay":
            return shown(await self.pay(str(arguments.get("to") or ""), amount, unit, memo, issuer))
        raise UsageError(f"ledger: unknown operation: {str(op)[:64]}")

    # --- within -----------------------------------------------------------------------------------

    async def _move(self, unit: Unit, verb: Verb, to: str, amount: int, memo: str) -> Entry:
        async with self._lock:
            state, room, now_ms = self._map(), self._state.room, self._clock.now_ms()
            before = await self._read()
            row = ledger.totals(state, unit, self._state.author)
            account = _restored(before.of(unit), state, room, unit, self._state.author).settled(row)
            entry = ledger.make(self._identity, room, unit, account.head, verb, to, amount, now_ms, memo)
            out = 0 if verb == "grant" else amount
            if out:
                account.checked(amount, now_ms)
            await self._keep(before.having(unit, account.planned(entry.head, out, now_ms)))
            try:
                await self._state.write(ledger.writes(entry))
            except StateError as error:
                if error.code not in ("unknown", "store_failed"):  # what the disk has may be read there later
                    await self._keep(before.having(unit, account))
                raise
            return entry

    async def _read(self) -> Book:
        try:
            return Book.read(await asyncio.to_thread(self._store.state_get, _KEPT))
        except _core.CoreError as error:
            raise StoreError(f"store: {error.detail}", code=error.reason) from error

    async def _keep(self, book: Book) -> None:
        try:
            await asyncio.to_thread(self._store.state_put, _KEPT, book.to_json())
        except _core.CoreError as error:
            raise StoreError(f"store: {error.detail}", code=error.reason) from error

    def _map(self) -> StateMap:
        return self._state.map()

    def _unit(self, name: str, issuer: str | None) -> Unit:
        """Return the unit that is meant: the issuer's, or the only one of this name here."""
        if issuer is not None:
            return Unit(name, self._author(issuer, own=True))
        found = [unit for unit in ledger.units(self._map()) if unit.name == name]
        if len(found) == 1:
            return found[0]
        if not found:
            raise UsageError(
                f"unit: nobody here issued {name[:64]!r}", hint="covey ledger grant <peer> <unit> <amount>"
            )
        raise UsageError(f"unit: {len(found)} agents issued {name!r}: name one with --issuer")

    def _author(self, to: str, *, own: bool = False) -> str:
        """Return the author that a request names; an amount for one that nobody knows would be lost."""
        if own and to in (self._state.author, self._identity.name):
            return self._state.author
        found = {author for node, name, author in self._state.present() if to in (node, name, author)}
        if len(found) > 1:
            raise UsageError(f"{len(found)} peers are called {to}: name the author, as state status shows it")
        if found:
            return found.pop()
        if to in self._state.map().seen.entries:
            return to
        raise UsageError(
            f"no such agent here: {to[:64] or 'nobody'}",
            hint="a connected peer's name, or an author, as covey ledger accounts shows it",
        )

    def _names(self) -> dict[str, str]:
        names = {author: name for _, name, author in self._state.present()}
        return {**names, self._state.author: self._identity.name}


def shown(entry: Entry) -> dict[str, Any]:
    """Return an entry as plain values."""
    return {
        "unit": entry.unit.name,
        "issuer": entry.unit.issuer,
        "author": entry.author,
        "number": entry.number,
        "verb": entry.verb,
        "to": entry.to,
        "amount": entry.amount,
        "at_ms": entry.at_ms,
        "memo": entry.memo,
        "postings": [list(posting) for posting in entry.postings],
    }


def _restored(account: Account, state: StateMap, room: str, unit: Unit, author: str) -> Account:
    """Return an account whose book was lost as the own journal says it."""
    if account.head.number or account.next is not None:
        return account
    own = [e for e in ledger.entries(state, room, unit) if isinstance(e, Entry) and e.author == author]
    return replace(account, head=own[-1].head if own else Head())


__all__ = ["Ledger", "LedgerError", "shown"]
