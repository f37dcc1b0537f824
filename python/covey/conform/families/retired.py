"""Frames of the published 2.0 that its own main retired (`role-grant`, `role-revoke`): passed over whole.

Nothing of them may count, sealed or clear, well formed or not, and none may end the session.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from covey.conform import choices
from covey.conform.folder import Artifact
from covey.conform.instances import beside
from covey.conform.live import Conversation
from covey.conform.report import Case, chosen, failed, not_covered
from covey.conform.schema import Validator
from covey.conform.subject import Subject

_SAID: Final = {
    "grantee": "018f47a0-7b21-7abc-8def-111111111111",
    "grantedBy": "018f47a0-7b21-7abc-8def-222222222222",
    "grantedAt": 1_786_700_000_000,
    "sigAlg": "ed25519",
    "sig": "A" * 86,
}
_FRAMES: Final[dict[str, dict[str, Any]]] = {
    "grantFrame": {"type": "role-grant", "grant": {"type": "role-grant", **_SAID, "role": "validator"}},
    "revokeFrame": {"type": "role-revoke", "grant": {"type": "role-revoke", **_SAID}},
}


def tried(artifact: Artifact, subject: Subject, validator: Validator) -> Iterator[Case]:
    """Yield a case for each frame and each value beside it, sealed, and for the frame in the clear."""
    conversation = Conversation.opened(subject)
    if conversation is None:
        yield not_covered("whole artifact", "the implementation has no session operations")
        return
    for name, base in _FRAMES.items():
        schema, why = artifact.value["$defs"][name], choices.RETIRED[base["type"]]
        if not validator.is_valid(schema, base, artifact.name):
            yield not_covered(name, "no valid value to start from")
            continue
        yield _passed_over(f"{name}: as it is", conversation, conversation.puppet.control(base), why)
        yield _passed_over(f"{name}: in the clear", conversation, base, why)
        for what, value in beside(validator, schema, artifact.name, base):
            if isinstance(value, dict) and value.get("type") == base["type"]:
                frame = conversation.puppet.control(value)
                yield _passed_over(f"{name}: {what}", conversation, frame, why)
    conversation.end()


def _passed_over(label: str, conversation: Conversation, frame: Any, why: str) -> Case:
    answer = conversation.give(frame)
    said = [event["event"] for event in answer.member("events") or ()]
    if answer.member("state") != "open":
        return failed(label, f"ended the session: {said}")
    quiet = said == ["ignored"] and answer.member("output") == ""
    return chosen(label, why) if quiet else failed(label, f"not passed over: {said}")
