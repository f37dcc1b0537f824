"""Chains without lineage: the same content going back and forth between peers in ever new messages.

Depth counts answers to answers, where agents say what they answer. One that answers under a fresh message
each time is not counted, so its content is: a message sent, heard again, sent again, heard again.

Rules: pure; time comes in. What is heard long after it was sent is no reaction. Content is remembered as a
digest, of messages to one nickname that begin a trace and say something: what everybody tells everybody, and
presence, is the same all day and no chain.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from typing import Final

from covey import limits
from covey.fleet.message import EVERYBODY, Message, MessageType
from covey.values import dataclass

_PRESENCE: Final = frozenset(
    {
        MessageType.HEARTBEAT,
        MessageType.CANCEL,
        MessageType.CAPABILITY_QUERY,
        MessageType.IDENTITY_REQUEST,
        MessageType.IDENTITY_RESPONSE,
    }
)


@dataclass(slots=True)
class _Round:
    """One content: which way it went last, when, and how often it came back."""

    sent: bool
    at: float
    rounds: int = 0


class ContentChain:
    """One peer's view of contents that go round.

    Args:
        rounds: How often one content may come back.
        seconds: Later than that after it was sent it is no reaction, and counting begins anew.
    """

    def __init__(
        self, rounds: int = limits.CHAIN_ROUNDS, seconds: float = limits.CHAIN_REACTION_SECONDS
    ) -> None:
        self._rounds = rounds
        self._seconds = seconds
        self._seen: OrderedDict[bytes, _Round] = OrderedDict()

    def sent(self, message: Message, now: float) -> None:
        """Note a message that goes to another peer."""
        self._note(message, now, sent=True)

    def heard(self, message: Message, now: float) -> int:
        """Note a message of another peer; return how often its content came back, 0 while that is allowed."""
        rounds = self._note(message, now, sent=False)
        return rounds if rounds > self._rounds else 0

    def _note(self, message: Message, now: float, *, sent: bool) -> int:
        key = _content(message)
        if key is None:
            return 0
        known = self._seen.get(key)
        if known is None or now - known.at > self._seconds:
            known = self._seen[key] = _Round(sent, now)
            if len(self._seen) > limits.CHAIN_CONTENTS:
                self._seen.popitem(last=False)
        elif known.sent and not sent:
            known.rounds += 1
        known.sent, known.at = sent, now
        self._seen.move_to_end(key)
        return known.rounds


def _content(message: Message) -> bytes | None:
    if message.recipient == EVERYBODY or message.depth or message.type in _PRESENCE or not message.payload:
        return None
    said = [message.type, dict(message.payload)]
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).digest()
