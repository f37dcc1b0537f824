"""The way of frames to the disk: one writing at a time, and nothing is told before it is there."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from covey import limits
from covey.proto.attest import words

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.turn import Turn


class Saving:
    """Rows that wait for the disk, and those on their way there.

    Own frames are never lost to a write that failed: they go again with the next, for the chain names each.
    """

    def __init__(self) -> None:
        self._waiting: deque[words.Row] = deque()
        self._writing: words.Keep | None = None
        self._tokens = 0
        self._failed = False

    @property
    def full(self) -> bool:
        """Tell whether no frame of others should be taken now."""
        return len(self._waiting) >= limits.ATTEST_WAITING

    def add(self, row: words.Row) -> None:
        """Queue a row."""
        self._waiting.append(row)

    def pump(self, host: ExtensionHost, chain: bytes | None, turn: Turn) -> None:
        """Write what waits, if nothing is being written."""
        if self._writing is not None or not self._waiting or self._failed:
            self._failed = False
            return
        rows = [self._waiting.popleft() for _ in range(min(len(self._waiting), limits.ATTEST_KEPT_AT_ONCE))]
        self._tokens += 1
        self._writing = words.Keep(self._tokens, tuple(rows), chain, turn.now.wall_ms)
        host.want(self._writing, turn)

    def kept(self, what: words.Kept, turn: Turn) -> list[words.Row]:
        """Take the disk's answer; return what may be told now."""
        writing = self._writing
        if writing is None or writing.token != what.token:
            return []
        self._writing = None
        if not what.problem:
            return list(writing.rows)
        turn.count("attest.not_kept", len(writing.rows))
        turn.log("error", "attestations-not-kept", count=len(writing.rows), reason=what.problem)
        self._waiting.extendleft(reversed(writing.rows))
        self._failed = True  # tried again with the next frame, not at once
        return []
