"""The lineage tether as vectors: covey's own, in the layout of the published ones.

`python -m tests.conformance.tether` writes tether-v1.json anew, the same every time. Vectors are sides of
triangles whose cosines are fractions, so every drift is computed exactly; the signature comes of the curve's
equations, under the test key of MMP 1.1. Nothing here asks the core.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from covey.conform.reference import lp
from tests.conformance import strict
from tests.conformance.attest import text_of

FILE = Path(__file__).with_name("tether-v1.json")
Json = dict[str, Any]
SEED = b"\x42" * 32
FLOOR = Fraction(1, 2)
EAST: tuple[Fraction, list[int]] = (Fraction(1), [1, 0])
NEAR, FAR = (Fraction(4, 5), [4, 3]), (Fraction(3, 5), [3, 4])
NORTH, WEST = (Fraction(0), [0, 1]), (Fraction(-1), [-2, 0])
"""Directions, by their cosine to the east, in which every root lies."""

Drift = tuple[str, dict[str, tuple[Fraction, list[int]]], tuple[str, ...], dict[str, int]]
DRIFTS: tuple[Drift, ...] = (
    ("the same in all", {"focus": EAST, "mood": EAST}, ("focus", "mood"), {}),
    ("longer, the same way", {"focus": (Fraction(1), [7, 0])}, ("focus",), {}),
    ("a fifth apart", {"intent": NEAR}, ("intent",), {}),
    ("two apart, of equal weight", {"issue": NEAR, "mood": FAR}, ("issue", "mood"), {}),
    ("the heavier decides", {"issue": EAST, "mood": WEST}, ("issue", "mood"), {"issue": 1, "mood": 3}),
    ("the lighter does not", {"issue": EAST, "mood": WEST}, ("issue", "mood"), {"issue": 4, "mood": 1}),
    ("the floor itself holds", {"focus": EAST, "issue": NORTH}, ("focus", "issue"), {}),
    ("just beyond the floor", {"focus": NEAR, "issue": NORTH}, ("focus", "issue"), {}),
    ("opposite", {"focus": WEST}, ("focus",), {}),
    ("what one side says alone counts nothing", {"focus": NEAR, "mood": WEST}, ("focus", "issue"), {}),
    ("nothing in common", {"focus": EAST}, ("mood",), {}),
)


def measured(drift: Drift) -> Json:
    """Return one case: both sides, and what follows from the cosines by the definition."""
    label, remix, root, weights = drift
    both = [(weights.get(name, 1), cosine) for name, (cosine, _) in remix.items() if name in root]
    total = sum(weight for weight, _ in both)
    expected: Json = {"checked": False, "tethered": True, "drift": None}
    if total:
        found = sum((weight * (1 - cosine) for weight, cosine in both), Fraction(0)) / total
        expected = {"checked": True, "tethered": found <= FLOOR, "drift": float(found)}
    return {
        "label": label,
        "fieldWeights": weights,
        "remixFields": {name: {"vector": numbers} for name, (_, numbers) in remix.items()},
        "anchorFields": {name: {"vector": EAST[1]} for name in root},
        "expected": expected,
    }


def attestation() -> Json:
    """Return a signed verdict about a remix that left its root."""
    record: Json = {"of": f"cmb-{'5' * 64}", "anchor": f"cmb-{'a' * 64}", "kernelId": "ngram-h32"}
    record |= {"drift": 0.8, "verdict": "severed", "by": "gardener", "at": 1_790_000_000_123}
    said = (
        record["of"],
        record["anchor"],
        record["kernelId"],
        "0.800000",
        "severed",
        record["by"],
        record["at"],
    )
    payload = b"mmp-tether-v1\n" + b"".join(map(lp, said))
    pairs = (("ngram-h32", "ngram-h32", True), ("ngram-h32", "ngram-h33", False))
    return {
        "record": record,
        "payloadHex": payload.hex(),
        "expectedSig": text_of(strict.signature(SEED, payload)),
        "sigAlg": "ed25519",
        "comparability": [{"a": a, "b": b, "comparable": same} for a, b, same in pairs],
    }


def vectors() -> Json:
    """Return the whole file."""
    cases = [measured(drift) for drift in DRIFTS]
    return {"format": "covey-tether-v1", "driftCases": cases, "attestation": attestation()}


def written() -> str:
    """Return the file's text."""
    return json.dumps(vectors(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
