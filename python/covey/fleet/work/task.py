"""A task as a value, what its submitter and a worker say to each other of it, and how both are read.

Rules: pure. What a peer wrote is read strictly and bounded; what is none of these is a `TaskError` that says
which member, and what was expected.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, Literal

from covey import limits
from covey.errors import CoveyError, UsageError
from covey.fleet.arguments import WORD_EXPECTED, is_capability
from covey.values import dataclass

State = Literal["waiting", "leased", "done", "failed", "cancelled", "expired"]
OPEN: Final[frozenset[str]] = frozenset({"waiting", "leased"})
"""The states of a task that is not over."""
Patience = Literal["queue", "capable", "free"]
"""How long a task waits for a worker: until its deadline; not at all where nobody can do it; not at all where
nobody can do it now."""


class TaskError(UsageError):
    """A task, or a message about one, that is not as it must be."""


class WorkError(CoveyError):
    """A task that did not come to a result; `code` is a stable word for why: queue_full, key_conflict,
    no_capable_agent, failed, expired, cancelled, unknown.
    """


class NoCapableAgentError(WorkError):
    """Nobody who may be asked can do it, or all who can refused; the message says which."""

    default_code = "no_capable_agent"


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done.

    `id` follows from the submitter and its idempotency `key`: the same key is the same task. `deadline_ms` is
    the wall-clock instant after which nobody wants the result. `try_seconds` is the longest one try may take,
    `tries` how many there are. `hops` is how often it may still be handed on, `visited` are the addresses it
    passed. `trace` names the causal tree that it belongs to.
    """

    id: str
    key: str
    capability: str
    payload: Any
    deadline_ms: int
    try_seconds: float
    tries: int = limits.TASK_TRIES
    hops: int = 0
    visited: tuple[str, ...] = ()
    trace: str = ""

    def __post_init__(self) -> None:
        _check(self)

    def same_work(self, other: Task) -> bool:
        """Tell whether both ask for the same: a key that is used again must."""
        return (self.capability, text_of(self.payload)) == (other.capability, text_of(other.payload))

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {each.name: getattr(self, each.name) for each in fields(self)} | {
            "visited": list(self.visited)
        }

    @classmethod
    def from_dict(cls, value: object) -> Task:
        """Read a task.

        Raises:
            TaskError: It is none.
        """
        names = {each.name for each in fields(cls)}
        if not isinstance(value, Mapping) or set(value) != names:
            raise TaskError(f"task: expected an object with {', '.join(sorted(names))}")
        if not isinstance(value["visited"], list):
            raise TaskError("visited: expected a list")
        return cls(**{**value, "visited": tuple(value["visited"])})


def task_id(submitter: str, key: str) -> str:
    """Return the id of a submitter's task under a key: 32 hex digits."""
    return hashlib.sha256(f"{submitter}\n{key}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def text_of(payload: object) -> str:
    """Return a payload's one JSON text.

    Raises:
        TaskError: It is no JSON, or too large.
    """
    try:
        written = json.dumps(
            payload, allow_nan=False, ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
        size = len(written.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise TaskError(f"payload: not JSON: {line_of(str(error))}") from error
    if size > limits.TASK_PAYLOAD_BYTES:
        raise TaskError(f"payload: larger than {limits.TASK_PAYLOAD_BYTES} bytes as JSON")
    return written


def line_of(text: str) -> str:
    """Return a line about a task as it can be sent: within its bound, without halves of characters."""
    return text[: limits.TASK_DETAIL_CHARS].encode("utf-8", "replace").decode()


# --- what is said: each is the payload of one message ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Award:
    """A lease: this agent may do this task, under this fence, for as long as it is heard of.

    `left_seconds` is how long the result is still wanted; `to` the worker's address.
    """

    task: Task
    fence: int
    to: str
    lease_seconds: float
    left_seconds: float

    def payload(self) -> dict[str, Any]:
        """Return what a TASK_REQUEST carries."""
        return {
            "task": self.task.to_dict(),
            "fence": self.fence,
            "to": self.to,
            "lease_seconds": self.lease_seconds,
            "left_seconds": self.left_seconds,
        }


@dataclass(frozen=True, slots=True)
class Said:
    """A worker's word on a task under a fence: alive, done, failed, or refused; and how many it runs now.

    `value` is a result's, `detail` a line for people, `final` that a failure is not worth another try,
    `share` how much of the work is done, from 0 to 1, or None. `by` is who did it, where it was handed on.
    """

    what: Literal["alive", "done", "failed", "refused"]
    task_id: str
    fence: int
    agent: str
    running: int
    value: Any = None
    detail: str = ""
    final: bool = False
    share: float | None = None
    by: str = ""

    def payload(self) -> dict[str, Any]:
        """Return what the message carries."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Revoked:
    """A submitter's word that a fence is void, and why; what was done under it counts for nothing."""

    task_id: str
    fence: int
    why: str

    def payload(self) -> dict[str, Any]:
        """Return what a CANCEL carries."""
        return {"task_id": self.task_id, "fence": self.fence, "why": self.why}


def read_award(payload: Mapping[str, Any]) -> Award:
    """Read the payload of a TASK_REQUEST.

    Raises:
        TaskError: It is no award.
    """
    _members(payload, Award)
    return Award(
        Task.from_dict(payload["task"]),
        _whole("fence", payload["fence"], 1, limits.JSON_INTEGER),
        _text("to", payload["to"], 200),
        _seconds("lease_seconds", payload["lease_seconds"], 3_600.0),
        _seconds("left_seconds", payload["left_seconds"], limits.TASK_SECONDS_MOST),
    )


def read_said(payload: Mapping[str, Any]) -> Said:
    """Read a worker's word.

    Raises:
        TaskError: It is none.
    """
    _members(payload, Said)
    if payload["what"] not in ("alive", "done", "failed", "refused"):
        raise TaskError(f"what: unknown word {str(payload['what'])[:40]!r}")
    share = payload["share"]
    if share is not None and not (type(share) in (int, float) and 0 <= share <= 1):
        raise TaskError("share: expected 0 to 1, or nothing")
    if not isinstance(payload["final"], bool):
        raise TaskError("final: expected true or false")
    text_of(payload["value"])
    return Said(
        payload["what"],
        _id(payload["task_id"]),
        _whole("fence", payload["fence"], 1, limits.JSON_INTEGER),
        _text("agent", payload["agent"], 200),
        _whole("running", payload["running"], 0, limits.CAPABILITY_CAPACITY),
        payload["value"],
        _text("detail", payload["detail"], limits.TASK_DETAIL_CHARS),
        payload["final"],
        share,
        _text("by", payload["by"], 200),
    )


def read_revoked(payload: Mapping[str, Any]) -> Revoked:
    """Read a submitter's CANCEL.

    Raises:
        TaskError: It is none.
    """
    _members(payload, Revoked)
    return Revoked(
        _id(payload["task_id"]),
        _whole("fence", payload["fence"], 1, limits.JSON_INTEGER),
        _text("why", payload["why"], limits.TASK_DETAIL_CHARS),
    )


def _members(payload: Mapping[str, Any], kind: type[Award | Said | Revoked]) -> None:
    names = {each.name for each in fields(kind)}
    if set(payload) != names:
        raise TaskError(f"{kind.__name__.lower()}: expected {', '.join(sorted(names))}")


def _check(task: Task) -> None:
    _id(task.id)
    _text("key", task.key, limits.TASK_KEY_CHARS, least=1)
    if not is_capability(task.capability):
        raise TaskError(f"capability: expected {WORD_EXPECTED}")
    _text("trace", task.trace, 64)
    _whole("deadline_ms", task.deadline_ms, 0, limits.JSON_INTEGER)
    _seconds("try_seconds", task.try_seconds, limits.TASK_SECONDS_MOST)
    _whole("tries", task.tries, 1, limits.TASK_TRIES_MOST)
    _whole("hops", task.hops, 0, limits.TASK_HOPS)
    if len(task.visited) > 3 * limits.TASK_HOPS:
        raise TaskError(f"visited: more addresses than {limits.TASK_HOPS} hand-ons pass")
    for each in task.visited:
        _text("visited", each, 200)
    text_of(task.payload)


def _id(value: object) -> str:
    if (
        not isinstance(value, str)
        or not 12 <= len(value) <= 64
        or not all(c in "0123456789abcdef" for c in value)
    ):
        raise TaskError(f"id: expected 12 to 64 hexadecimal digits, got {str(value)[:80]!r}")
    return value


def _text(name: str, value: object, most: int, least: int = 0) -> str:
    if not isinstance(value, str) or not least <= len(value) <= most or line_of(value) != value:
        raise TaskError(f"{name}: expected text of {least} to {most} characters")
    return value


def _whole(name: str, value: object, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise TaskError(f"{name}: expected an integer from {least} to {most}, got {str(value)[:40]!r}")
    return value


def _seconds(name: str, value: object, most: float) -> float:
    if type(value) not in (int, float) or not 0 < float(str(value)) <= most:
        raise TaskError(f"{name}: expected seconds, more than 0 and at most {most:g}")
    return float(str(value))
