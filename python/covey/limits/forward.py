"""Bounds of source-novel forwarding (MMP 2.0 §15.7.1)."""

from __future__ import annotations

from typing import Final

FORWARD_HOPS: Final = 4  # times a block is handed on after its author said it: five in a row is long
FORWARD_ROOTS: Final = 16  # roots one offer names: beyond, a lineage is too wide to ask about in one frame
FORWARD_OFFERS: Final = 64  # blocks offered in one frame: 80 KB at most, and one look in the store
FORWARD_FRAME_BYTES: Final = 131_072  # one frame: 64 offers of 16 roots, with room
FORWARD_SECONDS: Final = 1.0  # an offer waits: by then who hears the author itself has the block
FORWARD_AGAIN_SECONDS: Final = 15.0  # a block whose parents are still being fetched is looked at again, once
FORWARD_WAITING: Final = 1_024  # admitted blocks that wait to be offered: a burst of a second
FORWARD_SHELF: Final = 256  # blocks offered to who comes later, the newest: four frames
FORWARD_SHELF_SECONDS: Final = 60.0  # the shelf is shown to one peer at most once in this time: links flap
FORWARD_OFFERED: Final = 4_096  # keys remembered as offered to one peer, so that nothing is offered twice
FORWARD_FRAMES_PER_SECOND: Final = 4.0  # frames of offers one peer has read: each costs a look in the store
FORWARD_FRAMES_BURST: Final = 16  # at once
FORWARD_COMING: Final = 256  # blocks asked for and not here yet, of all peers together
FORWARD_COMING_SECONDS: Final = 30.0  # until somebody else may be asked for one
FORWARD_ASKED: Final = 4_096  # keys that came and were judged: not asked for again, the oldest forgotten
