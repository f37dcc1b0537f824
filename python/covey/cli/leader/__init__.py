"""`covey peer`: use a leader's model, test the way to it, and keep it in shape."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Final, NamedTuple

from covey.cli.console import Console
from covey.cli.parser import Parser, path, whole
from covey.errors import UsageError
from covey.limits import DOOR_LOG_LINES, PEER_PROBES

EXAMPLE: Final = "covey peer connect http://leader.lan:8099 --key-file leader.key"


class _Verb(NamedTuple):
    """One verb: its module, the words it takes, the flags that are its own, and what it does."""

    module: str
    words: tuple[str, ...]
    flags: tuple[str, ...]
    about: str
    optional: int = 0


_REACH: Final = ("node", "key_file", "ca")
_ADMIN: Final = (*_REACH, "admin_key_file")
VERBS: Final = {
    "connect": _Verb(
        "saved", ("url",), ("key_file", "ca", "model", "skip_test", "probes"), "test a leader, then save it"
    ),
    "show": _Verb("saved", (), (), "the saved leader, never its key"),
    "key": _Verb("saved", (), ("key_file",), "another key in place of the saved one"),
    "forget": _Verb("saved", (), (), "the saved leader, its key and what its tests found"),
    "test": _Verb(
        "testing", ("url",), (*_REACH, "model", "probes"), "the way to a leader, stage by stage", optional=1
    ),
    "version": _Verb("looking", (), _REACH, "what runs here, and there"),
    "deps": _Verb("looking", (), _REACH, "what a leader has installed"),
    "logs": _Verb("looking", (), (*_ADMIN, "follow", "lines"), "a leader's log, with an admin key"),
    "drain": _Verb("upkeep", (), _ADMIN, "no new work for a leader"),
    "resume": _Verb("upkeep", (), _ADMIN, "new work again"),
    "llm": _Verb("upkeep", ("lane", "backend=model"), _ADMIN, "another model for a lane"),
    "install": _Verb("upkeep", ("extra",), (*_ADMIN, "apply"), "an extra of covey"),
    "update": _Verb("upkeep", (), (*_ADMIN, "apply"), "the newest covey; without --apply it is only said"),
    "restart": _Verb("upkeep", (), (*_ADMIN, "apply"), "a new start once its work is finished"),
    "init-mesh": _Verb(
        "nodes", ("name", "url"), ("role", "force"), "a file of nodes, this machine the first"
    ),
    "add-node": _Verb("nodes", ("name", "url"), ("role", "force", "key_file"), "one node more"),
    "remove-node": _Verb("nodes", ("name",), (), "one node less"),
    "list-nodes": _Verb("nodes", (), ("ca",), "all nodes, and how they are now"),
}
"""Every verb. The first four change what this machine saves; those of upkeep need an admin key."""

_FLAGS: Final = (
    "node",
    "key_file",
    "admin_key_file",
    "ca",
    "model",
    "probes",
    "skip_test",
    "follow",
    "lines",
    "apply",
    "role",
    "force",
)


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    about = "; ".join(f"{name}: {verb.about}" for name, verb in VERBS.items())
    parser.add_argument("verb", choices=tuple(VERBS), help=about)
    parser.add_argument("words", nargs="*", metavar="word", help="what the verb takes: an address, a name …")
    parser.add_argument("--node", metavar="NAME", help="a node of mesh.toml, not the saved leader")
    parser.add_argument(
        "--key-file", type=path, metavar="PATH", help="file with the key; without it, it is asked for"
    )
    parser.add_argument("--admin-key-file", type=path, metavar="PATH", help="file with the admin key")
    parser.add_argument("--ca", type=path, metavar="PATH", help="PEM file of who signed the certificate")
    parser.add_argument("--model", metavar="NAME", help="of connect and test: the lane or model to try")
    parser.add_argument(
        "--probes", type=whole(1, PEER_PROBES), metavar="N", help="of connect and test: answers timed (5)"
    )
    parser.add_argument("--skip-test", action="store_true", help="of connect: save it as it is")
    parser.add_argument("-f", "--follow", action="store_true", help="of logs: go on with what comes")
    parser.add_argument(
        "--lines", type=whole(1, DOOR_LOG_LINES), metavar="N", help="of logs: newest lines (50)"
    )
    parser.add_argument("--apply", action="store_true", help="of update, restart, install: do it")
    parser.add_argument("--role", choices=("leader", "peer"), help="of init-mesh and add-node (peer)")
    parser.add_argument("--force", action="store_true", help="of init-mesh and add-node: in place of another")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do one of them."""
    from covey.cli.share import extra

    verb = VERBS[arguments.verb]
    count, least = len(arguments.words), len(verb.words) - verb.optional
    if not least <= count <= len(verb.words):
        takes = " ".join(f"<{word}>" for word in verb.words) or "nothing more"
        raise UsageError(f"{arguments.verb}: expected {takes}, got {count} words")
    for flag in _FLAGS:
        if getattr(arguments, flag) and flag not in verb.flags:
            owners = ", ".join(name for name, each in VERBS.items() if flag in each.flags)
            raise UsageError(f"--{flag.replace('_', '-')} belongs to {owners}, not to {arguments.verb}")
    if verb.module != "saved" or arguments.verb == "connect":
        extra.needed()
    module = import_module(f"covey.cli.leader.{verb.module}")
    code: int = module.run(arguments, console)
    return code
