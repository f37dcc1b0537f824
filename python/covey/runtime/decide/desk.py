"""What is the same wherever a person asks about decisions: records of one kind, listed, shown and verified.

A desk of votes or auctions adds what only its kind can do; a command reads the same from the disk of a peer
that does not run, by the same `View`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from covey import limits
from covey.errors import RefusedArgumentError
from covey.fleet.vote_record import Finding
from covey.runtime.decide.asked import text
from covey.runtime.decide.book import Book, Kind, given, meant
from covey.values import dataclass

Names = Callable[[], Awaitable[Mapping[str, str]]]
"""Gives the names that are known, by nodeId."""
Operation = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
Keys = Callable[[str], bytes | None]


class Record(Protocol):
    """A record of any kind, as JSON."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        ...


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class View(Generic[R]):
    """How records of one kind are found and read.

    `named` is the argument that says which, `row` what a list says of one, `check` counts one again by keys.
    """

    kind: Kind
    named: str
    read: Callable[[object], R]
    row: Callable[[R], dict[str, Any]]
    check: Callable[[R, Keys], Finding]

    def offline(self, book: Book, keys: Keys, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `list`, `show` or `verify` from a book alone. Blocks.

        Raises:
            CoveyError: There is no such record, or what is handed over is none.
        """
        if request["op"] == "list":
            newest = book.ids(self.kind)[: limits.DECIDE_LISTED]
            return {
                "open": [],
                "kept": [self.row(meant(book, self.kind, each, self.read)) for each in newest],
            }
        if request["op"] == "verify":
            record = given(request["record"], self.read)
        else:
            record = meant(book, self.kind, request[self.named], self.read)
        return shown(record, self.check(record, keys))


class Records(Protocol[R]):
    """The records of one kind that an agent keeps, and what checks them by the keys it knows."""

    def kept(self) -> list[str]:
        """Return their ids, the newest first. Blocks."""
        ...

    def record(self, record_id: str, /) -> R:
        """Return one by its id, or how that begins. Blocks."""
        ...

    async def check(self, record: R, /) -> Finding:
        """Check one."""
        ...


class RecordDesk(Generic[R]):
    """Answers about one agent's records of one kind.

    Args:
        records: Its records.
        view: How they are read.
        names: Whom people know.
        more: What only this kind can do, by its word; a word of here is taken in its place.
    """

    def __init__(
        self, records: Records[R], view: View[R], names: Names, more: Mapping[str, Operation]
    ) -> None:
        self._records = records
        self._view = view
        self._names = names
        self._operations = {"list": self._list, "show": self._show, "verify": self._verify, **more}

    async def answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one request.

        Raises:
            CoveyError: An argument is wrong, or it cannot be done.
        """
        operation = self._operations.get(str(arguments.get("op")))
        if operation is None:
            raise RefusedArgumentError(f"op: expected one of {', '.join(sorted(self._operations))}")
        return {**await operation(arguments), "names": await self._names()}

    async def checked(self, record: R) -> dict[str, Any]:
        """Return a record with what a check of it finds."""
        return shown(record, await self._records.check(record))

    async def _list(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"open": self.open(), "kept": await asyncio.to_thread(self._kept)}

    def open(self) -> list[dict[str, Any]]:
        """Return what waits for a person; of most kinds nothing does."""
        return []

    def _kept(self) -> list[dict[str, Any]]:
        newest = self._records.kept()[: limits.DECIDE_LISTED]
        return [self._view.row(self._records.record(each)) for each in newest]

    async def _show(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return await self.checked(
            await asyncio.to_thread(self._records.record, text(arguments, self._view.named))
        )

    async def _verify(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return await self.checked(given(arguments.get("record"), self._view.read))


def shown(record: Record, finding: Finding) -> dict[str, Any]:
    """Return a record with what a check of it found."""
    return {"record": record.to_dict(), "holds": finding.holds, "problems": list(finding.problems)}
