"""Hearing what matters to one application: handlers under category weights of its own (MMP 2.0 §14.9.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from covey.cognition.hearing import Listening
from covey.model import Block, Delivery

OnBlock = TypeVar("OnBlock", bound=Callable[[Block], Awaitable[object]])
OnDelivery = TypeVar("OnDelivery", bound=Callable[[Delivery], Awaitable[object]])
Handler: TypeAlias = Callable[[Delivery], Awaitable[object]]


class Weighed:
    """Handlers of one peer that hear what passes certain weights; made by `Peer.weighing`.

    Args:
        wish: The weights, and the drift up to which a block is heard.
        add: Takes a handler of deliveries.
    """

    def __init__(self, wish: Listening, add: Callable[[Handler], None]) -> None:
        self._wish = wish
        self._add = add
        self.held_back = 0
        """How many deliveries these weights kept from its handlers."""

    def on_block(self, handler: OnBlock) -> OnBlock:
        """Call a coroutine function as `Peer.on_block` does, with the blocks that pass."""

        async def handle(delivery: Delivery) -> None:
            await handler(delivery.block)

        self._narrowed(handle, handler)
        return handler

    def on_delivery(self, handler: OnDelivery) -> OnDelivery:
        """Call a coroutine function as `Peer.on_delivery` does, with the deliveries that pass."""

        async def handle(delivery: Delivery) -> None:
            await handler(delivery)

        self._narrowed(handle, handler)
        return handler

    def _narrowed(self, handle: Handler, named: object) -> None:
        async def hear(delivery: Delivery) -> None:
            if self._wish.hears(delivery.judgement, directed=delivery.directed):
                await handle(delivery)
            else:
                self.held_back += 1

        hear.__qualname__ = getattr(named, "__qualname__", repr(named))
        self._add(hear)
