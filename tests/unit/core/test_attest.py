"""Admission attestations as Python holds them: a chain, its checkpoints, a witness, two histories."""

import json

import pytest

from covey import _core

ANN = _core.Identity("018f47a0-7b21-7abc-8def-a77e57000001", "ann", b"\x51" * 32)
BOB = _core.Identity("018f47a0-7b21-7abc-8def-a77e57000002", "bob", b"\x52" * 32)
VERDICTS = ["admit", "guard", "redundant", "reject", "silent", "admit", "admit"]


def attest(chain: _core.AttestChain, number: int, decision: str = "guarded") -> _core.AttestFrame:
    return chain.attest(
        ANN,
        key=f"cmb-{number:064x}",
        assertion_id=f"asrt-{number:064x}",
        decision=decision,
        verdicts=VERDICTS,
        method="heuristic",
        role="participant",
        at_ms=number,
    )


def checkpoint(chain: _core.AttestChain) -> _core.AttestFrame:
    signed = chain.checkpoint(ANN, at_ms=99)
    assert signed is not None
    return signed


def test_a_chain_goes_on_after_a_restart() -> None:
    chain = _core.AttestChain(ANN.node_id, "lab")
    first = attest(chain, 1)
    chain = _core.AttestChain.from_json(chain.to_json())
    second = attest(chain, 2)
    assert json.loads(second.to_json())["attestation"]["prev"] == first.link
    assert (first.kind, first.signer, first.room, first.range) == ("attestation", ANN.node_id, "lab", (1, 1))
    assert chain.pending == 2
    held = checkpoint(chain)
    assert (held.kind, held.range, held.link, chain.pending) == ("checkpoint", (1, 2), None, 0)
    assert chain.checkpoint(ANN, at_ms=100) is None
    for frame in (first, second, held):
        read = _core.AttestFrame.parse(f"sym-attest-{frame.kind}", frame.to_json())
        read.verify(ANN.public_key)
        with pytest.raises(_core.CoreError):
            read.verify(BOB.public_key)


def test_two_histories_are_proven_and_a_witness_stands_for_one() -> None:
    honest, fork = (_core.AttestChain(ANN.node_id, "lab") for _ in range(2))
    attest(honest, 1)
    attest(fork, 2)
    left, right = checkpoint(honest), checkpoint(fork)
    assert left.conflict(right) == ["overlap", "same-prev"]
    assert left.conflict(left) == []
    attest(honest, 3)
    later = checkpoint(honest)
    later.check_link(left)
    assert later.conflict(left) == []
    witness = left.witnessed(BOB, role="participant", at_ms=5)
    assert (witness.kind, witness.signer, witness.root) == ("witness", BOB.node_id, left.root)
    witness.verify(BOB.public_key)
    assert (witness.contradicts(left), witness.contradicts(right)) == (False, True)
    with pytest.raises(_core.CoreError):
        left.contradicts(right)
    with pytest.raises(_core.CoreError):
        left.witnessed(ANN, role="participant", at_ms=5)
    with pytest.raises(_core.CoreError):
        witness.conflict(left)
    with pytest.raises(_core.CoreError):
        witness.check_link(left)


def test_words_outside_the_vocabulary_are_refused() -> None:
    chain = _core.AttestChain(ANN.node_id, "lab")
    with pytest.raises(_core.CoreError):
        attest(chain, 1, decision="fine")
    stats = json.dumps({"type": "x", "stats": {"emitted": 1, "admitted": 1, "memory": 2, "at": 3}}).encode()
    read = _core.AttestFrame.parse("sym-attest-node-stats", stats)
    assert (read.kind, read.signer, read.room, read.range, read.root) == (
        "node-stats",
        None,
        None,
        None,
        None,
    )
    with pytest.raises(_core.CoreError):
        read.verify(ANN.public_key)
    state = json.loads(chain.to_json())
    state["seq"] = 1
    with pytest.raises(_core.CoreError):
        _core.AttestChain.from_json(json.dumps(state).encode())
