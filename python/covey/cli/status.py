"""`covey status`: show how a peer is doing, or which peers there are."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.cli.reach import client, running
from covey.system.home import Home

EXAMPLE: Final = "covey status writer"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", nargs="?", help="name of the peer; without one, all peers of this machine")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer, or list the peers."""
    home = Home.resolve(console.env)
    if arguments.peer is None:
        return _list(home, console)
    with client(home, arguments.peer) as peer:
        found = peer.request("status")
    console.result(found, "\n".join(_lines(found)))
    return 0


def _list(home: Home, console: Console) -> int:
    alive = set(running(home))
    known = [{"peer": name, "running": name in alive} for name in home.peers()]
    width = max((len(str(each["peer"])) for each in known), default=0)
    lines = [f"{each['peer']:<{width}}  {'running' if each['running'] else 'stopped'}" for each in known]
    if not lines:
        lines = [f"no peers yet: looked in {home.path / 'peers'}", "  start one: covey listen"]
    console.result({"home": str(home.path), "peers": known}, "\n".join(lines))
    return 0


_PROFILES = {
    "core-secure": "core-secure",
    "legacy": "legacy: stock peers prove nothing (SECURITY.md)",
}


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    node, agent = found["node"], found["agent"]
    rows: list[tuple[str, object]] = [
        ("peer", found["peer"]),
        ("room", node["room"]),
        ("profile", _PROFILES[node["profile"]]),
        ("node id", node["node_id"]),
        ("fingerprint", node["fingerprint"]),
        ("listening", node["listening"] or "no: dials out only"),
        ("reach", "local network" if node["lan"] else "this machine only"),
        *((("addresses", ", ".join(node["hosts"]) or "none: no network is up"),) if node["lan"] else ()),
        *((f"relay {each['relay']}", _relay(each)) for each in node["relays"]),
        ("uptime", duration(node["uptime_seconds"])),
        ("peers", node["peers"]),
        *missing(found["peer"], node["members"]),
        ("anchors", node["anchors"]),
        ("store", node["store"]),
        ("strangers", "may wake the agent" if node["strangers_wake"] else "wake nobody"),
    ]
    rows += [
        (name.replace("_", " "), found[name])
        for name in ("key", "anchor", "pid", "log", "metrics", "version")
        if found.get(name) is not None
    ]
    if found.get("encoding"):
        rows.append(("encoder", encoding(found["encoding"])))
    if agent is None:
        rows.append(("agent", "none"))
    else:
        hidden = ("latest", "team")
        rows += list(flat({name: value for name, value in agent.items() if name not in hidden}))
        if agent.get("team") is not None:
            rows += list(
                flat({name: value for name, value in agent["team"].items() if name != "peers"}, "team ")
            )
    rows += [(f"  {name}", count) for name, count in node["counters"].items()]
    rows += [(f"  messages.{name}", count) for name, count in found["messages"].items() if count]
    width = max(len(name) for name, _ in rows) + 1
    for name, value in rows:
        yield f"{name + ':':<{width}} {printable(str(value))}"
    if agent is not None and agent["latest"]:
        yield "latest decisions:"
        for each in agent["latest"]:
            yield f"  {_clock(each['at_ms'])} {each['event']}: {printable(', '.join(_words(each)))}"


def missing(name: str, members: Mapping[str, int]) -> Iterator[tuple[str, object]]:
    """Yield how the room is split, as this peer sees it, where somebody does not answer."""
    words = [
        f"{members[state]} {said}"
        for state, said in (("suspect", "suspect"), ("dead", "failed"))
        if members.get(state)
    ]
    if words:
        yield "members", f"{members.get('alive', 0)} alive, {', '.join(words)}: covey peers {name} says who"


def _words(decision: Mapping[str, Any]) -> list[str]:
    return [str(decision[name]) for name in ("reason", "detail") if decision[name]]


def _clock(at_ms: int) -> str:
    """Return a moment as this machine's wall clock shows it."""
    from datetime import datetime

    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%H:%M:%S")


def _relay(facts: Mapping[str, Any]) -> str:
    state = f"{facts['state']}, {facts['present']} present" if facts["state"] == "joined" else facts["state"]
    return f"{state}: {facts['detail']}" if facts["detail"] else str(state)


def flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield nested facts as `outer inner` rows."""
    for name, value in facts.items():
        label = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from flat(value, f"{label} ")
        elif isinstance(value, bool):
            yield label, str(value).lower()
        else:
            yield label, "-" if value is None else value


def encoding(facts: Mapping[str, Any]) -> str:
    """Return how far the kernel in use has read what memory holds, as `status` and `memory stats` show it."""
    read = (
        f"has read {facts['read']:,} of {facts['of']:,} blocks"
        if facts["of"]
        else "had nothing to read at its last look"
    )
    far = f"{facts['kernel']}, {read}"
    return f"{far}: {facts['trouble']}" if facts["trouble"] else far


def duration(seconds: float) -> str:
    """Return a duration as a person says it: 26s, 4m, 2.5h, 3.1d."""
    if seconds < 60:
        return f"{seconds:.0f}s"
    if seconds < 3_600:
        return f"{seconds / 60:.0f}m"
    return f"{seconds / 3_600:.1f}h" if seconds < 86_400 else f"{seconds / 86_400:.1f}d"
