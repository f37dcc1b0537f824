"""Attestations, checkpoints and witnesses as vectors: covey's own, in the layout of the extension's.

`python -m tests.conformance.attest` writes attest-v1.json anew, the same every time. What is signed is put
together by the kit, which has its constructions from the extension's text; the signatures come of the curve's
equations (RFC 8032, §5.1.6). Nothing here asks the core.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from covey.conform.families.attest import PAYLOADS, chain_root, link, segment_root
from covey.conform.reference import unpadded
from tests.conformance import strict

FILE = Path(__file__).with_name("attest-v1.json")
Json = dict[str, Any]
SEEDS = {name: hashlib.sha256(f"covey attest {name}".encode()).digest() for name in ("attester", "witness")}
NODES = {
    "attester": "01997c00-0000-7000-8000-0000000000a1",
    "witness": "01997c00-0000-7000-8000-0000000000b2",
}
ROOM, AT = "orchard", 1_790_000_000_000
CATEGORIES = ("focus", "issue", "intent", "motivation", "commitment", "perspective", "mood")
FINDINGS = ("admit", "guard", "redundant", "reject", "silent")
VERDICTS = ("aligned", "guarded", "redundant", "rejected")
LENGTH, FORKED = 7, 5
"""A segment of its last five has, at two levels of its tree, one without a partner. It forks at its fifth."""


def text_of(data: bytes) -> str:
    """Write bytes as base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


KEYS = {who: strict.public(seed) for who, seed in SEEDS.items()}


def signed(kind: str, who: str, told: Json) -> Json:
    """Return what is told with its signature, and the bytes that it signs."""
    payload = PAYLOADS[kind](told)
    whole = {**told, "sigAlg": "ed25519", "sig": text_of(strict.signature(SEEDS[who], payload))}
    return {kind: whole, "payloadHex": payload.hex()}


def digest(*words: object) -> str:
    """Return a digest that stands for something."""
    return hashlib.sha256(" ".join(map(str, words)).encode()).hexdigest()


def attestation(seq: int, prev: str, history: str) -> Json:
    """Return one attestation of a chain, with its link to the next."""
    told = {
        "of": f"cmb-{digest(history, 'block', seq)}",
        "assertionId": f"asrt-{digest(history, 'assertion', seq)}",
        "by": NODES["attester"],
        "at": AT + seq,
        "room": ROOM,
        "method": "words",
        "verdict": VERDICTS[seq % len(VERDICTS)],
        "categories": {name: FINDINGS[(seq + place) % 5] for place, name in enumerate(CATEGORIES)},
        "role": "gardener",
        "seq": seq,
        "prev": prev,
    }
    case = signed("attestation", "attester", told)
    return {**case, "chainLinkOfThis": link(case["attestation"])}


def chain(history: str) -> list[Json]:
    """Return a whole chain; histories are the same up to where they fork."""
    cases: list[Json] = []
    for seq in range(1, LENGTH + 1):
        prev = cases[-1]["chainLinkOfThis"] if cases else "genesis"
        cases.append(attestation(seq, prev, history if seq >= FORKED else "both"))
    return cases


def checkpoint(cases: list[Json], first: int, last: int, prev: str, at: int = 0) -> Json:
    """Return a checkpoint over positions of a chain."""
    told: Json = {"by": NODES["attester"], "room": ROOM, "fromSeq": first, "uptoSeq": last, "prev": prev}
    segment = segment_root([unpadded(case["attestation"]["sig"]) for case in cases[first - 1 : last]])
    told |= {"root": chain_root(told, segment), "at": AT + 100 + last + at}
    return {**signed("checkpoint", "attester", told), "segmentRootHex": segment.hex()}


def witness(of: Json, **changed: Any) -> Json:
    """Return the other's word about a checkpoint."""
    told = {name: of[name] for name in ("room", "fromSeq", "uptoSeq", "root")}
    told |= {"attester": of["by"], "by": NODES["witness"], "role": "neighbour", "at": AT + 200, **changed}
    return signed("witness", "witness", told)


def pair(label: str, a: Json, b: Json, *because: str) -> Json:
    """Return two checkpoints, and why they cannot lie on one chain."""
    sides = {"a": a["checkpoint"], "b": b["checkpoint"]}
    return {"label": label, **sides, "expected": {"because": list(because)}}


def lead(label: str, held: list[Json], *, against: bool, **changed: Any) -> Json:
    """Return a witness of something else than the last that is held, and what it tells."""
    expected = {"lead": True, "evidenceAgainstWitness": against, "equivocationEvidence": False}
    return {"label": label, **witness(held[-1], **changed), "held": held, "expected": expected}


def vectors() -> Json:
    """Return the whole file."""
    honest, fork = chain("honest"), chain("fork")
    first = checkpoint(honest, 1, 2, "genesis")
    root = first["checkpoint"]["root"]
    second = checkpoint(honest, 3, 7, root)
    same_cut, longer = checkpoint(fork, 3, 7, root), checkpoint(fork, 3, 6, root)
    whole, again = checkpoint(fork, 1, 7, "genesis"), checkpoint(honest, 3, 7, root, at=50)
    held = [first["checkpoint"], second["checkpoint"]]
    gap, twice = checkpoint(honest, 4, 5, root), checkpoint(honest, 2, 3, root)
    unsigned = {name: said for name, said in second["checkpoint"].items() if not name.startswith("sig")}
    reversed_range = signed("checkpoint", "attester", {**unsigned, "uptoSeq": 2})
    checks = [
        ("starts right after", second, True),
        ("leaves a position out", gap, False),
        ("takes a position twice", twice, False),
        ("ends before it starts", reversed_range, False),
    ]
    overlap, same_prev = "overlapping ranges", "same prev"
    return {
        "format": "covey-attest-v1",
        "testKeys": {
            who: {
                "nodeId": NODES[who],
                "privateSeedBase64url": text_of(SEEDS[who]),
                "publicKeyBase64url": text_of(KEYS[who]),
            }
            for who in KEYS
        },
        "attestations": honest,
        "forkAttestations": fork,
        "checkpoints": [first, second],
        "forkCheckpoints": {"sameCut": same_cut, "shorter": longer, "whole": whole},
        "conflicts": [
            pair("one range, two roots", second, same_cut, overlap, same_prev),
            pair("one start, two ends", second, longer, overlap, same_prev),
            pair("two checkpoints for one, over some of the same", second, whole, overlap),
        ],
        "notConflicts": [
            pair("one after the other", first, second),
            pair("the same, signed twice", second, again),
        ],
        "linkChecks": [
            {
                "label": label,
                "prev": first["checkpoint"],
                "checkpoint": case["checkpoint"],
                "expected": {"valid": valid},
            }
            for label, case, valid in checks
        ],
        "witness": witness(second["checkpoint"]),
        "witnessLeads": [
            lead(
                "a range that nobody signed", held, against=False, fromSeq=2, uptoSeq=4, root=digest("stray")
            ),
            lead("another root for a range that was signed", held, against=True, root=digest("stray")),
        ],
    }


def written() -> str:
    """Return the file's text."""
    return json.dumps(vectors(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
