"""What one member says of another, or of itself: the pieces of news that membership passes on.

A member alone says that it is alive, or has left: signed, with an incarnation that only it can raise, so
that nobody keeps a dead member alive or buries one in its own name. Suspicion and death are accusations by
whoever found it; they are passed on as they came, heard and checked, never simply believed.

On the wire a claim is a list, its word first: `["alive", nodeId, incarnation, name, meta, key, sig]`,
`["left", …the same]`, `["suspect", nodeId, incarnation, accuser]`, `["dead", nodeId, incarnation, accuser]`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Literal

from covey import _core, limits
from covey.proto.membership.options import STATEMENT
from covey.values import dataclass

Word = Literal["alive", "left", "suspect", "dead"]

_NODE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")


class BadClaimError(ValueError):
    """A claim that cannot be read; its text is the counted reason."""


@dataclass(frozen=True, slots=True)
class Self:
    """What a member says of itself, signed.

    `meta` is one line of JSON (its capabilities, say) of at most `MEMBER_META_BYTES`; `signature` covers
    `body()` as a statement of this extension. `left` is its last word in this incarnation.
    """

    node_id: str
    incarnation: int
    name: str
    meta: str
    public_key: bytes
    signature: bytes
    left: bool = False

    def body(self) -> bytes:
        """Return what is signed."""
        said = ["left" if self.left else "alive", self.node_id, self.incarnation, self.name, self.meta]
        return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()

    def wire(self) -> list[object]:
        """Return the claim as its list."""
        word = "left" if self.left else "alive"
        key, signature = _text(self.public_key), _text(self.signature)
        return [word, self.node_id, self.incarnation, self.name, self.meta, key, signature]


@dataclass(frozen=True, slots=True)
class Accusation:
    """`accuser` found that a member does not answer (`suspect`), or is gone (`dead`)."""

    word: Literal["suspect", "dead"]
    node_id: str
    incarnation: int
    accuser: str

    def wire(self) -> list[object]:
        """Return the claim as its list."""
        return [self.word, self.node_id, self.incarnation, self.accuser]


Claim = Self | Accusation


def holds(said: Self) -> bool:
    """Tell whether a word is signed by the key it names."""
    try:
        _core.verify_statement(STATEMENT, said.body(), said.signature, said.public_key)
    except _core.CoreError:
        return False
    return True


def parse(value: object) -> Claim:
    """Read one claim from a peer's JSON.

    Raises:
        BadClaimError: Any item is missing, of another type, or past its bound.
    """
    if not isinstance(value, list) or len(value) not in (4, 7):
        raise BadClaimError("claim")
    word, node_id, incarnation = value[:3]
    if not isinstance(node_id, str) or not _NODE_ID.match(node_id):
        raise BadClaimError("node_id")
    if type(incarnation) is not int or not 0 <= incarnation <= limits.JSON_INTEGER:
        raise BadClaimError("incarnation")
    if len(value) == 4 and word in ("suspect", "dead"):
        if not isinstance(value[3], str) or not _NODE_ID.match(value[3]):
            raise BadClaimError("accuser")
        return Accusation(word, node_id, incarnation, value[3])
    if len(value) != 7 or word not in ("alive", "left"):
        raise BadClaimError("word")
    name, meta = value[3], value[4]
    if not isinstance(name, str) or len(name.encode()) > limits.PEER_NAME_BYTES:
        raise BadClaimError("name")
    if not isinstance(meta, str) or len(meta.encode()) > limits.MEMBER_META_BYTES:
        raise BadClaimError("meta")
    key, signature = _bytes(value[5], 32), _bytes(value[6], 64)
    return Self(node_id, incarnation, name, meta, key, signature, left=word == "left")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: object, length: int) -> bytes:
    if not isinstance(text, str) or len(text) != (length * 4 + 2) // 3:
        raise BadClaimError("bytes")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadClaimError("bytes") from error
    if len(raw) != length or _text(raw) != text:
        raise BadClaimError("bytes")
    return raw
