"""What moves with an agent: entries, their signed description, and what was written too late."""

import json

import pytest

from covey import core
from covey.errors import UsageError
from covey.state import continuity as moves
from covey.state.syndication import is_shareable

ANN = core.Identity("01997c00-0000-7000-8000-000000000001", "ann", b"\x01" * 32)
BOB = core.Identity("01997c00-0000-7000-8000-000000000002", "bob", b"\x02" * 32)
CLASSES = {"session": {"task": b'{"step":1}', "who": b'"ann"'}}


def payload(config=None, classes=CLASSES, by=ANN):
    body = moves.payload_body(ANN.author, BOB.author, 1, "0.1.0", config, classes)
    return {"body": body.decode(), "signature": by.sign_statement(moves.PAYLOAD, body).hex()}


def check(found, classes=CLASSES, to=BOB.author):
    return moves.check_payload(found, ANN.public_key, ANN.author, to, classes)


def test_a26_a_payload_holds_only_for_what_it_describes_and_for_whom():
    assert check(payload()) is None
    assert check(payload("[identity]")) == "[identity]"
    with pytest.raises(UsageError, match="not what it describes"):
        check(payload(), {"session": {"task": b'{"step":2}', "who": b'"ann"'}})
    with pytest.raises(UsageError, match="not what it describes"):
        check(payload(), {"session": {"task": b'{"step":1}'}})
    with pytest.raises(UsageError, match="another node"):
        check(payload(), to=ANN.author)
    with pytest.raises(UsageError, match="not signed"):
        check(payload(by=BOB))
    bent = payload()
    bent["body"] = bent["body"].replace('"0.1.0"', '"9.9.9"')
    with pytest.raises(UsageError, match="not signed"):
        check(bent)
    for broken in ({}, {"body": "{}", "signature": "zz"}, {"body": 1, "signature": None}):
        with pytest.raises(UsageError):
            check(broken)
    with pytest.raises(UsageError, match="at most"):
        payload("x" * 70_000)


def test_a07_what_was_written_past_the_point_is_named_with_its_value():
    scope = f"agent:{ANN.author}:{BOB.author}:session"
    state = core.StateMap(scope, ANN.author, seed=bytes(16))
    for number, write in enumerate(
        [("put_json", "a", b"1"), ("put_json", "b", b"2"), ("put_json", "a", b"3"), ("delete", "b", None)]
    ):
        state.commit([write], now_ms=1_790_000_000_000 + number, identity=ANN)
    assert moves.late_of(state, ANN.author, 4) == moves.Late(0, ())
    late = moves.late_of(state, ANN.author, 2)
    assert late.operations == 2
    assert dict(late.names) == {"a": b"3", "b": b"null"}
    assert moves.entries_of(state) == {"a": b"3"}
    assert moves.late_of(None, ANN.author, 0) == moves.Late(0, ())


def test_classes_of_an_agent_that_is_held_for_another_can_be_shared_and_late_ones_cannot():
    assert is_shareable(f"as:{ANN.author}:session")
    assert is_shareable(f"as:{ANN.author}:memory:long-term")
    assert not is_shareable(f"as:{ANN.author}:diary")
    assert not is_shareable("as:nobody:session")
    assert not is_shareable("late:2:session")
    assert not is_shareable(f"config:{ANN.author}")
    assert json.loads(moves.as_json('a "b"')) == 'a "b"'
