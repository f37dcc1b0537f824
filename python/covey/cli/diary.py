"""`covey diary`: an agent's private notes, sealed at rest; opened by this command and the agent only."""

from __future__ import annotations

import argparse
import base64
import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.cli import passphrase
from covey.cli.console import Console, count, printable
from covey.cli.parser import Parser, path
from covey.cli.reach import not_running
from covey.errors import EXIT_FAILED, EXIT_OK, NotRunningError, StoreError, UsageError
from covey.net.ipc.client import IpcClient
from covey.system.clock import SystemClock
from covey.system.home import Home
from covey.system.log import timestamp

if TYPE_CHECKING:
    from covey.ports import DiaryStore
    from covey.state.diary import Damaged, Diary, Entry

EXAMPLE: Final = 'covey diary write writer "the plan is too long"'
_OPERATIONS: Final = ("write", "read", "search", "status", "export")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("operation", choices=_OPERATIONS, help="write, read, search, status or export")
    parser.add_argument("peer", help="name of the peer, running or not")
    parser.add_argument("text", nargs="*", help="of write: the entry (else standard input); of search: words")
    parser.add_argument(
        "--since", metavar="DATE", help="of read and search: from this day on (2026-01-31, UTC)"
    )
    parser.add_argument("--until", metavar="DATE", help="of read and search: to the end of this day")
    parser.add_argument("--out", type=path, metavar="PATH", help="of export: the file to write")
    parser.add_argument(
        "--new-passphrase-file",
        type=path,
        metavar="PATH",
        help=f"of export: what opens it (else {passphrase.NEW})",
    )
    parser.add_argument("--from", dest="source", type=path, metavar="PATH", help="of read: an export")
    passphrase.add(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do it."""
    if arguments.source is not None:
        return _read_export(arguments, console)
    home, name = Home.resolve(console.env), arguments.peer
    with _store(home, name) as store:
        if arguments.operation == "status":
            return _status(store, name, console)
        from covey.state.diary import Diary
        from covey.system.diary_seal import DiarySeal
        from covey.system.entropy import SystemEntropy

        identity = passphrase.signing(home, name, arguments.passphrase_file, console.env)
        diary = Diary(store, DiarySeal(identity, SystemEntropy()))
        if arguments.operation == "write":
            return _write(diary, arguments, console)
        if arguments.operation == "export":
            return _export(diary, f"{name} {identity.node_id}", arguments, console)
        if arguments.operation == "search":
            return _show(diary.search(" ".join(arguments.text), *_span(arguments)), console)
        return _show(diary.read(*_span(arguments)), console)


class Remote:
    """The store of a running peer: sealed entries over its control socket."""

    def __init__(self, peer: IpcClient) -> None:
        self._peer = peer

    def diary_add(self, at_ms: int, sealed: bytes) -> int:
        """Append a sealed entry."""
        packed = base64.b64encode(sealed).decode()
        return int(self._peer.request("diary", {"op": "add", "at_ms": at_ms, "sealed": packed})["number"])

    def diary_page(
        self, after: int, from_ms: int, to_ms: int, limit: int
    ) -> Sequence[tuple[int, int, bytes]]:
        """Return sealed entries."""
        request = {"op": "page", "after": after, "from_ms": from_ms, "to_ms": to_ms}
        rows = self._peer.request("diary", request)["rows"]
        return [(number, at_ms, base64.b64decode(data)) for number, at_ms, data in rows[:limit]]

    def diary_facts(self) -> tuple[int, int | None, int | None]:
        """Return how many there are, and when."""
        found = self._peer.request("diary", {"op": "facts"})
        return found["entries"], found["first_ms"], found["last_ms"]


@contextmanager
def _store(home: Home, name: str) -> Iterator[DiaryStore]:
    """Reach the diary of a running peer, or of one that does not run; nobody can start it meanwhile."""
    try:
        peer = IpcClient(home.socket_path(name))
    except NotRunningError as error:
        if not home.identity_path(name).exists():
            raise not_running(home, name) from error
    else:
        with peer:
            yield Remote(peer)
        return
    from covey import _core
    from covey.store import open_store
    from covey.store.opening import store_error
    from covey.system import identity as ids
    from covey.system.lock import PeerLock

    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        store = open_store(home.store_path(name), ids.load(home.identity_path(name)).node_id)
        with contextlib.closing(store):
            try:
                yield store
            except _core.CoreError as error:
                raise store_error(error) from error
    finally:
        lock.release()


def _write(diary: Diary, arguments: argparse.Namespace, console: Console) -> int:
    from covey.state.diary import DiaryText

    words = " ".join(arguments.text) or sys.stdin.read(limits.DIARY_ENTRY_BYTES + 1).strip()
    at_ms = SystemClock().now_ms()
    number = diary.write(DiaryText(words), at_ms)
    console.result({"number": number, "at_ms": at_ms}, f"written: entry {number}")
    return EXIT_OK


def _show(entries: Iterable[Entry | Damaged], console: Console) -> int:
    from covey.state.diary import Entry

    damaged = 0
    for each in entries:
        if isinstance(each, Entry):
            _say(each.number, each.at_ms, each.text.reveal(), console)
        else:
            damaged += 1
            console.note(f"entry {each.number} of {timestamp(each.at_ms)} does not open: it was changed")
    return EXIT_FAILED if damaged else EXIT_OK


def _say(number: int, at_ms: int, words: str, console: Console) -> None:
    lines = "\n".join(f"  {printable(line)}" for line in words.splitlines())
    console.event({"number": number, "at_ms": at_ms, "text": words}, f"{number}  {timestamp(at_ms)}\n{lines}")


def _status(store: DiaryStore, name: str, console: Console) -> int:
    """Show count and dates, and nothing else: it opens no entry, and needs no key."""
    entries, first_ms, last_ms = store.diary_facts()
    facts = {"peer": name, "entries": entries, "first_ms": first_ms, "last_ms": last_ms}
    span = ""
    if first_ms is not None and last_ms is not None:
        span = f", from {timestamp(first_ms)} to {timestamp(last_ms)}"
    console.result(facts, f"{count(entries, 'entry', 'entries')}{span}")
    return EXIT_OK


def _export(diary: Diary, about: str, arguments: argparse.Namespace, console: Console) -> int:
    from covey.state.diary import Entry
    from covey.system.diary_seal import write_export
    from covey.system.entropy import SystemEntropy
    from covey.system.private_file import replace_whole
    from covey.system.sealing import MODERATE

    if arguments.out is None:
        raise UsageError("export: missing --out")
    found = list(diary.read())
    damaged = [each.number for each in found if not isinstance(each, Entry)]
    if damaged:
        raise StoreError(
            f"diary: not opened: entry {damaged[0]}, {len(damaged)} in all: nothing was exported"
        )
    said = passphrase.given(arguments.new_passphrase_file, console.env, passphrase.NEW)
    missing = UsageError(
        "export: it is sealed under a passphrase, and nobody can be asked for one here",
        code="passphrase_needed",
        hint=f"set {passphrase.NEW}, give --new-passphrase-file, or start it from a terminal",
    )
    secret = passphrase.fresh(arguments.peer, said, missing)
    entries = [(each.at_ms, each.text.reveal()) for each in found if isinstance(each, Entry)]
    try:
        replace_whole(arguments.out, write_export(entries, about, secret, MODERATE, SystemEntropy()))
    except OSError as error:
        raise StoreError(f"cannot write {arguments.out}: {error.strerror or error}") from error
    told = {"path": str(arguments.out), "entries": len(entries)}
    console.result(
        told,
        f"exported: {count(len(entries), 'entry', 'entries')} to {arguments.out}, "
        "sealed under the passphrase",
    )
    return EXIT_OK


def _read_export(arguments: argparse.Namespace, console: Console) -> int:
    from covey.system.diary_seal import read_export

    said = passphrase.given(arguments.new_passphrase_file, console.env, passphrase.NEW)
    secret = said or passphrase.current("the export", arguments.passphrase_file, console.env)
    _, entries = read_export(_content(arguments.source), secret)
    for number, (at_ms, words) in enumerate(entries, 1):
        _say(number, at_ms, words, console)
    return EXIT_OK


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(limits.DIARY_EXPORT_BYTES + 1)
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror or error}") from error
    if len(data) > limits.DIARY_EXPORT_BYTES:
        raise StoreError(f"diary: an export of more than {limits.DIARY_EXPORT_BYTES} bytes")
    return data


def _span(arguments: argparse.Namespace) -> tuple[int, int]:
    from covey.state.diary import LATEST_MS

    from_ms = 0 if arguments.since is None else _day(arguments.since)
    to_ms = LATEST_MS if arguments.until is None else _day(arguments.until) + 86_400_000 - 1
    return from_ms, to_ms


def _day(text: str) -> int:
    from datetime import UTC, datetime

    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"date: expected one like 2026-01-31, got {text!r}") from error
