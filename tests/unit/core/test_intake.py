"""The intake as Python sees it: opaque batches in, outcomes out, safe from any thread."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from covey import _core, core

NOW_MS = 1_800_000_000_000
ROOM = "tests"
HERE, ANN, BOB = (f"018f47a0-7b21-7abc-8def-00000000000{digit}" for digit in "0ab")
KEYS = {
    HERE: core.SigningKey(b"\x00" * 32),
    ANN: core.SigningKey(b"\x0a" * 32),
    BOB: core.SigningKey(b"\x0b" * 32),
}


def intake(**policy: object) -> _core.Intake:
    made = _core.Intake(HERE, ROOM, [1.0] * 7, **policy)
    for node_id, key in KEYS.items():
        assert made.bind(node_id, key.public_key) == "bound"
    return made


def said(author: str, focus: str, **members: object) -> core.Record:
    members = {"room": ROOM, "created_ms": NOW_MS, **members}
    draft = core.Draft({"focus": focus}, node_id=author, author="label", **members)
    return core.sign(draft, KEYS[author])


def hear(listening: _core.Intake, *records: core.Record | core.Unverified) -> _core.OutcomeBatch:
    return listening.evaluate(
        _core.RecordBatch(records), session_node_id=ANN, now_ms=NOW_MS, entropy=bytes(32)
    )


def test_a_batch_becomes_outcomes_with_everything_to_tell():
    listening = intake()
    block = said(ANN, "the login page fails")
    stranger = core.Draft(
        {"focus": "hi"}, node_id="018f47a0-7b21-7abc-8def-0000000000ff", author="x", created_ms=1, room=ROOM
    )
    outcomes = hear(
        listening, block, block, core.sign(stranger, KEYS[BOB]), said(BOB, "hello", room="elsewhere")
    )
    assert len(outcomes) == 4
    assert outcomes.counts == {"admitted": 1, "redundant": 0, "rejected": 0, "duplicate": 1, "refused": 2}
    assert outcomes.attention == [0, 2, 3]
    assert (outcomes.session_node_id, outcomes.judged_ms) == (ANN, NOW_MS)
    first, again, unknown, elsewhere = (outcomes[index] for index in range(4))
    assert (first.kind, first.deliver, first.directed, first.mood) == ("admitted", True, False, None)
    assert first.record is not None and first.record.to_json() == block.to_json()
    assert first.evaluation is not None and first.evaluation.decision == "aligned"
    assert first.detail == first.evaluation.explanation
    assert (first.key, first.assertion_id, first.node_id, first.author) == (
        block.key,
        block.assertion_id,
        ANN,
        "label",
    )
    assert (again.kind, again.deliver, again.evaluation, again.detail) == ("duplicate", False, None, None)
    assert (unknown.kind, unknown.reason, unknown.record) == ("refused", "author_unknown", None)
    assert unknown.node_id.endswith("ff")
    assert (elsewhere.reason, elsewhere.evaluation) == ("wrong_room", None)
    assert listening.anchors() == [block.key]


def test_indices_are_those_of_a_sequence():
    outcomes = hear(intake(), said(ANN, "one"), said(ANN, "two"))
    assert outcomes[-1].key == outcomes[1].key
    assert outcomes[-2].key == outcomes[0].key
    for index in (2, -3):
        with pytest.raises(IndexError):
            outcomes[index]
    assert [outcome.key for outcome in outcomes] == [outcomes[0].key, outcomes[1].key]


def test_a_batch_is_judged_once():
    listening, batch = intake(), _core.RecordBatch([said(ANN, "one")])
    listening.evaluate(batch, session_node_id=ANN, now_ms=NOW_MS)
    with pytest.raises(core.CoreError) as raised:
        listening.evaluate(batch, session_node_id=ANN, now_ms=NOW_MS)
    assert raised.value.reason == "invalid_argument"
    assert len(batch) == 1
    with pytest.raises(core.CoreError, match="256"):
        hear(listening, *[said(ANN, "one")] * 257)


def test_a_call_that_could_not_be_stored_is_taken_back():
    listening, block = intake(), said(ANN, "the login page fails")
    lost = hear(listening, block)
    listening.rollback(lost)
    assert listening.anchors() == []
    assert hear(listening, block)[0].kind == "admitted"
    listening.rollback(lost)
    assert hear(listening, block)[0].kind == "duplicate"


def test_own_blocks_are_known_and_answers_to_them_are_heard():
    listening, own = intake(), said(HERE, "who can look at the login page")
    assert listening.admit_own(own, NOW_MS) == "new"
    assert listening.admit_own(own, NOW_MS) == "duplicate"
    assert hear(listening, own)[0].kind == "duplicate"
    answer = said(BOB, "i can look at the login form", parents=[own.key])
    assert hear(listening, answer)[0].deliver


def test_a_directed_block_says_so():
    outcome = hear(intake(), said(ANN, "for you", to=HERE))[0]
    assert (outcome.directed, outcome.deliver) == (True, True)
    assert hear(intake(), said(ANN, "for bob", to=BOB))[0].reason == "wrong_audience"


def test_bindings_stay():
    listening = intake()
    assert listening.bind(ANN, KEYS[ANN].public_key) == "known"
    assert listening.bind(ANN, KEYS[BOB].public_key) == "conflict"
    with pytest.raises(core.CoreError) as raised:
        listening.bind(BOB, bytes(32))
    assert raised.value.reason == "invalid_key"


@pytest.mark.parametrize(
    "policy",
    [{"window": 0}, {"seen_capacity": 0}, {"stable": 0.9}, {"freshness_seconds": -1.0}, {"redundancy": 7.0}],
)
def test_a_policy_that_cannot_work_is_refused(policy: dict[str, object]):
    with pytest.raises(core.CoreError) as raised:
        intake(**policy)
    assert raised.value.reason == "invalid_argument"


def test_many_threads_lose_nothing_and_take_nothing_twice():
    listening = intake(window=16)
    blocks = [said(ANN, f"block number {number}") for number in range(64)]
    with ThreadPoolExecutor(4) as pool:
        heard = list(pool.map(lambda block: hear(listening, block), blocks * 2))
    judged = [outcomes[0].key for outcomes in heard if outcomes[0].evaluation is not None]
    assert sorted(judged) == sorted(block.key for block in blocks)


FORKED = """
import os, sys
from covey import _core, core

key = core.SigningKey(b"\\x0a" * 32)
author, here, room, now = sys.argv[1], sys.argv[2], "tests", 1_800_000_000_000
listening = _core.Intake(here, room, [1.0] * 7, workers=4)
listening.bind(author, key.public_key)


def hear(first):
    drafts = [
        core.Draft({"focus": f"thing {number}"}, node_id=author, author="ann", room=room, created_ms=now)
        for number in range(first, first + 200)
    ]
    batch = _core.RecordBatch(_core.sign_many(drafts, key))
    heard = listening.evaluate(batch, session_node_id=author, now_ms=now, entropy=bytes(32))
    return sum(outcome.kind != "refused" for outcome in heard)


assert hear(0) == 200
child = os.fork()
if child == 0:
    os._exit(0 if hear(200) == 200 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert hear(200) == 200
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no such call on this system")
def test_a_forked_process_works_without_the_helpers_it_does_not_have():
    # Python 3.12 and later warn of every fork beside threads: that is what is tried here.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, ANN, HERE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
