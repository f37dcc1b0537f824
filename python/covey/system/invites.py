"""The invites one peer gave and took, between its runs: `invites.json`; and the trust that follows from one.

Rules: a file that cannot be read is an error, never an empty list; it is private, and replaced whole. Of an
invite that was given only the digest of its id is kept, so the file invites nobody.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from covey.errors import StoreError
from covey.limits import INVITE_GUESTS, INVITES, INVITES_BYTES
from covey.proto.inviting import Given, Restored, Taken, with_given
from covey.settings import grammar
from covey.system import trust as books
from covey.system.private_file import replace_whole
from covey.system.trust import Trusted

_VERSION: Final = 1
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
        try:
            with self.path.open("rb") as file:
                raw = file.read(INVITES_BYTES + 1)
        except FileNotFoundError:
            return Restored()
        except OSError as error:
            raise StoreError(f"cannot read {self.path}: {error.strerror or error}") from error
        try:
            return _decode(raw)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise StoreError(
                f"{self.path} is damaged: {error}", hint="move it away: invites that were given end with it"
            ) from error

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
        content = json.dumps({"version": _VERSION, "given": given, "taken": taken}, indent=2)
        try:
            replace_whole(self.path, content.encode() + b"\n")
        except OSError as error:
            raise StoreError(f"cannot write {self.path}: {error.strerror or error}") from error

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


def _decode(raw: bytes) -> Restored:
    if len(raw) > INVITES_BYTES:
        raise ValueError(f"more than {INVITES_BYTES} bytes")
    members: Any = json.loads(raw)
    if not isinstance(members, dict) or members.keys() != {"version", "given", "taken"}:
        raise ValueError("expected the members version, given and taken")
    if members["version"] != _VERSION:
        raise ValueError(f"version: expected {_VERSION}")
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
    time = each["expiresMs"]
    if type(time) is not int or time < 0:
        raise ValueError("expiresMs: expected a time")
    return time
