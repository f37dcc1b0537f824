from __future__ import annotations

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from covey import limits
from covey.model import SendState
from covey.proto.receipts import BadReceiptError, Receipt, frames, parse

ASSERTIONS = st.binary(min_size=32, max_size=32).map(lambda raw: f"asrt-{raw.hex()}")
OUTCOMES = st.sampled_from(["admitted", "delivered", "duplicate", "redundant", "rejected", "refused"])
RECEIPTS = st.builds(Receipt, ASSERTIONS, OUTCOMES, st.none() | st.text(max_size=300))


@given(st.lists(RECEIPTS, max_size=600))
def test_what_we_write_every_covey_peer_reads(written: list[Receipt]) -> None:
    made = frames(written)
    read = [receipt for frame in made for receipt in parse(frame)]
    assert [(r.assertion_id, r.outcome) for r in read] == [(r.assertion_id, r.outcome) for r in written]
    assert all(len(frame) <= limits.FRAME_BYTES // 4 for frame in made)
    for receipt in read:
        assert receipt.reason is None or receipt.reason.isprintable()


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
