"""The TXT record of `_sym._tcp` (MMP 2.0 §5.1): what a peer says of itself, written and read as bytes.

Keys compare without case, and of a repeated key the first counts. Whatever it says is a hint.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from covey import limits


def pairs(data: bytes) -> dict[str, str]:
    """Read a TXT record's strings.

    Args:
        data: Length-prefixed strings, `key=value` each (RFC 6763 §6).

    Returns:
        Lower-case keys to values. What is not UTF-8, has no key, or is cut off is left out.
    """
    found: dict[str, str] = {}
    data = data[: limits.TXT_BYTES]
    at = 0
    while at < len(data):
        size = data[at]
        entry = data[at + 1 : at + 1 + size]
        at += 1 + size
        if len(entry) < size:
            break
        try:
            key, _, value = entry.decode("utf-8").partition("=")
        except UnicodeDecodeError:
            continue
        if key:
            found.setdefault(key.lower(), value)
    return found


def record(node_id: str, name: str, public_key: bytes, hostname: str, room: str) -> Mapping[str, str]:
    """Return the six members this peer advertises, in the protocol's spelling."""
    key = base64.urlsafe_b64encode(public_key).rstrip(b"=").decode("ascii")
    return {
        "node-id": node_id,
        "node-name": name,
        "public-key": key,
        "hostname": hostname,
        "room": room,
        "mmp": "2.0",
    }
