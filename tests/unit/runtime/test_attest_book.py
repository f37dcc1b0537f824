"""A kept log of attestations: what holds, what does not, what cannot be said; the disk is not believed."""

import json

import pytest

from covey import _core
from covey.errors import IpcError
from covey.runtime.attest import asked, restored
from covey.runtime.attest_book import Book
from tests.unit.proto.virtual import identity

ME, ANN, EVE = identity(1), identity(2), identity(3)
WHO = (ME.node_id, ME.public_key)
KEYS = {each.node_id: each.public_key for each in (ME, ANN, EVE)}


def chained(by, count, verdict="aligned"):
    """Sign attestations, and one checkpoint over them; return (kind, signer, frame) rows."""
    chain = _core.AttestChain(by.node_id, "lab")
    frames = [
        chain.attest(
            by,
            key="cmb-" + f"{n:064x}",
            assertion_id="asrt-" + f"{n:064x}",
            decision=verdict,
            verdicts=["admit"] * 7,
            method="heuristic",
            role="participant",
            at_ms=n,
        )
        for n in range(count)
    ]
    checkpoint = chain.checkpoint(by, at_ms=count)
    assert checkpoint is not None
    return [*frames, checkpoint]


def rows(frames, kind=None):
    return [(kind or frame.kind, frame.signer, frame.to_json()) for frame in frames]


@pytest.fixture
def store(tmp_path):
    made = _core.Store.open(tmp_path / "store.db", node_id=ME.node_id)
    for each in (ANN, EVE):
        made.bind(each.node_id, each.public_key, each.name, 1)
    yield made
    made.close()


def test_what_holds_is_summed_up_and_checked(store):
    frames = chained(ANN, 5)
    witness = frames[-1].witnessed(ME, role="participant", at_ms=9)
    store.attest_put(rows([*frames, witness]), 10)
    book = Book(store, KEYS)
    assert book.summary() == [
        {
            "node_id": ANN.node_id,
            "attestations": 5,
            "upto": 5,
            "checkpoints": 1,
            "root": frames[-1].root,
            "witnesses": 1,
            "two_histories": False,
        }
    ]
    told = book.verified()
    assert (told["problems"], told["unproved_checkpoints"], told["unknown_signers"]) == ([], 0, 0)
    assert told["counts"] == {"attestation": 5, "checkpoint": 1, "witness": 1, "evidence": 0}


def test_two_histories_are_shown_and_a_wrong_witness_tells_on_itself(store):
    first, second = chained(ANN, 3), chained(ANN, 3, "guarded")
    wrong = second[-1].witnessed(EVE, role="participant", at_ms=9)
    store.attest_put([*rows(first), *rows(second[-1:], "evidence"), *rows([wrong])], 10)
    told = asked(store, WHO, {"action": "verify"})
    assert [(each["signer"], each["what"].partition(":")[0]) for each in told["problems"]] == [
        (ANN.node_id, "signed two histories"),
        (EVE.node_id, f"witnessed another root of {ANN.node_id}"),
    ]
    assert asked(store, WHO, {"action": "list"})["attesters"][0]["two_histories"] is True


def test_what_is_missing_proves_nothing_and_what_is_twice_is_a_problem(store):
    frames, other = chained(ANN, 4), chained(ANN, 4, "guarded")
    store.attest_put(rows([frames[0], frames[2], frames[-1], other[2]]), 10)
    told = Book(store, KEYS).verified()
    assert told["unproved_checkpoints"] == 1
    assert [each["what"] for each in told["problems"]] == ["two attestations at position 3"]


def test_a_signer_nobody_knows_is_counted_and_not_believed(store):
    stranger = identity(9)
    store.attest_put(rows(chained(stranger, 2)), 10)
    book = Book(store, KEYS)
    assert (book.unknown, book.summary(), book.problems) == (3, [], [])


def test_a_bent_checkpoint_convicts_nobody_after_a_restart(store):
    honest = chained(ANN, 3)
    bent = json.loads(honest[-1].to_json())
    bent["checkpoint"]["root"] = "0" * 64
    store.attest_put([("checkpoint", ANN.node_id, json.dumps(bent).encode()), *rows(honest[:2])], 10)
    found = restored(store, WHO)
    assert (found.checkpoints, [reason for _, reason in found.refused]) == ((), ["bad_signature"])
    assert len(found.attestations) == 2
    assert (found.chain, found.begun) == (None, False)


def test_own_attestations_without_their_head_are_a_chain_that_was_lost(store):
    store.attest_put(rows(chained(ME, 2)[:1]), 10)
    assert restored(store, WHO).begun is True
    store.attest_put([], 11, chain=b"head")
    assert (restored(store, WHO).chain, restored(store, WHO).begun) == (b"head", False)


def test_rows_come_page_by_page_and_questions_have_a_form(store):
    store.attest_put(rows(chained(ANN, 3)), 10)
    page = asked(store, WHO, {"action": "rows", "kind": "attestation", "after": 1})
    assert [row["id"] for row in page["rows"]] == [2, 3]
    assert page["next"] is None
    for wrong in (
        {},
        {"action": "rows"},
        {"action": "rows", "kind": "stats", "after": 0},
        {"action": "burn"},
    ):
        with pytest.raises(IpcError):
            asked(store, WHO, wrong)
