"""`covey ledger`: accounts of the agents in a room, the signed journal of what moved, caps, an audit."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey import limits
from covey.cli.console import Console, count, printable
from covey.cli.parser import Parser
from covey.cli.reach import client
from covey.errors import EXIT_FAILED, EXIT_OK, UsageError
from covey.system.home import Home
from covey.system.log import timestamp

EXAMPLE: Final = "covey ledger grant writer tokens 100000"
_OPERATIONS: Final = ("accounts", "journal", "audit", "grant", "spend", "cap")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "operation",
        choices=_OPERATIONS,
        help="accounts: who holds what; journal: every movement; audit: hold one against the other; grant: "
        "issue an own unit; spend: write off what was used up; cap: the most this agent may let go",
    )
    parser.add_argument("peer", help="name of the running peer whose agent it is")
    parser.add_argument("unit", nargs="?", help="what is counted: tokens, usd-micro, messages, …")
    parser.add_argument("amount", nargs="?", type=int, help="of grant and spend: a whole number")
    parser.add_argument("--issuer", help="whose unit, where several agents issued one of this name")
    parser.add_argument("--memo", default="", help="of grant and spend: what for")
    parser.add_argument("--each", type=int, metavar="N", help="of cap: the most of one movement")
    parser.add_argument("--day", type=int, metavar="N", help="of cap: the most of a day; neither: no cap")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer."""
    request, operation = _request(arguments), arguments.operation
    with client(Home.resolve(console.env), arguments.peer) as peer:
        found = peer.request("ledger", request, timeout_seconds=limits.STATE_ANSWER_SECONDS)
    lines = {"accounts": _accounts, "journal": _journal, "audit": _audit, "cap": _cap}.get(operation, moved)
    console.result(found, "\n".join(lines(found)))
    return EXIT_FAILED if operation == "audit" and found["problems"] else EXIT_OK


def _request(arguments: argparse.Namespace) -> dict[str, object]:
    """Build the request.

    Raises:
        UsageError: An argument is missing.
    """
    operation = arguments.operation
    if operation in ("grant", "spend", "cap") and arguments.unit is None:
        raise UsageError(f"{operation}: missing unit")
    if operation in ("grant", "spend") and arguments.amount is None:
        raise UsageError(f"{operation}: missing amount")
    request = {"op": operation, "unit": arguments.unit, "issuer": arguments.issuer, "memo": arguments.memo}
    if operation == "cap":
        return {**request, "each": arguments.each, "day": arguments.day}
    return {**request, "amount": arguments.amount}


def moved(found: Mapping[str, Any]) -> Iterator[str]:
    """Say one movement: from which account, to which, how much, what for."""
    (source, _), (target, _) = found["postings"]
    memo = f": {found['memo']}" if found["memo"] else ""
    yield printable(f"{found['verb']}: {found['amount']} {found['unit']}, {source} to {target}{memo}")


def _accounts(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["accounts"]:
        yield "no accounts"
    for each in found["accounts"]:
        names = each["names"]
        moved = f"{each['granted']} issued, {each['spent']} spent"
        yield printable(f"{each['unit']} of {_called(each['issuer'], names)}: {moved}")
        for author, held in each["balances"].items():
            own = " (this agent)" if author == found["author"] else ""
            yield printable(f"  {_called(author, names)}: {held}{own}")
        caps = [
            f"{n} of {what}"
            for what, n in (("each", each["caps"]["each"]), ("a day", each["caps"]["day"]))
            if n is not None
        ]
        if caps:
            yield f"  cap: at most {', '.join(caps)}; {each['out_today']} went out in the last day"


def _journal(found: Mapping[str, Any]) -> Iterator[str]:
    names = found["names"]
    if not found["entries"]:
        yield "nothing has moved"
    for each in found["entries"]:
        (source, _), (target, _) = each["postings"]
        memo = f"  {each['memo']}" if each["memo"] else ""
        yield printable(
            f"{timestamp(each['at_ms'])}  {each['amount']} {each['unit']}  "
            f"{_called(source, names)} to {_called(target, names)}{memo}"
        )
    if not found["whole"]:
        yield "there are older ones: name a unit"
    if found["wrong"]:
        yield f"entries that do not hold: {found['wrong']}; covey ledger audit names them"


def _audit(found: Mapping[str, Any]) -> Iterator[str]:
    for each in found["units"]:
        what = f"{each['unit']} of {_called(each['issuer'], found['names'])}"
        word = "balanced" if each["balanced"] else "NOT BALANCED"
        yield printable(f"{what}: {count(each.get('entries', 0), 'entry', 'entries')}, {word}")
    for each in found["problems"]:
        where = f" {each['unit']} of {_called(each['author'], found['names'])}:" if "unit" in each else ""
        yield printable(f"{each['what']}:{where} {each['detail']}")
    if not found["units"]:
        yield "no accounts"


def _cap(found: Mapping[str, Any]) -> Iterator[str]:
    caps = [
        f"{found[name]} {what}"
        for name, what in (("each", "each"), ("day", "a day"))
        if found[name] is not None
    ]
    yield f"cap: {found['unit']}: {', '.join(caps) or 'none'}"


def _called(account: str, names: Mapping[str, str]) -> str:
    kind, _, author = account.rpartition(":")
    called = names.get(author, author)
    return f"{kind} by {called}" if kind else called
