"""`covey auction`: give a task to the best bidder, and check afterwards how it was given."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.cli import decided
from covey.cli.console import Console, printable
from covey.cli.decided import who
from covey.cli.parser import Parser, capability, seconds
from covey.errors import EXIT_FAILED, EXIT_OK
from covey.system.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE: Final = 'covey auction hold writer "translate the summary" --need translate'
_WITH: Final = {"hold": "what is to be done", "show": "which auction", "report": "which auction"}


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "operation",
        choices=("hold", "list", "show", "verify", "report"),
        help="hold one and wait for its end, list and show what is kept, verify: check one again from its "
        "signed bids and awards, report: say how the winner did its work",
    )
    decided.configure(parser)
    parser.add_argument("what", nargs="?", help="of hold: the task; else an auction's id, or how it begins")
    parser.add_argument(
        "--need", type=capability, action="append", default=[], metavar="WORD", help="of hold: a capability"
    )
    parser.add_argument(
        "--bidder",
        action="append",
        metavar="PEER",
        help="of hold: a name or nodeId; repeat it. Without one: all trusted peers that are here",
    )
    parser.add_argument(
        "--seconds",
        type=seconds(0.1, limits.DECIDE_SECONDS_MOST),
        default=limits.AUCTION_SECONDS,
        help=f"of hold: how long bids are taken (default {limits.AUCTION_SECONDS:g})",
    )
    parser.add_argument(
        "--confirm-seconds",
        type=seconds(0.1, limits.DECIDE_SECONDS_MOST),
        default=limits.AUCTION_CONFIRM_SECONDS,
        help=f"of hold: how long a winner has to confirm (default {limits.AUCTION_CONFIRM_SECONDS:g})",
    )
    parser.add_argument("--failed", action="store_true", help="of report: it was not done, or not well")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer, or read what it kept; 1 where nobody won, or a record does not hold."""
    operation, home = arguments.operation, Home.resolve(console.env)
    decided.check(arguments, _WITH, "an auction's id")
    others = 0.0
    if operation == "hold":  # every bidder may take all of its time
        others = arguments.seconds + arguments.confirm_seconds * limits.AUCTION_AWARDS_WAITED
    found = decided.answer(home, arguments, "auction", _request(arguments), others)
    console.result(found, "\n".join(_LINES[operation](found)))
    if operation == "hold":
        return EXIT_OK if found["record"]["stage"] == "confirmed" else EXIT_FAILED
    return EXIT_OK if found.get("holds", True) else EXIT_FAILED


def _request(arguments: argparse.Namespace) -> dict[str, Any]:
    what = arguments.what
    match arguments.operation:
        case "hold":
            request: dict[str, Any] = {"op": "hold", "task": what, "needs": arguments.need}
            request |= {"bidders": arguments.bidder, "seconds": arguments.seconds}
            return {**request, "confirm_seconds": arguments.confirm_seconds}
        case "report":
            return {"op": "report", "lot": what, "done": not arguments.failed}
    return decided.looking(arguments, "lot")


def _list(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["kept"]:
        yield "no auctions"
    for each in found["kept"]:
        by = who(found, each["auctioneer"])
        yield printable(f"{each['id'][:12]}  {_ended(found, each)}  {each['task']}  by {by}")


def _report(found: Mapping[str, Any]) -> Iterator[str]:
    (each,) = found["kept"]
    yield printable(f"{'done' if found['done'] else 'failed'}: {each['task']}: {who(found, each['winner'])}")


def _show(found: Mapping[str, Any]) -> Iterator[str]:
    record = found["record"]
    yield printable(f"{record['lot']['task']}: {_ended(found, record)}")
    if record["lot"]["needs"]:
        yield printable(f"  needs: {', '.join(record['lot']['needs'])}")
    passed = dict(record["passed_over"])
    for word in record["words"]:
        if word["word"] != "bid":
            continue
        bid, score = word["body"], record["scores"].get(word["by"])
        said = f"load {bid['load']:.0%}, price {bid['price']:g}, {bid['eta_seconds']:g} s"
        points = "" if score is None else f", score {score:.2f}"
        why = f": {passed[word['by']]}" if word["by"] in passed else ""
        yield printable(f"  {who(found, word['by'])}: {said}{points}{why}")
    auctioneer = who(found, record["auctioneer"])
    yield printable(f"  auction {record['lot']['id']} of {auctioneer}, trace {record['trace'] or 'none'}")
    yield from decided.verdict(
        found, f"{len(record['words'])} bids, awards and answers are signed, and went by the scores"
    )


def _ended(found: Mapping[str, Any], each: Mapping[str, Any]) -> str:
    return str(each["stage"]) if each["winner"] is None else f"confirmed: {who(found, each['winner'])}"


_LINES: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]]] = {
    "hold": _show,
    "list": _list,
    "show": _show,
    "verify": _show,
    "report": _report,
}
