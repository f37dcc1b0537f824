"""One task as its submitter keeps it: where it stands, who has it, its story; and the row it survives in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, NamedTuple, get_args

from covey import limits, typed
from covey.fleet.work.task import OPEN, Patience, State, Task, TaskError
from covey.proto.effects import Now
from covey.values import dataclass

_FIRST: Final = 8
"""Steps of a story that stay, whatever comes later."""
_STATES: Final = (*sorted(OPEN), "done", "failed", "cancelled", "expired")
_NUMBERS: Final = ("made_ms", "fence", "tries", "forwarded", "ended_ms")
_TEXTS: Final = ("choose", "detail", "by", "proof", "signer")
_ROW: Final = {*_NUMBERS, *_TEXTS, "task", "patience", "state", "lease", "failed_at", "value", "story"}
"""What a row has."""


class Step(NamedTuple):
    """One thing that happened to a task: when, what, at whom, under which fence, a line for people."""

    at_ms: int
    what: str
    who: str
    fence: int
    detail: str


@dataclass(slots=True)
class Lease:
    """Who has a task: void when nothing is heard until `until`, or it is not over at `end` (monotonic).

    `heard` says that its holder has spoken, so that it surely has the task.
    """

    address: str
    node_id: str
    fence: int
    until: float
    end: float
    heard: bool = False


@dataclass(slots=True)
class Entry:
    """One task of this submitter.

    `fence` is the number of the newest lease, ever growing; a result counts under that number alone. `tries`
    are those that ended badly. `after` and `deadline` are monotonic. `refusals` says until when whom not to
    ask again, `failed_at` at whom a try ended badly. `by`, `value` and `proof` are the accepted result's,
    `signer` is the peer that signed it.
    """

    task: Task
    choose: str
    patience: Patience
    made_ms: int
    deadline: float
    state: State = "waiting"
    fence: int = 0
    tries: int = 0
    lease: Lease | None = None
    after: float = 0.0
    refusals: dict[str, float] = field(default_factory=dict)
    failed_at: set[str] = field(default_factory=set)
    forwarded: int = 0
    share: float | None = None
    detail: str = ""
    value: Any = None
    by: str = ""
    proof: str = ""
    signer: str = ""
    ended_ms: int = 0
    story: list[Step] = field(default_factory=list)
    size: int = 0

    @property
    def open(self) -> bool:
        """Tell whether it is not over yet."""
        return self.state in OPEN

    def tell(self, now: Now, what: str, who: str = "", detail: str = "", fence: int | None = None) -> None:
        """Write a step of its story."""
        if len(self.story) >= limits.TASK_EVENTS:
            del self.story[_FIRST]
        number = self.fence if fence is None else fence
        self.story.append(Step(now.wall_ms, what, who, number, detail[: limits.TASK_DETAIL_CHARS]))

    def why_void(self, fence: int) -> str:
        """Return why a fence is void, for whoever worked under it."""
        ended = next((f"{each.what} ({each.detail})" for each in reversed(self.story) if
                      each.fence == fence and each.what in ("lost", "failed", "refused")), "")  # fmt: skip
        said = f"fence {fence} is void" + (f": {ended}" if ended else "")
        if self.state == "done":
            return f"{said}; done by {self.by} under fence {self.fence}"
        return f"{said}; the task is {self.state}" + (f", fence {self.fence}" if self.open else "")

    def view(self) -> dict[str, Any]:
        """Return it as people and programs see it, its result and proof left out."""
        return {
            "id": self.task.id,
            "key": self.task.key,
            "capability": self.task.capability,
            "state": self.state,
            "at": self.lease.address if self.lease is not None else "",
            "by": self.by,
            "fence": self.fence,
            "tries": self.tries,
            "share": self.share,
            "detail": self.detail,
            "made_ms": self.made_ms,
            "deadline_ms": self.task.deadline_ms,
            "ended_ms": self.ended_ms,
        }

    def whole(self) -> dict[str, Any]:
        """Return everything that is known of it."""
        return {
            **self.view(),
            "payload": self.task.payload,
            "value": self.value,
            "proof": self.proof,
            "signer": self.signer,
            "hops": self.task.hops,
            "visited": list(self.task.visited),
            "trace": self.task.trace or self.task.id,
            "story": [each._asdict() for each in self.story],
        }


def row_of(entry: Entry) -> bytes:
    """Return what survives of it."""
    lease = entry.lease
    row = {
        "task": entry.task.to_dict(),
        "choose": entry.choose,
        "patience": entry.patience,
        "made_ms": entry.made_ms,
        "state": entry.state,
        "fence": entry.fence,
        "tries": entry.tries,
        "lease": None if lease is None else [lease.address, lease.node_id],
        "failed_at": sorted(entry.failed_at),
        "forwarded": entry.forwarded,
        "detail": entry.detail,
        "value": entry.value,
        "by": entry.by,
        "proof": entry.proof,
        "signer": entry.signer,
        "ended_ms": entry.ended_ms,
        "story": [list(each) for each in entry.story],
    }
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def entry_of(row: bytes, now: Now, lease_seconds: float) -> Entry:
    """Read a row again. A lease that was out has its whole time anew: its worker may be done meanwhile.

    Raises:
        TaskError: It is none.
    """
    try:
        held = typed.members(typed.loaded(row.decode("utf-8", "surrogatepass")), "row", _ROW)
        entry = _entry(held, now, len(row))
        if entry.state == "leased":
            entry.lease = _lease(held["lease"], entry, now, lease_seconds)
    except ValueError as error:
        raise TaskError(f"row: {error}") from error
    return entry


def _entry(held: Mapping[str, Any], now: Now, size: int) -> Entry:
    task, state = Task.from_dict(held["task"]), held["state"]
    if state not in _STATES or (state == "leased") != (held["lease"] is not None):
        raise TaskError("row: no state of a task")
    if held["patience"] not in get_args(Patience):
        raise TaskError("row: no patience of a task")
    number = {name: typed.whole(held[name], name) for name in _NUMBERS}
    text = {name: _text(held[name], name, size) for name in _TEXTS}
    failed_at = typed.listed(held["failed_at"], "failed_at", size)
    return Entry(
        task,
        text["choose"],
        held["patience"],
        number["made_ms"],
        now.monotonic + (task.deadline_ms - now.wall_ms) / 1000,
        state=state,
        fence=number["fence"],
        tries=number["tries"],
        failed_at={_text(each, "failed_at", size) for each in failed_at},
        forwarded=number["forwarded"],
        detail=text["detail"],
        value=held["value"],
        by=text["by"],
        proof=text["proof"],
        signer=text["signer"],
        ended_ms=number["ended_ms"],
        story=[_step(each, size) for each in typed.listed(held["story"], "story", limits.TASK_EVENTS)],
        size=size,
    )


def _step(value: object, size: int) -> Step:
    at_ms, what, who, fence, detail = typed.exactly(value, "step", 5)
    said = [_text(each, "step", size) for each in (what, who, detail)]
    return Step(typed.whole(at_ms, "step"), said[0], said[1], typed.whole(fence, "step"), said[2])


def _text(value: object, what: str, most: int) -> str:
    """Return a text of a row; a line that was cut may end with half a character, and is kept as it is."""
    return typed.text(value, what, most, halves=True)


def _lease(held: object, entry: Entry, now: Now, lease_seconds: float) -> Lease:
    address, node_id = (_text(each, "lease", entry.size) for each in typed.exactly(held, "lease", 2))
    end = min(now.monotonic + entry.task.try_seconds, entry.deadline)
    return Lease(address, node_id, entry.fence, now.monotonic + lease_seconds, end)


def counted(entries: Mapping[str, Entry]) -> dict[str, int]:
    """Return how many tasks stand where."""
    found = dict.fromkeys(_STATES, 0)
    for entry in entries.values():
        found[entry.state] += 1
    return found
