"""`covey task`: have something done by an agent that can, exactly once counted; see, follow, cancel it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from covey import limits
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, seconds, whole
from covey.cli.peers import table
from covey.cli.reach import client, known
from covey.errors import EXIT_FAILED, EXIT_OK, NotRunningError, UsageError
from covey.net.ipc.client import IpcClient
from covey.system.home import Home
from covey.system.log import timestamp

EXAMPLE: Final = """covey task submit writer translate '{"text": "good morning"}' --wait"""
_OPERATIONS: Final = ("submit", "list", "show", "cancel")
_CHOICES: Final = ("least-loaded", "power-of-two", "round-robin", "latency", "own-first")
_STATES: Final = ("waiting", "leased", "done", "failed", "cancelled", "expired")
_HEADS: Final = ("task", "can", "state", "at", "tries", "done", "submitted")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "operation",
        choices=_OPERATIONS,
        help="submit: have it done; list: every task of this peer; show: one, with its story and its proof; "
        "cancel: end one",
    )
    parser.add_argument("peer", help="name of the peer whose tasks they are")
    parser.add_argument(
        "what", nargs="?", help="of submit: the capability; of show and cancel: a task's id or key"
    )
    parser.add_argument("payload", nargs="?", help="of submit: a JSON value for whoever does it")
    while_long = seconds(0.1, limits.TASK_SECONDS_MOST)
    parser.add_argument("--key", help="of submit: the same key is the same task, and is not done again")
    parser.add_argument(
        "--within", type=while_long, metavar="SECONDS", help="of submit: until nobody wants it (default 600)"
    )
    parser.add_argument(
        "--try", type=while_long, dest="try_seconds", metavar="SECONDS", help="of submit: the longest one try"
    )
    parser.add_argument(
        "--tries",
        type=whole(1, limits.TASK_TRIES_MOST),
        metavar="N",
        help="of submit: how often it may end badly",
    )
    parser.add_argument("--choose", choices=_CHOICES, help="of submit: among those that can")
    parser.add_argument(
        "--hops",
        type=whole(0, limits.TASK_HOPS),
        metavar="N",
        help="of submit: how often it may be handed on (default 0)",
    )
    parser.add_argument(
        "--no-queue", action="store_true", help="of submit: fail where nobody can, in place of waiting"
    )
    parser.add_argument("--wait", action="store_true", help="of submit and show: until it is over")
    parser.add_argument("--state", choices=_STATES, help="of list: only those that stand so")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer; list and show also read the store of one that does not run."""
    home, operation = Home.resolve(console.env), arguments.operation
    _fits(arguments)
    if operation == "list":
        found = _asked(home, arguments.peer, {"op": "list"})
        chosen = [each for each in found["tasks"] if arguments.state in (None, each["state"])]
        console.result({**found, "tasks": chosen}, _listed(console, chosen))
        return EXIT_OK
    if operation == "show" and not arguments.wait:
        return _ended(console, _asked(home, arguments.peer, {"op": "show", "task": arguments.what}))
    with client(home, arguments.peer) as peer:
        if operation == "cancel":
            found = peer.request("task", {"op": "cancel", "task": arguments.what})
            _ended(console, found, wanted=False)
            return EXIT_FAILED if found["task"]["state"] == "done" else EXIT_OK  # too late: it has a result
        if operation == "show":
            return _ended(console, _waited(peer, arguments.what))
        found = peer.request("task", _submission(arguments), timeout_seconds=limits.STATE_ANSWER_SECONDS)
        if arguments.wait:
            return _ended(console, _waited(peer, found["task"]["id"]))
    task = found["task"]
    if task["state"] == "failed":  # it may not wait, and nobody can
        return _ended(console, _asked(home, arguments.peer, {"op": "show", "task": task["id"]}))
    console.result(found, f"task {task['id']}: {task['state']}\nfollow it: covey task show {arguments.peer} "
                   f"{task['id'][:12]} --wait")  # fmt: skip
    return EXIT_OK


def _fits(arguments: argparse.Namespace) -> None:
    """Refuse arguments that do not go together.

    Raises:
        UsageError: One is missing, belongs to another operation, or is no capability.
    """
    operation = arguments.operation
    if operation != "list" and arguments.what is None:
        raise UsageError(f"{operation}: missing " + ("capability" if operation == "submit" else "task"))
    given = ("payload", "key", "within", "try_seconds", "tries", "choose", "hops", "no_queue")
    extra = [name for name in given if operation != "submit" and getattr(arguments, name)]
    if extra:
        raise UsageError(f"{extra[0].split('_')[0]}: belongs to submit")
    if arguments.wait and operation not in ("submit", "show"):
        raise UsageError("--wait belongs to submit and show")
    if arguments.state and operation != "list":
        raise UsageError("--state belongs to list")
    if operation == "submit":
        from covey.fleet.arguments import capability

        capability("task", arguments.what)


def _submission(arguments: argparse.Namespace) -> dict[str, object]:
    """Build the request.

    Raises:
        UsageError: The payload is no JSON.
    """
    try:
        payload = None if arguments.payload is None else json.loads(arguments.payload)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"payload: not JSON: {error}", hint='quote it for the shell: \'{"text": "…"}\', or \'"a word"\''
        ) from error
    return {
        "op": "submit",
        "capability": arguments.what,
        "payload": payload,
        "key": arguments.key,
        "within_seconds": arguments.within,
        "try_seconds": arguments.try_seconds,
        "tries": arguments.tries,
        "choose": arguments.choose,
        "hops": arguments.hops,
        "patience": "capable" if arguments.no_queue else "queue",
    }


def _waited(peer: IpcClient, task: str) -> dict[str, Any]:
    """Ask until a task is over: it has a deadline."""
    while True:
        found = peer.request(
            "task", {"op": "wait", "task": task}, timeout_seconds=limits.STATE_ANSWER_SECONDS
        )
        if found["task"]["state"] not in ("waiting", "leased"):
            return found


def _asked(home: Home, name: str, request: Mapping[str, object]) -> dict[str, Any]:
    """Ask a running peer, or read the store of one that does not run."""
    try:
        with client(home, name) as peer:
            return peer.request("task", request)
    except NotRunningError:
        known(home, name)
    from covey._core import CoreError
    from covey.cli.peer import stored
    from covey.runtime.work.answer import named
    from covey.runtime.work.proof import checked
    from covey.runtime.work.rooms import read_rows
    from covey.store import store_error

    with stored(home, name) as (store, _):
        try:
            entries = read_rows([row for _, row in store.tasks()])
            keys = {node_id: key for node_id, key, *_ in store.bindings()}
        except CoreError as error:
            raise store_error(error) from error
    tasks = [each.view() for each in entries]
    if request["op"] == "list":
        return {"tasks": tasks, "counters": {}}
    task_id = named(tasks, request.get("task"))
    found = next(each.whole() for each in entries if each.task.id == task_id)
    return {"task": found, "proven": checked(found, keys)}


def _listed(console: Console, tasks: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            each["id"][:12],
            printable(each["capability"]),
            each["state"],
            printable(each["by"] or each["at"]),
            str(each["tries"]),
            "" if each["share"] is None else f"{each['share']:.0%}",
            timestamp(each["made_ms"]),
        )
        for each in tasks
    ]
    return table(console, _HEADS, rows) if rows else "no tasks"


def _ended(console: Console, found: Mapping[str, Any], *, wanted: bool = True) -> int:
    """Show one task; 1 where it is over without a result that was wanted."""
    console.result(found, "\n".join(_shown(found)))
    return EXIT_FAILED if wanted and found["task"]["state"] in ("failed", "expired", "cancelled") else EXIT_OK


def _shown(found: Mapping[str, Any]) -> Iterator[str]:
    task = found["task"]
    yield f"task: {task['id']}"
    yield f"can: {printable(task['capability'])}"
    yield f"key: {printable(task['key'])}"
    yield f"state: {task['state']}" + (f" ({printable(task['detail'])})" if task["detail"] else "")
    if task["state"] == "done":
        yield f"by: {printable(task['by'])}"
        yield f"proof: {printable(found['proven'])}"
        yield f"result: {printable(json.dumps(task['value'], ensure_ascii=False))}"
    for step in task["story"]:
        fence = f" [{step['fence']}]" if step["fence"] else ""
        line = f"{timestamp(step['at_ms'])}  {step['what']}{fence}  {step['who']}  {step['detail']}"
        yield "  " + printable(line).rstrip()
