"""The invites one peer gave and took, between its runs: `invites.json`; and the trust that follows from one.

Rules: a file that cannot be read is an error, never an empty list; it is private, and replaced whole. Of an
invite that was given only the digest of its id is kept, so the file invites nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from covey import typed
from covey.limits import INVITE_GUESTS, INVITES, INVITES_BYTES
from covey.proto.inviting import Given, Restored, Taken, with_given
from covey.settings import grammar
from covey.system import trust as books
from covey.system.json_book import JsonBook
from covey.system.trust import Trusted
from covey.values import dataclass

_ID: Final = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True, slots=True)
class InviteFile:
    """One peer's invites, and its trust book beside them."""

    path: Path
    trust_path: Path

    def load(self) -> Restored:
        """Read the file; one that was never written is empty.

        Raises:
            StoreError: It cannot be read, or is not whole.
        """
        return _FILE.load(self.path, Restored())

    def save(self, kept: Restored) -> None:
        """Write the file whole; its folder exists and is private.

        Raises:
            StoreError: It cannot be written; what was there is still there.
        """
        given = [
            {"digest": g.digest, "expiresMs": g.expires_ms, "once": g.once, "guests": list(g.guests)}
            for g in kept.given
        ]
        taken = [
            {"id": t.invite_id, "nodeId": t.node_id, "fingerprint": t.fingerprint, "expiresMs": t.expires_ms}
            for t in kept.taken
        ]
        _FILE.save(self.path, {"given": given, "taken": taken})

    def offer(self, given: Given, now_ms: int) -> None:
        """Keep one more invite that was given; those that have ended are forgotten.

        Raises:
            StoreError: The file cannot be read or written.
        """
        kept = self.load()
        self.save(replace(kept, given=with_given(kept.given, given, now_ms)))

    def take(self, taken: Taken, now_ms: int) -> None:
        """Keep one more invite that was taken, in place of an earlier one of the same inviter.

        Raises:
            StoreError: The file cannot be read or written.
        """
        kept = self.load()
        others = tuple(t for t in kept.taken if t.node_id != taken.node_id and t.expires_ms > now_ms)
        self.save(replace(kept, taken=(*others[-INVITES + 1 :], taken)))

    def trust(self, node_id: str, fingerprint: str, now_ms: int, note: str) -> None:
        """Trust a node under one key, from now on.

        Raises:
            StoreError: The trust book cannot be read or written, or is full.
        """
        book = books.load(self.trust_path)
        held = book.find(node_id)
        if held is None or held.fingerprint is None:
            books.save(self.trust_path, book.with_entry(Trusted(node_id, now_ms, fingerprint, note)))


def _decode(members: Mapping[str, Any]) -> Restored:
    given, taken = members["given"], members["taken"]
    if len(given) > INVITES or len(taken) > INVITES:
        raise ValueError(f"expected at most {INVITES} invites")
    return Restored(tuple(map(_given, given)), tuple(map(_taken, taken)))


def _given(each: dict[str, Any]) -> Given:
    guests = each["guests"]
    if not isinstance(each["once"], bool) or not isinstance(guests, list) or len(guests) > INVITE_GUESTS:
        raise ValueError("given: expected once and guests")
    marks = tuple(map(grammar.fingerprint, guests))
    return Given(grammar.fingerprint(each["digest"]), _time(each), each["once"], marks)


def _taken(each: dict[str, Any]) -> Taken:
    if not isinstance(each["id"], str) or not _ID.match(each["id"]):
        raise ValueError("taken: expected an id")
    node_id, mark = grammar.node_id(each["nodeId"]), grammar.fingerprint(each["fingerprint"])
    return Taken(each["id"], node_id, mark, _time(each))


def _time(each: dict[str, Any]) -> int:
    return typed.whole(each["expiresMs"], "expiresMs")


_FILE: Final = JsonBook(
    frozenset({"given", "taken"}),
    INVITES_BYTES,
    _decode,
    "move it away: invites that were given end with it",
)
