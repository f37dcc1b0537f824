"""The capability registry: what agents here offer rides on membership, what others offer is read from it.

Rules: on the loop's thread. Nothing is indexed: what is found is what members say now. A change of load is
told at most once a period, so that a busy agent does not fill the gossip; announcing and withdrawing are too,
and the last word always goes out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Protocol

from covey import limits
from covey.fleet import arguments as args
from covey.fleet import capabilities as caps
from covey.fleet.capabilities import Offer, Standing

if TYPE_CHECKING:
    from covey._core import Identity
    from covey.ports import Clock
    from covey.runtime.members import Members


class Heeds(Protocol):
    """Tells whether a node may wake agents here."""

    def heeds(self, node_id: str) -> bool:
        """Return True for a trusted one, or one of this machine."""
        ...


class Registry:
    """What agents can do, here and elsewhere.

    Args:
        identity: Who this peer is.
        members: Carries this peer's line, and knows those of others.
        clock: Suspicion is a matter of time.
    """

    def __init__(self, identity: Identity, members: Members, clock: Clock) -> None:
        self._identity = identity
        self._members = members
        self._clock = clock
        self._own: dict[str, Offer] = {}
        self._checks: dict[str, Callable[[Offer], bool]] = {}
        self._heeds: Heeds | None = None
        self._read: dict[str, tuple[str, tuple[Offer, ...], int]] = {}
        """By node: its line, and what it said; read once for each line."""
        self._said_at: float | None = None
        self._later: asyncio.TimerHandle | None = None

    def attach(self, heeds: Heeds) -> None:
        """Take who knows whom to trust; called before anything is found."""
        self._heeds = heeds

    # --- what agents here offer -----------------------------------------------------------------

    def announce(
        self, nickname: str, capabilities: tuple[str, ...] | list[str], *, capacity: int = 1
    ) -> Callable[[], None]:
        """Tell everybody in the room what an agent can do; again replaces what was said before.

        Returns:
            What withdraws it.

        Raises:
            CapabilityError: A word cannot be a capability, or all that is offered here does not fit a line.
        """
        offer = Offer(
            nickname,
            tuple(dict.fromkeys(capabilities)),
            capacity,
            node_id=self._identity.node_id,
            peer=self._identity.name,
        )
        before = self._own.get(nickname)
        if before is not None:
            offer = replace(offer, running=before.running)
        caps.written([*(each for each in self._own.values() if each.nickname != nickname), offer])
        self._own[nickname] = offer
        self._tell()
        return lambda: self.withdraw(nickname)

    def withdraw(self, nickname: str) -> None:
        """Offer nothing more under a nickname; harmless where nothing was."""
        if self._own.pop(nickname, None) is not None:
            self._tell()

    def busy(self, nickname: str, running: int) -> None:
        """Say how many tasks an agent here has now.

        Raises:
            CapabilityError: It offers nothing, or the number is none.
        """
        offer = self._own.get(nickname)
        if offer is None:
            raise caps.CapabilityError(f"nickname: {nickname!r} offers nothing: announce it first")
        if offer.running != running:
            self._own[nickname] = replace(offer, running=running)
            self._tell()

    # --- what everybody offers ------------------------------------------------------------------

    def agents(self, *, strangers: bool = False) -> list[Offer]:
        """Return every offer of members that live, this peer's first; of strangers only where asked."""
        found = list(self._own.values())
        now = self._clock.monotonic()
        for standing in caps.living(
            Standing(each.node_id, each.name, each.state in ("alive", "suspect"), each.suspicion, each.meta)
            for each in self._members.view(now)
        ):
            heeded = self._heeds is not None and self._heeds.heeds(standing.node_id)
            if heeded or strangers:
                found += [replace(each, heeded=heeded) for each in self._offers(standing)]
        return found

    def find(
        self,
        capability: str,
        where: Callable[[Offer], bool] = lambda _: True,
        *,
        strangers: bool = False,
    ) -> list[Offer]:
        """Return the agents that can do something, the least loaded first.

        Args:
            capability: One word.
            where: A further condition.
            strangers: True for agents of peers that may wake nobody here, too. Work sent to them is told to
                somebody nobody vouched for.

        Raises:
            UsageError: Nothing of that name could be offered.
        """
        args.capability("find", capability)
        return caps.chosen(self.agents(strangers=strangers), capability, where)

    async def answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the verb `capabilities` of the control socket.

        Raises:
            UsageError: The capability is none.
        """
        capability = arguments.get("capability")
        if capability is not None:
            args.capability("capabilities", capability)
        found = self.agents(strangers=True)
        if capability is not None:
            found = caps.chosen(found, capability)
        listed = [{**asdict(each), "load": round(each.load, 3)} for each in found]
        return {"peer": self._identity.name, "node_id": self._identity.node_id, "agents": listed}

    # --- below ----------------------------------------------------------------------------------

    def _offers(self, standing: Standing) -> tuple[Offer, ...]:
        known = self._read.get(standing.node_id)
        if known is None or known[0] != standing.meta:
            offers, bad = caps.read(standing, heeded=False)
            if len(self._read) >= limits.MEMBERS:
                self._read.clear()
            self._read[standing.node_id] = known = (standing.meta, offers, bad)
        return known[1]

    def _tell(self) -> None:
        """Say the own line now, or once the period of the last word is over."""
        if self._later is not None:
            return
        now = self._clock.monotonic()
        wait = 0.0 if self._said_at is None else self._said_at + limits.CAPABILITY_SAY_SECONDS - now
        if wait > 0.0:
            self._later = asyncio.get_running_loop().call_later(wait, self._say)
        else:
            self._say()

    def _say(self) -> None:
        self._later = None
        self._said_at = self._clock.monotonic()
        try:
            line = caps.written(list(self._own.values()))
        except (
            caps.CapabilityError
        ):  # only numbers have grown since `announce`: the last line that fits stays
            return
        self._members.say(line)
