"""`covey peer init-mesh`, `add-node`, `remove-node` and `list-nodes`: machines by a person's own names."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.cli.leader import book, nodes_file, reach
from covey.cli.leader.book import Connection
from covey.cli.peers import table
from covey.errors import EXIT_OK, CoveyError, UsageError
from covey.settings import grammar
from covey.settings.mesh_file import NodeSettings
from covey.system.home import Home

_HEADS: Final = ("node", "role", "url", "state", "under way", "waiting")
_AT_ONCE: Final = 16
_SECONDS: Final = 3.0


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do one of them."""
    home, verb = Home.resolve(console.env), arguments.verb
    if verb == "list-nodes":
        return _listed(arguments, home, console)
    name = arguments.words[0]
    if verb == "init-mesh":
        if home.mesh_path.exists() and not arguments.force:
            raise UsageError(
                f"there is a file of nodes already: {home.mesh_path}",
                hint="--force writes another in its place",
            )
        nodes_file.begin(home, name, _entry(arguments))
        said = f"wrote {home.mesh_path}; this machine is {name}"
    elif verb == "add-node":
        if name in nodes_file.load(home).nodes and not arguments.force:
            raise UsageError(f"there is a node {name} already", hint="--force puts this one in its place")
        nodes_file.change(home, name, _entry(arguments))
        said = f"added {name}"
    else:
        _may_go(home, name)
        nodes_file.change(home, name, None)
        said = f"removed {name}"
    console.result({"node": name, "file": str(home.mesh_path)}, said)
    return EXIT_OK


def _entry(arguments: argparse.Namespace) -> dict[str, Any]:
    name, url = arguments.words
    try:
        entry: dict[str, Any] = {"url": grammar.base_url(url), "role": arguments.role or "peer"}
        grammar.capability(name)
    except ValueError as error:
        raise UsageError(f"expected {error}") from error
    if arguments.key_file is not None:
        entry["key_file"] = str(arguments.key_file.expanduser().absolute())
    return entry


def _may_go(home: Home, name: str) -> None:
    found = nodes_file.load(home)
    if name not in found.nodes:
        raise UsageError(f"no node {name}: there are {', '.join(found.nodes)}", code="unknown_node")
    if name == found.here:
        raise UsageError(
            f"{name} is this machine",
            code="is_self",
            hint="another machine's file is where it can be removed",
        )


def _listed(arguments: argparse.Namespace, home: Home, console: Console) -> int:
    """Ask all nodes at once, and say how each is now."""
    found = nodes_file.load(home)
    ca = None if arguments.ca is None else str(arguments.ca)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        states = dict(
            zip(found.nodes, pool.map(lambda node: _state(node, ca), found.nodes.values()), strict=True)
        )
    rows = [
        (
            f"{name} (here)" if name == found.here else name,
            node.role,
            node.url,
            printable(str(states[name]["state"])),
            str(states[name].get("under_way", "")),
            str(states[name].get("waiting", "")),
        )
        for name, node in found.nodes.items()
    ]
    nodes = [
        {"name": name, "role": node.role, "url": node.url, "here": name == found.here, **states[name]}
        for name, node in found.nodes.items()
    ]
    console.result({"file": str(home.mesh_path), "nodes": nodes}, table(console, _HEADS, rows))
    return EXIT_OK


def _state(node: NodeSettings, ca: str | None) -> Mapping[str, Any]:
    """Return how a node is: up, draining, or why not; with a key also what it has to do."""
    try:
        key = "" if node.key_file is None else book.key_of(node.key_file, "key")
        with reach.client(Connection(book.address(node.url), key, ca=ca), _SECONDS) as made:
            answer = made.get("/healthz")
            health = answer.text.strip()[:40]
            if health not in ("ok", "draining"):
                return {"state": f"something else answers: {answer.status_code}"}
            state = "up" if health == "ok" else "draining"
            if not key:
                return {"state": state}
            status = reach.ask(made, "GET", "/covey/status")
            return {"state": state, "under_way": status["under_way"], "waiting": status["waiting"]}
    except (CoveyError, OSError, ValueError) as error:
        return {"state": f"not asked: {error}"}
    except Exception as error:  # the client's own errors: one node that is away must not hide the others
        return {"state": f"down: {str(error).partition(chr(10))[0][:80] or type(error).__name__}"}
