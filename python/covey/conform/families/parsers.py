"""For each published schema, how the implementation is made to read a value of it.

A control frame is sealed by a puppet, a hello opens a session, a record is parsed: as a peer would do it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from covey.conform import live
from covey.conform.families import sealed, tether
from covey.conform.folder import Collection
from covey.conform.live import Conversation
from covey.conform.reference import minified
from covey.conform.subject import Subject
from covey.values import dataclass

Json = dict[str, Any]
Taken = Callable[[Any], bool | None]
"""Whether the implementation takes a value; None where it cannot be asked."""


@dataclass(frozen=True, slots=True)
class Parser:
    """A valid value to start from, how it is read, and whether a proof or seal binds it beyond its schema."""

    base: Any
    taken: Taken
    bound: bool = False


Maker = Callable[[str, Any, Subject, Collection], Parser | str]


def _fixtures(collection: Collection) -> Iterator[Json]:
    for artifact in collection.having("fixture", "expected"):
        if "handshake" in artifact.value["fixture"]:
            yield artifact.value["fixture"]


def _handshake(label: str, base: Any, subject: Subject, collection: Collection) -> Parser | str:
    fixture = next(_fixtures(collection), None)
    if fixture is None:
        return "no published handshake in the folder"
    side = "client" if label == "serverHello" else "server"

    def taken(value: Any) -> bool | None:
        started = live.start(subject, fixture, side)
        if started.unsupported:
            return None
        session = started.member("session")
        if label == "clientFinish":
            live.give(subject, session, fixture["frames"]["clientHello"])
        answer = live.give(subject, session, value)
        subject.ask("session_end", session=session)
        return bool(live.written(answer) or live.events(answer, "authenticated"))

    return Parser(fixture["frames"][label], taken, bound=label != "clientHello")


def _inner(label: str, base: Any, subject: Subject, collection: Collection) -> Parser | str:
    """A control frame, sealed by a puppet on a session that is opened anew whenever a frame ended it."""
    held: list[Conversation | None] = [None]
    extensions = ("sym-attest-v1",) if "sym-attest-" in str(base) else ()

    if base is None:
        return "no valid value to start from"

    def taken(value: Any) -> bool | None:
        conversation = held[0] = held[0] or Conversation.opened(subject, extensions)
        if conversation is None:
            return None
        answer = conversation.give(conversation.puppet.control(value))
        if answer.member("state") != "open":
            held[0] = None
        if live.events(answer, "ignored") and isinstance(value, dict) and value.get("type") == base["type"]:
            return None  # the type itself is not known here, whatever the frame says
        # An error frame that ends the session was read and acted on.
        return bool(live.events(answer, "control") or live.events(answer, "closed"))

    return Parser(base, taken)


def _record(label: str, base: Any, subject: Subject, collection: Collection) -> Parser | str:
    record = _signed_record(collection, with_application=False)
    return (
        "no published record in the folder"
        if record is None
        else Parser(record, _parsing(subject, lambda v: v))
    )


def _application(label: str, base: Any, subject: Subject, collection: Collection) -> Parser | str:
    record = _signed_record(collection, with_application=True)
    if record is None:
        return "no published record with application bytes in the folder"

    def inside(value: Any) -> Json:
        # Null is "no application" to a record, and no application to this schema.
        refused = "null" if value is None else value
        return {**record, "metadata": {**record["metadata"], "application": refused}}

    # Length and digest bind the data, so that only some valid neighbours are consistent with themselves.
    return Parser(record["metadata"]["application"], _parsing(subject, inside), bound=True)


def _published(label: str, base: Any, subject: Subject, collection: Collection) -> Parser | str:
    """A frame of the published profile with a published record in it."""
    parser = _asked("read_published_frame")(label, base, subject, collection)
    record = _signed_record(collection, with_application=False)
    if record is None or isinstance(parser, str):
        return "no published record in the folder"
    return Parser({**base, "cmb": record}, parser.taken)


def _parsing(subject: Subject, whole: Callable[[Any], Any]) -> Taken:
    def taken(value: Any) -> bool | None:
        answer = subject.ask("parse_record", json=minified(whole(value)))
        return None if answer.unsupported else answer.ok

    return taken


def _signed_record(collection: Collection, *, with_application: bool) -> Json | None:
    for artifact in collection.having("signatureSuite", "cases"):
        for case in artifact.value["cases"]:
            if (case["record"]["metadata"].get("application") is not None) is with_application:
                record: Json = case["record"]
                return record
    return None


def _envelope(label: str, base: Any, subject: Subject, collection: Collection) -> Parser | str:
    for artifact in collection.having("noApplication", "sessionId"):
        fixture = sealed.fixture_of(artifact.value["sessionId"], collection)
        if fixture is not None:
            *_, (_, _, frame) = sealed.record_frames(artifact.value)
            return Parser(frame, _opening(subject, fixture, "records"), bound=True)
    return "no published sealed record in the folder"


def _control_envelope(label: str, base: Any, subject: Subject, collection: Collection) -> Parser | str:
    conversation = Conversation.opened(subject)
    if conversation is None:
        return "the implementation has no session operations"
    frame = conversation.puppet.control({"type": "ping"})

    def taken(value: Any) -> bool | None:
        # The puppet's randomness is pinned: every conversation is the same session from its beginning.
        again = Conversation.opened(subject)
        if again is None:
            return None
        answer = again.give(value)
        again.end()
        return bool(live.events(answer, "control"))

    return Parser(frame, taken, bound=True)


def _tether(label: str, base: Any, subject: Subject, collection: Collection) -> Parser | str:
    """An attestation under its signature, which the schema leaves out where it is open."""
    for artifact in collection.having("driftCases", "attestation"):

        def taken(value: Any) -> bool | None:
            answer = tether.verify(value, subject)
            return None if answer.unsupported else answer.ok

        return Parser(tether.attested(artifact.value["attestation"]), taken, bound=True)
    return "no published attestation in the folder"


def _opening(subject: Subject, fixture: Json, kind: str) -> Taken:
    def taken(value: Any) -> bool | None:
        session = sealed.open_session(subject, fixture, "server")
        if session is None:
            return None
        answer = live.give(subject, session, value)
        subject.ask("session_end", session=session)
        return bool(live.events(answer, kind))

    return taken


def _asked(op: str) -> Maker:
    """A frame that one operation reads by itself."""

    def maker(label: str, base: Any, subject: Subject, collection: Collection) -> Parser | str:
        def taken(value: Any) -> bool | None:
            answer = subject.ask(op, json=minified(value))
            return None if answer.unsupported else answer.ok

        return Parser(base, taken)

    return maker


PARSERS: Final[Mapping[str, Maker]] = {
    "handshake.schema.json": _handshake,
    "control-frame.schema.json": _inner,
    "cmb-fetch.schema.json": _inner,
    "cmb-fetch-result.schema.json": _inner,
    "authority-frame.schema.json": _inner,
    "room-join.schema.json": _inner,
    "sym-attest-frame.schema.json": _inner,
    "cmb.schema.json": _record,
    "published cmb-frame.schema.json": _published,
    "published cmb-fetch.schema.json": _asked("read_published_frame"),
    "published cmb-fetch-result.schema.json": _published,
    "application.schema.json": _application,
    "encrypted-cmb-frame.schema.json": _envelope,
    "control-encrypted.schema.json": _control_envelope,
    "relay-frame.schema.json": _asked("read_relay_frame"),
    "tether-attestation.schema.json": _tether,
}
