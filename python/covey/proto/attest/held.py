"""What is held of attesters' chains, in memory: enough to know a copy, a wrong link and a second history.

Rules: everything in here was verified. The oldest is forgotten first, and a forgotten copy is at worst stored
and told once more; evidence against an attester is never forgotten here.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import field
from typing import TypeVar

from covey import _core, limits
from covey.values import dataclass

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(slots=True)
class Chain:
    """One attester's checkpoints, by where they end; and that it signed two histories, where it did."""

    checkpoints: OrderedDict[int, _core.AttestFrame] = field(default_factory=OrderedDict)
    forked: bool = False


class Held:
    """The memory of one room's attestations."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()
        self._witnesses: OrderedDict[tuple[str, str, int, int], str] = OrderedDict()
        self._chains: OrderedDict[str, Chain] = OrderedDict()

    # --- copies ---------------------------------------------------------------------------------

    def knows(self, frame: _core.AttestFrame) -> bool:
        """Tell whether what a frame asserts is held, whatever its bytes (§6 step 4)."""
        if frame.kind == "attestation":
            return frame.link in self._known
        if frame.kind == "checkpoint":
            held = self._at(frame)
            return held is not None and (held.range, held.root) == (frame.range, frame.root)
        return self._witnesses.get(witnessed(frame)) == frame.root

    def add(self, frame: _core.AttestFrame) -> None:
        """Remember a verified frame."""
        if frame.kind == "attestation":
            _remember(self._known, frame.link or "", None, limits.ATTEST_KNOWN)
        elif frame.kind == "witness":
            _remember(self._witnesses, witnessed(frame), frame.root or "", limits.ATTEST_KNOWN)
        else:
            checkpoints = self._chain(frame.signer or "").checkpoints
            _remember(checkpoints, upto(frame), frame, limits.ATTEST_CHECKPOINTS_EACH)

    # --- chains ---------------------------------------------------------------------------------

    def follows(self, frame: _core.AttestFrame) -> None:
        """Check a checkpoint against the held one it names.

        Raises:
            CoreError: It does not start right after it: malformed, and no evidence.
        """
        for held in self._chain(frame.signer or "").checkpoints.values():
            frame.check_link(held)

    def conflict(self, frame: _core.AttestFrame) -> _core.AttestFrame | None:
        """Return a held checkpoint that proves, with this one, that its attester signed two histories."""
        held = self._chain(frame.signer or "").checkpoints.values()
        return next((each for each in held if frame.conflict(each)), None)

    def forked(self, attester: str) -> bool:
        """Tell whether there is evidence against an attester."""
        chain = self._chains.get(attester)
        return chain is not None and chain.forked

    def fork(self, attester: str) -> None:
        """Note evidence against an attester."""
        self._chain(attester).forked = True

    def stale(self, frame: _core.AttestFrame) -> bool:
        """Tell whether a position is older than every one that is held of its attester (§6 step 7)."""
        attester = frame.signer if frame.kind == "checkpoint" else witnessed(frame)[0]
        chain = self._chains.get(attester or "")
        return chain is not None and bool(chain.checkpoints) and upto(frame) < min(chain.checkpoints)

    def checkpoint(self, attester: str, range_: tuple[int, int]) -> _core.AttestFrame | None:
        """Return the held checkpoint over exactly this range."""
        chain = self._chains.get(attester)
        held = chain.checkpoints.get(range_[1]) if chain is not None else None
        return held if held is not None and held.range == range_ else None

    def _at(self, frame: _core.AttestFrame) -> _core.AttestFrame | None:
        chain = self._chains.get(frame.signer or "")
        return None if chain is None else chain.checkpoints.get(upto(frame))

    def _chain(self, attester: str) -> Chain:
        chain = self._chains.get(attester)
        if chain is None:
            chain = Chain()
            while len(self._chains) >= limits.ATTEST_ATTESTERS and self._forget():
                pass
            self._chains[attester] = chain
        self._chains.move_to_end(attester)
        return chain

    def _forget(self) -> bool:
        """Forget the attester that was silent longest; one with evidence against it stays."""
        for attester, chain in self._chains.items():
            if not chain.forked:
                del self._chains[attester]
                return True
        return False


def upto(frame: _core.AttestFrame) -> int:
    """Return the last position a frame is about."""
    return frame.range[1] if frame.range is not None else 0


def witnessed(frame: _core.AttestFrame) -> tuple[str, str, int, int]:
    """Return whose checkpoint a witness is about, who says so, and over which range."""
    attester = str(json.loads(frame.to_json())["witness"]["attester"])
    first, last = frame.range or (0, 0)
    return attester, frame.signer or "", first, last


def _remember(held: OrderedDict[Key, Value], key: Key, value: Value, most: int) -> None:
    held[key] = value
    held.move_to_end(key)
    if len(held) > most:
        held.popitem(last=False)
