"""`covey vote`: decide something with other peers, and check afterwards how it was decided."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.cli import decided
from covey.cli.console import Console, printable
from covey.cli.decided import who
from covey.cli.parser import Parser, seconds
from covey.errors import EXIT_FAILED, EXIT_OK, UsageError
from covey.system.home import Home
from covey.system.log import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE: Final = 'covey vote call writer "ship it?" --option yes --option no --seconds 60'
_WITH: Final = {"call": "what to decide", "cast": "which vote", "show": "which vote"}


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "operation",
        choices=("call", "cast", "list", "show", "verify"),
        help="call one and wait for its end, cast a ballot, list what is open and what is kept, show one "
        "record, verify: count one again from its ballots",
    )
    decided.configure(parser)
    parser.add_argument("what", nargs="?", help="of call: the question; else a vote's id, or how it begins")
    parser.add_argument("choice", nargs="?", help="of cast: the option; without one the peer abstains")
    parser.add_argument(
        "--option", action="append", default=[], help="of call: what can be chosen; repeat it"
    )
    parser.add_argument(
        "--voter",
        action="append",
        metavar="PEER",
        help="of call: a name or nodeId; repeat it. Without one: all trusted peers that are here",
    )
    parser.add_argument(
        "--seconds",
        type=seconds(0.1, limits.DECIDE_SECONDS_MOST),
        default=limits.DECIDE_SECONDS,
        help=f"of call: the deadline (default {limits.DECIDE_SECONDS:g})",
    )
    share = seconds(0.0, 1.0, "as a share")
    parser.add_argument("--quorum", type=share, default=0.5, help="of call: share of voters (default 0.5)")
    parser.add_argument(
        "--majority", type=share, default=0.5, help="of call: share of ballots to exceed (default 0.5)"
    )
    parser.add_argument(
        "--tie",
        choices=("undecided", "first-option", "by-hash"),
        default="undecided",
        help="of call: what happens where two options have the most",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer, or read what it kept; 1 where nothing was decided, or a record does not hold."""
    operation, home = arguments.operation, Home.resolve(console.env)
    decided.check(arguments, _WITH, "a vote's id")
    options = len(set(arguments.option))
    if operation == "call" and not 2 <= options <= limits.VOTE_OPTIONS:
        raise UsageError(
            f"call: expected 2 to {limits.VOTE_OPTIONS} different options, got {options}",
            hint="name each: --option yes --option no",
        )
    others = arguments.seconds if operation == "call" else 0.0
    found = decided.answer(home, arguments, "vote", _request(arguments), others)
    console.result(found, "\n".join(_LINES[operation](found)))
    if operation == "call":
        return EXIT_OK if found["record"]["outcome"]["kind"] == "decided" else EXIT_FAILED
    return EXIT_OK if found.get("holds", True) else EXIT_FAILED


def _request(arguments: argparse.Namespace) -> dict[str, Any]:
    what = arguments.what
    match arguments.operation:
        case "call":
            request: dict[str, Any] = {"op": "call", "text": what, "options": arguments.option}
            request |= {"voters": arguments.voter, "seconds": arguments.seconds, "tie": arguments.tie}
            return {**request, "quorum": arguments.quorum, "majority": arguments.majority}
        case "cast":
            return {"op": "cast", "vote": what, "option": arguments.choice}
    return decided.looking(arguments, "vote")


def _list(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["open"] and not found["kept"]:
        yield "no votes"
    for each in found["open"]:
        state = {"cast": "voted", "counted": "voted, and counted"}.get(each["state"], each["state"])
        chosen = "" if each["option"] is None else f" {each['option'] or 'abstained'}"
        why = f" ({each['why']})" if each["why"] else ""
        until = timestamp(each["deadline_ms"])
        yield printable(f"{each['id'][:12]}  {state}{chosen}{why}  {each['text']}  until {until}")
        yield printable(f"  {', '.join(each['options'])}; called by {who(found, each['caller'])}")
    for each in found["kept"]:
        yield printable(f"{each['id'][:12]}  {_ended(each)}  {each['text']}  by {who(found, each['caller'])}")


def _cast(found: Mapping[str, Any]) -> Iterator[str]:
    asked = found["asked"]
    yield printable(f"voted: {asked['option'] or 'abstained'}: {asked['text']}")


def _show(found: Mapping[str, Any]) -> Iterator[str]:
    record, outcome = found["record"], found["record"]["outcome"]
    question = record["question"]
    voters = len(question["electorate"])
    yield printable(f"{question['text']}: {_ended(outcome)} ({outcome['confidence']:.0%} of {voters} voters)")
    yield printable("  " + ", ".join(f"{option}: {n}" for option, n in outcome["counts"].items()))
    for what, label in (("abstained", "abstained"), ("missing", "silent"), ("twice", "void, voted twice")):
        if outcome[what]:
            yield printable(f"  {label}: {', '.join(who(found, each) for each in outcome[what])}")
    for voter, option, _ in record["ballots"]:
        yield printable(f"  {who(found, voter)}: {option or 'abstained'}")
    rule = (
        f"quorum {question['quorum']:.0%}, majority above {question['majority']:.0%}, tie {question['tie']}"
    )
    yield printable(f"  {rule}; counted by {who(found, record['caller'])}")
    yield printable(f"  vote {question['id']}, trace {record['trace'] or 'none'}")
    yield from decided.verdict(
        found, f"{len(record['ballots'])} ballots are signed by their voters, and count so"
    )


def _ended(each: Mapping[str, Any]) -> str:
    return f"{each['kind']}: {each['winner']}" if each["winner"] is not None else str(each["kind"])


_LINES: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]]] = {
    "call": _show,
    "cast": _cast,
    "list": _list,
    "show": _show,
    "verify": _show,
}
