"""The one thread that writes a peer's store.

Rules: answers come in the order of the questions, on the caller's side of `deliver`, after the disk has them.
An idle writer commits at once; what comes while it is busy shares the next transaction. Nothing waits for
company: under load a transaction is about as long as the disk takes for the one before it. The recall index
follows: at once where nothing else is written; between commits some rows together, no more than a recall adds
by itself, so that whoever asks misses nothing; and where blocks come in bulk a whole slice. Rows indexed few
at a time cost twice as much and more: every slice is a segment that is merged with others later. So that no
commit waits for a whole merge, a few pages are merged at a time whenever nothing else is to be written.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

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


@dataclass(frozen=True, slots=True)
class _Commit:
    token: int
    callback: Callback
    batch: _core.OutcomeBatch
    now_ms: int
    attention: _core.Attention | None

    @property
    def rows(self) -> int:
        return len(self.batch)


@dataclass(frozen=True, slots=True)
class _Put:
    token: int
    callback: Callback
    record: _core.Record
    recipients: Sequence[str]
    now_ms: int
    deadline_ms: int | None

    @property
    def rows(self) -> int:
        return 1


@dataclass(frozen=True, slots=True)
class _PutBatch:
    token: int
    callback: Callback
    batch: _core.OwnBatch
    now_ms: int

    @property
    def rows(self) -> int:
        return len(self.batch)


@dataclass(frozen=True, slots=True)
class _Call:
    token: int
    callback: Callback
    operation: Callable[[_core.Store], object]

    @property
    def rows(self) -> int:
        return 1


_Job = _Commit | _Put | _PutBatch | _Call


class StoreWriter:
    """Runs commits and other writes of one store on one thread of its own.

    Args:
        store: The peer's store; closing it stays with the caller.
        deliver: How answers get back to the caller's thread.
        queue_rows: Rows that may wait; past it `submit` and `call` refuse.
        group_rows: Rows of one transaction.
        complain: Told, the way answers come, what fails beside the commits: a word and why, once for each
            new why. Nothing waits for it, so nobody else would hear of it.
    """

    def __init__(
        self,
        store: _core.Store,
        deliver: Deliver,
        *,
        queue_rows: int = limits.STORE_QUEUE_ROWS,
        group_rows: int = limits.STORE_GROUP_ROWS,
        complain: Callable[[str, str], None] = lambda _word, _why: None,
    ) -> None:
        self._store = store
        self._complain = complain
        self._deliver = deliver
        self._queue_rows = queue_rows
        self._group_rows = group_rows
        self._jobs: deque[_Job] = deque()
        self._waiting_rows = 0
        self._changed = threading.Condition(threading.Lock())
        self._waits = False
        """The thread waits for a job: else nobody need be told of one."""
        self._closing = False
        self._undelivered = 0
        self._transactions = 0
        self._troubles: dict[str, str | None] = dict.fromkeys(
            ("index_trouble", "merge_trouble", "log_trouble", "writer_trouble")
        )
        self._unindexed = 1  # what an earlier run left is looked for
        self._unmerged = False  # pieces of the index may wait to be merged
        self._alone = True  # nothing was written for a while before the last group
        self._bulk = False  # the last group was a large one
        self._ended = -math.inf
        self._under_way: list[_Job] = []  # taken from the queue, and not answered yet
        self._answers: list[Answer] = []  # to the first of these, where each had its own try
        # A daemon: a process that ends without `close` loses nothing acknowledged, and must not hang.
        self._thread = threading.Thread(target=self._run, name="covey-store", daemon=True)
        self._thread.start()

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
        self._take(_Commit(token, callback, batch, now_ms, attention))

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
        self._take(_Put(token, callback, record, recipients, now_ms, deadline_ms))

    def put_batch(self, token: int, batch: _core.OwnBatch, now_ms: int, callback: Callback) -> None:
        """Make own records durable; the answer's `held` are those whose content was held.

        Raises:
            StoreError: As for `submit`.
        """
        self._take(_PutBatch(token, callback, batch, now_ms))

    def call(self, token: int, operation: Callable[[_core.Store], object], callback: Callback) -> None:
        """Run any other operation on the store, in order with the commits; `callback` gets its value.

        Raises:
            StoreError: As for `submit`.
        """
        self._take(_Call(token, callback, operation))

    def close(self) -> None:
        """Take nothing more, finish what waits, end the thread. Answers still go out. Safe to call twice."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def status(self) -> dict[str, int | str | None]:
        """Return rows that wait, transactions, answers nobody took, and what failed beside the commits."""
        with self._changed:
            return {
                "waiting_rows": self._waiting_rows,
                "transactions": self._transactions,
                "undelivered": self._undelivered,
                **self._troubles,
            }

    def _take(self, job: _Job) -> None:
        with self._changed:
            if self._closing:
                raise self._closed()
            rows = job.rows
            if self._waiting_rows and self._waiting_rows + rows > self._queue_rows:
                raise StoreError(
                    f"store: {self._waiting_rows} rows wait to be written",
                    code="store_busy",
                    hint="the disk is slower than the mesh; try again when it has caught up",
                )
            self._jobs.append(job)
            self._waiting_rows += rows
            if self._waits:
                self._changed.notify()

    def _closed(self) -> StoreError:
        """Return why nothing is taken any more. Under the lock."""
        trouble = self._troubles["writer_trouble"]
        if trouble is None:
            return StoreError("store: closed", code="store_closed")
        hint = "what was acknowledged is on the disk: start the peer again"
        return StoreError(f"store: its writer ended: {trouble}", code="store_closed", hint=hint)

    # --- on the writer's thread -----------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._work()
        except (
            BaseException
        ) as error:  # a panic of the native core is no Exception; who waits must hear of it
            self._break(f"{type(error).__name__}: {error}")

    def _break(self, trouble: str) -> None:
        """Take nothing more, and tell whoever waits: else all would wait on, for nobody."""
        self._note("writer_trouble", trouble)
        with self._changed:
            self._closing = True
            left, answers = [*self._under_way, *self._jobs], list(self._answers)
            self._jobs.clear()
        # What was made durable before is: who hears that it failed would say it again.
        answers.extend(Failed(job.token, "store_closed", trouble) for job in left[len(answers) :])
        self._send(left, answers)

    def _work(self) -> None:
        while True:
            group = self._next_group(self._patience())
            if group is None:
                return
            if group:
                self._alone = time.monotonic() >= self._ended + limits.INDEX_REST_SECONDS
                self._send(group, self._perform(group))
                self._ended = time.monotonic()
                self._note("log_trouble", self._store.log_trouble())
                rows = sum(job.rows for job in group)
                self._bulk = rows >= limits.INDEX_BURST_ROWS
                self._follow(rows)
            else:
                self._tend()

    def _patience(self) -> float | None:
        """Return for how many seconds a job is waited for before the index is tended; None for ever."""
        if self._index_due() or self._merge_due():
            return 0.0
        if not self._unindexed and not self._unmerged:
            return None
        return max(0.0, self._ended + limits.INDEX_REST_SECONDS - time.monotonic())

    def _tend(self) -> None:
        """Index rows, or merge pieces: nothing else is to be written at this moment."""
        if self._index_due():
            self._index(self._slice())
        elif self._merge_due():
            self._merge()

    def _index_due(self) -> bool:
        many = limits.INDEX_SLICE_ROWS if self._bulk else limits.INDEX_BUSY_ROWS
        return self._unindexed > 0 and (self._alone or self._unindexed >= many or self._rested())

    def _merge_due(self) -> bool:
        """Tell whether to merge: at once between lone commits; in bulk there is no gap that is left free."""
        return self._unmerged and (not self._bulk or self._rested())

    def _rested(self) -> bool:
        return time.monotonic() >= self._ended + limits.INDEX_REST_SECONDS

    def _slice(self) -> int:
        """Return how many rows are indexed next: few where few wait, since a commit may come meanwhile."""
        behind = self._unindexed >= limits.INDEX_SLICE_ROWS
        return limits.INDEX_SLICE_ROWS if behind else limits.INDEX_BUSY_ROWS

    def _follow(self, rows: int) -> None:
        """Count what may have to be indexed; where that is too much already, index as much as came."""
        self._unindexed += rows
        while rows > 0 and self._unindexed > limits.INDEX_LAG_ROWS:
            self._index(limits.INDEX_SLICE_ROWS)
            rows -= limits.INDEX_SLICE_ROWS

    def _next_group(self, patience: float | None) -> list[_Job] | None:
        """Return the next jobs that share a transaction; none when none came in time; None at the end."""
        with self._changed:
            while not self._jobs:
                if self._closing:
                    return None
                if patience == 0.0 or not self._told(patience):
                    return []
            group = [self._jobs.popleft()]
            rows = group[0].rows
            kind = type(group[0])
            while kind is not _Call and self._jobs and type(self._jobs[0]) is kind:
                rows += self._jobs[0].rows
                if rows > self._group_rows:
                    break
                group.append(self._jobs.popleft())
            self._under_way = group
            return group

    def _told(self, patience: float | None) -> bool:
        """Wait to be told of a job or the end; False where nothing came in time. Under the lock."""
        self._waits = True
        told = self._changed.wait(patience)
        self._waits = False
        return told

    def _perform(self, group: list[_Job]) -> list[Answer]:
        self._transactions += 1
        first = group[0]
        if isinstance(first, _Call):
            return [self._operate(first)]
        answers = self._write(group)
        if len(group) > 1 and isinstance(answers[0], Failed):
            # One bad job must not take its neighbours with it: each has its own try.
            self._transactions += len(group)
            for job in group:
                self._answers.append(self._write([job])[0])
            return self._answers
        return answers

    def _write(self, group: list[_Job]) -> list[Answer]:
        """Write jobs of one kind in one transaction: all of them or none."""
        batches = [job for job in group if isinstance(job, _PutBatch)]
        if batches:
            return self._put_batches(batches)
        puts = [job for job in group if isinstance(job, _Put)]
        return self._put(puts) if puts else self._commit([job for job in group if isinstance(job, _Commit)])

    def _put(self, jobs: list[_Put]) -> list[Answer]:
        try:
            records = [(job.record, job.recipients, job.deadline_ms) for job in jobs]
            stored = self._store.put_own_many(records, jobs[-1].now_ms)
        except Exception as error:  # whatever went wrong, the caller must hear that nothing was stored
            return [_failed(job.token, error) for job in jobs]
        return [Written(job.token, value=value) for job, value in zip(jobs, stored, strict=True)]

    def _put_batches(self, jobs: list[_PutBatch]) -> list[Answer]:
        try:
            held = _core.put_batches(self._store, [job.batch for job in jobs], jobs[-1].now_ms)
        except Exception as error:  # as for own records
            return [_failed(job.token, error) for job in jobs]
        return [Written(job.token, frozenset(places)) for job, places in zip(jobs, held, strict=True)]

    def _commit(self, jobs: list[_Commit]) -> list[Answer]:
        try:
            batches, attention = [job.batch for job in jobs], [job.attention for job in jobs]
            report = self._store.commit(batches, jobs[-1].now_ms, attention)
        except Exception as error:  # as for own records
            return [_failed(job.token, error) for job in jobs]
        held: dict[int, set[int]] = {}
        for place, position in report.held:
            held.setdefault(place, set()).add(position)
        return [Written(job.token, frozenset(held.get(place, ()))) for place, job in enumerate(jobs)]

    def _operate(self, job: _Call) -> Answer:
        try:
            return Written(job.token, value=job.operation(self._store))
        except Exception as error:  # as for a commit
            return _failed(job.token, error)

    def _send(self, group: list[_Job], answers: list[Answer]) -> None:
        """Deliver each run of answers that share a callback in one call."""
        runs: list[tuple[Callback, list[Answer]]] = []
        for job, answer in zip(group, answers, strict=True):
            if runs and runs[-1][0] is job.callback:
                runs[-1][1].append(answer)
            else:
                runs.append((job.callback, [answer]))

        def deliver_all() -> None:
            for callback, told in runs:
                callback(told)

        with self._changed:
            self._waiting_rows -= sum(job.rows for job in group)
            self._under_way, self._answers = [], []
        try:
            self._deliver(deliver_all)
        except RuntimeError:  # the caller's loop is gone; what was stored stays stored
            with self._changed:
                self._undelivered += len(answers)

    def _index(self, most: int) -> None:
        """Add some rows to the recall index. A store that cannot is left alone until more is stored."""
        try:
            self._unindexed = self._store.index(most)
            self._unmerged, trouble = True, None
        except _core.CoreError as error:
            self._unindexed, trouble = 0, str(error)
        self._note("index_trouble", trouble)

    def _note(self, word: str, trouble: str | None) -> None:
        """Keep what fails beside the commits, and tell of it when it begins or changes."""
        with self._changed:
            before, self._troubles[word] = self._troubles[word], trouble
        if trouble is None or trouble == before:
            return
        with contextlib.suppress(RuntimeError):  # the caller's loop is gone, and its log with it
            self._deliver(lambda: self._complain(word, trouble))

    def _merge(self) -> None:
        """Merge a few pages of the recall index. One that cannot is left alone until more is indexed."""
        try:
            self._unmerged, trouble = self._store.merge(), None
        except _core.CoreError as error:
            self._unmerged, trouble = False, str(error)
        self._note("merge_trouble", trouble)


def _failed(token: int, error: Exception) -> Failed:
    if isinstance(error, _core.CoreError):
        return Failed(token, error.reason, error.detail)
    return Failed(token, "store_operation", f"{type(error).__name__}: {error}")
