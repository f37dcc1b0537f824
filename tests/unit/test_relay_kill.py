"""What is said of frames over the kill of a relay: each is delivered, told as undelivered, or neither."""

import json

from benches.relay_kill import APART, FROM_LOST, TO_LOST, Tally


def frame(number: str) -> str:
    return json.dumps({"from": "a", "fromName": "n", "payload": {"k": number, "x": "y"}})


def test_every_frame_is_delivered_told_or_neither():
    sent = {"0-1": FROM_LOST, "0-2": FROM_LOST, "1-1": APART, "1-2": TO_LOST, "1-3": TO_LOST}
    tally = Tally(sent=sent, closed=2)
    tally.moved, tally.seconds = 500, 3.4
    assert [tally.heard(frame(number)) for number in ("0-1", "1-1", "1-1")] == ["0-1", "1-1", "1-1"]
    absent = {"type": "relay-error", "message": "not delivered", "kind": "absent", "reason": "b"}
    assert tally.heard(json.dumps(absent)) is None
    assert tally.heard('{"type":"relay-peer-left","nodeId":"b","name":"n"}') is None
    assert tally.heard('{"from":"a","fromName":"n","payload":{"n":7}}') is None, "a ping of before"
    assert tally.missing == ["0-2", "1-2", "1-3"]
    assert list(tally.lines()) == [
        "one relay killed: 500 clients back and reached after 3.4 s",
        "meanwhile 5 frames sent, 2 delivered (1 twice), told as undelivered: 1 absent; neither: 2",
        "of those not delivered 1 of the killed relay's clients, 2 of others to them, "
        "0 between two that it did not serve; 2 more sends were refused by closed connections",
    ]
