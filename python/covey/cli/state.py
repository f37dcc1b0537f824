"""`covey state`: read, write and watch what peers of a room share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey import limits
from covey.cli.console import Console, count, printable
from covey.cli.parser import Parser
from covey.cli.reach import client
from covey.errors import EXIT_FAILED, EXIT_OK, UsageError
from covey.net.ipc.client import IpcClient
from covey.system.clock import SystemClock
from covey.system.home import Home

EXAMPLE: Final = 'covey state set writer project/title "the plan"'
_VALUE: Final = {
    "set": "value",
    "incr": "by",
    "add": "element",
    "remove": "element",
    "grant": "amount",
    "spend": "amount",
    "give": "amount",
}
"""What the value of each writing operation is called."""
_OPERATIONS: Final = ("status", "get", "list", "watch", "delete", *_VALUE, "forget")
_NUMBERS: Final = ("by", "amount")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "operation",
        choices=_OPERATIONS,
        help="status, get, list, watch; set, delete; incr (counters); add, remove (sets); grant, spend, give "
        "(budgets); forget (an author that is gone)",
    )
    parser.add_argument("peer", help="name of the running peer")
    parser.add_argument("name", nargs="?", help="what it is about; of list and watch, what names begin with")
    parser.add_argument(
        "value", nargs="?", help="JSON, else taken as text; of incr and budgets a whole number (incr: 1)"
    )
    parser.add_argument("--scope", help="another state than the room's, as status names it")
    parser.add_argument("--issuer", help="of a budget: the author that opened it (default: this peer)")
    parser.add_argument("--to", help="of give: the author that gets the rights")
    parser.add_argument("--count", type=int, metavar="N", help="of watch: end after N changes")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer."""
    request = _request(arguments)
    home = Home.resolve(console.env)
    with client(home, arguments.peer) as peer:
        if arguments.operation == "watch":
            return _watch(peer, arguments, console)
        found = peer.request("state", request, timeout_seconds=limits.STATE_ANSWER_SECONDS)
    return _SAY.get(arguments.operation, _say_written)(found, console)


def _request(arguments: argparse.Namespace) -> dict[str, object]:
    """Build the request.

    Raises:
        UsageError: An argument is missing, or not one of this operation.
    """
    operation, name = arguments.operation, arguments.name
    request: dict[str, object] = {"op": operation, "scope": arguments.scope}
    if operation in ("status", "watch"):
        return {"op": operation, "scope": arguments.scope}
    if operation == "list":
        return {**request, "prefix": name or ""}
    if name is None:
        raise UsageError(f"{operation}: missing name")
    request["name"] = name
    said = _VALUE.get(operation)
    if said is not None:
        request[said] = _value(said, arguments.value, operation)
    if arguments.issuer is not None:
        request["issuer"] = arguments.issuer
    if operation == "give":
        request["to"] = arguments.to
    return request


def _value(said: str, text: str | None, operation: str) -> object:
    if text is None and operation == "incr":
        return 1
    if text is None:
        raise UsageError(f"{operation}: missing {said}")
    if said == "element":
        return text
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        found = text
    if said in _NUMBERS and type(found) is not int:
        raise UsageError(f"{said}: expected a whole number, got {text!r}")
    return found


def _say_written(found: Mapping[str, Any], console: Console) -> int:
    console.result(found, f"{found['op']}: {printable(found['name'])}")
    return EXIT_OK


def _say_found(answer: Mapping[str, Any], console: Console) -> int:
    found = answer["found"]
    console.result(answer, "holds nothing" if found is None else _shown(found))
    return EXIT_OK if found is not None else EXIT_FAILED


def _say_list(answer: Mapping[str, Any], console: Console) -> int:
    lines = [f"{printable(each['name'])}: {_shown(each)}" for each in answer["entries"]]
    if not answer["whole"]:
        lines.append("there are more: name what they begin with")
    console.result(answer, "\n".join(lines) or "no registers")
    return EXIT_OK


def _shown(found: Mapping[str, Any]) -> str:
    if found["kind"] == "budget":
        return "\n".join(_budget(each) for each in found["budgets"])
    shown = found.get("value", found.get("elements", found.get("base64")))
    return printable(shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False))


def _budget(budget: Mapping[str, Any]) -> str:
    rights = ", ".join(f"{author} {left}" for author, left in budget["rights"].items())
    over = "".join(f"; overspent by {author}" for author in budget["overspent"])
    spent = f"{budget['spent']} of {budget['granted']} spent"
    return f"{spent}, opened by {budget['issuer']}; rights: {rights}{over}"


def _say_status(found: Mapping[str, Any], console: Console) -> int:
    console.result(found, "\n".join(_status_lines(found, SystemClock().now_ms())))
    return EXIT_OK


def _status_lines(found: Mapping[str, Any], now_ms: int) -> Iterator[str]:
    yield f"author: {found['author']}"
    for scope in found["scopes"]:
        yield (
            f"{printable(scope['scope'])}: {count(scope['entries'], 'entry', 'entries')}, "
            f"{scope['tombstones']} deleted, {scope['bytes']} bytes, hash {scope['hash'][:16]}"
        )
        for peer in scope["peers"]:
            yield f"  {_standing(peer, now_ms)}"
    for name, why in found["unreadable"].items():
        yield f"cannot be read: {printable(name)}: {printable(why)}"
    for each in found["refused"]:
        who = each["author"] or "somebody"
        yield printable(f"refused: {each['reason']} of {who}, from {each['peer']}: {each['detail']}")


def _standing(peer: Mapping[str, Any], now_ms: int) -> str:
    from covey.cli.status import duration

    who = printable(peer["name"] or peer["node_id"]) + ("" if peer["here"] else " (away)")
    if peer["said_ms"] is None:
        return f"{who}: unknown: has not said where it stands"
    words = {
        "equal": "equal",
        "behind": f"this peer is behind by {peer['behind']}",
        "ahead": f"it is behind by {peer['ahead']}",
        "apart": f"this peer is behind by {peer['behind']}, it by {peer['ahead']}",
        "reset": "this peer was away too long, and starts anew from a snapshot",
    }
    ago = duration(max(0, now_ms - peer["said_ms"]) / 1000)
    if peer["state"] == "diverged":
        since = duration(max(0, now_ms - (peer["diverged_since_ms"] or now_ms)) / 1000)
        return f"{who}: diverged since {since}: both have seen the same and hold something else"
    return f"{who}: {words[peer['state']]}, as said {ago} ago"


def _watch(peer: IpcClient, arguments: argparse.Namespace, console: Console) -> int:
    """Print changes until there were enough, the peer ends, or a person has seen enough."""
    left, prefix = arguments.count, arguments.name or ""
    try:
        events = peer.subscribe(["state"])
        console.event({"event": "watching", "peer": arguments.peer}, f"watching {arguments.peer}")
        for event in events:
            changed = [each for each in event["changed"] if each["name"].startswith(prefix)]
            if arguments.scope not in (None, event["scope"]) or (event["changed"] and not changed):
                continue
            names = ", ".join(printable(each["name"]) for each in changed) or "much"
            console.event({**event, "changed": changed}, f"{printable(event['scope'])}: {names}")
            left = None if left is None else left - 1
            if left == 0:
                break
    except KeyboardInterrupt:
        return EXIT_OK
    return EXIT_OK


_SAY: Final = {"status": _say_status, "get": _say_found, "list": _say_list}
