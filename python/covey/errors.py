"""Every error a caller of covey can meet, and whose fault each one is.

The tree (left) and who has to act (right):

    CoveyError                 root; everything that is raised on purpose
    ├── UsageError             the caller: wrong command line or wrong argument (exit 2)
    │   ├── InvalidNameError   the caller: a peer or room name that must not become a path
    │   └── RefusedArgumentError  the caller, as a running peer found: an IpcError too (exit 2)
    ├── ConfigError            the operator: agent.toml says something we cannot use
    ├── StoreError             this machine: a database or state file cannot be used
    ├── IdentityError          this machine: a key or identity file cannot be used
    │   └── CollisionError     the operator: two live peers with one identity (exit 2)
    ├── NetworkError           the environment: an address, port or peer that does not answer
    ├── IpcError               a running peer refused or broke the local conversation
    │   └── NotRunningError    there is no such peer on this machine
    ├── DecisionError          a vote, auction or transcript that is not here, is over, or is another's
    └── ModelError             the model's vendor, or what we sent there

Rules: an error says what, which, and the next step; it carries no traceback to a user and no secret.
`code` is a stable word for programs, `message` one lower-case line, `hint` the next step.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar, NamedTuple

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


class CoveyError(Exception):
    """The root of all errors raised on purpose.

    Args:
        message: One line, lower case, `what: value`.
        code: A stable word for programs (`--json`, IPC); the class has a default.
        hint: The next step for a person, or None where there is none.
    """

    default_code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint

    def lines(self) -> list[str]:
        """Return what a terminal prints: the message, then the hint where there is one."""
        return [self.message] if self.hint is None else [self.message, f"  hint: {self.hint}"]

    def as_dict(self) -> dict[str, object]:
        """Return what `--json` and IPC carry: code, message, hint."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class UsageError(CoveyError):
    """The command line or an argument is wrong; nothing was done."""

    default_code = "usage"
    exit_code = EXIT_USAGE


class InvalidNameError(UsageError):
    """A peer or room name that the grammar refuses; it was not turned into a path."""

    default_code = "invalid_name"


class Problem(NamedTuple):
    """One thing that is wrong in one file. (No dataclass: loading those would be a quarter of `--version`.)

    `line` counts from 1 and is None where no line can be blamed (a missing section, a missing file).
    `key` is dotted (`budget.max_wakes_per_hour`), or `<root>` for the file as a whole.
    """

    file: str
    key: str
    expected: str
    found: str | None = None
    line: int | None = None
    hint: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        found = "" if self.found is None else f", got {self.found}"
        hint = "" if self.hint is None else f" ({self.hint})"
        return f"{place}: {self.key}: expected {self.expected}{found}{hint}"


class ConfigError(CoveyError):
    """A configuration file cannot be used; it names every problem that was found, not only the first.

    Args:
        problems: At least one problem, in the order of the file.
        hint: The next step for the file as a whole.
    """

    default_code = "config"

    def __init__(
        self, problems: Sequence[Problem], *, code: str | None = None, hint: str | None = None
    ) -> None:
        if not problems:
            raise ValueError("a ConfigError needs at least one problem")
        super().__init__("\n".join(str(problem) for problem in problems), code=code, hint=hint)
        self.problems = tuple(problems)
        first = self.problems[0]
        self.file, self.line, self.key, self.expected = first.file, first.line, first.key, first.expected

    def lines(self) -> list[str]:
        """Return one line for each problem, then the hint."""
        said = [str(problem) for problem in self.problems]
        return said if self.hint is None else [*said, f"  hint: {self.hint}"]

    def as_dict(self) -> dict[str, object]:
        """Return code, message, hint and the problems with file, line, key and what was expected."""
        listed = [
            {
                "file": p.file,
                "line": p.line,
                "key": p.key,
                "expected": p.expected,
                "found": p.found,
                "hint": p.hint,
            }
            for p in self.problems
        ]
        return {**CoveyError.as_dict(self), "problems": listed}


class StoreError(CoveyError):
    """A database or state file cannot be opened, read or written; nothing in it was changed."""

    default_code = "store"


class IdentityError(CoveyError):
    """A key or identity file is missing, unreadable, too open, or does not fit its peer."""

    default_code = "identity"


class CollisionError(IdentityError):
    """Another live peer has this identity; this one stops, or both would be one node."""

    default_code = "identity_collision"
    exit_code = EXIT_USAGE


class NetworkError(CoveyError):
    """An address cannot be bound, dialled or resolved."""

    default_code = "network"


class IpcError(CoveyError):
    """The local conversation with a running peer failed, or the peer said no."""

    default_code = "ipc"


class NotRunningError(IpcError):
    """No peer of that name is running on this machine."""

    default_code = "not_running"


class RefusedArgumentError(IpcError, UsageError):
    """A running peer did not take an argument, and did nothing: a command ends as one typed wrong."""

    default_code = "invalid_argument"


class DecisionError(CoveyError):
    """A vote, auction or transcript is not here, or is over, or is another's: it cannot be done with it."""

    default_code = "decision"


class ModelErrorKind(StrEnum):
    """Why a model call failed, in the words the loop and the breaker understand."""

    AUTH = "auth"  # the key is missing, wrong, or may not use this model
    REQUEST = "request"  # the vendor refuses what we asked; asking again gives the same
    NOT_FOUND = "not_found"  # no such model or endpoint
    RATE_LIMIT = "rate_limit"  # too many calls; later is fine
    OVERLOADED = "overloaded"  # the vendor or server is busy or broken; later is fine
    TIMEOUT = "timeout"  # no answer in time; the call may have been charged
    CONNECTION = "connection"  # the server was not reached
    INTERRUPTED = "interrupted"  # the answer broke off; it may have been charged
    PROTOCOL = "protocol"  # the answer is not what the API promises
    OVERSIZE = "oversize"  # the answer is longer than anything we read
    UNAVAILABLE = "unavailable"  # the adapter itself is missing (SDK not installed)


_MAY_HAVE_COST = frozenset(
    {ModelErrorKind.TIMEOUT, ModelErrorKind.INTERRUPTED, ModelErrorKind.PROTOCOL, ModelErrorKind.OVERSIZE}
)


class ModelError(CoveyError):
    """A model call that gave no reply.

    Args:
        message: One line; adapters keep keys and whole bodies out of it.
        kind: Why, as the loop and the breaker understand it.
        transient: True when the same call may succeed later.
        retry_after_s: Seconds the vendor asked us to wait, if it did.
        status: HTTP status, if there was an answer.
    """

    default_code = "model"

    def __init__(
        self,
        message: str,
        *,
        kind: ModelErrorKind,
        transient: bool,
        retry_after_s: float | None = None,
        status: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, code=f"model_{kind.value}", hint=hint)
        self.kind = kind
        self.transient = transient
        self.retry_after_s = retry_after_s
        self.status = status

    @property
    def may_have_cost(self) -> bool:
        """Say whether the vendor may charge for this call: it began to answer, or nobody knows."""
        return self.kind in _MAY_HAVE_COST
