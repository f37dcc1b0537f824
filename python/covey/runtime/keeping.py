"""Keeping: an agent's safety state on disk, and its part of a team's purse; each in order, each on a thread.

Rules: what Secure asks for is answered only when a restart would find it. Several changes while the disk is
busy become one write. What cannot be kept is said, and nothing is spent on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from covey import limits
from covey.agent import effects as fx
from covey.agent.guards import STATE_NAMES
from covey.agent.waiting import STATE_NAME as WAITING
from covey.model import Delivery, Usage
from covey.ports import Purse

SINCE = "agent.since"
"""Under this name the store keeps up to where everything heard was decided."""
KEPT_NAMES = (*STATE_NAMES, WAITING, SINCE)
"""Everything that an agent keeps across restarts, by name."""


class WakeStore(Protocol):
    """What the shell keeps in the peer's store. Called on threads, one call at a time, but for `woken`."""

    def woken(self, key: str) -> bool:
        """Say whether a block has woken the agent before; a read by key, which waits for no writer."""
        ...

    def unfinished(self, since_ms: int, limit: int) -> Sequence[Delivery]:
        """Return what the inbox got from then on and no agent has come to, oldest first."""
        ...

    def state_get(self, name: str) -> bytes | None:
        """Return a saved value, or None."""
        ...

    def state_put(self, values: Mapping[str, bytes], woken: Sequence[str] = ()) -> None:
        """Save values by name, and mark blocks as having woken the agent: all of it, or nothing."""
        ...


class Keeper:
    """One agent's durable side.

    Args:
        store: Where wakes and budgets survive a restart.
        state: Gives what is to be kept now, by name.
        purse: The team's money, where the agent has a team.
        complain: Called with a level, an event and facts when something could not be kept.
    """

    def __init__(
        self,
        store: WakeStore,
        state: Callable[[], Mapping[str, bytes]],
        purse: Purse | None,
        complain: Callable[[str, str, Mapping[str, Any]], None],
    ) -> None:
        self._store = store
        self._state = state
        self._purse = purse
        self._complain = complain
        self._store_lock = asyncio.Lock()
        self._purse_lock = asyncio.Lock()
        self._saved: dict[str, bytes] = {}
        self._marks: dict[str, None] = {}
        """Blocks that woke the agent, and are not marked on disk yet."""
        self._dirty = False
        self.team: Mapping[str, Any] | None = None

    async def read(self) -> dict[str, bytes | None]:
        """Return what an earlier run kept, by name.

        Raises:
            StoreError: It cannot be read.
        """
        if self._purse is not None:
            self.team = await asyncio.to_thread(self._purse.view)
        return await asyncio.to_thread(lambda: {name: self._store.state_get(name) for name in KEPT_NAMES})

    async def unfinished(self, since_ms: int) -> Sequence[Delivery]:
        """Return what the inbox got from then on and no agent has come to, oldest first."""
        return await asyncio.to_thread(self._store.unfinished, since_ms, limits.AGENT_RESTORED)

    def claim(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Return the blocks that never woke the agent; the next write marks them, together with the state.

        That write comes before anything is spent on them. A run that is killed before it leaves them
        unmarked, and nothing of their wake: the next one takes them up as if they had just come.

        Raises:
            StoreError: The store cannot be read.
        """
        free = tuple(key for key in keys if key not in self._marks and not self._store.woken(key))
        self._marks.update(dict.fromkeys(free))
        return free

    def changed(self) -> bool:
        """Hear that the state changed; return whether somebody has to `save`."""
        first, self._dirty = not self._dirty, True
        return first

    async def save(self) -> None:
        """Keep the state as it is now; a failure is said, and the run goes on."""
        why = await self._write()
        if why is not None:
            self._complain("error", "state-not-saved", {"reason": "store", "message": why, "detail": why})

    async def secure(self, want: fx.Secure) -> fx.Secured | fx.NotSecured:
        """Keep the state, then set money aside in the purse; either may refuse."""
        why = await self._write()
        if why is not None:
            return fx.NotSecured(want.token, "state-not-saved", why, limits.AGENT_RETRY_SECURE_SECONDS)
        purse = self._purse
        if purse is None or want.usd <= 0:
            return fx.Secured(want.token)
        try:
            refused = await self._with_purse(lambda: purse.reserve(want.token, want.usd))
        except Exception as error:  # whatever the file says, what it does not hold must not be spent
            return fx.NotSecured(
                want.token, "purse-unavailable", str(error), limits.AGENT_RETRY_SECURE_SECONDS
            )
        if refused is not None:
            return fx.NotSecured(want.token, refused.reason, refused.detail, refused.retry_in_s)
        return fx.Secured(want.token)

    async def book(self, token: int, usd: float, usage: Usage | None) -> None:
        """Settle what was set aside in the purse; what cannot be settled stays counted as spent."""
        purse = self._purse
        if purse is None:
            return
        try:
            await self._with_purse(lambda: purse.settle(token, usd, usage))
        except Exception as error:  # the reserve stays in the file: nothing is spent that it does not hold
            self._complain("error", "purse-not-settled", {"reason": "purse", "detail": str(error)})

    def emitted(self) -> None:
        """Count a message for the team."""
        if self._purse is not None:
            self._purse.emitted()

    async def close(self) -> None:
        """Keep what a restart needs, and let go of the purse."""
        await self.save()
        if self._purse is not None:
            async with self._purse_lock:
                await asyncio.to_thread(self._purse.close)

    async def _with_purse(self, work: Callable[[], Any]) -> Any:
        assert self._purse is not None, "callers look first"
        async with self._purse_lock:
            done = await asyncio.to_thread(work)
            self.team = await asyncio.to_thread(self._purse.view)
            return done

    async def _write(self) -> str | None:
        """Write what changed in one transaction; return why it could not be, or None."""
        async with self._store_lock:
            self._dirty = False
            state = self._state()
            changed = {name: value for name, value in state.items() if self._saved.get(name) != value}
            marks = tuple(self._marks)
            if not changed and not marks:
                return None
            try:
                await asyncio.to_thread(self._store.state_put, changed, marks)
            except Exception as error:  # said by the caller: the run goes on, and spends nothing meanwhile
                return str(error)
            self._saved.update(changed)
            for key in marks:
                del self._marks[key]
            return None
