"""What the kit asks of an implementation under test: one operation, answered by a value or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from covey.errors import CoveyError
from covey.values import dataclass


class SubjectError(CoveyError):
    """The implementation under test broke the conversation: it ended, hung, or answered nonsense."""

    default_code = "conform_subject"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one operation came to: a result, a refusal with its reason, or "this cannot be asked of me"."""

    result: Mapping[str, Any] | None = None
    reason: str | None = None
    unsupported: bool = False

    @property
    def ok(self) -> bool:
        """Tell whether there is a result."""
        return self.result is not None

    def member(self, name: str) -> Any:
        """Return one member of the result; None where there is no result or no such member."""
        return None if self.result is None else self.result.get(name)


UNSUPPORTED = Answer(unsupported=True)


class Subject(Protocol):
    """An implementation under test."""

    def ask(self, op: str, **arguments: Any) -> Answer:
        """Do one operation.

        Raises:
            SubjectError: The conversation broke.
        """
        ...
