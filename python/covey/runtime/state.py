"""The shell of shared state: puts the engine's rows on disk, resolves writes, tells who watches.

Rules: on the loop's thread. One write to the store is under way at a time; what comes meanwhile shares the
next transaction, so that a burst costs a few of them.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.errors import CoveyError, StoreError, UsageError
from covey.proto.state import wants
from covey.proto.state.scopes import room_scope
from covey.proto.state.sync import StateSync
from covey.state import values

if TYPE_CHECKING:
    from covey._core import Identity, StateMap, StateValue
    from covey.ports import SharedStore
    from covey.proto.extension import Extension
    from covey.proto.state.replicas import StateOptions
    from covey.runtime.plugin import Tell

Watcher = Callable[[Mapping[str, Any]], None]
"""Gets what changed: scope, who brought it (`over`), and the names where one delta did it; else none."""


class StateError(CoveyError):
    """A write of shared state came to nothing, or what was asked for is not here; `code` is the reason."""

    default_code = "state"


class SharedState:
    """Shared state of one peer, for programs and for the control socket.

    Args:
        identity: Whose writes these are.
        options: Which room, and whose keys are believed.
        store: Where replicas become durable.
    """

    def __init__(self, identity: Identity, options: StateOptions, store: SharedStore) -> None:
        self.sync = StateSync(identity, options)
        self.extension: Extension = self.sync
        self.room = room_scope(options.room).name
        self.author = identity.author
        self._store = store
        self._tell: Tell | None = None
        self._tokens = itertools.count(1)
        self._writes: dict[int, asyncio.Future[None]] = {}
        self._queue: list[wants.Persist] = []
        self._busy = False
        self._watchers: list[Watcher] = []
        self.on_left: Callable[[wants.Left], None] | None = None
        """Gets what left of this peer's own agent."""
        self._served: dict[str, frozenset[str]] = {}
        self._background: set[asyncio.Task[None]] = set()

    # --- what a program does ----------------------------------------------------------------------

    async def write(self, writes: Sequence[tuple[str, str, StateValue]], scope: str | None = None) -> None:
        """Write, as one signed flush, and return once it is durable here; peers hear of it from then on.

        Args:
            writes: (verb, name, value), as `covey.core.StateMap.commit` takes them.
            scope: Which state; by default the room's.

        Raises:
            StateError: Nothing was written, and why.
        """
        await self._asked(lambda token: wants.Write(token, scope or self.room, tuple(writes)))

    async def forget(self, author: str, scope: str | None = None) -> None:
        """Declare an author gone, so that tombstones wait for it no more; when it comes back it starts anew.

        Raises:
            StateError: It is here, or never wrote here.
        """
        await self._asked(lambda token: wants.Forget(token, scope or self.room, author))

    async def set(self, name: str, value: object, scope: str | None = None) -> None:
        """Let a name hold a JSON value.

        Raises:
            UsageError: The value is no JSON.
            StateError: As `write`.
        """
        await self.write(values.writes_of("set", {"name": name, "value": value}), scope)

    async def delete(self, name: str, scope: str | None = None) -> None:
        """Let a name hold nothing.

        Raises:
            StateError: As `write`.
        """
        await self.write([("delete", name, None)], scope)

    def get(self, name: str, scope: str | None = None) -> object:
        """Return the JSON value or the bytes that a name holds; None where it holds nothing."""
        held = self.map(scope).get(name)
        if held is None:
            return None
        found = values.value_of(self.map(scope), name)
        return held[1] if held[0] == "bytes" or found is None else found["value"]

    def map(self, scope: str | None = None) -> StateMap:
        """Return the replica itself, to read from.

        Raises:
            StateError: There is no such scope here.
        """
        held = self.sync.held(scope or self.room)
        if held is None:
            raise StateError(f"no shared state of this name here: {scope or self.room}", code="state_scope")
        return held.map

    def serve(self, whose: str, scopes: frozenset[str]) -> None:
        """Say which scopes of the own agent may be spoken of, as far as one room decides it.

        Args:
            whose: Who decides: `syndication`, `channels`.
            scopes: All that it lets out; what another room lets out stays as it is.
        """
        self._served[whose] = scopes
        if self._tell is not None:
            self._tell(wants.Serve(frozenset().union(*self._served.values())))

    def present(self) -> list[tuple[str, str, str]]:
        """Return the peers that are here and share state: (nodeId, name, author)."""
        return self.sync.present()

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` with every change; return the way to end it."""
        self._watchers.append(watcher)

        def end() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return end

    def status(self) -> dict[str, Any]:
        """Return every scope with how each peer stands to it, and what was not believed."""
        return {
            "author": self.author,
            "room": self.room,
            "scopes": self.sync.status(),
            "unreadable": dict(self.sync.replicas.broken),
            "refused": self.sync.refusals.listed(),
        }

    async def answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request of the control socket: a write, or a question.

        Raises:
            CoveyError: An argument is wrong, or it could not be done.
        """
        op, scope = arguments.get("op"), arguments.get("scope")
        if not isinstance(op, str) or not isinstance(scope, str | None):
            raise UsageError("state: expected op and scope as text")
        if op in values.WRITES:
            if op in values.BUDGETS and str(arguments.get("name")).startswith(values.LEDGER):
                raise UsageError(
                    f"{op}: {values.LEDGER}… are accounts",
                    hint="covey pay and covey ledger move them with an entry",
                )
            issuer = {"issuer": arguments.get("issuer") or self.author}
            await self.write(values.writes_of(op, {**arguments, **issuer}), scope)
            return {"op": op, "scope": scope or self.room, "name": arguments["name"], "durable": True}
        if op == "status":
            return self.status()
        if op == "forget":
            await self.forget(str(arguments.get("name", "")), scope)
            return {"op": op, "scope": scope or self.room, "name": arguments.get("name"), "durable": True}
        if op == "get":
            name = str(arguments.get("name", ""))
            return {"scope": scope or self.room, "found": values.value_of(self.map(scope), name)}
        if op == "list":
            found, whole = values.listed(
                self.map(scope), str(arguments.get("prefix", "")), limits.STATE_LISTED
            )
            return {"scope": scope or self.room, "entries": found, "whole": whole}
        raise UsageError(f"state: unknown operation {op[:64]}")

    # --- what the node asks -----------------------------------------------------------------------

    async def start(self, tell: Tell) -> None:
        """Read what was kept.

        Raises:
            StoreError: It cannot be read.
        """
        self._tell = tell
        rows = await asyncio.to_thread(self._store.shared_load)
        tell(wants.Restored(tuple(rows)))

    def perform(self, what: object) -> None:
        """Do what the engine wants."""
        match what:
            case wants.Persist():
                self._queue.append(what)
                self._flush()
            case wants.Wrote():
                self._wrote(what)
            case wants.Changed():
                self._changed(what)
            case wants.Left():
                if self.on_left is not None:
                    self.on_left(what)
            case wants.Reload():
                task = asyncio.get_running_loop().create_task(self._reload())
                self._background.add(task)
                task.add_done_callback(self._background.discard)

    async def stop(self) -> None:
        """End: writes without an answer are told that it is unknown whether they are durable."""
        self._tell = None
        for future in self._writes.values():
            if not future.done():
                future.set_exception(StateError("state: the peer stops", code="unknown"))
        self._writes.clear()

    # --- within -----------------------------------------------------------------------------------

    async def _asked(self, make: Callable[[int], object]) -> None:
        """Say something to the engine, and wait until it is durable."""
        if self._tell is None:
            raise StateError("state: this peer does not run", code="state_not_ready")
        token = next(self._tokens)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writes[token] = future
        self._tell(make(token))
        await future

    def _flush(self) -> None:
        if self._busy or not self._queue:
            return
        self._busy = True
        group, self._queue = _together(self._queue)
        clear, rows = _combined(group)
        numbers = group[0].number, group[-1].number
        self._store.shared_write(clear, rows, lambda trouble: self._persisted(*numbers, trouble))

    def _persisted(self, first: int, last: int, trouble: str | None) -> None:
        self._busy = False
        if self._tell is not None:
            if trouble is None:
                self._tell(wants.Persisted(last))
            else:
                self._queue.clear()  # the engine gives up everything from here on, and reads the disk again
                self._tell(wants.PersistFailed(first, trouble))
        self._flush()

    async def _reload(self) -> None:
        rows: Sequence[wants.Row] = ()
        trouble: str | None = None
        try:
            rows = await asyncio.to_thread(self._store.shared_load)
        except StoreError as error:
            await asyncio.sleep(limits.STATE_RELOAD_SECONDS)
            trouble = str(error)
        if self._tell is not None and trouble is None:
            self._tell(wants.Restored(tuple(rows)))
        elif self._tell is not None and trouble is not None:
            self._tell(wants.PersistFailed(0, trouble))  # logged there, and tried again

    def _wrote(self, wrote: wants.Wrote) -> None:
        future = self._writes.pop(wrote.token, None)
        if future is None or future.done():
            return
        if wrote.reason:
            future.set_exception(
                StateError(f"state: {wrote.detail.removeprefix('state: ')}", code=wrote.reason)
            )
        else:
            future.set_result(None)

    def _changed(self, changed: wants.Changed) -> None:
        if not self._watchers:
            return
        named: list[tuple[str, str]] = []
        held = self.sync.held(changed.scope)
        if changed.delta is not None and held is not None:
            named = held.map.touched(changed.delta)
        if len(named) > limits.STATE_CHANGED_NAMES:
            named = []
        names = [{"kind": kind, "name": name} for kind, name in named]
        event = {"event": "state", "scope": changed.scope, "changed": names, "over": changed.over}
        for watcher in tuple(self._watchers):
            watcher(event)


def _together(queue: list[wants.Persist]) -> tuple[list[wants.Persist], list[wants.Persist]]:
    """Split what waits into one transaction's worth and the rest."""
    rows = 0
    for place, persist in enumerate(queue):
        rows += len(persist.rows)
        if place and rows > limits.STORE_GROUP_ROWS:
            return queue[:place], queue[place:]
    return queue, []


def _combined(group: list[wants.Persist]) -> tuple[list[str], list[wants.Row]]:
    """Return one transaction in place of several: what a later one clears, an earlier one need not write."""
    clear: list[str] = []
    rows: list[wants.Row] = []
    for persist in group:
        rows = [row for row in rows if row[0] not in persist.clear]
        clear += [scope for scope in persist.clear if scope not in clear]
        rows += persist.rows
    return clear, rows
