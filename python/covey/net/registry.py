"""The same-host registry: one small file for each running peer, for machines where multicast is off.

`<directory>/<nodeId>.json`, written to a temporary name and renamed, so a reader never sees half of one. An
entry whose process is gone is ignored and removed. What an entry says is a hint, like any discovery.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from covey import limits
from covey.proto.effects import Hint
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import Clock
    from covey.proto.effects import Advert

NODE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file as it was read: which version of it, whose process, what it hints."""

    stamp: tuple[int, int]
    pid: int
    hint: Hint


class RegistryDiscovery:
    """Advertise and find peers through files in one private directory.

    Args:
        directory: Created with mode 0700 where absent; must belong to this user.
        clock: Stamps the entry.
        poll_seconds: How often the directory is looked at.
    """

    label = "registry"
    renews = False

    def __init__(
        self, directory: Path, clock: Clock, poll_seconds: float = limits.REGISTRY_POLL_SECONDS
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._entry: Path | None = None
        self._poll: asyncio.Task[None] | None = None
        self._known: dict[str, _Entry] = {}

    async def start(self, advert: Advert, found: Callable[[Hint], None], gone: Callable[[str], None]) -> None:
        """Write this peer's entry, where it listens, and look for others until `stop`."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if advert.port:
            self._entry = self._directory / f"{advert.node_id}.json"
            _write_atomically(self._entry, _entry_of(advert, self._clock.now_ms()))
        self._look(advert.node_id, found, gone)
        self._poll = asyncio.get_running_loop().create_task(self._keep_looking(advert.node_id, found, gone))

    async def stop(self) -> None:
        """Remove the entry and end."""
        if self._poll is not None:
            self._poll.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._poll
            self._poll = None
        if self._entry is not None:
            self._entry.unlink(missing_ok=True)
            self._entry = None

    async def _keep_looking(
        self, own_id: str, found: Callable[[Hint], None], gone: Callable[[str], None]
    ) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            self._look(own_id, found, gone)

    def _look(self, own_id: str, found: Callable[[Hint], None], gone: Callable[[str], None]) -> None:
        """Compare the directory with what is known; tell what is new and what has gone."""
        present = self._present(own_id)
        for node_id, entry in present.items():
            before = self._known.get(node_id)
            if before is None or before.hint != entry.hint:
                found(entry.hint)
        vanished = [node_id for node_id in self._known if node_id not in present]
        self._known = present
        for node_id in vanished:
            gone(node_id)

    def _present(self, own_id: str) -> dict[str, _Entry]:
        """Return the entries of living peers; a file is read again only when it was rewritten."""
        present: dict[str, _Entry] = {}
        with os.scandir(self._directory) as listing:
            items = [item for item in listing if item.name.endswith(".json")]
        for item in items[: limits.REGISTRY_ENTRIES]:
            node_id = item.name.removesuffix(".json")
            if node_id == own_id or not NODE_ID.match(node_id):
                continue
            try:
                facts = item.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # its peer stopped while we looked
            if not acceptable(facts):
                continue
            stamp = (facts.st_mtime_ns, facts.st_ino)
            before = self._known.get(node_id)
            entry = before if before and before.stamp == stamp else _read(Path(item.path), stamp)
            if entry is None:
                continue
            if alive(entry.pid):
                present[node_id] = entry
            else:
                Path(item.path).unlink(missing_ok=True)
        return present


def _entry_of(advert: Advert, now_ms: int) -> dict[str, object]:
    return {
        "node_id": advert.node_id,
        "name": advert.name,
        "room": advert.room,
        "mmp": "2.0",
        "host": advert.host,
        "port": advert.port,
        "pid": os.getpid(),
        "ts": now_ms,
        "public_key": advert.public_key.hex(),
    }


def _write_atomically(path: Path, entry: dict[str, object]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(entry, file)
    temporary.replace(path)


def acceptable(facts: os.stat_result) -> bool:
    """Tell whether a file may be an entry: regular, ours, small."""
    mine = not hasattr(os, "getuid") or facts.st_uid == os.getuid()
    return stat.S_ISREG(facts.st_mode) and mine and facts.st_size <= limits.REGISTRY_ENTRY_BYTES


def alive(pid: int) -> bool:
    """Tell whether an entry's process lives, as far as this system lets us ask."""
    if os.name == "nt":
        return True  # asking there would send it a signal; the dial will tell
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(path: Path, stamp: tuple[int, int]) -> _Entry | None:
    """Read an entry; None where anything in it is not what it should be."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("node_id") != path.stem:
        return None
    room, mmp, host, name = (text(value.get(member)) for member in ("room", "mmp", "host", "name"))
    port, pid = whole(value.get("port"), 65_535), whole(value.get("pid"), 2**31 - 1)
    if room is None or mmp is None or host is None or name is None or port is None or pid is None:
        return None
    return _Entry(stamp, pid, Hint("registry", path.stem, room, mmp, ((host, port),), name))


def text(value: object) -> str | None:
    """Return a member that is a text."""
    return value if isinstance(value, str) else None


def whole(value: object, largest: int) -> int | None:
    """Return a member that is a number from 1 to `largest`."""
    whole = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest
    return value if whole and isinstance(value, int) else None
