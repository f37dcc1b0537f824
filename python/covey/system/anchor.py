"""The anchor a peer has pinned: in whose keys authority starts for it (MMP 2.0 §6.6.1), as `anchor.json`.

Rules: it is configured out of band and learned from nobody. A file that cannot be read is an error, never
an unpinned peer; it is private, and replaced whole. Another anchor takes its place only by name.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from covey.errors import IdentityError
from covey.limits import ANCHOR_MEMBERS
from covey.settings import grammar
from covey.system.json_book import JsonBook
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core

_FILE_BYTES: Final = 16_384  # sixteen members of 120 characters


@dataclass(frozen=True, slots=True)
class Anchor:
    """Members in the order of their text, and how many of them sign together.

    A member is a public key of 43 characters, or one with the nodeId of its holder: `key:nodeId`. The nodeId
    of an only signer makes that node the anchor itself.
    """

    members: tuple[str, ...]
    threshold: int = 1

    @staticmethod
    def of(members: tuple[str, ...], threshold: int) -> Anchor:
        """Check and take members.

        Raises:
            ValueError: It says what was expected.
        """
        read = tuple(sorted(map(grammar.anchor_member, members)))
        keys = {member.partition(":")[0] for member in read}
        if not 1 <= len(read) <= ANCHOR_MEMBERS or len(keys) != len(read):
            raise ValueError(f"1 to {ANCHOR_MEMBERS} keys, each once")
        if not 1 <= threshold <= len(read):
            raise ValueError(f"a threshold from 1 to {len(read)}")
        return Anchor(read, threshold)

    def native(self) -> _core.AnchorPin:
        """Return the pin as the native core has it.

        Raises:
            IdentityError: A key is no public key.
        """
        from covey import _core

        pairs = [member.partition(":") for member in self.members]
        try:
            found = [(base64.urlsafe_b64decode(key + "="), node or None) for key, _, node in pairs]
            return _core.AnchorPin(self.threshold, found)
        except _core.CoreError as error:
            raise IdentityError(f"anchor: {error.detail}", code="anchor") from error


def load(path: Path) -> Anchor | None:
    """Read the pinned anchor; None where none was ever pinned.

    Raises:
        StoreError: It cannot be read, or is not whole.
    """
    return _FILE.load(path, None)


def save(path: Path, anchor: Anchor) -> None:
    """Pin an anchor, in place of an earlier one; the folder exists and is private.

    Raises:
        StoreError: It cannot be written; what was there is still there.
    """
    _FILE.save(path, {"threshold": anchor.threshold, "members": list(anchor.members)})


def settle(path: Path, wanted: Anchor | None, name: str) -> tuple[Anchor | None, bool]:
    """Return the anchor in force, and whether it was pinned just now.

    Args:
        path: Where the pinned one is kept.
        wanted: What agent.toml says; None where it says nothing.
        name: The peer, for the error.

    Raises:
        IdentityError: Another one is pinned: it is given up only by name.
        StoreError: As `load` and `save`.
    """
    pinned = load(path)
    if wanted is None or wanted == pinned:
        return pinned, False
    if pinned is None:
        save(path, wanted)
        return wanted, True
    said = " ".join(wanted.members)
    raise IdentityError(
        f"agent.toml names another anchor than {' '.join(pinned.members)}, of which {pinned.threshold} sign",
        code="anchor_conflict",
        hint=f"if you are sure: covey authority pin {name} {said} --threshold {wanted.threshold} --replace",
    )


def _decode(found: Mapping[str, Any]) -> Anchor | None:
    members, threshold = found["members"], found["threshold"]
    if type(threshold) is not int or not isinstance(members, list):
        raise ValueError("expected a threshold and a list of members")
    if not all(isinstance(member, str) for member in members):
        raise ValueError("members: expected texts")
    return Anchor.of(tuple(members), threshold)


_FILE: Final[JsonBook[Anchor | None]] = JsonBook(
    frozenset({"threshold", "members"}), _FILE_BYTES, _decode, "restore it, or move it away and pin again"
)
