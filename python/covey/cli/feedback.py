"""`covey feedback`: judge a block under this peer's authority, or see what is said of one (§6.5, §11)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey.cli.blocks import clock, short_key
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, said
from covey.cli.speaking import add_flags, spoken, told
from covey.errors import UsageError

EXAMPLE: Final = 'covey feedback dismiss owner cmb-5e41… --why "frontend is out of scope here"'
_TIERS: Final = ("no authority here", "a validator", "the anchor or an admin")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    moves = ("validate", "dismiss", "canonise", "archive", "show")
    parser.add_argument("verb", choices=moves, help="what to do with the block")
    parser.add_argument("peer", help="who says it, and holds the block")
    parser.add_argument("key", help="the block's content key (cmb-…)")
    parser.add_argument("--why", type=said, metavar="TEXT", help="the reason; what the mesh learns from")
    parser.add_argument("--learn", type=said, metavar="TEXT", help="what its author should do otherwise")
    add_flags(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Judge, or show."""
    shows = arguments.verb == "show"
    if shows and (arguments.why or arguments.learn):
        raise UsageError("--why and --learn belong to a judgement")
    if not shows and not arguments.why:
        raise UsageError(f"{arguments.verb}: say --why: a judgement without a reason teaches nothing")
    if shows:
        found = spoken(arguments, console, arguments.peer, "about", {"key": arguments.key})
        console.result({"peer": arguments.peer, **found}, "\n".join(_shown(console, found)))
        return 0
    request: dict[str, object] = {"key": arguments.key, "move": arguments.verb, "why": arguments.why}
    if arguments.learn:
        request["learn"] = arguments.learn
    found = spoken(arguments, console, arguments.peer, "judge", request)
    return told(console, found, f"said: {arguments.verb}")


def _shown(console: Console, found: Mapping[str, Any]) -> Iterator[str]:
    block, ground = found["block"], found["grounding"]
    yield f"{block['key']} by {printable(block['author'])}: {block['lifecycle']}"
    if ground is None:
        yield "outcome: nobody reported one"
    else:
        how = "held" if ground["held"] else "did not hold"
        yield f"outcome: {how}, says {ground['by']} ({_TIERS[ground['tier']]}): {printable(ground['words'])}"
    for word in found["words"]:
        key = console.style(short_key(word["key"]), "dim")
        said = f"{word['kind']}  {word['node_id']}  {printable(word['words'])}"
        yield f"  {clock(word['stored_ms'])}  {said}  {key}"
