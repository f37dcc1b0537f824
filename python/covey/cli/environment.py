"""The environment of this process, for whoever puts a peer together without a command line."""

from __future__ import annotations

import os
from collections.abc import Mapping


def current(**over: str) -> Mapping[str, str]:
    """Return a copy of the environment as it is now, with some of it said otherwise."""
    return {**os.environ, **over}
