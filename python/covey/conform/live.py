"""Sessions with the implementation under test: from published fixtures, or with a puppet as the client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from covey.conform.reference import Puppet, b64, framed, minified, unpadded
from covey.conform.subject import Answer, Subject, SubjectError

Json = dict[str, Any]

SERVER_NODE: Final = "018f47a0-7b21-7abc-8def-222222222222"
PUPPET_NODE: Final = "018f47a0-7b21-7abc-8def-111111111111"
ROOM: Final = "conformance-room"


def start(subject: Subject, fixture: Mapping[str, Any], side: str) -> Answer:
    """Start one side of a published handshake, its randomness pinned."""
    offer = fixture["handshake"][side]
    return subject.ask(
        "session_start",
        role=side,
        node_id=offer["nodeId"],
        name=offer["name"],
        seed=fixture[f"{side}IdentityPrivateSeedBase64url"],
        room=fixture["handshake"]["room"],
        extensions=offer["extensions"],
        implementation=offer["implementation"],
        e2e_secret=fixture[f"{side}E2EPrivateKeyBase64url"],
        nonce=offer["nonce"],
    )


def give(subject: Subject, session: int, *frames: Mapping[str, Any] | bytes) -> Answer:
    """Let a session read frames, given as values or as the bytes of their JSON."""
    data = b"".join(
        framed(frame if isinstance(frame, bytes) else minified(frame).encode()) for frame in frames
    )
    return subject.ask("session_receive", session=session, data=b64(data))


def written(answer: Answer) -> list[Json]:
    """Return the frames an answer wrote."""
    data, found = unpadded(answer.member("output") or ""), []
    while len(data) >= 4:
        size = int.from_bytes(data[:4], "big")
        found.append(json.loads(data[4 : 4 + size]))
        data = data[4 + size :]
    return found


def events(answer: Answer, kind: str) -> list[Json]:
    """Return the events of one kind."""
    return [event for event in answer.member("events") or () if event.get("event") == kind]


class Conversation:
    """An open session between a puppet and the implementation as the server."""

    def __init__(self, subject: Subject, puppet: Puppet, session: int) -> None:
        self.subject = subject
        self.puppet = puppet
        self.session = session

    @staticmethod
    def opened(subject: Subject, extensions: tuple[str, ...] = ()) -> Conversation | None:
        """Open one; None where the implementation has no sessions to ask for.

        Raises:
            SubjectError: It has, and the handshake did not complete.
        """
        puppet = Puppet(
            node_id=PUPPET_NODE,
            name="puppet",
            seed=b"\x11" * 32,
            room=ROOM,
            e2e_secret=b"\x33" * 32,
            nonce=b"\x55" * 32,
            extensions=extensions,
        )
        started = subject.ask(
            "session_start",
            role="server",
            node_id=SERVER_NODE,
            name="subject",
            seed=b64(b"\x22" * 32),
            room=ROOM,
            extensions=list(extensions),
            implementation={"name": "subject", "version": "1"},
            e2e_secret=b64(b"\x44" * 32),
            nonce=b64(b"\x66" * 32),
        )
        if started.unsupported:
            return None
        session = started.member("session")
        hello = written(give(subject, session, puppet.hello))
        if not hello:
            raise SubjectError("the implementation did not answer a client-hello")
        finished = give(subject, session, puppet.finish(hello[0]))
        if finished.member("state") != "open":
            raise SubjectError("the implementation did not open a session after client-finish")
        return Conversation(subject, puppet, session)

    def give(self, *frames: Mapping[str, Any] | bytes) -> Answer:
        """Let the implementation read frames."""
        return give(self.subject, self.session, *frames)

    def end(self) -> None:
        """Let the implementation forget the session."""
        self.subject.ask("session_end", session=self.session)
