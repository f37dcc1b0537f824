"""Scopes: the name of a shared state says who writes it, who may hold it, and who may pass it on.

`room:<room>` is everybody's of one room. `agent:<owner>:<to>:<class>` is what one agent lets others have
of one class: only its owner writes it; `to` is the one author that may hold it, or `*` for the whole
room, and only then others pass it on. The name is part of what is signed: none of this changes on the way.
"""

from __future__ import annotations

import re
from typing import Final

from covey.values import dataclass

ANYBODY: Final = "*"
_AUTHOR: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_AGENT: Final = re.compile(rf"agent:({_AUTHOR}):({_AUTHOR}|\*):([a-z0-9][a-z0-9._:-]{{0,127}})")
_CLASS: Final = re.compile(r"[a-z0-9][a-z0-9._:-]{0,127}")


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope, read. `owner` and `to` are empty for a room's."""

    name: str
    owner: str = ""
    to: str = ""
    label: str = ""
    """What class of an agent's state it is."""

    def writer(self, author: str) -> bool:
        """Tell whether an author may write it."""
        return not self.owner or self.owner == author

    def holder(self, author: str) -> bool:
        """Tell whether an author may hold it."""
        return not self.owner or author in (self.owner, self.to) or self.to == ANYBODY

    def between(self, one: str, other: str) -> bool:
        """Tell whether two authors may speak of it; of what is for one alone, that one and its owner."""
        if not (self.holder(one) and self.holder(other)):
            return False
        return not self.owner or self.to == ANYBODY or self.owner in (one, other)


def room_scope(room: str) -> Scope:
    """Return the state that everybody in a room shares."""
    return Scope(f"room:{room}")


def agent_scope(owner: str, to: str, label: str) -> Scope:
    """Return what `owner` lets `to` have of one class of its state.

    Raises:
        ValueError: The class or an author is outside its grammar.
    """
    name = f"agent:{owner}:{to}:{label}"
    if _AGENT.fullmatch(name) is None:
        raise ValueError(f"class: expected a-z, 0-9, '.', '_', ':', '-', at most 128, got {label!r}")
    return Scope(name, owner, to, label)


def read_scope(name: str, room: str) -> Scope | None:
    """Return the scope of this name where it can be one of this room's, else None."""
    if name == f"room:{room}":
        return Scope(name)
    found = _AGENT.fullmatch(name)
    return None if found is None else Scope(name, *found.groups())


def is_class(label: str) -> bool:
    """Tell whether a text can name a class of an agent's state."""
    return _CLASS.fullmatch(label) is not None
