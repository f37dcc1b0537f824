"""What a running peer answers about its diary: sealed entries and facts. It has no key, and knows no text."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from covey import _core, limits
from covey.errors import StoreError, UsageError

if TYPE_CHECKING:
    from covey.ports import DiaryStore


class DiaryDesk:
    """The verb `diary` of the control socket.

    Args:
        store: Where sealed entries lie; called on worker threads.
        written: Awaited after each new entry, so that what is said of the diary elsewhere is true.
    """

    def __init__(self, store: DiaryStore, written: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._written = written

    async def answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request: add, page or facts.

        Raises:
            UsageError: An argument is wrong.
            StoreError: The store refused.
        """
        op = arguments.get("op")
        try:
            if op == "facts":
                entries, first_ms, last_ms = await asyncio.to_thread(self._store.diary_facts)
                return {"entries": entries, "first_ms": first_ms, "last_ms": last_ms}
            if op == "add":
                sealed = base64.b64decode(str(arguments.get("sealed")), validate=True)
                number = await asyncio.to_thread(self._store.diary_add, _whole(arguments, "at_ms"), sealed)
                await self._written()
                return {"number": number}
            if op == "page":
                after, from_ms, to_ms = (_whole(arguments, name) for name in ("after", "from_ms", "to_ms"))
                page = await asyncio.to_thread(
                    self._store.diary_page, after, from_ms, to_ms, limits.DIARY_PAGE
                )
                rows = [[number, at_ms, base64.b64encode(data).decode()] for number, at_ms, data in page]
                return {"rows": rows}
        except _core.CoreError as error:
            raise StoreError(f"diary: {error.detail}", code=error.reason) from error
        except ValueError as error:
            raise UsageError(f"diary: expected base64: {error}") from error
        raise UsageError(f"diary: unknown operation: {str(op)[:64]}")


def _whole(arguments: Mapping[str, Any], name: str) -> int:
    value = arguments.get(name)
    if type(value) is not int or not 0 <= value < 2**63:
        raise UsageError(f"{name}: expected a whole number")
    return value
