"""What agents say to each other is what its vectors say, byte for byte; rust/core reads the same file."""

import json

import pytest

from covey import _core
from covey.fleet.message import Message
from covey.fleet.work.task import read_award, read_revoked, read_said
from covey.proto.bus import frames
from covey.proto.bus.words import SCHEMA
from tests.conformance import coordination

VECTORS = json.loads(coordination.FILE.read_text(encoding="utf-8"))


def test_s19_this_build_writes_every_vector_as_it_stands():
    assert coordination.vectors() == VECTORS


@pytest.mark.parametrize("frame", VECTORS["frames"], ids=lambda each: each["name"])
def test_s19_a_frame_is_read_and_written_the_same(frame):
    raw = frame["bytes"].encode()
    match frames.read(raw):
        case frames.Who() as who:
            assert [*frames.write_who(who.serial, who.names, who.patterns)] == [raw]
        case frames.Taken() as taken:
            assert frames.write_taken(taken.seq, taken.state, taken.reason) == raw
        case frames.Sent() as sent:
            body = json.dumps(sent.message, ensure_ascii=False, separators=(",", ":")).encode()
            assert frames.write_message(sent.seq, sent.topic, body) == raw


@pytest.mark.parametrize("frame", VECTORS["refused"], ids=lambda each: each["reason"])
def test_s19_what_is_no_frame_is_refused_with_its_word(frame):
    with pytest.raises(frames.BadFrameError, match=frame["reason"]):
        frames.read(frame["bytes"].encode())


@pytest.mark.parametrize("vector", VECTORS["records"], ids=lambda each: each["name"])
def test_s19_leases_and_results_are_records_that_hold_and_say_what_was_said(vector):
    key, raw = bytes.fromhex(VECTORS["publicKeyHex"]), vector["bytes"].encode()
    record = _core.verify(_core.Unverified.parse(raw), key)
    assert (record.key, record.assertion_id) == (vector["key"], vector["assertionId"])
    assert record.application is not None and record.application.schema == SCHEMA
    message = Message.from_dict(json.loads(record.application.data)["message"])
    assert message.to_dict() == vector["message"]
    read = {"TASK_REQUEST": read_award, "TASK_RESULT": read_said}[message.type]
    assert read(message.payload).payload() == message.payload
    with pytest.raises(_core.CoreError):
        _core.verify(
            _core.Unverified.parse(raw.replace(b"from ann", b"from eve").replace(b"from lead", b"from eve0")),
            key,
        )


def test_s19_frames_of_tasks_say_what_was_said():
    said = {each["name"]: json.loads(each["bytes"]) for each in VECTORS["frames"]}
    alive = read_said(said["message-alive"]["message"]["payload"])
    assert (alive.what, alive.share, alive.fence) == ("alive", 0.5, 3)
    assert read_said(said["message-refused"]["message"]["payload"]).detail == "busy"
    assert read_revoked(said["message-void"]["message"]["payload"]).fence == 2
