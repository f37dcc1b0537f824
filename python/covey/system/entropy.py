"""The machine's secure randomness behind the Entropy port."""

from __future__ import annotations

import os


class SystemEntropy:
    """Bytes from the operating system's secure source."""

    __slots__ = ()

    def bytes(self, count: int) -> bytes:
        """Return `count` unpredictable bytes."""
        return os.urandom(count)
