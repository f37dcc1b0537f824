"""Talking to a leader's door from a command: one request, one bounded answer, every failure worded."""

from __future__ import annotations

import argparse
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

from covey import limits
from covey.cli.leader import book, nodes_file
from covey.cli.leader.book import Connection
from covey.errors import CoveyError, NetworkError, UsageError
from covey.system.home import Home


class Denied(CoveyError):  # noqa: N818 - an end with a name, not a fault of the code
    """The leader said no; `status` is its HTTP status, `said` its whole answer."""

    def __init__(self, message: str, code: str, status: int, retry_after: str | None) -> None:
        hint = _HINTS.get(code) or (f"again in {retry_after} s" if retry_after else None)
        super().__init__(message, code=code, hint=hint)
        self.status = status


_HINTS: Mapping[str, str] = {
    "key": "the leader's operator gives keys: covey share add <you>; then covey peer key",
    "not-admin": "an admin key: covey share add ops --admin at the leader; --admin-key-file here",
    "not-allowed": "ask the leader's operator",
}


def target(arguments: argparse.Namespace, home: Home) -> Connection:
    """Return which leader is meant: the node that is named, else the saved one, with the key that is given.

    Raises:
        CoveyError: There is none.
    """
    if arguments.node is not None:
        node = nodes_file.node(home, arguments.node)
        file = arguments.key_file or node.key_file
        key = "" if file is None else book.key_of(file, "key")
        found = Connection(book.address(node.url), key)
    else:
        found = book.needed(home)
        if arguments.key_file is not None:
            found = Connection(found.url, book.key_of(arguments.key_file, "key"), found.model, found.ca)
    ca = found.ca if arguments.ca is None else str(arguments.ca)
    return Connection(found.url, found.key, found.model, ca)


def as_admin(arguments: argparse.Namespace, connection: Connection) -> Connection:
    """Return the same leader under the admin key, which is never saved.

    Raises:
        UsageError: There is no key.
    """
    key = book.key_of(arguments.admin_key_file, "admin key")
    return Connection(connection.url, key, connection.model, connection.ca)


def tls(ca: str | None) -> ssl.SSLContext:
    """Return what certificates are judged by: the system's roots, or the file's.

    Raises:
        UsageError: The file cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca: cannot use {ca}: {error}") from error


def _judge(connection: Connection) -> ssl.SSLContext:
    """Return what judges certificates; for plain HTTP one that believes nobody, and costs nothing to make."""
    if connection.url.startswith("https:"):
        return tls(connection.ca)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@contextmanager
def client(connection: Connection, seconds: float = limits.PEER_STAGE_SECONDS) -> Iterator[httpx2.Client]:
    """Give a client for one leader: its key in every request, no redirects, no proxies."""
    headers = {"authorization": f"Bearer {connection.key}"} if connection.key else {}
    with httpx2.Client(
        base_url=connection.url,
        headers=headers,
        timeout=seconds,
        follow_redirects=False,
        trust_env=False,
        verify=_judge(connection),
    ) as made:
        yield made


def ask(made: httpx2.Client, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Send one request and return its JSON answer.

    Raises:
        NetworkError: The leader was not reached, or answered what is no answer of a door.
        Denied: It said no.
    """
    try:
        with made.stream(method, path, json=body) as answer:
            raw = bytearray()
            for data in answer.iter_bytes():
                raw += data
                if len(raw) > limits.PEER_ANSWER_BYTES:
                    raise NetworkError(f"{made.base_url}: an answer past every bound")
    except httpx2.TimeoutException as error:
        raise NetworkError(f"{made.base_url}: no answer in time", code="timeout") from error
    except httpx2.HTTPError as error:
        said = str(error).partition("\n")[0][:200]
        raise NetworkError(f"{made.base_url} was not reached: {said}", code="unreachable") from error
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if answer.status_code >= 400:
        raise _denied(found, answer)
    if not isinstance(found, dict):
        raise NetworkError(f"{made.base_url} is no door: {path} gives no JSON", code="protocol")
    return found


def _denied(found: object, answer: httpx2.Response) -> Denied:
    inner = found.get("error") if isinstance(found, dict) else None
    said = inner if isinstance(inner, dict) else {}
    status = answer.status_code
    words = str(said.get("message") or f"status {status}")[:500]
    code = str(said.get("code") or f"status-{status}")[:64]
    return Denied(words, code, status, answer.headers.get("retry-after"))
