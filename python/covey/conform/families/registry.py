"""`frame-registry`: what an open session does with every type there is, sealed and clear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from covey.conform import choices
from covey.conform.family import Family, members
from covey.conform.folder import Artifact, Collection
from covey.conform.live import Conversation
from covey.conform.report import Case, chosen, failed, not_covered, passed
from covey.conform.subject import Subject

_SESSION_LAYER: Final = frozenset(
    {"client-hello", "server-hello", "client-finish", "cmb", "cmb-encrypted", "control-encrypted"}
)
"""Core types that are never inside a sealed control frame (update 1, §7.1)."""


def _run(artifact: Artifact, _: Collection, subject: Subject) -> Iterator[Case]:
    conversation = Conversation.opened(subject)
    if conversation is None:
        yield not_covered("every type", "the implementation has no session operations")
        return
    for row in artifact.value["frames"]:
        yield _sealed(row, conversation)
        yield _clear(row, conversation)
    yield _unknown(conversation)
    conversation.end()


def _sealed(row: dict[str, Any], conversation: Conversation) -> Case:
    """A frame that is only its type and one member too many is nowhere inside its schema."""
    kind = row["type"]
    label = f"{kind} ({row['status']}): malformed, sealed"
    answer = conversation.give(conversation.puppet.control({"type": kind, "notAMember": 1}))
    events = answer.member("events") or []
    if answer.member("state") != "open":
        return failed(label, f"ended the session: {events}")
    if kind in choices.RETIRED and [event["event"] for event in events] == ["ignored"]:
        return chosen(label, choices.RETIRED[kind])
    if row["status"] == "core" and kind not in _SESSION_LAYER:
        if any(event.get("reason") == "unsupported_type" for event in events):
            return not_covered(label, "the implementation ignores this core type")
        good = [event["event"] for event in events] == ["refused"]
        return passed(label) if good else failed(label, f"not refused: {events}")
    taken = any(event["event"] in ("control", "records") for event in events)
    return failed(label, f"acted on: {events}") if taken else passed(label)


def _clear(row: dict[str, Any], conversation: Conversation) -> Case:
    """In the clear nothing but ping and pong counts on a confirmed session, and nothing ends it."""
    kind = row["type"]
    label = f"{kind} ({row['status']}): in the clear"
    answer = conversation.give({"type": kind})
    events = answer.member("events") or []
    if answer.member("state") != "open":
        return failed(label, f"ended the session: {events}")
    taken = any(event["event"] in ("control", "records") for event in events)
    if taken != (kind in ("ping", "pong")):
        return failed(label, f"{'acted on' if taken else 'not heard'}: {events}")
    return passed(label)


def _unknown(conversation: Conversation) -> Case:
    """An unknown type is ignored without an answer (§4.2)."""
    label = "a type nobody knows: ignored, sealed and clear"
    strange = {"type": "no-such-frame", "x": [1]}
    for frame in (conversation.puppet.control(strange), strange):
        answer = conversation.give(frame)
        quiet = answer.member("output") == "" and answer.member("state") == "open"
        if not quiet or any(event["event"] != "ignored" for event in answer.member("events") or []):
            return failed(label, f"{answer.result}"[:240])
    return passed(label)


FAMILY = Family("frame registry", lambda artifact: members(artifact, "frames", "protocolVersion"), _run)
