"""An answer as programs and people get it: sentences and what they cite, who was silent, what fell."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from covey.cognition.ask.synthesis import ENABLE
from covey.cognition.ask.values import QUIET, Claim, Composed
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.runtime.ask.gathering import Gathered, Silent


@dataclass(frozen=True, slots=True)
class Written:
    """What became of an answer as a block: `state` is minted, duplicate (said before) or refused."""

    key: str | None
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `written` is None where nothing could be said, so that nothing was written back."""

    gathered: Gathered
    composed: Composed
    written: Written | None

    @property
    def text(self) -> str:
        """Return the sentences, one on a line, each with the numbers of the claims it cites."""
        from covey.cognition.ask.synthesis import prose

        return prose(self.composed.sentences)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        composed = self.composed
        return {
            **gathered_as_dict(self.gathered),
            "mode": composed.mode,
            "illustrative": composed.mode == "illustrative",
            "note": composed.note or (ENABLE if composed.mode == "illustrative" else ""),
            "model": composed.model,
            "usage": None if composed.usage is None else asdict(composed.usage),
            "answer": [
                {"text": each.text, "claims": list(each.numbers), "cites": list(each.cites)}
                for each in composed.sentences
            ],
            "withheld": [asdict(each) for each in composed.withheld],
            "synthesis": None if self.written is None else asdict(self.written),
        }


def gathered_as_dict(gathered: Gathered) -> dict[str, Any]:
    """Return what was gathered as JSON values."""
    return {
        "question": gathered.question,
        "key": gathered.key,
        "asked": gathered.asked,
        "seconds": round(gathered.seconds, 3),
        "claims": [_claim(each) for each in gathered.admitted.claims],
        "dropped": [asdict(each) for each in gathered.admitted.dropped],
        "silent": [_silent(each) for each in gathered.silent],
    }


def _claim(claim: Claim) -> dict[str, Any]:
    found = asdict(claim)
    vouched = [{"key": key, "author": author} for key, author in claim.vouched]
    return {**found, "cites": list(claim.cites), "not_shown": list(claim.not_shown), "vouched": vouched}


def _silent(each: Silent) -> dict[str, str]:
    reason = each.reason
    known: dict[str, str] = {str(name): words for name, words in QUIET.items()}
    return {"node_id": each.node_id, "name": each.name, "reason": reason, "detail": known.get(reason, reason)}
