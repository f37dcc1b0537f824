"""Turns: what several threads send to one recipient runs one after another, in the order it was sent.

A sender runs the handlers itself, in its own thread, so it waits for whoever is before it. Handlers may send,
so waits could form a ring; the one that would close it goes ahead out of turn instead, and that is counted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable


class Ticket:
    """One message's place at one recipient."""

    __slots__ = ("queue", "thread")

    def __init__(self, queue: deque[Ticket], thread: int) -> None:
        self.queue = queue
        self.thread = thread


class Turns:
    """The queues of all recipients.

    Args:
        lock: Guards them, and whatever must happen in the same order as booking.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._changed = threading.Condition(lock)
        self._queues: dict[str, deque[Ticket]] = {}
        self._waiting: dict[int, Ticket] = {}
        self.waived = 0

    def book(self, recipient: str) -> Ticket:
        """Take the next place at a recipient; the lock is held."""
        queue = self._queues.setdefault(recipient, deque())
        ticket = Ticket(queue, threading.get_ident())
        queue.append(ticket)
        return ticket

    def enter(self, ticket: Ticket) -> None:
        """Wait until it is this ticket's turn, or until waiting longer would be for ever."""
        with self._changed:
            while ticket.queue[0] is not ticket:
                if self._closes_a_ring(ticket):
                    self.waived += 1
                    return
                self._waiting[ticket.thread] = ticket
                self._changed.wait()
                del self._waiting[ticket.thread]

    def leave(self, ticket: Ticket) -> None:
        """Give the place up."""
        with self._changed:
            ticket.queue.remove(ticket)
            if ticket.queue:
                self._changed.notify_all()

    def forget(self, recipients: Iterable[str]) -> None:
        """Drop the queues of recipients that are gone; the lock is held."""
        for recipient in recipients:
            if not self._queues.get(recipient, True):
                del self._queues[recipient]

    def _closes_a_ring(self, ticket: Ticket) -> bool:
        """Tell whether somebody before this ticket waits, at whatever remove, for its thread."""
        seen: set[int] = set()
        ahead = [ticket]
        while ahead:
            current = ahead.pop()
            for other in current.queue:
                if other is current:
                    break
                if other.thread == ticket.thread:
                    return True
                waits = self._waiting.get(other.thread)
                if other.thread not in seen and waits is not None:
                    ahead.append(waits)
                seen.add(other.thread)
        return False
