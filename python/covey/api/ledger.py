"""Accounts from Python: what agents of the room hold, and movements between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from covey.runtime.ledger import Ledger as Shell


class Ledger:
    """The accounts of a peer's agent. Amounts are whole numbers of a unit (`tokens`, `messages`, …)."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def grant(self, unit: str, amount: int, memo: str = "") -> Mapping[str, Any]:
        """Issue an amount of an own unit, on the own account.

        Raises:
            CoveyError: It is not made, and why.
        """
        return await self._shell.answer({"op": "grant", "unit": unit, "amount": amount, "memo": memo})

    async def pay(
        self, to: str, amount: int, unit: str, *, memo: str = "", issuer: str | None = None
    ) -> Mapping[str, Any]:
        """Move an amount to another agent, by name, nodeId or author; never more than is held.

        Raises:
            CoveyError: A cap is in the way (`ledger_cap`), there is not so much (`over_budget`), or nobody is
                called so.
        """
        asked = {"op": "pay", "to": to, "amount": amount, "unit": unit, "memo": memo, "issuer": issuer}
        return await self._shell.answer(asked)

    async def spend(
        self, amount: int, unit: str, *, memo: str = "", issuer: str | None = None
    ) -> Mapping[str, Any]:
        """Write off an amount that was used up.

        Raises:
            CoveyError: As `pay`.
        """
        return await self._shell.answer(
            {"op": "spend", "amount": amount, "unit": unit, "memo": memo, "issuer": issuer}
        )

    async def cap(
        self, unit: str, *, each: int | None = None, day: int | None = None, issuer: str | None = None
    ) -> Mapping[str, Any]:
        """Set the most that one movement and all of a day may take from this account; None: no cap."""
        return await self._shell.cap(unit, each, day, issuer)

    async def accounts(self) -> Sequence[Mapping[str, Any]]:
        """Return every unit with what each agent holds, by author."""
        return await self._shell.accounts()

    async def journal(self, unit: str | None = None) -> Sequence[Mapping[str, Any]]:
        """Return the signed entries that are here and hold, oldest first."""
        found: Sequence[Mapping[str, Any]] = (await self._shell.journal(unit))["entries"]
        return found

    async def audit(self) -> Mapping[str, Any]:
        """Hold the journal against the balances; `problems` names what does not fit."""
        return await self._shell.audit()
