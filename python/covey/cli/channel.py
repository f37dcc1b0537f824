"""`covey channel`: named conversations whose keys only their members have."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey import limits
from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.cli.reach import client
from covey.errors import EXIT_OK, UsageError
from covey.net.ipc.client import IpcClient
from covey.system.home import Home
from covey.system.log import timestamp

EXAMPLE: Final = "covey channel open writer plans --member reviewer"
_PLAIN: Final = ("list", "topics")
_NAMED: Final = ("open", "read", "members", "join", "leave", "close")
_WITH: Final = {"send": "what to say", "add": "whom", "remove": "whom"}
_OPERATIONS: Final = (*_PLAIN, "watch", *_NAMED, *_WITH)


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "operation",
        choices=_OPERATIONS,
        help="list, open, members, send, read, watch; add, remove (its owner; a new key is made), leave, "
        "close; topics and join: those that whoever is in the room may enter",
    )
    parser.add_argument("peer", help="name of the running peer whose agent it is")
    parser.add_argument("channel", nargs="?", help="its name, or the beginning of its id")
    parser.add_argument("what", nargs="?", help="of send: JSON, else taken as text; of add and remove: whom")
    parser.add_argument("--member", action="append", default=[], help="of open: a further member; repeat it")
    parser.add_argument("--kind", choices=("group", "direct", "topic"), default="group", help="of open")
    parser.add_argument(
        "--limit", type=int, metavar="N", default=limits.CHANNEL_LISTED, help="of read: the newest N"
    )
    parser.add_argument("--count", type=int, metavar="N", help="of watch: end after N messages")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer."""
    request = _request(arguments)
    with client(Home.resolve(console.env), arguments.peer) as peer:
        if arguments.operation == "watch":
            return _watch(peer, arguments, console)
        found = peer.request("channel", request, timeout_seconds=limits.STATE_ANSWER_SECONDS)
    lines = {"list": _list, "topics": _topics, "read": _read, "send": _sent, "join": _done}
    lines |= {"leave": _done, "close": _done}
    console.result(found, "\n".join(lines.get(arguments.operation, _view)(found)))
    return EXIT_OK


def _request(arguments: argparse.Namespace) -> dict[str, object]:
    """Build the request.

    Raises:
        UsageError: An argument is missing.
    """
    operation = arguments.operation
    if operation not in (*_PLAIN, "watch") and arguments.channel is None:
        raise UsageError(f"{operation}: missing channel")
    request: dict[str, object] = {"op": operation, "channel": arguments.channel}
    if operation in _WITH and arguments.what is None:
        raise UsageError(f"{operation}: missing {_WITH[operation]}")
    if operation == "send":
        return {**request, "value": _value(arguments.what)}
    if operation in ("add", "remove"):
        return {**request, "member": arguments.what}
    if operation == "open":
        return {**request, "kind": arguments.kind, "members": arguments.member}
    return {**request, "limit": arguments.limit} if operation == "read" else request


def _value(text: str) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found


def _list(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["channels"]:
        yield "no channels"
    for each in found["channels"]:
        yield from _view(each)
    if found["trouble"]:
        yield printable(f"not done yet: {found['trouble']}")


def _view(channel: Mapping[str, Any]) -> Iterator[str]:
    who = ", ".join(each["name"] or each["author"] for each in channel["members"])
    standing = "" if channel["standing"] == "member" else " (this agent is no member any more)"
    yield printable(
        f"{channel['name']} ({channel['kind']} {channel['id'][:8]}, key {channel['epoch']}): {who}{standing}"
    )


def _topics(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["topics"]:
        yield "no topics"
    for each in found["topics"]:
        owner = found["names"].get(each["owner"], each["owner"])
        yield printable(f"{each['name']} ({each['id'][:8]}) of {owner}")


def _read(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["messages"]:
        yield "nothing was said"
    for each in found["messages"]:
        yield _said(each)


def _said(message: Mapping[str, Any]) -> str:
    value = message["value"]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    over = f" (over {message['over']})" if message["over"] else ""
    return printable(f"{timestamp(message['at_ms'])}  {message['name'] or message['author']}{over}: {text}")


def _sent(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"said: message {found['number']}"


def _done(found: Mapping[str, Any]) -> Iterator[str]:
    yield printable(f"{found['op']}: {found['channel']}")


def _watch(peer: IpcClient, arguments: argparse.Namespace, console: Console) -> int:
    """Print messages until there were enough, the peer ends, or a person has seen enough."""
    left = arguments.count
    try:
        events = peer.subscribe(["channel"])
        console.event({"event": "watching", "peer": arguments.peer}, f"watching {arguments.peer}")
        for event in events:
            word = arguments.channel
            if word is not None and word != event["channel"] and not event["id"].startswith(word):
                continue
            console.event(event, f"{printable(event['channel'])}  {_said(event)}")
            left = None if left is None else left - 1
            if left == 0:
                break
    except KeyboardInterrupt:
        return EXIT_OK
    return EXIT_OK
