"""One thing that doctor looked at: what, what was seen, the next step, and what --fix may do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from covey.errors import CoveyError
from covey.values import dataclass

STATES: Final = ("ok", "info", "warn", "FAIL", "fixed")
"""ok and info need nothing; warn is worth knowing; FAIL is to be addressed; fixed was, just now."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result. `mend` repairs it, says what it did, and is only there where that harms nobody."""

    section: str
    name: str
    state: str
    detail: str
    next_step: str | None = None
    mend: Callable[[], str] | None = None

    def mended(self) -> Finding:
        """Repair this, where that can be done; say what was done, or why it was not."""
        if self.mend is None:
            return self
        try:
            done = self.mend()
        except CoveyError as error:
            return replace(self, detail=f"{self.detail}; not fixed: {error.message}", mend=None)
        except OSError as error:
            return replace(self, detail=f"{self.detail}; not fixed: {error.strerror or error}", mend=None)
        return replace(self, state="fixed", detail=f"{self.detail}; {done}", next_step=None, mend=None)

    def as_dict(self) -> dict[str, object]:
        """Return the finding for --json."""
        return {
            "section": self.section,
            "name": self.name,
            "state": self.state,
            "detail": self.detail,
            "next": self.next_step,
            "fixable": self.mend is not None,
        }
