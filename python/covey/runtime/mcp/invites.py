"""Addresses of rooms as the Node product writes them: `sym://group/…`, `sym://team/…`, `melotune://room/…`.

Rules: pure; nothing of an address is believed, only read. Covey's own invites are signed, and made elsewhere.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from covey.errors import UsageError
from covey.names import room_complaint

KEBAB: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_CHARS: Final = 2_048


def create(group: str, relay_url: str | None, relay_token: str | None) -> str:
    """Return the address of a room.

    Raises:
        UsageError: The name is not in kebab-case, or there is a token without a relay.
    """
    _demand_kebab(group)
    if relay_token and not relay_url:
        raise UsageError("relay_token needs relay_url")
    if not relay_url:
        return f"sym://group/{group}"
    asked = {"relay": relay_url, **({"token": relay_token} if relay_token else {})}
    return f"sym://team/{group}?{urlencode(asked, quote_via=quote)}"


def read(url: str) -> dict[str, Any]:
    """Return what an address says: app, group, service_type, and what else it has.

    Raises:
        UsageError: It is none.
    """
    if len(url) > _CHARS:
        raise UsageError(f"an invite has at most {_CHARS} characters")
    try:
        parts = urlsplit(url)
        asked = parse_qs(parts.query, max_num_fields=16)
    except ValueError as error:
        raise UsageError(f"not an address: {error}") from error
    path = [unquote(each) for each in parts.path.split("/") if each]
    if parts.scheme == "sym" and parts.netloc in ("group", "team") and len(path) == 1:
        found = _room("sym", path[0])
        for name, key in (("relay_url", "relay"), ("relay_token", "token")):
            if asked.get(key):
                found[name] = asked[key][0]
        return found
    if (
        re.fullmatch(r"[a-z][a-z0-9+-]{1,31}", parts.scheme)
        and parts.netloc == "room"
        and 1 <= len(path) <= 2
    ):
        found = _room(parts.scheme, f"{parts.scheme}-{path[0]}".lower())
        return {**found, "room_id": path[0], **({"room_name": path[1]} if len(path) == 2 else {})}
    raise UsageError(
        "not an invite: expected sym://group/<room>, sym://team/<room>?relay=… or <app>://room/<id>"
    )


def _room(app: str, group: str) -> dict[str, Any]:
    wrong = room_complaint(group)
    if wrong:
        raise UsageError(f"the invite's room: expected {wrong}")
    return {"app": app, "group": group, "service_type": f"_{group}._tcp"}


def _demand_kebab(group: str) -> None:
    if room_complaint(group) or not KEBAB.match(group):
        raise UsageError(f'group: expected kebab-case, such as "design-review", got {group[:64]!r}')
