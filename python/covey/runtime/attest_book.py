"""What a kept log of attestations amounts to, and whether it holds: read from the disk, believed for nothing.

Rules: each frame counts by its own signature under the key bound to its signer. What a chain proves is shown
with what it does not: a segment that is not held proves nothing, and none says that judging was fair.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, Final, cast

from covey import _core, limits
from covey.proto.attest.held import upto, witnessed
from covey.values import dataclass

KINDS: Final = ("attestation", "checkpoint", "witness", "evidence")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the log; `key` is the raw key its signer is bound to, None where it is bound to none."""

    id: int
    kind: str
    signer: str
    stored_ms: int
    frame: bytes
    key: bytes | None

    def parsed(self) -> _core.AttestFrame:
        """Read the frame.

        Raises:
            CoreError: It is none.
        """
        kind = "checkpoint" if self.kind == "evidence" else self.kind
        return _core.AttestFrame.parse(f"sym-attest-{kind}", self.frame)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        key = None if self.key is None else base64.urlsafe_b64encode(self.key).rstrip(b"=").decode()
        return {
            "id": self.id,
            "kind": self.kind,
            "signer": self.signer,
            "key": key,
            "stored_ms": self.stored_ms,
            "frame": json.loads(self.frame),
        }


def keys_of(store: _core.Store, identity: tuple[str, bytes]) -> dict[str, bytes]:
    """Return every bound key, one's own among them."""
    return {node_id: key for node_id, key, _, _ in store.bindings()} | dict([identity])


def entries(store: _core.Store, keys: Mapping[str, bytes], kind: str) -> Iterator[Entry]:
    """Yield the rows of a kind, oldest first."""
    after = 0
    while True:
        rows = store.attest_rows(kind, limits.ATTEST_PAGE, after=after)
        for number, signer, stored_ms, frame in rows:
            yield Entry(number, kind, signer, stored_ms, frame, keys.get(signer))
        if len(rows) < limits.ATTEST_PAGE:
            return
        after = rows[-1][0]


def page(store: _core.Store, keys: Mapping[str, bytes], kind: str, after: int) -> dict[str, Any]:
    """Return rows of a kind behind a position, and the position to go on from."""
    rows = store.attest_rows(kind, limits.ATTEST_PAGE, after=after)
    found = [Entry(number, kind, signer, ms, frame, keys.get(signer)) for number, signer, ms, frame in rows]
    following = rows[-1][0] if len(rows) == limits.ATTEST_PAGE else None
    return {"rows": [each.as_dict() for each in found], "next": following}


@dataclass(slots=True)
class Attester:
    """What is held of one attester."""

    attestations: dict[int, _core.AttestFrame] = field(default_factory=dict)
    checkpoints: list[_core.AttestFrame] = field(default_factory=list)
    witnesses: list[_core.AttestFrame] = field(default_factory=list)
    evidence: list[_core.AttestFrame] = field(default_factory=list)


class Book:
    """The whole log, verified frame by frame.

    Args:
        store: Whose log.
        keys: Bound keys by nodeId.
    """

    def __init__(self, store: _core.Store, keys: Mapping[str, bytes]) -> None:
        self.attesters: dict[str, Attester] = {}
        self.problems: list[dict[str, str]] = []
        self.counts = dict.fromkeys(KINDS, 0)
        self.unknown = 0
        for kind in KINDS:
            for entry in entries(store, keys, kind):
                self._read(entry)

    def summary(self) -> list[dict[str, Any]]:
        """Return one line for each attester, as plain values."""
        return [_line(node_id, self.attesters[node_id]) for node_id in sorted(self.attesters)]

    def verified(self) -> dict[str, Any]:
        """Check every chain that is held, as far as it is; return what holds and what does not."""
        unproved = 0
        for node_id, held in self.attesters.items():
            self._links(node_id, held)
            for checkpoint in held.checkpoints:
                unproved += self._segment(node_id, held, checkpoint)
            self._histories(node_id, held)
        return {
            "counts": self.counts,
            "unknown_signers": self.unknown,
            "unproved_checkpoints": unproved,
            "problems": self.problems,
        }

    def _read(self, entry: Entry) -> None:
        self.counts[entry.kind] += 1
        try:
            frame = entry.parsed()
            if entry.key is None:
                self.unknown += 1
                return
            frame.verify(entry.key)
        except _core.CoreError as error:
            self._problem(entry.signer, f"row {entry.id}: {error.detail}")
            return
        if frame.kind == "witness":
            self._of(witnessed(frame)[0]).witnesses.append(frame)
            return
        held = self._of(frame.signer or "")
        if entry.kind == "evidence":
            held.evidence.append(frame)
        elif frame.kind == "checkpoint":
            held.checkpoints.append(frame)
        elif held.attestations.setdefault(upto(frame), frame).link != frame.link:
            self._problem(entry.signer, f"two attestations at position {upto(frame)}")

    def _links(self, node_id: str, held: Attester) -> None:
        for position, frame in held.attestations.items():
            before = held.attestations.get(position - 1)
            said = json.loads(frame.to_json())["attestation"]["prev"]
            if before is not None and said != before.link:
                self._problem(node_id, f"attestation {position} does not follow {position - 1}")

    def _segment(self, node_id: str, held: Attester, checkpoint: _core.AttestFrame) -> int:
        """Check a checkpoint over its attestations; return 1 where one of them is not held."""
        first, last = cast("tuple[int, int]", checkpoint.range)
        segment = [held.attestations.get(position) for position in range(first, last + 1)]
        whole = [frame for frame in segment if frame is not None]
        if len(whole) < len(segment):
            return 1
        if not checkpoint.covers(whole):
            self._problem(node_id, f"checkpoint {first}-{last} is not over its attestations")
        return 0

    def _histories(self, node_id: str, held: Attester) -> None:
        for other in held.evidence:
            first, last = cast("tuple[int, int]", other.range)
            if any(each.conflict(other) for each in held.checkpoints):
                self._problem(node_id, f"signed two histories: {first}-{last} is the second")
        for witness in held.witnesses:
            same = [each for each in held.checkpoints if each.range == witness.range]
            if same and all(each.root != witness.root for each in same):
                self._problem(witness.signer or "", f"witnessed another root of {node_id}")

    def _of(self, node_id: str) -> Attester:
        return self.attesters.setdefault(node_id, Attester())

    def _problem(self, signer: str, what: str) -> None:
        if len(self.problems) < limits.ATTEST_PROBLEMS:
            self.problems.append({"signer": signer, "what": what})


def _line(node_id: str, held: Attester) -> dict[str, Any]:
    newest = max(held.checkpoints, key=upto, default=None)
    return {
        "node_id": node_id,
        "attestations": len(held.attestations),
        "upto": max([*held.attestations, *map(upto, held.checkpoints)], default=0),
        "checkpoints": len(held.checkpoints),
        "root": None if newest is None else newest.root,
        "witnesses": len({each.signer for each in held.witnesses}),
        "two_histories": bool(held.evidence),
    }
