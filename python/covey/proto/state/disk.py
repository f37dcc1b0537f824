"""What is on its way to the disk, and what waits for it: nothing is said before it is durable."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from covey import limits
from covey.proto.state import wants
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.state.held import Held
    from covey.proto.turn import Turn


@dataclass(frozen=True, slots=True)
class Waiting:
    """A frame that may leave once the disk has what it tells of."""

    number: int
    node_id: str
    frame: bytes
    held: Held


@dataclass(frozen=True, slots=True)
class Owed:
    """An application's write that is answered, and pushed, once it is durable."""

    number: int
    token: int
    scope: str
    delta: bytes


class Disk:
    """The order of writes to the store, and everything that waits for them."""

    def __init__(self, host: ExtensionHost, author: str) -> None:
        self._host = host
        self._author = author
        self._left: dict[tuple[str, str], list[int]] = {}
        self._number = 0
        self._durable = 0
        self._waiting: deque[Waiting] = deque()
        self._owed: deque[Owed] = deque()

    @property
    def owed(self) -> int:
        """Return how many writes of applications wait."""
        return len(self._owed)

    def settled(self, held: Held) -> bool:
        """Tell whether everything of a scope is durable."""
        return held.number <= self._durable

    def append(self, held: Held, rows: list[tuple[int, bytes]], turn: Turn) -> int:
        """Want rows of one scope written; where too many lie there already, a snapshot in their place.

        Returns:
            The number after which they are durable.
        """
        self._number += 1
        held.number = self._number
        clear: tuple[str, ...] = ()
        for kind, data in rows:
            held.loaded(kind, len(data))
        if held.long:
            clear = (held.scope.name,)
            held.keyed.clear()
            snapshot = held.map.snapshot()
            rows = [(wants.SNAPSHOT, snapshot)]
            rows += [(wants.GONE, author.encode()) for author in sorted(held.gone)]
            held.loaded(wants.SNAPSHOT, len(snapshot))
            turn.count("state.compacted")
        rows = [*rows, *((wants.KEY, key) for key in _new_keys(held))]
        named = tuple((held.scope.name, kind, data) for kind, data in rows)
        self._host.want(wants.Persist(self._number, clear, named), turn)
        return self._number

    def owe(self, number: int, token: int, held: Held, delta: bytes) -> None:
        """Answer an application once its write is durable."""
        self._owed.append(Owed(number, token, held.scope.name, delta))

    def send(self, held: Held, node_id: str, frame: bytes, turn: Turn) -> bool:
        """Send a frame that tells of a scope once everything of the scope is durable.

        Returns:
            False where the peer takes no more now, or too much waits already.
        """
        if held.number <= self._durable:
            return self.send_now(held, node_id, frame, turn)
        if len(self._waiting) >= limits.STATE_WAITING_FRAMES:
            turn.count("state.dropped.waiting")
            return False
        self._waiting.append(Waiting(held.number, node_id, frame, held))
        return True

    def send_now(self, held: Held, node_id: str, frame: bytes, turn: Turn) -> bool:
        """Send a frame; of this peer's own agent it is written down what left, and to whom."""
        sent = self._host.send(node_id, frame, turn)
        if sent and held.scope.owner == self._author:
            row = self._left.setdefault((held.scope.name, node_id), [0, 0])
            row[0] += 1
            row[1] += len(frame)
            if self._host.wanted("left") is None:
                self._host.timer("left", turn.now.monotonic + limits.STATE_AUDIT_SECONDS)
        return sent

    def left(self, turn: Turn) -> None:
        """Tell the shell what left since this was told last."""
        rows = tuple(
            (scope, node, count, size) for (scope, node), (count, size) in sorted(self._left.items())
        )
        self._left.clear()
        if rows:
            self._host.want(wants.Left(rows), turn)

    def done(self, number: int, turn: Turn) -> list[Owed]:
        """Take note of what is durable: frames that waited leave; return the writes that are now answered."""
        self._durable = max(self._durable, number)
        while self._waiting and self._waiting[0].number <= self._durable:
            waiting = self._waiting.popleft()
            self.send_now(waiting.held, waiting.node_id, waiting.frame, turn)
        found: list[Owed] = []
        while self._owed and self._owed[0].number <= self._durable:
            found.append(self._owed.popleft())
        return found

    def failed(self) -> list[Owed]:
        """Give up everything that is not durable; return the writes that come to nothing."""
        lost = list(self._owed)
        self._owed.clear()
        self._waiting.clear()
        self._durable = self._number
        return lost


def _new_keys(held: Held) -> list[bytes]:
    """Return the keys of authors whose operations are here and whose keys are not on disk.

    Without them a peer that starts again could neither pass on nor go on believing who it met before.
    """
    seen = held.map.seen
    if len(seen) == len(held.keyed):
        return []
    found = {author: held.keys.key(author) for author in seen.entries if author not in held.keyed}
    held.keyed |= found.keys()
    return [key for key in found.values() if key is not None]
