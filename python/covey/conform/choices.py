"""Where this build differs from a published schema on purpose, each with its reason (docs/protocol.md).

A choice is looked for only where build and schema disagree. It names the frame, the place, the direction of
the difference and why; a difference that no choice names is a failure.
"""

from __future__ import annotations

import re
from typing import Final

from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """One deliberate difference: the build takes what the schema refuses (`taken`), or the reverse."""

    frame: str
    place: str
    taken: bool
    why: str


_ONE_SPELLING = "a nodeId has one spelling, lower case; signed bytes are the exact characters (choice 4)"
_ROOM = "a room is a §5.8 identifier; the published schema allows any text (update 1)"
_BYTES = "sizes count UTF-8 bytes; the schema's bound in characters is necessary, not sufficient (§8.8.6)"
_METHOD = "lineage.method is unsigned and optional (update 1)"

CHOICES: Final = (
    Choice("frame", r"(cmb\.)?categories has one more", True, "an unknown category is dropped (choice 1)"),
    Choice("frame", r"(cmb\.)?metadata\.lineage\.method is gone", True, _METHOD),
    Choice("frame", r"((cmb\.)?metadata\.(createdByNodeId|to)|from): upper case", False, _ONE_SPELLING),
    Choice("frame", r"(cmb\.)?metadata\.room: \d+ wide characters", False, _ROOM),
    Choice("frame", r"(cmb\.)?categories\.\w+\.text: \d+ wide characters", False, _BYTES),
    Choice(
        "frame", r"(cmb\.)?metadata\.sig: upper case", False, "no canonical base64url of 64 bytes (§18.3.2)"
    ),
    Choice("witnessFrame", r"witness\.fromSeq.*", False, "a range does not end before it starts (§16.4)"),
    Choice("1.1 handshake", r"version.*", True, "no receiver of 1.1 compares it: its form decides nothing"),
    Choice(
        "1.1 cmb-fetch-result",
        r"found is gone",
        True,
        "an answer that does not say it found anything did not",
    ),
    Choice("auth", r"nodeId: upper case", False, _ONE_SPELLING),
    Choice("joined", r"nodeId: upper case", False, _ONE_SPELLING),
    Choice("left", r"nodeId: upper case", False, _ONE_SPELLING),
    Choice("clientHello", r"room.*", False, "another room than the server's is refused with 1007 (§5.8)"),
    Choice("clientHello", r"nodeId: upper case", False, _ONE_SPELLING),
    Choice(
        "clientHello", r"identityPublicKey: upper case", False, "a key is a point of prime order (§18.3.2)"
    ),
)

RETIRED: Final = {
    "role-grant": "replaced by authority statements on the repository's main: ignored, never sent",
    "role-revoke": "replaced by authority statements on the repository's main: ignored, never sent",
}
"""Types that the published registry calls core and this build ignores."""


def reason(frame: str, place: str, *, taken: bool) -> str | None:
    """Return why a value is treated otherwise than its schema says, or None where that is no choice."""
    for choice in CHOICES:
        if choice.frame == frame and choice.taken == taken and re.fullmatch(choice.place, place):
            return choice.why
    return None
