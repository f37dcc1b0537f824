"""The leader that this machine uses: its address and key in one private file, its last test in another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from covey import limits, typed
from covey.errors import CoveyError, StoreError, UsageError
from covey.settings import grammar
from covey.system.home import Home
from covey.system.json_book import JsonBook
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Connection:
    """A leader: its address without `/v1`, the key, the model to ask for, and who signed its certificate."""

    url: str
    key: str
    model: str = ""
    ca: str | None = None
    saved_ms: int = 0


def _read(members: Mapping[str, Any]) -> Connection:
    most = limits.PEER_BOOK_BYTES
    found = Connection(
        typed.text(members["url"], "url", most),
        typed.text(members["key"], "key", most),
        typed.text(members["model"], "model", most),
        None if members["ca"] is None else typed.text(members["ca"], "ca", most),
        typed.whole(members["saved_ms"], "saved_ms"),
    )
    grammar.base_url(found.url)
    grammar.header_value(found.key)
    return found


_BOOK: Final[JsonBook[Connection | None]] = JsonBook(
    frozenset({"url", "key", "model", "ca", "saved_ms"}),
    limits.PEER_BOOK_BYTES,
    _read,
    "connect anew: covey peer forget, then covey peer connect <url>",
)


def load(home: Home) -> Connection | None:
    """Return the saved leader, or None.

    Raises:
        StoreError: It cannot be read.
    """
    return _BOOK.load(home.leader_path, None)


def needed(home: Home) -> Connection:
    """Return the saved leader.

    Raises:
        CoveyError: None is saved.
        StoreError: It cannot be read.
    """
    found = load(home)
    if found is None:
        raise CoveyError(
            f"no leader is saved: looked at {home.leader_path}",
            code="not_connected",
            hint="covey peer connect <url>",
        )
    return found


def save(home: Home, connection: Connection) -> None:
    """Save a leader in place of another.

    Raises:
        StoreError: It cannot be written.
    """
    home.prepare()
    _BOOK.save(home.leader_path, asdict(connection))


def forget(home: Home) -> list[Path]:
    """Remove everything that is saved of a leader, copies that a dying process left among it; return what.

    Raises:
        StoreError: Something of it cannot be removed.
    """
    gone = []
    for path in (home.leader_path, home.leader_probe_path):
        for each in (path, *path.parent.glob(f".{path.name}.*")):
            try:
                each.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StoreError(f"cannot remove {each}: {error.strerror or error}") from error
            gone.append(each)
    return gone


def address(text: str) -> str:
    """Return a leader's address as it is kept: without `/v1` at its end.

    Raises:
        ValueError: What was expected.
    """
    return grammar.base_url(text).removesuffix("/v1").rstrip("/")


def key_of(file: Path | None, ask: str) -> str:
    """Return a key from a file, or from whoever types it unseen.

    Raises:
        UsageError: There is none, or it can be none.
    """
    if file is None:
        return _checked(_typed(ask), ask)
    try:
        with file.expanduser().open("rb") as source:
            raw = source.read(limits.API_KEY_CHARS + 2)
    except OSError as error:
        raise UsageError(f"cannot read the key in {file}: {error.strerror or error}") from error
    return _checked(raw.decode("utf-8", "replace").strip(), str(file))


def _checked(key: str, where: str) -> str:
    if not key:
        raise UsageError(f"{where}: expected a key, found nothing", code="bad_key")
    try:
        return grammar.header_value(key)
    except ValueError as error:
        raise UsageError(f"{where}: expected {error}", code="bad_key") from error  # never what it says


def _typed(ask: str) -> str:
    import getpass
    import sys
    import warnings

    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            f"{ask}: nobody can be asked", code="key_needed", hint="give it with --key-file <path>"
        )
    with warnings.catch_warnings():
        # getpass falls back to a question whose answer everybody sees; we do not.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(f"{ask}: ").strip()
        except (getpass.GetPassWarning, EOFError) as error:
            raise UsageError(f"{ask}: nothing was given", code="key_needed") from error
