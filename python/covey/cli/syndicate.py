"""`covey syndicate`: say what an agent lets others have of its own state; by default nothing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey import limits
from covey.cli.console import Console, count, printable
from covey.cli.parser import Parser
from covey.cli.reach import client
from covey.errors import EXIT_OK, UsageError
from covey.system.home import Home
from covey.system.log import timestamp

EXAMPLE: Final = "covey syndicate allow writer session --to reviewer"
_RULES: Final = ("allow", "deny", "retract")
_ENTRIES: Final = ("keep", "forget")
_OPERATIONS: Final = ("show", *_RULES, "audit", *_ENTRIES, "entries")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "operation",
        choices=_OPERATIONS,
        help="show, allow, deny (send no more), retract (also delete what was sent), audit; "
        "keep, forget and entries are the agent's own",
    )
    parser.add_argument("peer", help="name of the running peer whose agent it is")
    parser.add_argument(
        "label",
        nargs="?",
        metavar="CLASS",
        help="memory:<layer>, ontology, session, or diary (its facts only)",
    )
    parser.add_argument("name", nargs="?", help="of keep and forget: the entry")
    parser.add_argument("value", nargs="?", help="of keep: JSON, else taken as text")
    parser.add_argument("--to", help="an author, a connected peer, or * for the whole room")
    parser.add_argument("--prefix", default="", help="of allow: only entries whose names begin so")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="MEMBER",
        help="of allow: leave this member out",
    )
    parser.add_argument("--after", type=int, default=0, metavar="N", help="of audit: only lines behind it")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer."""
    request = _request(arguments)
    home = Home.resolve(console.env)
    with client(home, arguments.peer) as peer:
        found = peer.request("syndicate", request, timeout_seconds=limits.STATE_ANSWER_SECONDS)
    console.result(found, "\n".join(_LINES.get(arguments.operation, _changed)(found)))
    return EXIT_OK


def _request(arguments: argparse.Namespace) -> dict[str, object]:
    """Build the request.

    Raises:
        UsageError: An argument is missing.
    """
    operation = arguments.operation
    request: dict[str, object] = {"op": operation, "class": arguments.label}
    if operation in (*_RULES, *_ENTRIES) and arguments.label is None:
        raise UsageError(f"{operation}: missing class")
    if operation in _RULES:
        if arguments.to is None:
            raise UsageError(f"{operation}: missing --to", hint="a peer, an author, or '*' for the room")
        request |= {"to": arguments.to, "prefix": arguments.prefix, "without": arguments.without}
    if operation in _ENTRIES:
        if arguments.name is None:
            raise UsageError(f"{operation}: missing name")
        request["name"] = arguments.name
    if operation == "keep":
        if arguments.value is None:
            raise UsageError("keep: missing value")
        request["value"] = _value(arguments.value)
    if operation == "audit":
        request["after"] = arguments.after
    return request


def _value(text: str) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found


def _changed(found: Mapping[str, Any]) -> Iterator[str]:
    words = [str(found[name]) for name in ("class", "name", "to") if found.get(name)]
    gone = {True: "", False: " (there was none)"}[found.get("gone", True)]
    yield printable(f"{found['op']}: {' '.join(words)}{gone}")


def _show(found: Mapping[str, Any]) -> Iterator[str]:
    if found["trouble"]:
        yield f"nothing leaves: the policy cannot be used: {printable(found['trouble'])}"
    if not found["rules"]:
        yield "nothing leaves"
    for rule in found["rules"]:
        to = "everybody in the room" if rule["to"] == "*" else rule["peer"] or rule["to"]
        verb = "deleted at" if rule["retracted"] else "for"
        filters = "".join(f", without {name}" for name in rule["without"])
        only = f", only {rule['prefix']}…" if rule["prefix"] else ""
        yield printable(
            f"{rule['class']} {verb} {to}{only}{filters}: {count(rule['entries'], 'entry', 'entries')}"
        )
        for name in rule["names"]:
            yield f"  {printable(name)}"


def _audit(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["lines"]:
        yield "nothing has left"
    for line in found["lines"]:
        if line["damaged"] is not None:
            yield f"{line['number']}  {timestamp(line['at_ms'])}  NOT VERIFIED, unreadable: {line['damaged']}"
            continue
        mark = "" if line["verified"] else "  NOT VERIFIED"
        to = "the room" if line["audience"] == "*" else line["audience"]
        yield printable(
            f"{line['number']}  {timestamp(line['at_ms'])}  {line['class']} for {to}, to {line['node_id']}: "
            f"{line['bytes']} bytes in {line['frames']} frames{mark}"
        )
    if found["lost"]:
        yield f"lines that could not be written: {found['lost']}"


def _entries(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["entries"]:
        yield "nothing is kept"
    for each in found["entries"]:
        yield printable(f"{each['class']} {each['name']}: {json.dumps(each['value'], ensure_ascii=False)}")


_LINES: Final = {"show": _show, "audit": _audit, "entries": _entries}
