"""What an agent keeps of its own, and what of it others may have, from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from covey.runtime.syndication import Syndicator


class Syndication:
    """An agent's own entries and its policy (docs/state.md). By default nothing of them leaves.

    Classes are `session`, `ontology`, `memory:<layer>`, and in rules `diary`: its facts, never its content.
    """

    def __init__(self, shell: Syndicator) -> None:
        self._shell = shell

    async def keep(self, label: str, name: str, value: object) -> None:
        """Keep a JSON value; it is durable when this returns, and shared where a rule says so.

        Raises:
            CoveyError: The class or the value cannot be kept, or another node holds this agent (`fenced`).
        """
        await self._shell.answer({"op": "keep", "class": label, "name": name, "value": value})

    async def forget(self, label: str, name: str) -> bool:
        """Forget an entry, here and where it was shared; tell whether there was one."""
        found: bool = (await self._shell.answer({"op": "forget", "class": label, "name": name}))["gone"]
        return found

    async def entries(self, label: str | None = None) -> Sequence[Mapping[str, Any]]:
        """Return what is kept: class, name, value."""
        found: Sequence[Mapping[str, Any]] = (await self._shell.answer({"op": "entries", "class": label}))[
            "entries"
        ]
        return found

    async def allow(
        self, label: str, to: str, *, prefix: str = "", without: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        """Share a class from now on.

        Args:
            label: The class.
            to: A connected peer, an author, or `*` for the whole room.
            prefix: Only entries whose names begin so.
            without: Members of JSON objects that are left out.

        Raises:
            CoveyError: The class cannot be shared, nobody is called so, or it cannot be written.
        """
        asked = {"op": "allow", "class": label, "to": to, "prefix": prefix, "without": list(without)}
        return await self._shell.answer(asked)

    async def deny(self, label: str, to: str) -> None:
        """Send nothing more of a class; what was sent stays where it is."""
        await self._shell.answer({"op": "deny", "class": label, "to": to})

    async def retract(self, label: str, to: str) -> None:
        """Send nothing more of a class, and have what was sent deleted at its holders."""
        await self._shell.answer({"op": "retract", "class": label, "to": to})

    async def show(self) -> Sequence[Mapping[str, Any]]:
        """Return exactly what leaves, rule by rule: class, to, names, entries.

        Raises:
            CoveyError: The store cannot be read.
        """
        found: Sequence[Mapping[str, Any]] = (await self._shell.answer({"op": "show"}))["rules"]
        return found

    async def audit(self, after: int = 0) -> Sequence[Mapping[str, Any]]:
        """Return the signed log of what left, behind a line's number; `verified` says whether each holds."""
        found: Sequence[Mapping[str, Any]] = (await self._shell.answer({"op": "audit", "after": after}))[
            "lines"
        ]
        return found
