"""UMR, the universal memory reference: `nickname.region.id` names one thing that one agent keeps.

The id may hold dots; the nickname and the region may not. No part is empty, so `a..c` names nothing.
"""

from __future__ import annotations

import re

from covey.values import dataclass

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}\Z")
_REF = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.:-]{0,254}\Z")


class BadNameError(ValueError):
    """A text that is no reference; says which part, and what was expected."""


@dataclass(frozen=True, slots=True, order=True)
class Umr:
    """A reference to what the agent `nickname` keeps in `region` under `ref_id`."""

    nickname: str
    region: str
    ref_id: str

    def __post_init__(self) -> None:
        for name in ("nickname", "region"):
            if not _PART.match(getattr(self, name)):
                raise BadNameError(
                    f"{name}: expected letters, digits, - or _, got {getattr(self, name)[:80]!r}"
                )
        if not _REF.match(self.ref_id) or self.ref_id.endswith(".") or ".." in self.ref_id:
            raise BadNameError(
                f"id: expected letters, digits and single dots between, got {self.ref_id[:80]!r}"
            )

    def __str__(self) -> str:
        return f"{self.nickname}.{self.region}.{self.ref_id}"


def parse_umr(text: str) -> Umr:
    """Read a reference.

    Raises:
        ValueError: It has fewer than three parts, or one of them is empty or not allowed.
    """
    parts = text.split(".", 2)
    if len(parts) < 3:
        raise BadNameError(f"reference: expected nickname.region.id, got {text[:80]!r}")
    return Umr(*parts)
