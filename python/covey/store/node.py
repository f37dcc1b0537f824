"""The BlockStore port: from an event loop through the writer's thread to the store, and back."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from covey import _core, limits
from covey.errors import StoreError
from covey.proto import mail
from covey.proto.effects import Done
from covey.store.mailbox import Mailbox
from covey.store.opening import store_error
from covey.store.writer import Answer, Failed, StoreWriter, Written

if TYPE_CHECKING:
    from covey.ports import Clock

Trouble = Callable[[str, str], None]
"""Gets a stable reason and a detail of something that has no caller to hear it."""


class NodeStore:
    """One peer's store, as its node uses it.

    Args:
        store: The peer's store. `close` closes it.
        identity: The peer; its own records are verified under its key before they leave the disk's word.
        clock: Wall time for what the store stamps by itself.
        trouble: Called on the loop's thread for failures of writes that nobody waits for.
        queue_rows: Rows that may wait for the disk.
    """

    def __init__(
        self,
        store: _core.Store,
        identity: _core.Identity,
        clock: Clock,
        trouble: Trouble | None = None,
        *,
        queue_rows: int = limits.STORE_QUEUE_ROWS,
    ) -> None:
        self._store = store
        self._identity = identity
        self._mailbox = Mailbox(store, identity)
        self._clock = clock
        self._trouble = trouble
        self._queue_rows = queue_rows
        self._troubles: Counter[str] = Counter()
        self._writer: StoreWriter | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: asyncio.Event | None = None
        """Waited for by whoever drains; there is none as long as nobody does."""
        self._pending = 0
        """Counted once taken, not where it raised: the answer comes on a later turn of the loop."""
        self._calls = itertools.count(1)
        self._values: dict[int, Callable[[Answer], None]] = {}
        self._early: list[_core.CoreError] = []
        self._keys = {identity.node_id: identity.public_key}
        """Whose records can be verified again: as many nodeIds as the intake binds."""
        # Bound once: answers that share a callback come in one call.
        self._on_answers: Callable[[Sequence[Answer]], None] = self._answered
        self._on_values: Callable[[Sequence[Answer]], None] = self._valued

    # --- the port -------------------------------------------------------------------------------

    def start(self, stored: Callable[[Sequence[Done]], None], failed: Callable[[int, str], None]) -> None:
        """Begin to write; both callbacks come on the thread of the running loop."""
        self._stored, self._failed = stored, failed
        self._loop = asyncio.get_running_loop()
        # Windows' loop watches no pipe.
        on_loop = self._loop.call_soon_threadsafe if sys.platform == "win32" else None
        self._writer = StoreWriter(self._store, on_loop, queue_rows=self._queue_rows, complain=self._say)
        if on_loop is None:
            self._loop.add_reader(self._writer.fileno(), self._writer.take)
        for error in self._early:
            self._say(error.reason, error.detail)
        self._early.clear()

    def commit(
        self,
        token: int,
        batch: _core.OutcomeBatch,
        now_ms: int,
        attention: _core.Attention | None = None,
    ) -> None:
        """Make the outcomes of one batch durable, with what the inbox is told of them."""
        writer = self._running()
        try:
            writer.submit(token, batch, now_ms, self._on_answers, attention)
        except StoreError as error:
            self._refuse(token, error)
        self._pending += 1

    def put_own(
        self,
        token: int,
        record: _core.Record,
        now_ms: int,
        recipients: Sequence[str],
        deadline_ms: int | None = None,
    ) -> None:
        """Make an own record durable, with the peers it must still reach, and until when."""
        writer = self._running()
        try:
            writer.put(token, record, tuple(recipients), now_ms, self._on_answers, deadline_ms)
        except StoreError as error:
            self._refuse(token, error)
        self._pending += 1

    def put_batch(self, token: int, batch: _core.OwnBatch, now_ms: int) -> None:
        """Make own blocks for everybody durable, all or none; `held` are those whose content was held."""
        writer = self._running()
        try:
            writer.put_batch(token, batch, now_ms, self._on_answers)
        except StoreError as error:
            self._refuse(token, error)
        self._pending += 1

    def bind(self, node_id: str, public_key: bytes, name: str, now_ms: int) -> None:
        """Remember the key a nodeId proved first. Another key for it is trouble, and changes nothing."""

        def write(store: _core.Store) -> str:
            bound = store.bind(node_id, public_key, name, now_ms)
            if bound in ("bound", "known"):  # here, not with the answer: a read may be next in the queue
                self._keys[node_id] = public_key
            return bound

        def judge(answer: Answer) -> None:
            if isinstance(answer, Written) and answer.value == "conflict":
                self._say("identity_conflict", f"{node_id}: another key is bound, and stays")

        self._later(write, judge)

    def mail(self, wish: mail.Effect, answer: Callable[[mail.Event], None]) -> None:
        """Do what directed sends want of the store; `answer` is called on the loop's thread.

        What could not be done is trouble, and answered as such; what cannot be read is trouble, too.
        """
        now_ms = self._clock.now_ms()
        problems: list[_core.CoreError] = []

        def done(written: Answer) -> None:
            for problem in problems:
                self._say(problem.reason, problem.detail)
            if isinstance(written, Failed):
                answer(mail.NotDone(wish, f"{written.reason}: {written.detail}"))
            elif written.value is not None:
                answer(cast("mail.Event", written.value))

        self._later(lambda _: self._mailbox.perform(wish, now_ms, problems), done)

    def missing(self, keys: Sequence[str], looked: Callable[[Sequence[str]], None]) -> None:
        """Say which keys are not held; `looked` is called on the loop's thread.

        A store that cannot be read has no missing keys: nobody is asked for what may be there.
        """
        found: list[str] = []

        def look(store: _core.Store) -> None:
            found.extend(key for key in keys if store.record(key) is None)

        self._later(look, lambda answer: looked(found if isinstance(answer, Written) else ()))

    def record(self, key: str, loaded: Callable[[_core.Record | None], None]) -> None:
        """Read one held record and verify it again; `loaded` is called on the loop's thread.

        What does not verify under the key its author is bound to is trouble, and is not handed out.
        """
        records: list[_core.Record] = []
        problems: list[_core.CoreError] = []

        def read(store: _core.Store) -> None:
            row, held = store.record(key), store.record_json(key)
            author_key = None if row is None else self._keys.get(row.node_id)
            if held is not None and author_key is not None:
                self._verify([held], records, problems, author_key)

        def hand_over(_: Answer) -> None:
            for problem in problems:
                self._say(problem.reason, problem.detail)
            loaded(records[0] if records else None)

        self._later(read, hand_over)

    def restore(self, intake: _core.Intake) -> tuple[Sequence[_core.Record], Sequence[tuple[str, bytes]]]:
        """Fill an intake with anchors, seen-set and bindings. Blocks; called before `start`, off the loop.

        Returns:
            The newest own broadcast records (newest last), and the bindings as (nodeId, raw key) pairs.

        Raises:
            StoreError: The store cannot be read, or holds what covey never wrote.
        """
        try:
            self._store.load_into(intake)
            own = self._store.recent(limits.STORE_OUTBOX_PAGE, author_node_id=self._identity.node_id)
            open_keys = [row.key for row in own if row.to is None][: limits.ANCHOR_REPLAY_RECORDS]
            found = [self._store.record_json(key) for key in reversed(open_keys)]
            bindings = [(node_id, key) for node_id, key, _, _ in self._store.bindings()]
            self._keys.update(bindings)
        except _core.CoreError as error:
            raise store_error(error) from error
        records: list[_core.Record] = []
        self._verify([json for json in found if json is not None], records, self._early)
        return records, bindings

    def shared_load(self) -> Sequence[tuple[str, int, bytes]]:
        """Read all rows of shared state, in the order they were written. Blocks; called off the loop.

        Raises:
            StoreError: The store cannot be read.
        """
        try:
            return self._store.shared_load()
        except _core.CoreError as error:
            raise store_error(error) from error

    def shared_write(
        self,
        clear: Sequence[str],
        rows: Sequence[tuple[str, int, bytes]],
        done: Callable[[str | None], None],
    ) -> None:
        """Write rows of shared state in one transaction; `done` gets None, or why nothing was written."""

        def answer(found: Answer) -> None:
            done(f"{found.reason}: {found.detail}" if isinstance(found, Failed) else None)

        self._later(lambda store: store.shared_write(clear, rows), answer)

    def run(self, operation: Callable[[_core.Store], object], done: Callable[[object, str], None]) -> None:
        """Run an operation of a room of its own, in order with the commits; see the port `StoreTasks`."""

        def hand_over(answer: Answer) -> None:
            if isinstance(answer, Written):
                done(answer.value, "")
            else:
                done(None, f"{answer.reason}: {answer.detail}")

        self._later(operation, hand_over)

    async def drain(self) -> None:
        """Wait until everything handed in has its answer."""
        if not self._pending:
            return
        if self._idle is None:
            self._idle = asyncio.Event()
        await self._idle.wait()

    # --- beside the port ------------------------------------------------------------------------

    def close(self) -> None:
        """Finish what waits, end the writer's thread, close the file. Blocks for as long as the disk takes.

        Raises:
            StoreError: The file could not be closed cleanly. What was acknowledged is durable all the same.
        """
        if self._writer is not None:
            self._writer.close()
            self._unwatch(self._writer)
        try:
            self._store.close()
        except _core.CoreError as error:
            raise store_error(error) from error

    def status(self) -> dict[str, int | str | None]:
        """Return the writer's figures, and how often each kind of trouble came up."""
        figures: dict[str, int | str | None] = {} if self._writer is None else dict(self._writer.status())
        return figures | {f"trouble.{reason}": count for reason, count in sorted(self._troubles.items())}

    # --- within ---------------------------------------------------------------------------------

    def _unwatch(self, writer: StoreWriter) -> None:
        """Hand out the last answers, and let the loop watch no more: a pipe must not end under its eyes."""
        loop = self._loop
        if loop is None or sys.platform == "win32":
            return

        def last() -> None:
            loop.remove_reader(writer.fileno())
            writer.take()

        with contextlib.suppress(RuntimeError):  # the loop is gone, and watches nothing
            loop.call_soon_threadsafe(last)

    def _refuse(self, token: int, error: StoreError) -> None:
        # Answered on the loop's next turn like any other, so that no engine is re-entered.
        refusal = Failed(token, error.code, error.message)
        self._on_loop(lambda: self._answered([refusal]))

    def _later(self, operation: Callable[[_core.Store], object], done: Callable[[Answer], None]) -> None:
        writer = self._running()
        number = next(self._calls)
        self._values[number] = done
        try:
            writer.call(number, operation, self._on_values)
        except StoreError as error:
            refusal = Failed(number, error.code, error.message)
            self._on_loop(lambda: self._valued([refusal]))
        self._pending += 1

    def _running(self) -> StoreWriter:
        if self._writer is None:
            raise StoreError("store: not started", code="store_closed")
        return self._writer

    def _on_loop(self, work: Callable[[], None]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(work)

    def _answered(self, answers: Sequence[Answer]) -> None:
        """Tell the node, in order: each run of successes in one call, each failure by itself."""
        self._settle(len(answers))
        done: list[Done] = []
        for answer in answers:
            if isinstance(answer, Written):
                done.append(_done(answer))
                continue
            if done:
                self._stored(done)
                done = []
            self._failed(answer.token, f"{answer.reason}: {answer.detail}")
        if done:
            self._stored(done)

    def _valued(self, answers: Sequence[Answer]) -> None:
        self._settle(len(answers))
        for answer in answers:
            if isinstance(answer, Failed):
                self._say(answer.reason, answer.detail)
            self._values.pop(answer.token)(answer)

    def _settle(self, count: int) -> None:
        self._pending -= count
        if not self._pending and self._idle is not None:
            self._idle.set()
            self._idle = None

    def _verify(
        self,
        jsons: Sequence[bytes],
        records: list[_core.Record],
        problems: list[_core.CoreError],
        public_key: bytes | None = None,
    ) -> None:
        """Read records back, own ones unless a key is given. What does not verify does not leave the disk."""
        for json in jsons:
            try:
                author_key = public_key or self._identity.public_key
                records.append(_core.verify(_core.Unverified.parse(json), author_key))
            except _core.CoreError as error:
                problems.append(error)

    def _say(self, reason: str, detail: str) -> None:
        self._troubles[reason] += 1
        if self._trouble is not None:
            self._trouble(reason, detail)


def _done(answer: Written) -> Done:
    """Return what the node hears: of an own record whether it is new, and its number at its recipient."""
    if answer.value is None:
        return Done(answer.token, held=answer.held)
    fresh, numbers = cast("tuple[bool, list[int]]", answer.value)
    return Done(answer.token, fresh=fresh, number=numbers[0] if numbers else 0)
