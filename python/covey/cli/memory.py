"""`covey memory`: what a peer's memory is made of; forget, archive, carry it away and bring it back."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from covey import limits
from covey.cli.blocks import clock
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, amount, path
from covey.cli.status import encoding
from covey.errors import CollisionError, NotRunningError, StoreError, UsageError
from covey.model import LIFECYCLES
from covey.net.ipc.client import IpcClient
from covey.system.home import Home

if TYPE_CHECKING:
    from typing import BinaryIO

EXAMPLE: Final = "covey memory purge writer --older-than 90 --dry-run"
_VERBS: Final = ("stats", "purge", "archive", "export", "import")
_BELONGS: Final = {
    "older_than": ("purge", "archive"),
    "dry_run": ("purge", "archive", "import"),
    "accept_keys": ("import",),
}
_SWEEP_SECONDS: Final = 600.0
"""How long a running peer may take to sweep a million blocks."""


class Ask(Protocol):
    """One request to a peer's memory, running or not."""

    def __call__(self, request: Mapping[str, object]) -> dict[str, Any]:
        """Return the answer."""


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("verb", choices=_VERBS, help="what to do")
    parser.add_argument("peer", help="whose memory")
    parser.add_argument(
        "file", nargs="?", type=path, metavar="FILE", help="of export and import: JSON Lines; - is a pipe"
    )
    parser.add_argument(
        "--older-than",
        type=amount(0, limits.MEMORY_DAYS),
        metavar="DAYS",
        help="of purge and archive: instead of what agent.toml says under [memory]",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument(
        "--accept-keys",
        action="store_true",
        help="of import: believe the file's keys of authors this peer never met",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do it, and say what was done."""
    home, verb = Home.resolve(console.env), arguments.verb
    _refuse_strays(arguments)
    if verb == "import":
        return _import(home, arguments, console)
    with reached(home, arguments.peer) as ask:
        if verb == "export":
            return _export(ask, arguments, console)
        request: dict[str, object] = {"action": verb}
        if verb != "stats":
            request["dry_run"] = arguments.dry_run
            if arguments.older_than is not None:
                request["days"] = arguments.older_than
        found = ask(request)
    shown = {"stats": _stats, "purge": _purged, "archive": _archived}[verb]
    console.result({"peer": arguments.peer, **found}, "\n".join(shown(found)))
    return 0


@contextmanager
def reached(home: Home, name: str) -> Iterator[Ask]:
    """Reach a peer's memory: through the peer where it runs, else in its store.

    Raises:
        NotRunningError: There is neither a running peer nor a store of that name.
        StoreError: The store cannot be opened.
    """
    with ExitStack() as stack:
        try:
            peer = stack.enter_context(IpcClient(home.socket_path(name)))
        except NotRunningError:
            yield stack.enter_context(_offline(home, name))
        else:
            yield lambda request: peer.request("memory", dict(request), timeout_seconds=_SWEEP_SECONDS)


@contextmanager
def _offline(home: Home, name: str) -> Iterator[Ask]:
    from covey.cli.peer import stored
    from covey.cli.reach import known
    from covey.runtime.memory import answer, checked
    from covey.runtime.memory_book import Keeping
    from covey.system import identity as ids
    from covey.system.clock import SystemClock

    known(home, name)
    with stored(home, name) as (store, _):
        who = ids.load(home.identity_path(name))
        own = (who.node_id, who.public_key, who.name)
        yield lambda request: answer(store, own, Keeping(), SystemClock().now_ms(), checked(request))


def _refuse_strays(arguments: argparse.Namespace) -> None:
    for flag, verbs in _BELONGS.items():
        if getattr(arguments, flag) not in (None, False) and arguments.verb not in verbs:
            raise UsageError(f"--{flag.replace('_', '-')} belongs to {' and '.join(verbs)}")
    takes_file = arguments.verb in ("export", "import")
    if takes_file and arguments.file is None:
        raise UsageError(f"{arguments.verb}: name a file, or - for a pipe")
    if not takes_file and arguments.file is not None:
        raise UsageError(f"{arguments.verb} takes no file: {arguments.file}")


def _stats(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"blocks: {found['records']:,}, {found['own']:,} of them own"
    stand = ", ".join(
        f"{found['lifecycle'][each]:,} {each}" for each in LIFECYCLES if found["lifecycle"].get(each)
    )
    yield f"lifecycle: {stand or 'nothing yet'}"
    said = ", ".join(f"{count:,} {kind}" for kind, count in found["feedback"].items())
    yield f"said of blocks: {said or 'nothing yet'}"
    if found["newest_ms"] is not None:
        yield f"stored: from {clock(found['oldest_ms'])} to {clock(found['newest_ms'])}"
    yield f"on disk: {found['file_bytes'] / 1e6:.1f} MB and {found['log_bytes'] / 1e6:.1f} MB of log"
    if found.get("encoding"):
        yield f"encoder: {encoding(found['encoding'])}"
    elif found["kernels"]:
        read = ", ".join(f"{count:,} by {kernel}" for kernel, count in found["kernels"].items())
        yield f"read for admission: {read}"
    if found["recall_lag"]:
        yield f"not searchable by words yet: {found['recall_lag']:,}"
    days, idle = found["retention_days"], found["archive_after_days"]
    yield f"forgets after: {'never' if days is None else f'{days:g} days'}"
    yield (
        "archives after: never"
        if idle is None
        else f"archives after: {idle:g} days; due now: {found['idle']:,}"
    )


def _purged(found: Mapping[str, Any]) -> Iterator[str]:
    old = f"older than {found['older_than_days']:g} days and needed by nothing that stays"
    if found["dry_run"]:
        yield f"would forget: {found['forgettable']:,} blocks, {old}"
    else:
        yield f"forgot: {found['forgotten']:,} blocks, {old}"
    yield f"kept: {found['kept']:,}"


def _archived(found: Mapping[str, Any]) -> Iterator[str]:
    quiet = f"nothing came of for {found['idle_days']:g} days"
    count = found["idle"] if found["dry_run"] else found["archived"]
    yield f"{'would archive' if found['dry_run'] else 'archived'}: {count:,} blocks that {quiet}"


def _export(ask: Ask, arguments: argparse.Namespace, console: Console) -> int:
    count = 0
    piped = str(arguments.file) == "-"
    if piped and arguments.json:
        raise UsageError("export to a pipe is JSON Lines already: leave --json out")
    authors = ask({"action": "authors"})["authors"]
    head = {"covey_memory": 1, "node_id": authors[0]["node_id"], "peer": arguments.peer}
    with _writing(arguments.file, console) as write:
        for line in (head, *authors):
            write(line)
        after: int | None = 0
        while after is not None:
            found = ask({"action": "page", "after": after})
            for block in found["blocks"]:
                write(block)
            count += len(found["blocks"])
            after = found["next"]
    if not piped:
        said = {"peer": arguments.peer, "blocks": count, "authors": len(authors), "file": str(arguments.file)}
        console.result(said, f"exported: {count:,} blocks of {len(authors)} authors to {arguments.file}")
    return 0


@contextmanager
def _writing(file: Path, console: Console) -> Iterator[Any]:
    """Give a function that writes one value as a line: to a new private file, or to standard output."""
    from covey.system.private_file import growing

    if str(file) == "-":
        yield lambda value: console.say(_line(value).rstrip("\n"))
        return
    try:
        with growing(file) as out:
            yield lambda value: out.write(_line(value).encode())
    except FileExistsError as error:
        raise UsageError(
            f"it is there already: {file}", hint="name a new file: nothing is written over"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror or error}") from error


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _import(home: Home, arguments: argparse.Namespace, console: Console) -> int:
    from covey.cli.peer import stored
    from covey.cli.reach import known
    from covey.runtime.memory_book import Importer
    from covey.system import identity as ids
    from covey.system.clock import SystemClock

    if arguments.dry_run:
        raise UsageError("import has no dry run: what is held already is not stored again")
    known(home, arguments.peer)
    try:
        with stored(home, arguments.peer) as (store, _):
            who = ids.load(home.identity_path(arguments.peer))
            importer = Importer(
                store,
                (who.node_id, who.public_key),
                SystemClock().now_ms(),
                accept_keys=arguments.accept_keys,
            )
            with _reading(arguments.file) as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        importer.line(number, line)
            taken = importer.finish()
    except CollisionError as error:
        raise CollisionError(
            f"{arguments.peer} runs: memory comes in while it rests", hint=f"covey stop {arguments.peer}"
        ) from error
    lines_out = [f"stored: {taken.stored:,}, held already: {taken.held:,}, refused: {taken.refused:,}"]
    if taken.first_problem:
        lines_out.append(f"refused first: {printable(taken.first_problem)}")
    if taken.strangers:
        never_met = f"{taken.strangers:,} are of authors {arguments.peer} never met"
        lines_out.append(f"{never_met}: --accept-keys believes the file's keys")
    console.result({"peer": arguments.peer, **asdict(taken)}, "\n".join(lines_out))
    return 1 if taken.refused else 0


@contextmanager
def _reading(file: Path) -> Iterator[Iterator[bytes]]:
    """Give the lines of a file or of standard input; one that is too long comes cut, and is refused."""
    import sys

    def lines(source: BinaryIO) -> Iterator[bytes]:
        while line := source.readline(limits.CARRY_LINE_BYTES + 1):
            rest = line
            while not rest.endswith(b"\n") and (rest := source.readline(limits.CARRY_LINE_BYTES)):
                pass
            yield line

    try:
        if str(file) == "-":
            yield lines(sys.stdin.buffer)
        else:
            with file.open("rb") as source:
                yield lines(source)
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror or error}") from error
