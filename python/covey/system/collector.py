"""The interpreter's collector of cycles, set for a process that is a peer and nothing else.

A full pass over the modules and values of a started peer takes tens of milliseconds, during which nothing is
read, judged or answered; and with blocks in flight the usual 700 new values are reached hundreds of times a
second, for passes that find nothing: a peer's own values hold no cycles.
"""

from __future__ import annotations

import gc

from covey import limits


def settle() -> None:
    """Leave what a started peer holds out of every later pass, and look at new values less often.

    For a process of covey's own, once: what is unreachable at the call is never freed. A program that has a
    peer in it decides by itself.
    """
    gc.freeze()
    gc.set_threshold(*limits.COLLECTOR_STEPS)
