"""Who answers to what, where: the nicknames and topics of other peers' agents, as their peers announced them.

Rules: pure. A peer speaks for its own agents alone, and what it announces later replaces what it announced
before. Several peers may have an agent of one nickname, as several handlers may at one peer: each gets what
is sent to it, and `nickname@peer` names one of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from covey.fleet.message import EVERYBODY, is_nickname
from covey.fleet.topics import TopicError, check_pattern, matches
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One peer with what its agents answer to."""

    node_id: str
    peer: str
    names: frozenset[str]
    patterns: tuple[tuple[str, ...], ...]


class Directory:
    """The announcements of all peers that are here."""

    def __init__(self) -> None:
        self._all: dict[str, Entry] = {}

    def learn(self, node_id: str, peer: str, names: Sequence[str], patterns: Sequence[str]) -> int:
        """Take a peer's announcement; return how many of its entries are none, and were left out."""
        good = [name for name in names if is_nickname(name)]
        read = []
        for pattern in patterns:
            try:
                read.append(check_pattern(pattern))
            except TopicError:
                continue  # counted below: it is in neither list
        self._all[node_id] = Entry(node_id, peer, frozenset(good), tuple(read))
        return len(names) - len(good) + len(patterns) - len(read)

    def drop(self, node_id: str) -> None:
        """Forget a peer that is gone."""
        self._all.pop(node_id, None)

    def get(self, node_id: str) -> Entry | None:
        """Return one peer's entry, or None."""
        return self._all.get(node_id)

    def all(self) -> list[Entry]:
        """Return every entry, by nodeId."""
        return [self._all[node_id] for node_id in sorted(self._all)]

    def names(self) -> set[str]:
        """Return every nickname that some peer announces."""
        return {name for entry in self._all.values() for name in entry.names}

    def has(self, nickname: str) -> list[str]:
        """Return the peers with an agent of that nickname."""
        return [entry.node_id for entry in self.all() if nickname in entry.names]

    def listeners(self, topic: tuple[str, ...]) -> list[str]:
        """Return the peers with a subscription that matches a topic."""
        return [entry.node_id for entry in self.all() if any(matches(each, topic) for each in entry.patterns)]

    def recipients(self, recipient: str) -> list[str]:
        """Return the peers a message to that recipient goes to: a nickname, `nickname@peer`, or everybody."""
        if recipient == EVERYBODY:
            return [entry.node_id for entry in self.all() if entry.names]
        found = self.has(recipient)
        nickname, at, peer = recipient.rpartition("@")
        if found or not at:
            return found
        return [node_id for node_id in self.has(nickname) if peer in (node_id, self._all[node_id].peer)]
