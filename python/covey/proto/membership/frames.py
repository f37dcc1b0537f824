"""The one frame of membership: an operation, and the news that rides on it.

    {"type": "x-covey-member", "op": "probe" | "ack" | "ask" | "nack" | "away" | "news" | "hold" | "want",
     "seq": n, "target": nodeId, "digest": hex, "claims": [claim, …]}

`probe` asks for an `ack` of the same `seq`; `ask` asks the receiver to probe `target` and to answer `ack`,
`nack`, or `away` where it has no session to it; `news` only carries claims. `hold` says what the sender's
whole table comes to; who has another one answers with all of its own as `news`, and `want`: the same, please.
`seq` is absent from the last three, `target` present in `ask` alone, `digest` in `hold` alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Literal, get_args

from covey import limits
from covey.proto.membership.claims import BadClaimError, Claim, parse
from covey.proto.membership.options import FRAME_TYPE
from covey.values import dataclass

Op = Literal["probe", "ack", "ask", "nack", "away", "news", "hold", "want"]
_OPS: dict[str, Op] = {each: each for each in get_args(Op)}
_UNNUMBERED = ("news", "hold", "want")
_DIGEST = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, read."""

    op: Op
    seq: int
    target: str
    claims: tuple[Claim, ...]
    digest: str = ""


def write(op: Op, claims: Sequence[Claim] = (), *, seq: int = 0, target: str = "", digest: str = "") -> bytes:
    """Return the bytes of one frame."""
    frame: dict[str, object] = {"type": FRAME_TYPE, "op": op}
    if op not in _UNNUMBERED:
        frame["seq"] = seq
    if target:
        frame["target"] = target
    if op == "hold":
        frame["digest"] = digest
    frame["claims"] = [claim.wire() for claim in claims]
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode()


def read(raw: bytes) -> Frame:
    """Read one frame of a peer.

    Raises:
        BadClaimError: Its shape, or a claim in it, is not as described; nothing of it was used.
    """
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadClaimError("json") from error
    named = value.get("op") if isinstance(value, dict) else None
    op = _OPS.get(named) if isinstance(named, str) else None
    if op is None:
        raise BadClaimError("op")
    members = (
        {"type", "op", "claims"}
        | ({"seq"} if op not in _UNNUMBERED else set())
        | ({"target"} if op == "ask" else set())
        | ({"digest"} if op == "hold" else set())
    )
    if set(value) != members:
        raise BadClaimError("members")
    seq, target, claims = value.get("seq", 0), value.get("target", ""), value["claims"]
    if type(seq) is not int or not 0 <= seq <= limits.JSON_INTEGER:
        raise BadClaimError("seq")
    if not isinstance(target, str) or (op == "ask" and len(target) != 36):
        raise BadClaimError("target")
    digest = value.get("digest", "")
    if op == "hold" and not (isinstance(digest, str) and _DIGEST.match(digest)):
        raise BadClaimError("digest")
    if not isinstance(claims, list) or len(claims) > limits.MEMBER_CLAIMS:
        raise BadClaimError("claims")
    return Frame(op, seq, target, tuple(parse(claim) for claim in claims), digest)
