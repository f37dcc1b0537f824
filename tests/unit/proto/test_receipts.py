from __future__ import annotations

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from covey import _core, limits
from covey.model import SendState
from covey.proto.receipts import BadReceiptError, Receipt, parse

AUTHOR = _core.Identity("01997c00-0000-7000-8000-000000000001", "author", b"\x01" * 32)
READER = "01997c00-0000-7000-8000-000000000002"


def record(text: str, *, to: str | None = None, signer: _core.Identity = AUTHOR) -> _core.Record:
    head = {"node_id": AUTHOR.node_id, "author": "author", "created_ms": 1_000, "room": "default"}
    return _core.sign(_core.Draft({"focus": text}, to=to, **head), signer)


def judge(intake: _core.Intake, *records: _core.Record) -> _core.OutcomeBatch:
    batch = _core.RecordBatch(list(records))
    return intake.evaluate(batch, session_node_id=AUTHOR.node_id, now_ms=2_000, entropy=b"\0" * 32)


def test_what_the_core_writes_is_what_every_covey_peer_reads() -> None:
    intake = _core.Intake(READER, "default", [1.0] * 7)
    intake.bind(AUTHOR.node_id, AUTHOR.public_key)
    first, again = record("the build is red"), record("the build is red", to=READER)
    forged = record("not mine", signer=_core.Identity(AUTHOR.node_id, "author", b"\x02" * 32))
    outcomes = judge(intake, first, first, again, forged)
    assert [outcome.kind for outcome in outcomes] == ["admitted", "duplicate", "redundant", "refused"]
    told = outcomes.receipt(duplicates=True)
    assert told is not None
    count, frame = told
    read = parse(frame)
    assert count == len(read) == 4
    assert [r.assertion_id for r in read] == [r.assertion_id for r in (first, first, again, forged)]
    assert [r.outcome for r in read] == ["admitted", "duplicate", "delivered", "refused"]
    assert [r.reason for r in read[:2]] == [None, None]
    assert read[2].reason is not None
    assert read[2].reason.startswith("redundant: ")
    assert read[3].reason == "bad_signature"


def test_a_receipt_may_leave_duplicates_out() -> None:
    intake = _core.Intake(READER, "default", [1.0] * 7)
    intake.bind(AUTHOR.node_id, AUTHOR.public_key)
    block = record("the build is red")
    judge(intake, block)
    repeated = judge(intake, block)
    assert repeated.receipt(duplicates=False) is None
    told = repeated.receipt(duplicates=True)
    assert told is not None
    assert [receipt.outcome for receipt in parse(told[1])] == ["duplicate"]


@given(st.lists(st.text(max_size=300), min_size=1, max_size=limits.RECEIPTS_PER_FRAME))
@settings(max_examples=20)
def test_a_whole_batch_fits_one_frame(texts: list[str]) -> None:
    intake = _core.Intake(READER, "default", [1.0] * 7)
    intake.bind(AUTHOR.node_id, AUTHOR.public_key)
    told = judge(intake, *(record(text or "x") for text in texts)).receipt(duplicates=True)
    assert told is not None
    assert told[0] == len(parse(told[1])) == len(texts)
    assert len(told[1]) <= limits.FRAME_BYTES // 4


@given(st.binary(max_size=200))
def test_garbage_is_a_bad_receipt_and_nothing_else(frame: bytes) -> None:
    with pytest.raises(BadReceiptError):
        parse(frame)


REASON = limits.RECEIPT_REASON_CHARS
GOOD = ["asrt-" + "0" * 64, "admitted", None]


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"type": "x-covey-delivery"},
        {"type": "x-covey-delivery", "results": [GOOD], "more": 1},
        {"type": "x-covey-delivery", "results": [GOOD[:2]]},
        {"type": "x-covey-delivery", "results": [["asrt-0", "admitted", None]]},
        {"type": "x-covey-delivery", "results": [[GOOD[0], "loved", None]]},
        {"type": "x-covey-delivery", "results": [[GOOD[0], "refused", "\x1b[2Jgone"]]},
        {"type": "x-covey-delivery", "results": [[GOOD[0], "refused", "x" * (REASON + 1)]]},
        {"type": "x-covey-delivery", "results": [GOOD] * (limits.RECEIPTS_PER_FRAME + 1)},
    ],
)
def test_any_member_out_of_bounds_refuses_the_whole_frame(value: object) -> None:
    with pytest.raises(BadReceiptError):
        parse(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ("admitted", SendState.DELIVERED),
        ("duplicate", SendState.DELIVERED),
        ("delivered", SendState.DELIVERED),
        ("redundant", SendState.REFUSED),
        ("rejected", SendState.REFUSED),
        ("refused", SendState.REFUSED),
    ],
)
def test_a_receipt_states_the_end_of_a_send(outcome: str, state: SendState) -> None:
    assert Receipt(str(GOOD[0]), outcome, None).state is state
