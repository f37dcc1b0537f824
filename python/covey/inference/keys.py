"""The keys of a door: one for each peer, kept as digests, revoked one by one.

Rules: pure. A key is `cvk-<id>-<secret>`; the id is no secret and finds the entry, the secret's digest is
compared in constant time, also where there is no such entry. A peer of the mesh needs no key: its session has
proved who it is, and the entry names its node.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, Final, Literal, cast, get_args

from covey import limits
from covey.values import dataclass

Priority = Literal["high", "normal", "low"]
PRIORITIES: Final[tuple[Priority, ...]] = get_args(Priority)

_TOKEN: Final = re.compile(r"cvk-([0-9a-f]{8})-([A-Za-z0-9_-]{43})\Z")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}\Z")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}\Z")
_NOBODY: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One key: whose it is and what it allows; None leaves a bound to the door.

    `digest` is SHA-256 of the secret, empty for a peer that comes through the mesh only. `node_id` and
    `fingerprint` say which node that is.
    """

    key_id: str
    account: str
    digest: str
    made_ms: int
    admin: bool = False
    per_minute: int | None = None
    priority: Priority = "normal"
    tokens_per_day: int | None = None
    node_id: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class KeyBook:
    """All keys of one door, oldest first."""

    entries: tuple[Entry, ...] = ()

    def match(self, token: str) -> Entry | None:
        """Return the entry of a key, or None; the time it takes says nothing of any secret."""
        read = _TOKEN.match(token)
        key_id, secret = (read[1], read[2]) if read else ("", token)
        held = next((each for each in self.entries if each.key_id == key_id and each.digest), None)
        same = hmac.compare_digest(digest_of(secret), _NOBODY if held is None else held.digest)
        return held if same and held is not None else None

    def of_node(self, node_id: str, fingerprint: str) -> Entry | None:
        """Return the entry of a node that proved this key, or None."""
        return next(
            (each for each in self.entries if (each.node_id, each.fingerprint) == (node_id, fingerprint)),
            None,
        )

    def find(self, word: str) -> Entry | None:
        """Return the entry of a key's id, or of an account where it has one key only."""
        named = [each for each in self.entries if word in (each.key_id, each.account)]
        return named[0] if len(named) == 1 else None

    def with_entry(self, entry: Entry) -> KeyBook:
        """Return the book with one entry more.

        Raises:
            ValueError: It is full, or the id is taken.
        """
        if len(self.entries) >= limits.DOOR_KEYS:
            raise ValueError(f"a door with at most {limits.DOOR_KEYS} keys")
        if any(each.key_id == entry.key_id for each in self.entries):
            raise ValueError("another id: this one is taken")
        return KeyBook((*self.entries, checked(entry)))

    def without(self, key_id: str) -> KeyBook:
        """Return the book without one entry."""
        return KeyBook(tuple(each for each in self.entries if each.key_id != key_id))


def spelled(key_id: str, secret: bytes) -> str:
    """Return a key as its holder writes it.

    Args:
        key_id: Eight hexadecimal digits.
        secret: 32 random bytes.
    """
    return f"cvk-{key_id}-{base64.urlsafe_b64encode(secret).decode().rstrip('=')}"


def digest_of(secret: str) -> str:
    """Return what is kept of a secret: it is random and long, so one round of SHA-256 hides it."""
    return hashlib.sha256(b"covey-door-key-v1\n" + secret.encode("utf-8", "surrogatepass")).hexdigest()


def digest_of_token(token: str) -> str:
    """Return what is kept of a whole key, as `spelled` made it."""
    read = _TOKEN.match(token)
    if read is None:
        raise ValueError("a key as a door makes it")
    return digest_of(read[2])


def checked(entry: Entry) -> Entry:
    """Return an entry that may stand in a book.

    Raises:
        ValueError: What was expected.
    """
    wrong = (
        (_KEY_ID.match(entry.key_id) is None, "an id of eight hexadecimal digits"),
        (
            _NAME.match(entry.account) is None,
            "an account of 1 to 64 letters, digits and . _ - : /",
        ),
        (entry.digest != "" and _DIGEST.match(entry.digest) is None, "a digest of 64 hexadecimal digits"),
        (entry.digest == "" and entry.node_id is None, "a secret, or the node that comes without one"),
        ((entry.node_id is None) != (entry.fingerprint is None), "a node together with its key"),
        (entry.priority not in PRIORITIES, f"a priority: {', '.join(PRIORITIES)}"),
        (not _whole(entry.per_minute, limits.DOOR_REQUESTS_PER_MINUTE), "requests a minute within bounds"),
        (not _whole(entry.tokens_per_day, limits.JSON_INTEGER), "tokens a day within bounds"),
        (type(entry.admin) is not bool, "the members of an entry"),
        (type(entry.made_ms) is not int or not 0 <= entry.made_ms <= limits.JSON_INTEGER, "when it was made"),
    )
    for bad, expected in wrong:
        if bad:
            raise ValueError(expected)
    return entry


def as_json(book: KeyBook) -> list[dict[str, Any]]:
    """Return a book as JSON values."""
    return [asdict(each) for each in book.entries]


def from_json(rows: object) -> KeyBook:
    """Read a book back.

    Raises:
        ValueError: It is not as `as_json` makes it.
    """
    if not isinstance(rows, list) or len(rows) > limits.DOOR_KEYS:
        raise ValueError("keys: a list")
    return KeyBook(tuple(_read(row) for row in rows))


def shown(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return entries as people may see them: without the digests."""
    return [{name: value for name, value in asdict(each).items() if name != "digest"} for each in entries]


def _read(row: object) -> Entry:
    if not isinstance(row, Mapping) or set(row) != {field.name for field in fields(Entry)}:
        raise ValueError("an entry with all its members")
    texts = ("key_id", "account", "digest")
    if not all(isinstance(row[name], str) for name in texts):
        raise ValueError("texts")
    for name in ("node_id", "fingerprint"):
        if row[name] is not None and not isinstance(row[name], str):
            raise ValueError(name)
    return checked(Entry(**cast("Mapping[str, Any]", row)))


def _whole(value: object, most: int) -> bool:
    return value is None or (type(value) is int and 1 <= value <= most)
