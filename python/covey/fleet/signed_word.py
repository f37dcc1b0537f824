"""A signed word: what one agent says to another in a decision, so that anybody can hold it to it afterwards.

Rules: pure. The signature covers what is said, by whom and to whom, in one spelling; it is the same whether
the word went within a process or over the mesh, and needs nothing of the way it came.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from covey import _core, limits
from covey.values import dataclass

STATEMENT: Final = "x-covey-decide-v1"
"""The kind under which a word is signed."""
_MEMBERS: Final = frozenset({"word", "by", "to", "body", "signature"})


class WordError(ValueError):
    """What was said is no signed word, or not signed by whom it names; says why."""


class Signer(Protocol):
    """Who signs: the native identity, or a double of it."""

    @property
    def node_id(self) -> str:
        """Return who it is."""

    @property
    def public_key(self) -> bytes:
        """Return its key."""

    def sign_statement(self, kind: str, body: bytes) -> bytes:
        """Return a signature over a body of one kind."""
        ...


@dataclass(frozen=True, slots=True)
class Word:
    """One thing said: `word` names what it is, `body` says it; `by` and `to` are nodeIds."""

    word: str
    by: str
    to: str
    body: Mapping[str, Any]
    signature: bytes

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "word": self.word,
            "by": self.by,
            "to": self.to,
            "body": dict(self.body),
            "signature": written(self.signature),
        }


def say(signer: Signer, word: str, to: str, body: Mapping[str, Any]) -> Word:
    """Sign a word."""
    signature = signer.sign_statement(STATEMENT, _signed(word, signer.node_id, to, body))
    return Word(word, signer.node_id, to, body, signature)


def read(value: object) -> Word:
    """Read a word that nobody has verified yet.

    Raises:
        WordError: It is none.
    """
    if not isinstance(value, Mapping) or set(value) != _MEMBERS or not isinstance(value["body"], Mapping):
        raise WordError("word: expected word, by, to, body and signature")
    for name in ("word", "by", "to"):
        if not isinstance(value[name], str) or not 0 < len(value[name]) <= limits.VOTE_ID_CHARS:
            raise WordError(f"{name}: expected 1 to {limits.VOTE_ID_CHARS} characters")
    try:
        canonical(value["body"])
    except (ValueError, RecursionError) as error:
        raise WordError(f"body: it has no spelling that can be signed: {error}") from error
    return Word(value["word"], value["by"], value["to"], value["body"], signature(value["signature"]))


def holds(word: Word, key: bytes) -> bool:
    """Tell whether a word is signed by this key."""
    try:
        body = _signed(word.word, word.by, word.to, word.body)
    except (ValueError, TypeError, RecursionError):  # what has no spelling was never signed
        return False
    return signed(STATEMENT, body, word.signature, key)


def signed(kind: str, body: bytes, signature: bytes, key: bytes) -> bool:
    """Tell whether a body of one kind is signed by this key."""
    try:
        _core.verify_statement(kind, body, signature, key)
    except (_core.CoreError, ValueError):
        return False
    return True


def canonical(value: object) -> bytes:
    """Return the one spelling of a JSON value that is signed and hashed."""
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode("utf-8", "surrogatepass")


def written(raw: bytes) -> str:
    """Return bytes as they stand in JSON: base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signature(text: object) -> bytes:
    """Read a signature.

    Raises:
        WordError: It is none.
    """
    return exactly(text, 64, "signature")


def exactly(text: object, count: int, what: str) -> bytes:
    """Read so many bytes from base64url.

    Raises:
        WordError: They are not that many, or no base64url.
    """
    if not isinstance(text, str):
        raise WordError(f"{what}: expected text")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise WordError(f"{what}: expected base64url") from error
    if len(raw) != count or written(raw) != text:
        raise WordError(f"{what}: expected {count} bytes in base64url")
    return raw


def _signed(word: str, by: str, to: str, body: Mapping[str, Any]) -> bytes:
    return canonical([word, by, to, dict(body)])
