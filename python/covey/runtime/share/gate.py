"""Who may come in over HTTP, and what a refusal looks like.

Rules: a key is asked for first, before a byte of a body is read. Without one only a program of this machine
may look at pages, and only at an address of this machine: not through a tunnel or a proxy, which come from
loopback too, and say so in a header; nor from a web page whose name points here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from covey.errors import StoreError
from covey.inference.door import Refuse
from covey.inference.keys import Entry
from covey.runtime.share.going import Refused, failure
from covey.runtime.share.port import Keys

_FORWARDED: Final = frozenset(
    {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via", "cf-connecting-ip", "cf-ray"}
)
_LOOPBACK: Final = ("127.0.0.1", "::1")
_LOCAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
LOCAL: Final = Entry("00000000", "local", "", 0)
"""Whoever comes from this machine without a key, where that is allowed."""


class Gate:
    """Lets requests in.

    Args:
        keys: The keys as they stand now.
        no_keys: Programs of this machine need none.
    """

    def __init__(self, keys: Keys, *, no_keys: bool) -> None:
        self._keys = keys
        self._no_keys = no_keys

    def entry(self, request: Request, *, page: bool = False) -> Entry:
        """Return whose request it is.

        Args:
            request: It.
            page: It only looks at something that this machine's own programs may see without a key.

        Raises:
            Refused: Nobody's.
        """
        values = request.headers.getlist("authorization")
        if values:
            scheme, _, token = values[0].partition(" ")
            if len(values) == 1 and scheme.lower() == "bearer":
                found = self.match(token.strip())
                if found is not None:
                    return found
        elif (page or self._no_keys) and is_local(request):
            return LOCAL
        raise Refused(Refuse(0, 401, "key", "a key is needed: Authorization: Bearer cvk-…"))

    def admin(self, request: Request) -> Entry:
        """Return whose request it is, where it is an admin's.

        Raises:
            Refused: It is not.
        """
        found = self.entry(request)
        if not found.admin or found is LOCAL:
            raise Refused(Refuse(0, 403, "not-admin", "this needs an admin key of its own"))
        return found

    def match(self, token: str) -> Entry | None:
        """Return the entry of a key, or None.

        Raises:
            Refused: The keys cannot be read, so nobody comes in.
        """
        try:
            return self._keys.current().match(token)
        except StoreError as error:
            raise Refused(Refuse(0, 503, "keys", "the keys cannot be read", 5)) from error


def is_local(request: Request) -> bool:
    """Tell whether a request comes straight from a program of this machine."""
    client = request.client
    host = request.headers.get("host", "").lower()
    name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    from_here = client is not None and client.host in _LOOPBACK and name in _LOCAL_NAMES
    # A web page sends its origin; a page of this machine's own has no business here either.
    return from_here and "origin" not in request.headers and not _FORWARDED & set(request.headers.keys())


def refused(refusal: Refuse) -> Response:
    """Return a refusal as an answer."""
    headers = {"content-type": "application/json"}
    if refusal.retry_after_s is not None:
        headers["retry-after"] = str(refusal.retry_after_s)
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    if refusal.status in (429, 503):
        headers["x-covey-queue-depth"] = str(refusal.queue_depth)
    return Response(failure(refusal), refusal.status, headers)


def told(value: Mapping[str, Any]) -> Response:
    """Return JSON values as an answer."""
    import json

    return Response(json.dumps(value), 200, {"content-type": "application/json", "cache-control": "no-store"})
