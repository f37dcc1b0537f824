"""The shell of memory over time: it acts on words about blocks, keeps house, and answers about both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from covey import _core, limits
from covey.errors import IpcError, RefusedArgumentError
from covey.hindsight import Feedback
from covey.memory.judging import COUNTS, NoStep, Step, step_of
from covey.proto.remembering import Look, Moved, RememberingExtension
from covey.runtime import memory_book as book

if TYPE_CHECKING:
    from covey.ports import Clock, LifecycleAuthority, StoreTasks
    from covey.proto.extension import Extension
    from covey.runtime.encoding import Encoding
    from covey.runtime.plugin import Tell

Logger = Callable[[str, str, Mapping[str, Any]], None]
Result = dict[str, Any]


class MemoryPlugin:
    """The extension with what performs its wishes.

    Args:
        identity: Whose memory.
        store: Its writer: words about blocks are acted upon in order with the commits.
        native: The same store, read and swept on worker threads.
        authority: Who may move blocks.
        keeping: How long what is kept.
        clock: Wall time of steps and of the sweep.
        log: Called with level, event word and facts.
        as_feedback: Makes a value of a stored word.
        encoding: Reads what is held by the kernel in use.
    """

    def __init__(
        self,
        identity: _core.Identity,
        store: StoreTasks,
        native: _core.Store,
        authority: LifecycleAuthority,
        keeping: book.Keeping,
        *,
        clock: Clock,
        log: Logger,
        as_feedback: Callable[[_core.FeedbackRow], Feedback],
        encoding: Encoding,
    ) -> None:
        self.extension: Extension = RememberingExtension()
        self._who = (identity.node_id, identity.public_key, identity.name)
        self._store = store
        self._native = native
        self._authority = authority
        self._keeping = keeping
        self._clock = clock
        self._log = log
        self._as_feedback = as_feedback
        self._encoding = encoding
        self._looking = self._again = False
        self._intake: _core.Intake | None = None
        self._heeded: tuple[str, ...] = ()
        self._sweeper: asyncio.Task[None] | None = None

    # --- the plugin -----------------------------------------------------------------------------

    async def start(self, tell: Tell) -> None:
        """Begin to read what the kernel has not read, and to keep house, a while after the start."""
        self._tell = tell
        self._encoding.start()
        self._sweeper = asyncio.create_task(self._sweep())

    def perform(self, what: object) -> None:
        """Look at what was stored."""
        if isinstance(what, Look):
            self.look()

    async def stop(self) -> None:
        """End both; a slice that is under way is finished by the disk."""
        await self._encoding.stop()
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper

    def attach(self, intake: _core.Intake) -> None:
        """Take the judge that is told what blocks count for."""
        self._intake = intake

    # --- acting on words ------------------------------------------------------------------------

    def look(self) -> None:
        """Act on the words about blocks that were stored since the last look, by what is in force now."""
        self._heed()
        if self._looking:
            self._again = True
            return
        self._looking, self._again = True, False
        self._store.run(self._unread, self._judge)

    def _heed(self) -> None:
        """Name to the judge whose blocks are directives (§11.3), also those said before."""
        validators = tuple(self._authority.validators())
        if self._intake is not None and validators != self._heeded:
            self._intake.heed(validators)
            self._heeded = validators
            self._log("info", "validators-heeded", {"node_ids": list(validators[: limits.AUTHORITY_LISTED])})

    def _unread(self, store: _core.Store) -> Sequence[Feedback]:
        shelf = store.memory
        rows = shelf.feedback_after(shelf.feedback_cursor(), limits.FEEDBACK_SLICE)
        return [self._as_feedback(row) for row in rows]

    def _judge(self, found: object, problem: str) -> None:
        """Ask who may, on the loop's thread, where authority lives; then write the steps and the place."""
        words = cast("Sequence[Feedback]", found or ())
        if problem or not words:
            self._looking = False
            if self._again and not problem:
                self.look()
            return
        now_ms = self._clock.now_ms()
        wishes = [step for word in words if (step := step_of(word, self._authority)) is not None]
        last = words[-1].seq

        def write(store: _core.Store) -> object:
            done = [
                store.memory.step(each.key, each.to, by=each.by, because=each.because, now_ms=now_ms)[0]
                if isinstance(each, Step)
                else "unauthorised"
                for each in wishes
            ]
            store.memory.feedback_done(last)
            return done

        self._store.run(write, lambda done, why: self._written(wishes, done, why))

    def _written(self, wishes: Sequence[Step | NoStep], done: object, problem: str) -> None:
        self._looking = False
        if problem:
            return  # the store has said so; the next look finds the same words again
        for wish, outcome in zip(wishes, cast("Sequence[str]", done), strict=True):
            self._tell(Moved(outcome))
            facts: dict[str, Any] = {"key": wish.key, "by": wish.by, "outcome": outcome}
            if isinstance(wish, NoStep):
                self._log("warn", "block-not-moved", {**facts, "reason": wish.reason})
            else:
                level = "info" if outcome in ("moved", "already") else "warn"
                self._log(level, "block-moved", {**facts, "to": wish.to, "because": wish.because})
                if outcome == "moved" and self._intake is not None:
                    self._intake.weigh(wish.key, COUNTS[wish.to])
        self.look()  # until nothing is left

    # --- keeping house --------------------------------------------------------------------------

    async def _sweep(self) -> None:
        await asyncio.sleep(limits.MEMORY_FIRST_SECONDS)
        while True:
            try:
                found = await asyncio.to_thread(book.keep, self._native, self._keeping, self._clock.now_ms())
            except _core.CoreError as error:
                self._log("warn", "memory-not-kept", {"reason": error.reason, "detail": error.detail})
            else:
                if any(found.values()):
                    self._log("info", "memory-kept", found)
            await asyncio.sleep(limits.MEMORY_EVERY_SECONDS)

    # --- what the operator asks -----------------------------------------------------------------

    @property
    def verbs(self) -> Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Result]]]:
        """Return the verbs of the control socket by their names."""
        return {"memory": self.handle}

    async def handle(self, arguments: Mapping[str, Any]) -> Result:
        """Answer the verb `memory`: `action` is stats, purge, archive, authors or page.

        Raises:
            IpcError: An argument is wrong.
            StoreError: The store cannot be read.
        """
        request = checked(arguments)
        found = await asyncio.to_thread(self._answer, request)
        return {**found, "encoding": self._encoding.figures()} if request["action"] == "stats" else found

    def _answer(self, request: Mapping[str, Any]) -> Result:
        return answer(self._native, self._who, self._keeping, self._clock.now_ms(), request)


def checked(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of the verb `memory`, as they are allowed.

    Raises:
        IpcError: It names the one that is wrong.
    """
    allowed = {
        "stats": (),
        "purge": ("days", "dry_run"),
        "archive": ("days", "dry_run"),
        "authors": (),
        "page": ("after",),
    }
    action = arguments.get("action")
    if not isinstance(action, str) or action not in allowed:
        raise RefusedArgumentError(f"action: expected one of {', '.join(allowed)}")
    for name in arguments:
        if name != "action" and name not in allowed[action]:
            raise RefusedArgumentError(f"unknown argument: {name[:64]}")
    days = arguments.get("days")
    number = isinstance(days, int | float) and not isinstance(days, bool)
    if days is not None and (not number or not 0 <= float(cast("float", days)) <= limits.MEMORY_DAYS):
        raise RefusedArgumentError(f"days: expected a number from 0 to {limits.MEMORY_DAYS:g}")
    if not isinstance(arguments.get("dry_run", False), bool):
        raise RefusedArgumentError("dry_run: expected true or false")
    after = arguments.get("after", 0)
    if isinstance(after, bool) or not isinstance(after, int) or not 0 <= after < 2**53:
        raise RefusedArgumentError("after: expected a position")
    return arguments


def answer(
    store: _core.Store,
    own: tuple[str, bytes, str],
    keeping: book.Keeping,
    now_ms: int,
    request: Mapping[str, Any],
) -> Result:
    """Do one checked request over a store, whether its peer runs or not. Blocks.

    Raises:
        IpcError: Nobody said how many days.
        StoreError: The store cannot be read or written.
    """
    match request["action"]:
        case "stats":
            return book.reading(lambda: book.stats(store, keeping, now_ms))
        case "authors":
            return book.reading(lambda: {"authors": book.authors(store, own)})
        case "page":
            return book.reading(lambda: book.page(store, request.get("after", 0)))
    purging = request["action"] == "purge"
    days = request.get("days")
    if days is None:
        days = keeping.retention_days if purging else keeping.archive_after_days
    if days is None:
        raise IpcError(
            "nothing says how old is too old",
            code="no_retention",
            hint="say --older-than DAYS, or set [memory] retention_days",
        )
    dry = request.get("dry_run", False)
    work = book.purge if purging else book.archive
    return book.reading(lambda: work(store, float(days), now_ms, dry_run=dry))
