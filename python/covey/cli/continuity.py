"""`covey continuity`: say who goes on with an agent when its node is gone; status, takeover, hand-back."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey import limits
from covey.cli.console import Console, count, printable
from covey.cli.parser import Parser, whole
from covey.cli.reach import client
from covey.errors import EXIT_OK, UsageError
from covey.system.home import Home
from covey.system.log import timestamp

EXAMPLE: Final = "covey continuity declare writer --standby reviewer --witness editor --class session"
_OPERATIONS: Final = ("declare", "status", "adopt", "handback")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "operation",
        choices=_OPERATIONS,
        help="declare who goes on with this peer's agent; status; adopt an agent here; "
        "handback: let its owner go on with it",
    )
    parser.add_argument("peer", help="name of the running peer")
    parser.add_argument("agent", nargs="?", help="of adopt and handback: the agent, by its owner's name")
    parser.add_argument(
        "--standby",
        action="append",
        default=[],
        metavar="PEER",
        help="of declare: a connected peer that keeps a replica and may go on, the preferred one first",
    )
    parser.add_argument(
        "--witness", action="append", default=[], metavar="PEER", help="of declare: a peer that only votes"
    )
    parser.add_argument(
        "--class",
        action="append",
        default=[],
        dest="classes",
        metavar="CLASS",
        help="of declare: what is handed on: memory:<layer>, ontology or session",
    )
    parser.add_argument(
        "--epochs",
        type=whole(1, limits.CONTINUITY_EPOCHS),
        default=limits.CONTINUITY_EPOCHS_USUAL,
        metavar="N",
        help="of declare: how often it may change hands (default 1000)",
    )
    parser.add_argument("--to", metavar="PEER", help="of handback: another standby instead of the owner")
    parser.add_argument(
        "--force", action="store_true", help="of declare and adopt: on your word alone, without a majority"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer."""
    request = _request(arguments)
    home = Home.resolve(console.env)
    seconds = limits.CONTINUITY_ANSWER_SECONDS + limits.STATE_ANSWER_SECONDS
    with client(home, arguments.peer) as peer:
        found = peer.request("continuity", request, timeout_seconds=seconds)
    console.result(found, "\n".join(_LINES[arguments.operation](found)))
    return EXIT_OK


def _request(arguments: argparse.Namespace) -> dict[str, object]:
    """Build the request.

    Raises:
        UsageError: An argument is missing.
    """
    operation = arguments.operation
    request: dict[str, object] = {"op": operation}
    if operation == "declare":
        if not arguments.standby or not arguments.classes:
            raise UsageError("declare: missing --standby or --class")
        request |= {"standbys": arguments.standby, "witnesses": arguments.witness}
        request |= {"classes": arguments.classes, "epochs": arguments.epochs, "force": arguments.force}
    elif operation != "status":
        if arguments.agent is None:
            raise UsageError(f"{operation}: missing agent")
        request["agent"] = arguments.agent
        if operation == "adopt":
            request["force"] = arguments.force
        elif arguments.to is not None:
            request["to"] = arguments.to
    return request


def _declared(found: Mapping[str, Any]) -> Iterator[str]:
    same = " (unchanged)" if found.get("unchanged") else ""
    classes = ", ".join(found["classes"])
    yield printable(f"plan {found['plan']}{same}: {classes} for {', '.join(found['standbys'])}")
    if found["automatic"]:
        yield f"voters: {found['voters']}; {found['majority']} of them decide a takeover"
    else:
        yield (
            f"automatic takeover is impossible: {found['voters']} voters, and three are needed "
            "(name a further --standby or --witness); an operator can: covey continuity adopt --force"
        )
    for name, why in sorted(found["unable"].items()):
        yield printable(f"{name} would not take it yet: {why}")


def _adopted(found: Mapping[str, Any]) -> Iterator[str]:
    yield printable(f"held here: {found['agent']} since epoch {found['epoch']}")
    yield from _loss(found)


def _handed(found: Mapping[str, Any]) -> Iterator[str]:
    holder, agent = found["holder"], found["agent"]
    what = "its own agent again" if holder == agent else agent
    yield printable(f"{holder} holds {what} since epoch {found['epoch']}")


def _loss(found: Mapping[str, Any]) -> Iterator[str]:
    taken = found.get("taken")
    if not taken:
        return
    made = sorted(taken["operations"].items())
    parts = ", ".join(f"{label}: {count(number, 'operation')}" for label, number in made) or "nothing"
    if found.get("why") == "released":
        yield printable(
            f"handed over by {taken['from']} at write {taken['mark'][1]} ({parts}): nothing is lost"
        )
        return
    yield printable(f"taken over from {taken['from']} at write {taken['mark'][1]} ({parts})")
    missing = taken["announced_and_missing"]
    known = "" if missing is None else f"; announced and never here: {missing}"
    yield f"lost: whatever it wrote after that point{known}"


def _status(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["agents"]:
        yield "no agent's continuity is known here"
    if found["trouble"]:
        yield printable(f"trouble: {found['trouble']}")
    for agent in found["agents"]:
        yield from _agent(agent)
    if found["consents"]:
        yield printable(f"takes agents of: {', '.join(found['consents'])}")


def _agent(agent: Mapping[str, Any]) -> Iterator[str]:
    where = "here" if agent["here"] else f"by {printable(agent['holder'])}"
    word = "" if agent["decided"] else ", on an operator's word"
    yield (
        f"{printable(agent['owner'])}  held {where} since epoch {agent['epoch']}{word}; "
        f"plan {agent['plan']}: {', '.join(agent['classes'])}"
    )
    if not agent["automatic"]:
        yield f"  automatic takeover is impossible: {agent['voters']} voters, and three are needed"
    for member in agent["members"]:
        mark = member["acknowledged"]
        has = f", has everything up to write {mark[1]}" if agent["here"] and mark[0] else ""
        yield printable(f"  {member['role']} {member['name']}: {member['state']}{has}")
    if agent["here"] and agent["reached"] < agent["majority"]:
        yield (
            f"  reaches {agent['reached']} of {agent['voters']} voters: "
            "what is written now is refused if others go on"
        )
    if agent["acknowledged"] is not None:
        point = f"write {agent['acknowledged'][1]} of {agent['mark'][1]}"
        yield f"  replicated up to {point}: no automatic takeover loses that"
    if agent["taken"]:
        yield f"  since {timestamp(agent['taken']['at_ms'])}"
        yield from (f"  {line}" for line in _loss(agent))
    if agent["late"]:
        yield f"  refused, because {where} had gone on: {len(agent['late'])} late writes, set aside here"
        for label, name in agent["late"]:
            yield printable(f"    {label} {name}")


_LINES: Final = {"declare": _declared, "status": _status, "adopt": _adopted, "handback": _handed}
