"""`covey trace`: show where a block comes from, or what a message led to, as a tree; running or not."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey.cli.blocks import attestation, short_key
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path, whole
from covey.cli.reach import ask_or_read
from covey.errors import UsageError
from covey.limits import IPC_TRACE_DEPTH
from covey.system.home import Home

EXAMPLE: Final = "covey trace writer cmb-5e41… --mermaid"

_MESSAGE: Final = re.compile(r"[0-9a-f]{8,64}")
"""How a message's id or trace begins; a block's key has its own prefix."""


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="whose memory")
    parser.add_argument("key", help="the block's content key (cmb-…), or a message's id or trace")
    parser.add_argument(
        "--depth", type=whole(1, IPC_TRACE_DEPTH), default=20, metavar="N", help="generations (default 20)"
    )
    parser.add_argument("--down", action="store_true", help="show what came of it instead")
    parser.add_argument("--dot", action="store_true", help="as a graph for Graphviz: … --dot | dot -Tsvg")
    parser.add_argument("--mermaid", action="store_true", help="as a graph for Mermaid, as Markdown shows it")
    parser.add_argument(
        "--log",
        type=path,
        action="append",
        default=[],
        metavar="PATH",
        help="for a message: the log of a peer elsewhere, beside those here (may be given several times)",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer, or read its store when it does not run; for a message, read every log."""
    key, depth = arguments.key, arguments.depth
    if _MESSAGE.fullmatch(key):
        from covey.cli.message_trace import show

        if arguments.dot or arguments.mermaid or arguments.down:
            raise UsageError("--down, --dot and --mermaid are for blocks; a message's whole tree is shown")
        return show(Home.resolve(console.env), console, arguments.peer, key, arguments.log)
    if arguments.log:
        raise UsageError("--log is for messages; a block's lineage is in its peer's store")
    if arguments.dot + arguments.mermaid + arguments.json > 1:
        raise UsageError("one form at a time: --dot, --mermaid or --json")

    def read(memory: Any) -> dict[str, Any]:
        from covey.runtime.answers import descendants, trace

        return (descendants if arguments.down else trace)(memory, key, depth)

    asked = {"key": key, "depth": depth, **({"down": True} if arguments.down else {})}
    found = ask_or_read(Home.resolve(console.env), arguments.peer, "trace", asked, read)
    console.result({"peer": arguments.peer, **found}, "\n".join(_drawn(arguments, console, found)))
    return 0


def _drawn(arguments: argparse.Namespace, console: Console, found: Mapping[str, Any]) -> Iterator[str]:
    if arguments.dot or arguments.mermaid:
        from covey.cli.lineage import dot, graph_of, mermaid

        return (dot if arguments.dot else mermaid)(graph_of(found))
    return tree(console, found)


def tree(console: Console, found: Mapping[str, Any]) -> Iterator[str]:
    """Yield a block and, indented beneath it, what it answers; what was shown once is only named again."""
    held = {each["block"]["key"]: each["block"] for each in found["chain"]}
    told = {each["block"]["key"]: each["attested"] for each in found["chain"] if _of_another(each)}
    following = _children(held) if found.get("down") else {key: held[key]["parents"] for key in held}
    missing = set(found["missing"])
    shown: set[str] = set()
    stack = [(found["root"], 0)]
    yield f"root: {found['root']}"
    while stack:
        key, depth = stack.pop()
        yield "  " * depth + _node(console, key, held.get(key), missing=key in missing, again=key in shown)
        if key not in shown and told.get(key):
            yield "  " * (depth + 1) + attestation(console, told[key])
        if key in held and key not in shown:
            stack += [(other, depth + 1) for other in reversed(following[key])]
        shown.add(key)
    if found["cut"]:
        more = "later blocks" if found.get("down") else "older ancestors"
        yield console.style(f"({more} are not shown: --depth shows more)", "dim")
    if found.get("tether"):
        yield console.style(_tether(found["tether"]), "dim")


def _of_another(each: Mapping[str, Any]) -> bool:
    """Tell whether somebody else attests a block: the drift of its own a peer says once, under the tree."""
    return bool(each.get("attested")) and each["attested"]["standing"] != "own"


def _children(held: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    below: dict[str, list[str]] = {key: [] for key in held}
    for key, block in held.items():
        for parent in block["parents"]:
            if parent in below:
                below[parent].append(key)
    return below


def _tether(tether: Mapping[str, Any]) -> str:
    how = "still about" if tether["tethered"] else "far from"
    return f"{how} its root {short_key(tether['root'])}: drift {tether['drift']:.3f} in {tether['kernel']}"


def _node(console: Console, key: str, block: Mapping[str, Any] | None, *, missing: bool, again: bool) -> str:
    name = console.style(f"[{short_key(key)}]", "cyan")
    if block is None:
        return f"{name} ({'not held here' if missing else 'beyond the depth shown'})"
    who = console.style(printable(block["author"]), "bold")
    if again:
        return f"{name} by {who} (shown above)"
    said = " ".join(f'{category}="{_short(text)}"' for category, text in block["said"].items())
    return f"{name} by {who} | {said}"


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= 60 else shown[:57] + "..."
