"""The one thread that writes a peer's store: what is handed in, and how its answers come back.

Rules: answers come in the order of the questions, on the caller's side, after the disk has them. The thread
itself is native (`covey._core.Writer`): how jobs share a transaction, and when the recall index follows, is
said there. A commit and its answer need no GIL: the thread does not wait for a loop that is at work, nor the
loop for it.
"""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Callable, Sequence
from typing import Final

from covey import _core, limits
from covey.errors import StoreError
from covey.values import dataclass

Deliver = Callable[[Callable[[], None]], object]
"""Runs a function on the caller's thread, soon and in order: `loop.call_soon_threadsafe` is one."""


@dataclass(frozen=True, slots=True)
class Written:
    """What this token asked for is durable.

    `held` are positions in its batch that the store held from long ago; `value` is an operation's.
    """

    token: int
    held: frozenset[int] = frozenset()
    value: object = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing of what this token asked for was stored. `reason` is a stable word, `detail` for a person."""

    token: int
    reason: str
    detail: str


Answer = Written | Failed
Callback = Callable[[Sequence[Answer]], None]
"""Gets the answers of one or more tokens that were handed in with it."""

_NONE_HELD: Final[frozenset[int]] = frozenset()

# A process that ends without `close` loses nothing acknowledged, and waits for an operation but a moment.
atexit.register(_core.Writer.leave)


class StoreWriter:
    """Runs commits and other writes of one store on one thread of its own.

    Args:
        store: The peer's store; closing it stays with the caller.
        deliver: How answers get back to the caller's thread. None: whoever reads a byte at `fileno` calls
            `take`; no GIL is needed to tell him.
        queue_rows: Rows that may wait; past it `submit` and `call` refuse.
        group_rows: Rows of one transaction.
        complain: Told, the way answers come, what fails beside the commits: a word and why, once for each
            new why. Nothing waits for it, so nobody else would hear of it.
    """

    def __init__(
        self,
        store: _core.Store,
        deliver: Deliver | None,
        *,
        queue_rows: int = limits.STORE_QUEUE_ROWS,
        group_rows: int = limits.STORE_GROUP_ROWS,
        complain: Callable[[str, str], None] = lambda _word, _why: None,
    ) -> None:
        self._complain = complain
        self._native = _core.Writer(
            store,
            queue_rows=queue_rows,
            group_rows=group_rows,
            rest_seconds=limits.INDEX_REST_SECONDS,
            busy_rows=limits.INDEX_BUSY_ROWS,
            burst_rows=limits.INDEX_BURST_ROWS,
            slice_rows=limits.INDEX_SLICE_ROWS,
            lag_rows=limits.INDEX_LAG_ROWS,
            wake=None if deliver is None else _wake(weakref.ref(self), deliver),
        )

    def submit(
        self,
        token: int,
        batch: _core.OutcomeBatch,
        now_ms: int,
        callback: Callback,
        attention: _core.Attention | None = None,
    ) -> None:
        """Make the outcomes of one batch durable; `callback` gets the answer.

        `attention` is what the inbox is told of them beyond what they say.

        Raises:
            StoreError: `store_busy` when the queue is full, `store_closed` after `close`. Nothing was taken.
        """
        refused = self._native.commit(token, batch, now_ms, callback, attention)
        if refused is not None:
            raise _refusal(*refused)

    def put(
        self,
        token: int,
        record: _core.Record,
        recipients: Sequence[str],
        now_ms: int,
        callback: Callback,
        deadline_ms: int | None = None,
    ) -> None:
        """Make an own record durable; the value for `callback` is (False where it was held, new numbers).

        Raises:
            StoreError: As for `submit`.
        """
        refused = self._native.put(token, record, recipients, now_ms, callback, deadline_ms)
        if refused is not None:
            raise _refusal(*refused)

    def put_batch(self, token: int, batch: _core.OwnBatch, now_ms: int, callback: Callback) -> None:
        """Make own records durable; the answer's `held` are those whose content was held.

        Raises:
            StoreError: As for `submit`.
        """
        refused = self._native.put_batch(token, batch, now_ms, callback)
        if refused is not None:
            raise _refusal(*refused)

    def call(self, token: int, operation: Callable[[_core.Store], object], callback: Callback) -> None:
        """Run any other operation on the store, in order with the commits; `callback` gets its value.

        Raises:
            StoreError: As for `submit`.
        """
        refused = self._native.call(token, operation, callback)
        if refused is not None:
            raise _refusal(*refused)

    def fileno(self) -> int:
        """Return the descriptor at which a byte can be read when there are answers; not with a `deliver`."""
        return self._native.fileno()

    def take(self) -> None:
        """Hand out the answers that are there, and what fails beside the commits, on this thread.

        Each run of answers that share a callback comes in one call. A callback that raises takes nothing from
        the others; what it raised is raised at the end.
        """
        answers, complaints = self._native.take()
        runs: list[tuple[Callback, list[Answer]]] = []
        for callback, token, held, value, failure in answers:
            answer: Answer
            if failure is None:
                answer = Written(token, frozenset(held) if held else _NONE_HELD, value)
            else:
                answer = Failed(token, *failure)
            if runs and runs[-1][0] is callback:
                runs[-1][1].append(answer)
            else:
                runs.append((callback, [answer]))
        raised: Exception | None = None
        for callback, told in runs:
            try:
                callback(told)
            except Exception as error:  # whose fault it is hears of it, and nobody else waits for ever
                raised = raised or error
        for word, why in complaints:
            try:
                self._complain(word, why)
            except Exception as error:  # as for a callback
                raised = raised or error
        if raised is not None:
            raise raised

    def close(self) -> None:
        """Take nothing more, finish what waits, end the thread. Answers still go out. Safe to call twice."""
        self._native.close()

    def watch(self, room: int) -> None:
        """Keep what the thread does from now on, the next `room` things of it: for whoever measures."""
        self._native.watch(room)

    def deeds(self, now_ns: int) -> list[tuple[str, int, int, int]]:
        """Return what it did since: `write`, `index`, `merge`, or `copy` of the log beside it; from when to
        when, in nanoseconds by the clock that shows `now_ns`; and of that how long it waited for the disk.
        """
        return self._native.deeds(now_ns)

    def status(self) -> dict[str, int | str | None]:
        """Return rows that wait, transactions, answers nobody took, and what failed beside the commits."""
        waiting_rows, transactions, undelivered, troubles = self._native.standing()
        return {
            "waiting_rows": waiting_rows,
            "transactions": transactions,
            "undelivered": undelivered,
            **dict(troubles),
        }


def _wake(writer: weakref.ref[StoreWriter], deliver: Deliver) -> Callable[[], object]:
    """Return what has the answers taken on the caller's thread; it keeps no writer alive."""

    def take() -> None:
        found = writer()
        if found is not None:
            found.take()

    return lambda: deliver(take)


def _refusal(reason: str, detail: str) -> StoreError:
    """Return why nothing was taken."""
    if reason == "store_busy":
        hint = "the disk is slower than the mesh; try again when it has caught up"
        return StoreError(f"store: {detail} rows wait to be written", code=reason, hint=hint)
    if not detail:
        return StoreError("store: closed", code=reason)
    hint = "what was acknowledged is on the disk: start the peer again"
    return StoreError(f"store: its writer ended: {detail}", code=reason, hint=hint)
