"""Vectors of covey's own of what agents say to each other: made here once, read from Rust and Python.

`python -m tests.conformance.coordination` writes coordination-v1.json anew: only where the wire is meant to
change, which makes a new version of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from covey import _core
from covey.fleet.message import Message
from covey.fleet.work.task import Award, Revoked, Said, Task, task_id
from covey.proto.bus import frames
from covey.proto.bus.words import SCHEMA

FILE = Path(__file__).with_name("coordination-v1.json")
SEED = bytes([0x42]) * 32
LEAD = "01900000-0000-7000-8000-0000000000a1"
WORKER = "01900000-0000-7000-8000-0000000000b2"
ADDRESS = f"ann@{WORKER}"
AT_MS = 1_760_000_000_000


def identity() -> _core.Identity:
    """Return who signs every record here."""
    return _core.Identity(WORKER, "ann", SEED)


def task() -> Task:
    """Return the task that all of it is about."""
    return Task(
        task_id(LEAD, "order-7"),
        "order-7",
        "translate",
        {"text": "good morning, Zoë"},
        AT_MS + 60_000,
        30.0,
        hops=2,
        visited=(f"tasks@{LEAD}",),
        trace="00112233445566778899aabbccddeeff",
    )


def messages() -> dict[str, Message]:
    """Return one message of each kind that tasks have, by name."""
    lease = Award(task(), 3, ADDRESS, 10.0, 60.0)
    done = Said("done", task().id, 3, ADDRESS, 0, value={"text": "guten Morgen"}, detail="", by=ADDRESS)
    alive = Said("alive", task().id, 3, ADDRESS, 1, share=0.5, detail="half of it")
    refused = Said("refused", task().id, 3, ADDRESS, 1, detail="busy")
    void = Revoked(task().id, 2, "nothing heard for 10 s")
    payloads = {
        "lease": ("TASK_REQUEST", lease.payload()),
        "result": ("TASK_RESULT", done.payload()),
        "alive": ("HEARTBEAT", alive.payload()),
        "refused": ("ERROR", refused.payload()),
        "void": ("CANCEL", void.payload()),
    }
    return {
        name: Message(
            id=f"{number:032x}",
            sender="lead/tasks" if name in ("lease", "void") else "ann/tasks",
            recipient="ann/tasks" if name in ("lease", "void") else f"lead/tasks@{LEAD}",
            type=kind,
            payload=payload,
            timestamp_ms=AT_MS,
            in_reply_to=task().id,
            correlation_id=task().id,
            trace=task().trace,
            depth=1,
            deadline_ms=AT_MS + 10_000,
        )
        for number, (name, (kind, payload)) in enumerate(payloads.items(), start=1)
    }


def written() -> Iterator[tuple[str, bytes]]:
    """Yield every frame with its name, as this build writes it."""
    yield "who", next(frames.write_who(3, ["ann/tasks", "ann"], ["weather.*.rain", "news.>"]))
    yield "who-nothing", next(frames.write_who(0, [], []))
    yield "taken", frames.write_taken(12, "executed", "")
    yield "taken-refused", frames.write_taken(13, "refused", "over-budget")
    for name in ("alive", "refused", "void"):
        body = json.dumps(messages()[name].to_dict(), ensure_ascii=False, separators=(",", ":")).encode()
        yield f"message-{name}", frames.write_message(7, "", body)
    yield "message-topic", frames.write_message(8, "weather.north.rain", b'{"id":"0123456789ab"}')


def signed(message: Message) -> _core.Record:
    """Return a message as the record that proves it."""
    body = json.dumps(
        {"topic": "", "message": message.to_dict()}, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    return signed_text(body, f"message {message.id}", f"{message.type} from {message.sender}")


def signed_text(body: str, focus: str = "message", intent: str = "a word") -> _core.Record:
    """Return a record that carries a text as messages are carried, whatever it says."""
    draft = _core.Draft(
        {"focus": focus, "intent": intent},
        node_id=WORKER,
        author="ann",
        created_ms=AT_MS,
        room="lab",
        to=LEAD,
        application=_core.Application("application/json", SCHEMA, body.encode()),
    )
    return _core.sign(draft, identity())


REFUSED = {
    '{"type":"x-covey-bus","op":"who","serial":-1,"names":[],"patterns":[],"more":false}': "serial",
    '{"type":"x-covey-bus","op":"who","serial":1,"names":[""],"patterns":[],"more":false}': "names",
    '{"type":"x-covey-bus","op":"who","serial":1,"names":[],"patterns":[]}': "members",
    '{"type":"x-covey-bus","op":"taken","seq":1,"state":"perhaps","reason":""}': "state",
    '{"type":"x-covey-bus","op":"taken","seq":true,"state":"executed","reason":""}': "seq",
    '{"type":"x-covey-bus","op":"message","seq":1,"topic":"","message":[]}': "message",
    '{"type":"x-covey-bus","op":"shout"}': "op",
    '{"type":"x-covey-bus"': "json",
}
"""Frames that are none, and the word that says why."""


def vectors() -> dict[str, Any]:
    """Return all of it."""
    records = {name: signed(messages()[name]) for name in ("lease", "result")}
    return {
        "format": "covey-coordination-v1",
        "publicKeyHex": identity().public_key.hex(),
        "frames": [{"name": name, "bytes": frame.decode()} for name, frame in written()],
        "refused": [{"bytes": frame, "reason": reason} for frame, reason in REFUSED.items()],
        "records": [
            {
                "name": name,
                "bytes": record.to_json().decode(),
                "key": record.key,
                "assertionId": record.assertion_id,
                "message": messages()[name].to_dict(),
            }
            for name, record in records.items()
        ],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
