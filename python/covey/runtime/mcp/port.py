"""What the MCP server needs from the peer behind it, as a protocol; how it is reached is not its business."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

Listener = Callable[[Mapping[str, Any]], None]


class Mesh(Protocol):
    """One peer: its own, or a running one."""

    async def request(
        self, cmd: str, arguments: Mapping[str, object] | None = None, *, timeout_seconds: float | None = None
    ) -> dict[str, Any]:
        """Ask the peer, as on its control socket.

        Raises:
            CoveyError: It refused, or is not there; the message says which.
        """
        ...

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every delivered block's event, on the loop's thread; return the way to end."""
        ...

    async def ask_other(self, name: str, cmd: str) -> dict[str, Any]:
        """Ask another running peer of this user.

        Raises:
            CoveyError: It does not run, or refused.
        """
        ...

    async def running(self) -> Sequence[Mapping[str, Any]]:
        """Return name and room of each peer of this user that runs on this machine."""
        ...

    async def join(self, room: str, relay_url: str | None, relay_token: str | None) -> None:
        """Sit in another room from now on; on failure the peer is back in the one it left.

        Raises:
            CoveyError: It is not ours to move, or the room cannot be joined.
        """
        ...
