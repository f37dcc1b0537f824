"""What was sent, bounded: the newest messages, by sender, recipient and type; and the ids seen."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque

from covey.fleet.message import Message
from covey.runtime.bus.values import DeadLetter, History, Receipt


class Past:
    """The bus's memory. Not thread-safe by itself: the bus's lock guards it.

    Args:
        most: Messages kept; the oldest are dropped first, and counted.
        dead_most: Dead letters kept.
        seen_most: Message ids remembered, so that one sent again is not handled again.
    """

    def __init__(self, most: int, dead_most: int, seen_most: int) -> None:
        self._messages: deque[Message] = deque(maxlen=most)
        self._dead: deque[DeadLetter] = deque(maxlen=dead_most)
        self._seen: OrderedDict[str, Receipt | None] = OrderedDict()
        self._seen_most = seen_most
        self.sent = 0
        self.died: Counter[str] = Counter()

    def begin(self, message: Message) -> bool:
        """Note a message that is about to be delivered; False where its id was sent before."""
        if message.id in self._seen:
            self._seen.move_to_end(message.id)
            return False
        self._seen[message.id] = None
        if len(self._seen) > self._seen_most:
            self._seen.popitem(last=False)
        self.sent += 1
        self._messages.append(message)
        return True

    def end(self, receipt: Receipt) -> None:
        """Keep a message's receipt, for whoever sends it again."""
        if receipt.message.id in self._seen:
            self._seen[receipt.message.id] = receipt
        if receipt.dead:
            self.bury(receipt)

    def bury(self, receipt: Receipt) -> None:
        """Keep a message that reached nobody, and why."""
        self.died[receipt.dead] += 1
        self._dead.append(DeadLetter(receipt.message, receipt.dead))

    def receipt(self, message_id: str) -> Receipt | None:
        """Return the receipt of a message sent before, None while it is still being delivered."""
        return self._seen.get(message_id)

    def page(self, sender: str | None, recipient: str | None, kind: str | None, limit: int | None) -> History:
        """Return the newest `limit` messages that meet every condition given, oldest first."""
        found = [
            message
            for message in self._messages
            if (sender is None or message.sender == sender)
            and (recipient is None or message.recipient == recipient)
            and (kind is None or message.type == kind)
        ]
        if limit is not None:
            found = found[max(0, len(found) - limit) :]
        return History(tuple(found), self.sent - len(self._messages))

    def dead(self) -> tuple[DeadLetter, ...]:
        """Return the newest dead letters, oldest first."""
        return tuple(self._dead)

    def clear(self) -> None:
        """Forget the messages; what was seen stays seen."""
        self._messages.clear()
        self._dead.clear()
