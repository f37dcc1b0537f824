"""What `covey vote` and `covey auction` share: records listed, shown and verified, of peers that run or not.

What only one of them does is in its own file: what begins a decision, and how a record reads.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.cli.console import printable
from covey.cli.parser import Parser, path
from covey.cli.reach import client, known
from covey.errors import NotRunningError, StoreError, UsageError
from covey.system.decisions import DecisionFiles
from covey.system.home import Home
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.runtime.decide.desk import View

_OFFLINE: Final = ("list", "show", "verify")


def configure(parser: Parser) -> None:
    """Declare which peer is asked, and the record that `verify` takes."""
    parser.add_argument("peer", help="name of the peer; list, show and verify also where it does not run")
    parser.add_argument("--file", type=path, metavar="PATH", help="of verify: a record from `show --json`")


def check(arguments: argparse.Namespace, needs: Mapping[str, str], record: str) -> None:
    """Refuse an operation without what it is about.

    Args:
        arguments: As typed.
        needs: What each operation takes as `what`, for those that take one.
        record: What one record is called: "a vote's id".

    Raises:
        UsageError: It is missing; or verify has neither or both of an id and a file.
    """
    operation = arguments.operation
    if operation in needs and arguments.what is None:
        raise UsageError(f"{operation}: missing {needs[operation]}")
    if operation == "verify" and (arguments.what is None) == (arguments.file is None):
        raise UsageError(f"verify: expected {record}, or --file")


def looking(arguments: argparse.Namespace, named: str) -> dict[str, Any]:
    """Return the request of list, show or verify.

    Raises:
        StoreError, UsageError: The file cannot be read, or holds no JSON.
    """
    if arguments.operation == "list":
        return {"op": "list"}
    if arguments.file is not None:
        return {"op": "verify", "record": record_in(arguments.file)}
    return {"op": "show", named: arguments.what}


def answer(
    home: Home, arguments: argparse.Namespace, verb: str, request: Mapping[str, Any], seconds: float = 0.0
) -> Mapping[str, Any]:
    """Ask the peer, or read what it kept where it does not run.

    Args:
        home: Where peers live.
        arguments: As typed: the operation and the peer.
        verb: The verb of the control socket.
        request: What is asked.
        seconds: How long others may take to answer the peer.

    Raises:
        CoveyError: It cannot be done.
    """
    try:
        with client(home, arguments.peer) as peer:
            return peer.request(verb, request, timeout_seconds=limits.STATE_ANSWER_SECONDS + seconds)
    except NotRunningError:
        if arguments.operation not in _OFFLINE:
            raise
    found = kept(home, arguments.peer)
    return {**_view(verb).offline(found.book, found.keys.get, request), "names": found.names}


def _view(verb: str) -> View[Any]:
    if verb == "vote":
        from covey.runtime.decide import vote_desk

        return vote_desk.VIEW
    from covey.runtime.decide import auction_desk

    return auction_desk.VIEW


def verdict(found: Mapping[str, Any], counted: str) -> Iterator[str]:
    """Say whether a record holds: what was counted, or what is wrong with it."""
    if found["holds"]:
        yield f"holds: {counted}"
    for problem in found["problems"]:
        yield printable(f"does not hold: {problem}")


def who(found: Mapping[str, Any], node_id: str) -> str:
    """Return the name of a node, or its id where nobody knows one."""
    return str(found["names"].get(node_id, node_id))


@dataclass(frozen=True, slots=True)
class Kept:
    """What a peer that does not run knows: its records, keys and names by nodeId."""

    book: DecisionFiles
    keys: Mapping[str, bytes]
    names: Mapping[str, str]


def kept(home: Home, name: str) -> Kept:
    """Read what a peer that does not run knows.

    Raises:
        NotRunningError: There is no such peer.
        CollisionError: It has just been started.
        StoreError: Its store cannot be read.
    """
    known(home, name)
    from covey.cli.peer import stored
    from covey.system import identity as ids

    with stored(home, name) as (store, node_id):
        bindings = store.bindings()
    own = ids.load(home.identity_path(name))
    keys = {each: bytes(key) for each, key, _, _ in bindings} | {node_id: own.public_key}
    names = {each: called for each, _, called, _ in bindings} | {node_id: own.name}
    return Kept(DecisionFiles(home.decisions_path(name)), keys, names)


def record_in(file: Path) -> object:
    """Return the record in a file, as `show --json` prints it or by itself.

    Raises:
        StoreError: It cannot be read.
        UsageError: It is no JSON.
    """
    most = limits.DECIDE_RECORD_BYTES * 2
    try:
        with file.open("rb") as opened:
            content = opened.read(most + 1)
        found = json.loads(content) if len(content) <= most else None
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: this is no JSON") from error
    return found.get("record", found) if isinstance(found, dict) else found
