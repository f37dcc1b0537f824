"""`e2e-v2` and `control-encrypted-v2`: sealed frames of the handshake's session (§18.2.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from covey.conform import live
from covey.conform.families.handshake import derived
from covey.conform.family import Family, members
from covey.conform.folder import Artifact, Collection
from covey.conform.reference import b64, control_aad, record_aad, seal
from covey.conform.report import Case, failed, not_covered, passed, same
from covey.conform.subject import Subject

Json = dict[str, Any]


def fixture_of(session_id: str, collection: Collection) -> Json | None:
    """Return the fixture of the handshake that made this session."""
    for artifact in collection.having("fixture", "expected"):
        if artifact.value["expected"].get("sessionId") == session_id:
            fixture: Json = artifact.value["fixture"]
            return fixture
    return None


def record_frames(value: Mapping[str, Any]) -> Iterator[tuple[str, Json, Json]]:
    """Yield (plaintext, case, whole frame) of every sealed record of an `e2e` artifact."""
    bare = value["noApplication"]
    for case, parent in [*((case, value) for case in value["cases"]), (bare["case"], bare)]:
        frame = {
            "type": "cmb-encrypted",
            "protocolVersion": value["protocolVersion"],
            "suite": value["suite"],
            "sessionId": value["sessionId"],
            "sequence": case["sequence"],
            "direction": case["direction"],
            "metadata": parent["metadata"],
            "sealed": case["sealedBase64url"],
        }
        yield parent["protectedPlaintextUtf8"], case, frame


def _records(artifact: Artifact, collection: Collection, subject: Subject) -> Iterator[Case]:
    value = artifact.value
    for plaintext, case, frame in record_frames(value):
        place = int(case["sequence"])
        aad = record_aad(value["sessionId"], case["direction"], place, frame["metadata"])
        yield from _construction(case, aad, plaintext, frame["sealed"])
    yield from _opened(value["sessionId"], [f for _, _, f in record_frames(value)], collection, subject)


def _control(artifact: Artifact, collection: Collection, subject: Subject) -> Iterator[Case]:
    value = artifact.value
    cases = [*value["cases"], value["innerRefused"]]
    for case in cases:
        aad = control_aad(value["sessionId"], case["direction"], int(case["sequence"]))
        yield from _construction(case, aad, case["plaintextUtf8"], case["frame"]["sealed"])
    earlier = [
        frame
        for other in collection.having("noApplication", "sessionId")
        if other.value["sessionId"] == value["sessionId"]
        for _, _, frame in [*record_frames(other.value)][:-1]
    ]
    # The same vectors may lie in the folder twice; one session takes each place once.
    places = {(frame["direction"], frame["sequence"]): frame for frame in earlier}
    frames = [*places.values(), *(case["frame"] for case in value["cases"])]
    yield from _opened(value["sessionId"], frames, collection, subject, value["innerRefused"])


def _construction(case: Json, aad: bytes, plaintext: str, sealed: str) -> Iterator[Case]:
    label, place = f"{case['direction']} {case['sequence']}", int(case["sequence"])
    yield same(f"construction: {label}: nonce", case["nonceHex"], place.to_bytes(12, "big").hex())
    yield same(f"construction: {label}: bound data", case["aadHex"], aad.hex())
    found = seal(bytes.fromhex(case["trafficKeyHex"]), place, plaintext.encode(), aad)
    yield same(f"construction: {label}: sealed", sealed, b64(found))


def _opened(
    session_id: str,
    frames: list[Json],
    collection: Collection,
    subject: Subject,
    forbidden: Json | None = None,
) -> Iterator[Case]:
    fixture = fixture_of(session_id, collection)
    if fixture is None:
        yield not_covered(
            "opened by the implementation", "the handshake of this session is not in the folder"
        )
        return
    made = derived(fixture)
    if made.session_id != session_id:
        yield failed("session", "the handshake beside it makes another session")
        return
    for direction, receiver in (("client-to-server", "server"), ("server-to-client", "client")):
        lane = [frame for frame in frames if frame["direction"] == direction]
        runs = [lane] if len({frame["sequence"] for frame in lane}) == len(lane) else [lane[:-1], lane[-1:]]
        for run in runs:
            yield from _in_order(direction, receiver, run, fixture, subject)
        if forbidden is not None and forbidden["direction"] == direction:
            yield _inner_refused(receiver, lane, forbidden, fixture, subject)


def _in_order(
    direction: str, receiver: str, lane: list[Json], fixture: Json, subject: Subject
) -> Iterator[Case]:
    session = open_session(subject, fixture, receiver)
    if session is None:
        yield not_covered(f"{direction}: opened", "the implementation has no session operations")
        return
    for frame in sorted(lane, key=lambda frame: int(frame["sequence"])):
        label = f"{direction} {frame['sequence']}: {frame['type']} opens"
        for what, bent in bents(frame):
            answer = live.give(subject, session, bent)
            ended = answer.member("state") != "open" or live.events(answer, "control")
            if ended or live.events(answer, "records"):
                yield failed(f"{label}: {what}", f"not refused: {answer.member('events')}"[:240])
            else:
                yield passed(f"{direction} {frame['sequence']}: {what} is refused")
        answer = live.give(subject, session, frame)
        good = live.events(answer, "records") or live.events(answer, "control")
        yield passed(label) if good else failed(label, f"{answer.member('events') or answer.reason}"[:240])
        again = live.events(live.give(subject, session, frame), "refused")
        yield passed(f"{label}: once") if again else failed(f"{label}: once", "a replay was not refused")


def _inner_refused(receiver: str, lane: list[Json], case: Json, fixture: Json, subject: Subject) -> Case:
    label = f"{case['direction']} {case['sequence']}: a forbidden inner frame"
    session = open_session(subject, fixture, receiver)
    if session is None:
        return not_covered(label, "the implementation has no session operations")
    for frame in sorted(lane, key=lambda frame: int(frame["sequence"])):
        live.give(subject, session, frame)
    answer = live.give(subject, session, case["frame"])
    found = {
        "innerAccepted": bool(live.events(answer, "control") or live.events(answer, "records")),
        "sessionOpen": answer.member("state") == "open",
    }
    return same(label, {name: case["expected"][name] for name in found}, found)


def open_session(subject: Subject, fixture: Json, side: str) -> int | None:
    """Complete the published handshake with the implementation on one side; None where it has no sessions."""
    started = live.start(subject, fixture, side)
    if started.unsupported:
        return None
    session: int = started.member("session")
    needed = ("serverHello",) if side == "client" else ("clientHello", "clientFinish")
    for name in needed:
        live.give(subject, session, fixture["frames"][name])
    return session


def bents(frame: Json) -> Iterator[tuple[str, Json]]:
    """Yield a sealed frame wrong in one place each."""
    other = {"client-to-server": "server-to-client", "server-to-client": "client-to-server"}
    changes: list[tuple[str, Any]] = [
        ("direction", other[frame["direction"]]),
        ("sessionId", "0" * 32),
        ("suite", "none"),
        ("protocolVersion", "2.1"),
        ("sequence", "0" + frame["sequence"]),
        ("sequence", int(frame["sequence"])),
        ("sequence", str(2**96)),
        ("sequence", "-1"),
        ("sealed", frame["sealed"] + "="),
        ("sealed", frame["sealed"][:-4]),
        ("sealed", frame["sealed"][:20]),
        ("sealed", frame["sealed"][::-1]),
        ("note", "one more"),
    ]
    for member, value in changes:
        yield f"{member} {str(value)[:16]!r}", {**frame, member: value}
    for member in frame:
        yield f"no {member}", {name: value for name, value in frame.items() if name != member}
    for member in ("key", "assertionId", "createdByNodeId", "room", "to") if "metadata" in frame else ():
        value = None if member == "to" else frame["metadata"][member][:-1] + "0"
        yield f"another {member}", {**frame, "metadata": {**frame["metadata"], member: value}}


RECORDS = Family("sealed records", lambda a: members(a, "sessionId", "cases", "noApplication"), _records)
CONTROL = Family(
    "sealed control frames", lambda a: members(a, "sessionId", "cases", "innerRefused"), _control
)
