"""The quarantine: answers that a gate held, until a person lets them out or throws them away.

    held ──approve──▶ approved ──minted──▶ emitted
      │                  └──────refused──▶ failed
      ├──deny────▶ denied
      └──time────▶ expired

Rules: pure; time comes in. Nothing in here is pushed out by something newer: a full quarantine takes no more,
and says so. What was decided is remembered for a while, so that a second word about it gets a true answer.
Time held is measured like the budgets' windows, so a changed clock neither frees nor discards.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from covey import typed
from covey.limits import QUARANTINE_BYTES, QUARANTINE_DECIDED, QUARANTINE_ENTRIES, STATE_BYTES
from covey.model import CAT7, Proposal
from covey.safety import state
from covey.safety.gates import GateHit
from covey.values import dataclass

_NAME = "quarantine"
OPEN = ("held", "approved")
"""The states in which an answer is still here."""
_MEMBERS = frozenset(
    {"id", "state", "outcome", "since_ms", "until_ms", "thread", "asked_by", "to", "parents", "said", "hits"}
)
"""What a kept answer has, beside its age while it waits."""


@dataclass(frozen=True, slots=True)
class Held:
    """One answer that a gate held.

    `state` is held, approved, emitted, failed, denied or expired; `outcome` says more: the key of the block,
    or why there is none. `since_ms` and `until_ms` are wall-clock moments, for people.
    """

    id: str
    proposal: Proposal
    hits: tuple[GateHit, ...]
    thread: str
    asked_by: tuple[str, ...]
    since_ms: int
    until_ms: int
    state: str = "held"
    outcome: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "id": self.id,
            "state": self.state,
            "outcome": self.outcome,
            "since_ms": self.since_ms,
            "until_ms": self.until_ms,
            "thread": self.thread,
            "asked_by": list(self.asked_by),
            "to": self.proposal.to,
            "parents": list(self.proposal.parents),
            "said": {
                name: self.proposal.categories[name] for name in CAT7 if name in self.proposal.categories
            },
            "hits": [asdict(hit) for hit in self.hits],
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """It cannot be done. `reason` is unknown, ambiguous, decided, full or too-large."""

    reason: str
    detail: str


class Quarantine:
    """What waits for a person.

    Args:
        seconds: How long an answer waits before it is discarded.
        entries: How many may wait.
    """

    def __init__(self, seconds: float, *, entries: int = QUARANTINE_ENTRIES) -> None:
        self.seconds = seconds
        self._entries = entries
        self._held: dict[str, Held] = {}
        self._since: dict[str, float] = {}  # monotonic seconds
        self._decided: dict[str, Held] = {}  # in the order of their ends

    def hold(
        self,
        proposal: Proposal,
        hits: Sequence[GateHit],
        moment: state.Moment,
        *,
        thread: str = "",
        asked_by: Sequence[str] = (),
    ) -> Held | Refusal:
        """Take an answer in, or say why there is no room for it."""
        if len(self._held) >= self._entries:
            return Refusal("full", f"{len(self._held)} answers wait for a person already")
        seed = repr((sorted(proposal.categories.items()), proposal.parents, proposal.to, moment.wall_ms))
        name = hashlib.sha256(f"{len(self._decided)} {seed}".encode()).hexdigest()[:10]
        entry = Held(
            f"q-{name}",
            proposal,
            tuple(hits)[:QUARANTINE_ENTRIES],
            thread,
            tuple(asked_by)[:QUARANTINE_ENTRIES],
            moment.wall_ms,
            moment.wall_ms + int(self.seconds * 1000),
        )
        if sum(map(_size, [entry, *self._held.values()])) > QUARANTINE_BYTES:
            return Refusal("too-large", "the answers that wait for a person would be too much to keep")
        self._held[entry.id] = entry
        self._since[entry.id] = moment.monotonic
        return entry

    def approve(self, word: str) -> Held | Refusal:
        """Let an answer out: it is approved from now on, and to be emitted once.

        Args:
            word: Its id, or a beginning that only it has.
        """
        entry = self._named(word)
        if isinstance(entry, Refusal):
            return entry
        self._held[entry.id] = replace(entry, state="approved")
        return self._held[entry.id]

    def deny(self, word: str, why: str = "") -> Held | Refusal:
        """Throw an answer away."""
        entry = self._named(word)
        return entry if isinstance(entry, Refusal) else self._decide(entry, "denied", why)

    def emitted(self, name: str, key: str) -> Held | None:
        """Hear that an approved answer is a block now; return it as it is decided."""
        entry = self._held.get(name)
        return None if entry is None else self._decide(entry, "emitted", key)

    def failed(self, name: str, why: str) -> Held | None:
        """Hear that an approved answer could not become a block."""
        entry = self._held.get(name)
        return None if entry is None else self._decide(entry, "failed", why)

    def put_back(self, name: str) -> None:
        """Take an approval back that could not be made durable."""
        if name in self._held:
            self._held[name] = replace(self._held[name], state="held")

    def expire(self, now: float) -> list[Held]:
        """Discard what waited too long; return it. What is approved is on its way and stays."""
        due = [entry for entry in self.waiting() if self._since[entry.id] + self.seconds <= now]
        return [self._decide(entry, "expired", f"nobody decided within {self.seconds:g} s") for entry in due]

    def next_expiry(self) -> float | None:
        """Return the monotonic second at which the next answer expires, or None."""
        return min((self._since[entry.id] + self.seconds for entry in self.waiting()), default=None)

    def waiting(self) -> list[Held]:
        """Return what waits for a person, oldest first."""
        return [entry for entry in self._held.values() if entry.state == "held"]

    def approved(self) -> list[Held]:
        """Return what was approved and is no block yet."""
        return [entry for entry in self._held.values() if entry.state == "approved"]

    def decided(self) -> list[Held]:
        """Return what was decided lately, oldest first."""
        return list(self._decided.values())

    def export(self, moment: state.Moment) -> bytes:
        """Return what must survive a restart."""
        listed = [
            {**entry.as_dict(), "age_ms": int((moment.monotonic - self._since.get(entry.id, 0.0)) * 1000)}
            for entry in self._held.values()
        ]
        decided = [_brief(entry) for entry in self._decided.values()]
        return state.pack(_NAME, {**state.stamp(moment), "held": listed, "decided": decided})

    def restore(self, raw: bytes, moment: state.Moment) -> None:
        """Take over what an earlier run left; what was approved there is still to be emitted.

        Raises:
            StoreError: The document cannot be read; the quarantine is as it was.
        """
        content = state.unpack(_NAME, raw)
        away_ms = state.away_ms(_NAME, content, moment)
        held = read(content, "held")
        decided = read(content, "decided")
        for entry, age_ms in held:
            self._held[entry.id] = entry
            self._since[entry.id] = moment.monotonic - (age_ms + away_ms) / 1000
        self._decided.update((entry.id, entry) for entry, _ in decided)

    def _named(self, word: str) -> Held | Refusal:
        known = {**self._decided, **self._held}
        found = (
            [known[word]] if word in known else [each for each in known.values() if each.id.startswith(word)]
        )
        if not found or not word:
            return Refusal("unknown", f'nothing is held under "{word[:40]}"')
        if len(found) > 1:
            return Refusal("ambiguous", f"{len(found)} ids begin so: {', '.join(e.id for e in found[:8])}")
        entry = found[0]
        if entry.state != "held":
            said = f": {entry.outcome}" if entry.outcome else ""
            return Refusal("decided", f"{entry.id} was {entry.state} already{said}")
        return entry

    def _decide(self, entry: Held, word: str, outcome: str) -> Held:
        self._held.pop(entry.id, None)
        self._since.pop(entry.id, None)
        ended = replace(entry, state=word, outcome=outcome[:200])
        self._decided[entry.id] = ended
        while len(self._decided) > QUARANTINE_DECIDED:
            del self._decided[next(iter(self._decided))]
        return ended


def listed(raw: bytes | None) -> dict[str, Any]:
    """Return what a saved quarantine holds, for a person who looks while the peer does not run.

    Raises:
        StoreError: The document cannot be read.
    """
    if raw is None:
        return {"waiting": [], "decided": []}
    content = state.unpack(_NAME, raw)
    return {
        "waiting": [entry.as_dict() for entry, _ in read(content, "held")],
        "decided": [entry.as_dict() for entry, _ in read(content, "decided")],
    }


def read(content: Mapping[str, object], name: str) -> list[tuple[Held, int]]:
    """Return the entries of a saved list with their ages in milliseconds, or raise StoreError."""
    values = content.get(name)
    if not isinstance(values, list):
        raise state.unreadable(_NAME, f"{name} is not a list")
    return [_entry(value) for value in values]


def _entry(value: Any) -> tuple[Held, int]:
    try:
        row = typed.members(value, "entry", _MEMBERS, {"age_ms"})
        said = row["said"] if isinstance(row["said"], dict) else {"": None}
        categories = {_text(name): _text(each) for name, each in said.items()}
        to = None if row["to"] is None else _text(row["to"])
        entry = Held(
            _text(row["id"]),
            Proposal(categories, _texts(row["parents"]), to),
            tuple(_hit(hit) for hit in typed.listed(row["hits"], "hits", QUARANTINE_ENTRIES)),
            _text(row["thread"]),
            _texts(row["asked_by"]),
            typed.whole(row["since_ms"], "since_ms"),
            typed.whole(row["until_ms"], "until_ms"),
            _text(row["state"]),
            _text(row["outcome"]),
        )
        return entry, typed.whole(row.get("age_ms", 0), "age_ms")
    except typed.WrongTypeError as error:
        raise state.unreadable(_NAME, f"an entry: {error}") from None


def _hit(value: object) -> GateHit:
    row = typed.members(value, "hit", {"category", "gate", "found"})
    return GateHit(_text(row["category"]), _text(row["gate"]), _text(row["found"]))


def _text(value: object) -> str:
    return typed.text(value, "a text", STATE_BYTES, halves=True)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(each) for each in typed.listed(value, "a list", STATE_BYTES))


def _brief(entry: Held) -> dict[str, Any]:
    """Return a decided entry without its text: what was thrown away is not kept."""
    return {**entry.as_dict(), "said": {}, "hits": []}


def _size(entry: Held) -> int:
    """Return how many bytes an entry takes where it is kept, escapes and all."""
    return len(json.dumps(entry.as_dict()))
