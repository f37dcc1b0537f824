"""The peer behind an MCP server: a running one it attaches to, or one of its own.

Two windows of an IDE share one name without a collision: the first opens the peer, the others attach to it,
and when the first closes, one of the others opens it again. What a `covey run` or `listen` opened is attached
to and never opened here: it has settings of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.cli import mesh_flags
from covey.cli.peer import OpenPeer, PeerPlan, open_peer
from covey.cli.reach import not_running, running
from covey.errors import CollisionError, CoveyError, IpcError, NotRunningError, UsageError
from covey.net.ipc.link import IpcLink
from covey.runtime.mcp import bounds
from covey.settings.grammar import needs_tls, relay_url
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.runtime.mcp.port import Listener

OPENER: Final = "mcp"
_PAUSE: Final = 0.1
_PAUSE_MOST: Final = 2.0
"""Pauses between tries to reach or open a peer, in seconds: the first, and the longest."""


@dataclass(frozen=True, slots=True)
class _Move:
    """A move to another room that is under way: what the peer was before, and who waits for the end."""

    before: PeerPlan
    done: asyncio.Future[None]


class Keeper:
    """Keeps a peer reachable for as long as the server lives.

    Args:
        plan: What an own peer is made of.
        room: The room that was asked for by name, or None.
        attach_only: True to open none.
        on_stop: Called when somebody stops our own peer.
        note: Told of what a person should know.
    """

    def __init__(
        self,
        plan: PeerPlan,
        *,
        room: str | None,
        attach_only: bool,
        on_stop: Callable[[], None],
        note: Callable[[str], None],
    ) -> None:
        self._plan = replace(plan, opened_by=OPENER)
        self._room = room
        self._may_open = not attach_only
        self._on_stop = on_stop
        self._note = note
        self._link: IpcLink | None = None
        self._own = False
        self._up = asyncio.Event()
        self._gone = asyncio.Event()
        self._leave = asyncio.Event()
        self._move: _Move | None = None
        self._stood = False
        self._peer: OpenPeer | None = None
        self._opening = self._told_early = False
        """Our own peer is being opened; it was told to end before it stood."""
        self.collision: CollisionError | None = None
        self._trouble: CoveyError | None = None
        self._listeners: list[Listener] = []

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep the peer for as long as the context lasts; it is reachable once this has begun.

        Raises:
            CoveyError: It cannot be reached, and cannot be opened either.
        """
        keeping = asyncio.create_task(self._keep(), name="mcp-keeper")
        standing = asyncio.create_task(self._up.wait())
        try:
            await asyncio.wait({keeping, standing}, return_when=asyncio.FIRST_COMPLETED)
            if keeping.done():
                await keeping
            yield
        finally:
            standing.cancel()
            keeping.cancel()
            await asyncio.gather(keeping, standing, return_exceptions=True)

    # --- what the server asks (runtime/mcp/port) ------------------------------------------------

    async def request(
        self, cmd: str, arguments: Mapping[str, object] | None = None, *, timeout_seconds: float | None = None
    ) -> dict[str, Any]:
        """Ask the peer."""
        if not self._up.is_set():
            await self._standing()
        assert self._link is not None, "it is up"
        return await self._link.request(cmd, arguments, timeout_seconds=timeout_seconds)

    async def _standing(self) -> None:
        """Wait until the peer is there, or it is known why it is not."""
        waits = {asyncio.create_task(each.wait()) for each in (self._up, self._gone)}
        try:
            await asyncio.wait(waits, timeout=bounds.START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        if not self._up.is_set():
            trouble = self._trouble or not_running(self._plan.home, self._plan.name)
            raise IpcError(trouble.message, code=trouble.code, hint=trouble.hint)

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every delivery; return the way to end it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def ask_other(self, name: str, cmd: str) -> dict[str, Any]:
        """Ask another running peer of this home."""
        home = self._plan.home
        try:
            link = await IpcLink.open(home.socket_path(name))
        except NotRunningError as error:
            raise not_running(home, name) from error
        try:
            return await link.request(cmd)
        finally:
            await link.close()

    async def running(self) -> Sequence[Mapping[str, Any]]:
        """Return name and room of each running peer that answers."""
        found = []
        for name in running(self._plan.home)[: limits.WATCH_PEERS]:
            with contextlib.suppress(CoveyError):  # it ended meanwhile, or is too busy to be listed
                status = await self.ask_other(name, "status")
                found.append({"peer": name, "room": status["node"]["room"]})
        return found

    async def join(self, room: str, relay_url: str | None, relay_token: str | None) -> None:
        """Open our own peer anew in another room; on failure it is back in the one it left."""
        before, name = self._plan, self._plan.name
        if not self._own:
            raise UsageError(
                f'"{name}" is shared with another process, which chose its room',
                hint="give this window a peer of its own: covey mcp --peer <name> --room <room>",
            )
        if (await self.request("status"))["subscribers"] > 1:
            raise UsageError(f'somebody else listens through "{name}" and would be moved too')
        options = replace(before.options, room=room, relays=_relays(before, relay_url, relay_token))
        moved = asyncio.get_running_loop().create_future()
        self._move = _Move(before, moved)
        self._plan = replace(before, options=options)
        self._leave.set()
        try:
            async with asyncio.timeout(bounds.START_SECONDS):
                await moved
        except TimeoutError as error:
            raise UsageError(f"cannot join {room} in {bounds.START_SECONDS:g} s") from error

    # --- keeping --------------------------------------------------------------------------------

    async def _keep(self) -> None:
        pause = _PAUSE
        while True:
            self._leave.clear()
            try:
                await self._life()
                pause = _PAUSE
            except CoveyError as error:
                move, self._move = self._move, None
                if move is not None:
                    self._plan = move.before
                    if not move.done.done():
                        move.done.set_exception(error)
                    continue
                if not self._stood:
                    raise
                if isinstance(error, CollisionError):
                    # Somebody has a copy of this identity: opening it again would only begin it anew.
                    self.collision = error
                    self._on_stop()
                    raise
                if self._trouble is None:
                    self._note(f"the peer is gone: {error.message}")
                self._trouble = error
                self._gone.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, _PAUSE_MOST)

    async def _life(self) -> None:
        """Reach or open the peer, and stay with it until it ends or is left."""
        async with AsyncExitStack() as stack:
            link = await self._enter(stack)
            stack.push_async_callback(link.close)
            status = await link.request("status")
            self._check(status)
            await link.subscribe(["delivered"], self._hear)
            self._may_open = self._may_open and status.get("opened_by") == OPENER
            self._link, self._trouble, self._stood = link, None, True
            self._gone.clear()
            self._up.set()
            stack.callback(self._up.clear)
            move, self._move = self._move, None
            if move is not None and not move.done.done():
                move.done.set_result(None)
            waits = {asyncio.create_task(link.closed.wait()), asyncio.create_task(self._leave.wait())}
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()

    async def _enter(self, stack: AsyncExitStack) -> IpcLink:
        home, name = self._plan.home, self._plan.name
        deadline = asyncio.get_running_loop().time() + bounds.START_SECONDS
        self._own = False
        while True:
            try:
                return await IpcLink.open(home.socket_path(name))
            except NotRunningError as error:
                if not self._may_open:
                    raise not_running(home, name) from error
            try:
                opened = open_peer(self._plan, on_stop=lambda _: self._stopped())
                self._opening, self._told_early = True, False
                try:
                    self._peer = await stack.enter_async_context(opened)
                finally:
                    self._opening = False
                stack.callback(setattr, self, "_peer", None)
                if self._peer.collision is not None:
                    raise self._peer.collision
                if self._told_early:
                    self._on_stop()
                self._own = True
            except CollisionError as error:
                # Another window is just opening it: its socket comes in a moment. Any other is one.
                if error.code != "already_running" or asyncio.get_running_loop().time() >= deadline:
                    raise
                await asyncio.sleep(_PAUSE)

    def _stopped(self) -> None:
        """Take note that our own peer was told to end; a collision that is why is the command's end, too."""
        if self._opening:
            self._told_early = True  # why is known once it stands
            return
        if self._peer is not None:
            self.collision = self._peer.collision
        self._on_stop()

    def _check(self, status: Mapping[str, Any]) -> None:
        """Refuse a running peer that sits in another room than the one that was asked for."""
        room = status["node"]["room"]
        if not self._own and self._room is not None and room != self._room:
            raise UsageError(
                f'peer "{self._plan.name}" is running in room "{room}", not in "{self._room}"',
                code="other_room",
                hint="a peer sits in one room: give this one another name with --peer",
            )

    def _hear(self, event: Mapping[str, Any]) -> None:
        if event["event"] != "delivered":
            self._note(f"missed {event.get('count', 'some')} events; sym_recall has the blocks")
            return
        for listener in tuple(self._listeners):
            listener(event)


def _relays(plan: PeerPlan, url: str | None, token: str | None) -> Any:
    """Return the relays of the peer in its new room: the ones named, else those it had."""
    if url is None:
        return plan.options.relays
    try:
        relay_url(url)
    except ValueError as error:
        raise UsageError(f"relay_url: expected {error}") from error
    if needs_tls(url):
        raise UsageError("relay_url: beyond this machine a relay needs wss://")
    return mesh_flags.relays((url,), token, {})
