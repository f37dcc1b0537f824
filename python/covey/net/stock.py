"""Where stock Node peers 0.12 say that they are: service types of their rooms, their registry on a machine.

Rules: read, never written. Nothing of ours appears there and nothing of theirs is removed. What they say is a
hint for a room with the legacy profile, and which wire it means is said with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.net.registry import NODE_ID, acceptable, alive, text, whole
from covey.proto.effects import Hint

if TYPE_CHECKING:
    from covey.ports import Clock
    from covey.proto.effects import Advert

DEFAULT_TYPE: Final = "_sym._tcp"
_NAMED_ROOM: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


def service_type(room: str) -> str | None:
    """Return the service type stock peers of a room use; None for a room that they cannot be in."""
    if room == "default":
        return DEFAULT_TYPE
    fits = _NAMED_ROOM.match(room) and len(room) <= limits.STOCK_ROOM_CHARS
    return f"_{room}._tcp" if fits else None


def service_types(room: str) -> Mapping[str, str]:
    """Return what multicast browses for a room's stock peers: its full type, and the room it stands for."""
    named = service_type(room)
    return {} if named is None else {f"{named}.local.": room}


class StockRegistry:
    """Find stock peers of this machine through the files they keep in one directory.

    Args:
        directory: Theirs; it need not exist.
        room: Whose peers are wanted.
        clock: Tells which entries are fresh.
        poll_seconds: How often the directory is looked at.
    """

    label = "stock-registry"
    renews = False

    def __init__(
        self,
        directory: Path,
        room: str,
        clock: Clock,
        poll_seconds: float = limits.STOCK_REGISTRY_POLL_SECONDS,
    ) -> None:
        self._directory = directory
        self._room = room
        self._type = service_type(room)
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._poll: asyncio.Task[None] | None = None
        self._known: dict[str, Hint] = {}

    async def start(self, advert: Advert, found: Callable[[Hint], None], gone: Callable[[str], None]) -> None:
        """Look for others until `stop`; of this peer nothing is said there."""
        if self._type is None:
            return
        self._look(advert.node_id, found, gone)
        self._poll = asyncio.get_running_loop().create_task(self._keep_looking(advert.node_id, found, gone))

    async def stop(self) -> None:
        """End."""
        if self._poll is not None:
            self._poll.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._poll
            self._poll = None

    async def _keep_looking(
        self, own_id: str, found: Callable[[Hint], None], gone: Callable[[str], None]
    ) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            self._look(own_id, found, gone)

    def _look(self, own_id: str, found: Callable[[Hint], None], gone: Callable[[str], None]) -> None:
        present = self._present(own_id)
        before, self._known = self._known, present
        for node_id, hint in present.items():
            if before.get(node_id) != hint:
                found(hint)
        for node_id in before.keys() - present.keys():
            gone(node_id)

    def _present(self, own_id: str) -> dict[str, Hint]:
        """Return the hints of the living; entries are small, and rewritten by their peers all the time."""
        try:
            with os.scandir(self._directory) as listing:
                items = [item for item in listing if item.name.endswith(".json")]
        except OSError:
            return {}  # no stock peer has ever run here
        hints = (self._hint(item) for item in items[: limits.REGISTRY_ENTRIES])
        return {hint.node_id: hint for hint in hints if hint is not None and hint.node_id != own_id}

    def _hint(self, item: os.DirEntry[str]) -> Hint | None:
        """Read an entry; None where anything in it is not what it should be, or its peer is gone."""
        node_id = item.name.removesuffix(".json")
        try:
            if not NODE_ID.match(node_id) or not acceptable(item.stat(follow_symlinks=False)):
                return None
            value = json.loads(Path(item.path).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(value, dict) or value.get("nodeId") != node_id:
            return None
        if value.get("serviceType", self._type) != self._type:
            return None
        port, pid = whole(value.get("port"), 65_535), whole(value.get("pid"), 2**31 - 1)
        said_ms = whole(value.get("ts"), 2**53 - 1)
        if port is None or pid is None or said_ms is None or not alive(pid):
            return None
        if abs(self._clock.now_ms() - said_ms) > limits.STOCK_REGISTRY_FRESH_MS:
            return None
        name = (text(value.get("name")) or "")[: limits.PEER_NAME_BYTES]
        return Hint(self.label, node_id, self._room, "", (("127.0.0.1", port),), name, stock=True)
