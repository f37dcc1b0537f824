"""The vectors of decisions: this build writes them as they stand, reads them, and every record holds."""

import hashlib
import json

import pytest

from covey import _core
from covey.fleet import auction_record as ar
from covey.fleet import solve_record as sr
from covey.fleet import vote_record as vr
from tests.conformance.decisions import ANN, BOB, FILE, written

DATA = json.loads(FILE.read_text(encoding="utf-8"))
KEYS = {each.node_id: bytes(each.public_key) for each in (ANN, BOB)}
ROOMS = {"vote": vr, "auction": ar, "solve": sr}


def test_s19_this_build_writes_every_decision_as_it_stands():
    assert written() == FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ROOMS)
def test_s19_a_record_of_a_decision_is_read_and_holds_for_whoever_has_the_keys(kind):
    record = ROOMS[kind].read_record(DATA["records"][kind])
    assert record.to_dict() == DATA["records"][kind]
    assert ROOMS[kind].check(record, KEYS.get).holds


@pytest.mark.parametrize("vector", DATA["statements"], ids=lambda each: each["name"])
def test_s19_what_is_signed_in_a_decision_is_these_bytes(vector):
    signature, key = bytes.fromhex(vector["signatureHex"]), bytes.fromhex(vector["publicKeyHex"])
    _core.verify_statement(vector["kind"], vector["body"].encode(), signature, key)
    with pytest.raises(_core.CoreError):
        _core.verify_statement(vector["kind"], vector["body"].encode() + b" ", signature, key)


def test_s19_a_digest_is_of_the_bytes_that_the_page_says():
    question = DATA["records"]["vote"]["question"]
    said = [
        question["id"],
        question["text"],
        question["options"],
        sorted(question["electorate"]),
        question["deadline_ms"],
        "0.5",
        "0.5",
        question["tie"],
    ]
    plain = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    assert hashlib.sha256(plain).hexdigest() == DATA["digests"]["question"]
    lot = json.dumps(DATA["records"]["auction"]["lot"], sort_keys=True, separators=(",", ":")).encode()
    assert hashlib.sha256(lot).hexdigest() == DATA["digests"]["lot"]
