"""The operations on `sym-attest-v1`: frames read and verified, histories compared, a chain of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from covey import _core
from covey.conform.reference import unpadded

Arguments = Mapping[str, Any]


def _frame(kind: str, text: object) -> _core.AttestFrame:
    if not isinstance(text, str):
        raise TypeError("json: a text")
    return _core.AttestFrame.parse(f"sym-attest-{kind}", text.encode())


def _read(arguments: Arguments) -> Mapping[str, Any]:
    frame = _frame(arguments["kind"], arguments["json"])
    place = None if frame.range is None else list(frame.range)
    return {
        "signer": frame.signer,
        "room": frame.room,
        "range": place,
        "root": frame.root,
        "link": frame.link,
    }


def _verify(arguments: Arguments) -> Mapping[str, Any]:
    _frame(arguments["kind"], arguments["json"]).verify(unpadded(arguments["public_key"]))
    return {}


def _conflict(arguments: Arguments) -> Mapping[str, Any]:
    left, right = (_frame("checkpoint", arguments[side]) for side in ("left", "right"))
    found = left.conflict(right)
    return {"overlap": "overlap" in found, "same_prev": "same-prev" in found}


def _link(arguments: Arguments) -> Mapping[str, Any]:
    _frame("checkpoint", arguments["json"]).check_link(_frame("checkpoint", arguments["held"]))
    return {}


def _witness(arguments: Arguments) -> Mapping[str, Any]:
    told = _frame("witness", arguments["json"])
    against = [held for held in map(_checkpoint, arguments["held"]) if told.contradicts(held)]
    return {"lead": bool(against), "against_witness": any(held.range == told.range for held in against)}


def _checkpoint(text: object) -> _core.AttestFrame:
    return _frame("checkpoint", text)


def _chain(arguments: Arguments) -> Mapping[str, Any]:
    """Sign a chain: each step is what was judged, or the time of a checkpoint."""
    who = _core.Identity(arguments["node_id"], "attester", unpadded(arguments["seed"]))
    chain = _core.AttestChain(who.node_id, arguments["room"])
    frames = []
    for step in arguments["steps"]:
        if isinstance(step, int):
            signed = chain.checkpoint(who, at_ms=step)
        else:
            signed = chain.attest(who, **{str(name): value for name, value in step.items()})
        frames.append(None if signed is None else signed.to_json().decode())
    return {"frames": [None if frame is None else json.loads(frame) for frame in frames]}


OPS: Final[Mapping[str, Callable[[Arguments], Mapping[str, Any]]]] = {
    "attest_read": _read,
    "attest_verify": _verify,
    "attest_conflict": _conflict,
    "attest_link": _link,
    "attest_witness": _witness,
    "attest_chain": _chain,
}
