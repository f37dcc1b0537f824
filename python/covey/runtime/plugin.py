"""An extension with its shell: the pure engine beside what performs its wishes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from covey.proto.extension import Extension

Tell = Callable[[object], None]
"""Says something to the engine, on the loop's thread; it arrives there as `told`."""


class Plugin(Protocol):
    """What a node asks of one conversation's shell. Every call comes on the loop's thread.

    Attributes:
        extension: The engine; its `Want` effects are performed here.
    """

    extension: Extension

    async def start(self, tell: Tell) -> None:
        """Restore what was kept; called after the node listens, before it discovers anybody."""

    def perform(self, what: object) -> None:
        """Do what the engine wants; never blocks the loop."""

    async def stop(self) -> None:
        """Finish what is under way; called once, before the links and the store close."""
