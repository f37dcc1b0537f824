"""`covey agent`: move an agent to another node, and say whose agents this node takes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from covey import limits
from covey.cli.console import Console, count, printable
from covey.cli.parser import Parser, path
from covey.cli.reach import client
from covey.errors import EXIT_OK, StoreError, UsageError
from covey.system.home import Home

EXAMPLE: Final = "covey agent push writer --to reviewer --class session"
_OPERATIONS: Final = ("push", "allow", "deny", "show", "config")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "operation",
        choices=_OPERATIONS,
        help="push this peer's agent to another node; allow or deny whose agents this node takes; show; "
        "config: print what came with an agent",
    )
    parser.add_argument("peer", help="name of the running peer")
    parser.add_argument("agent", nargs="?", help="of config: the agent, by its owner's name")
    parser.add_argument("--to", metavar="PEER", help="of push: the connected peer that takes it")
    parser.add_argument(
        "--class",
        action="append",
        default=[],
        dest="classes",
        metavar="CLASS",
        help="of push: what moves, where no plan says so: memory:<layer>, ontology or session",
    )
    parser.add_argument("--config", type=path, metavar="PATH", help="of push: an agent.toml that goes along")
    parser.add_argument(
        "--from", dest="source", metavar="PEER", help="of allow and deny: whose, or * for everybody's"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer."""
    request = _request(arguments)
    home = Home.resolve(console.env)
    seconds = 2 * limits.CONTINUITY_ANSWER_SECONDS + limits.STATE_ANSWER_SECONDS
    with client(home, arguments.peer) as peer:
        found = peer.request("agent", request, timeout_seconds=seconds)
    console.result(found, "\n".join(_LINES[arguments.operation](found)))
    return EXIT_OK


def _request(arguments: argparse.Namespace) -> dict[str, object]:
    """Build the request.

    Raises:
        UsageError: An argument is missing.
        StoreError: The configuration cannot be read.
    """
    operation = arguments.operation
    request: dict[str, object] = {"op": operation}
    if operation == "push":
        if arguments.to is None:
            raise UsageError("push: missing --to")
        request |= {"to": arguments.to, "classes": arguments.classes}
        if arguments.config is not None:
            request["config"] = _text(arguments.config)
    elif operation in ("allow", "deny"):
        if arguments.source is None:
            raise UsageError(f"{operation}: missing --from", hint="a peer, an author, or '*' for everybody")
        request["from"] = arguments.source
    elif operation == "config":
        if arguments.agent is None:
            raise UsageError("config: missing agent")
        request["agent"] = arguments.agent
    return request


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(limits.CONTINUITY_CONFIG_BYTES + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {file}: {error}") from error
    if len(data) > limits.CONTINUITY_CONFIG_BYTES:
        raise UsageError(f"config: at most {limits.CONTINUITY_CONFIG_BYTES} bytes travel with an agent")
    return text


def _pushed(found: Mapping[str, Any]) -> Iterator[str]:
    facts = found["report"]
    free = f"{facts.get('free_bytes', 0) / 1e9:.1f} GB free"
    yield printable(f"viable: {found['to']}: covey {facts.get('version')}, {facts.get('system')}, {free}")
    yield printable(f"its agent can: {facts.get('capabilities') or 'nothing it tells of'}")
    for label, what in sorted(found["classes"].items()):
        yield printable(f"moved: {label}: {count(what['entries'], 'entry', 'entries')}")
    yield printable(f"{found['holder']} holds it since epoch {found['epoch']}")


def _consented(found: Mapping[str, Any]) -> Iterator[str]:
    yield printable(f"{found['op']}: {found['author']}")


def _shown(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["allowed"]:
        yield "takes nobody's agents"
    for each in found["allowed"]:
        yield "takes everybody's agents" if each == "*" else f"takes agents of {each}"


def _config(found: Mapping[str, Any]) -> Iterator[str]:
    if found["config"] is None:
        yield "no configuration came with it"
    else:
        yield from map(printable, found["config"].splitlines())


_LINES: Final = {
    "push": _pushed,
    "allow": _consented,
    "deny": _consented,
    "show": _shown,
    "config": _config,
}
