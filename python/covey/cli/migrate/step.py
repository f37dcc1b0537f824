"""One line of a migration: what, whether it will be written, and why not where it will not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from covey.errors import CoveyError
from covey.values import dataclass

STATES: Final = ("write", "wrote", "same", "keep", "note", "skip", "FAIL")
"""write: not done yet; wrote: done; same: it was there already; keep: covey has its own, which stays;
note: worth knowing; skip: not carried, by design; FAIL: it could not be carried."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is carried, or not. `work` writes it, and is only there while it is not written."""

    peer: str
    what: str
    state: str
    detail: str
    work: Callable[[], None] | None = None

    def done(self) -> Step:
        """Write what is to be written; say so, or why it was not."""
        if self.work is None:
            return self
        try:
            self.work()
        except CoveyError as error:
            advice = "" if error.hint is None else f" ({error.hint})"
            return replace(self, state="FAIL", detail=f"{self.detail}: {error.message}{advice}", work=None)
        except OSError as error:
            return replace(self, state="FAIL", detail=f"{self.detail}: {error.strerror or error}", work=None)
        return replace(self, state="wrote", work=None)

    def as_dict(self) -> dict[str, str]:
        """Return the step for --json."""
        return {"peer": self.peer, "what": self.what, "state": self.state, "detail": self.detail}
