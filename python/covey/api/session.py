"""A work session from Python: `async with peer.session("why this work") as work`.

What it does stands in memory as one trail that lineage alone can walk, ended by its real outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from covey.errors import CoveyError, UsageError

if TYPE_CHECKING:
    from covey.runtime.words import Words


class WorkSession:
    """One bounded piece of work of one peer.

    A session that is left by an exception, or without `finish`, is reported as failed: what was begun and not
    ended did not hold.
    """

    def __init__(self, words: Words, intent: str) -> None:
        self._words = words
        self._intent = intent
        self._finished = False

    async def __aenter__(self) -> Self:
        """Say what the work is for.

        Raises:
            IpcError: This peer has a session already.
            UsageError: The charter was refused.
        """
        _minted(await self._words.session({"action": "start", "intent": self._intent}))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Report the outcome, where `finish` did not; what ended the work is never hidden by that.

        Raises:
            UsageError: The report was refused, and nothing else was wrong.
        """
        if self._finished:
            return
        why = "left without an outcome" if kind is None else f"ended by {kind.__name__}"
        try:
            await self.finish("nothing that stands", why, held=False)
        except CoveyError as unsaid:
            if error is None:
                raise
            error.add_note(f"the outcome of this session was not reported: {unsaid.message}")

    async def decide(self, decision: str, why: str = "") -> str:
        """Write down a decision; return its key. The same one again is no error.

        Raises:
            UsageError: It was refused.
        """
        asked: dict[str, Any] = {"action": "decide", "decision": decision}
        if why:
            asked["why"] = why
        return str(_minted(await self._words.session(asked))["key"])

    async def finish(self, artifact: str, outcome: str, *, held: bool = True) -> str:
        """Say what was made and how it turned out; return the key of that report.

        Raises:
            UsageError: It was refused.
        """
        asked = {"action": "finish", "artifact": artifact, "outcome": outcome, "held": held}
        found = _minted(await self._words.session(asked))
        self._finished = True
        return str(found["key"])


def _minted(found: Mapping[str, Any]) -> Mapping[str, Any]:
    if found["result"] == "refused":
        raise UsageError(f"not said: {found['reason']}: {found['detail']}", code=str(found["reason"]))
    return found
