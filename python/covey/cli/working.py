"""What a peer of agent.toml does for others: its functions, offered as soon as it runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from covey.cli.peer import OpenPeer
    from covey.settings import Settings


async def offer_work(peer: OpenPeer, settings: Settings) -> None:
    """Load the functions that [work] names, and offer them.

    Raises:
        CoveyError: One cannot be loaded, or they cannot be offered together.
    """
    work = settings.work
    if not work.offers:
        return
    from covey.tools.work import handlers

    peer.fleet.desk.hands.offer(
        work.agent or settings.identity.name,
        await asyncio.to_thread(handlers, work),
        capacity=work.capacity,
        hand_on=work.hand_on,
    )
