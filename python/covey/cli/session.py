"""`covey session`: a work session as a member of the mesh: charter, decisions, artifact, outcome (§14.12)."""

from __future__ import annotations

import argparse
from typing import Final

from covey.cli.blocks import short_key
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, said
from covey.cli.speaking import add_flags, spoken, told
from covey.errors import UsageError

EXAMPLE: Final = 'covey session start parser-work "make the parser twice as fast"'
_TEXTS: Final = {"start": "intent", "decide": "decision", "finish": "artifact"}
_FLAGS: Final = {"why": ("decide",), "verified": ("finish",), "failed": ("finish",)}


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("verb", choices=(*_TEXTS, "show"), help="what to do")
    parser.add_argument("peer", help="the session's own peer: one member, one session")
    parser.add_argument(
        "text",
        nargs="?",
        type=said,
        help="of start: what the work is for; of decide: what was decided; of finish: what was made",
    )
    parser.add_argument("--why", type=said, metavar="TEXT", help="of decide: the reason")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--verified", type=said, metavar="TEXT", help="of finish: it held: what was seen")
    how.add_argument("--failed", type=said, metavar="TEXT", help="of finish: it did not hold: what was seen")
    add_flags(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Go on with the trail, or show where it stands."""
    verb = arguments.verb
    for flag, verbs in _FLAGS.items():
        if getattr(arguments, flag) is not None and verb not in verbs:
            raise UsageError(f"--{flag} belongs to {verbs[0]}")
    if (verb == "show") != (arguments.text is None):
        raise UsageError("show takes no text" if verb == "show" else f"{verb}: say the {_TEXTS[verb]}")
    request: dict[str, object] = {"action": verb}
    if verb == "show":
        return _show(arguments, console, request)
    request[_TEXTS[verb]] = arguments.text
    if arguments.why is not None:
        request["why"] = arguments.why
    if verb == "finish":
        held = arguments.verified is not None
        if not held and arguments.failed is None:
            raise UsageError("finish: say how it turned out: --verified or --failed")
        request |= {"held": held, "outcome": arguments.verified if held else arguments.failed}
    found = spoken(arguments, console, arguments.peer, "session", request)
    return told(console, found, {"start": "charter", "decide": "decision", "finish": "finished"}[verb])


def _show(arguments: argparse.Namespace, console: Console, request: dict[str, object]) -> int:
    found = spoken(arguments, console, arguments.peer, "session", request)
    trail = found["session"]
    text = f"{arguments.peer}: no session is open"
    if trail is not None:
        text = (
            f"session: {printable(trail['intent'])}\n{trail['entries']} entries, "
            f"from {short_key(trail['charter'])} to {short_key(trail['head'])}: "
            f"covey trace {arguments.peer} {trail['head']}"
        )
    console.result({"peer": arguments.peer, **found}, text)
    return 0
