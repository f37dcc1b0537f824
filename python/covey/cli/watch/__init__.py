"""`covey watch`: see how peers are doing, again and again, until they end or you do."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser, whole
from covey.cli.reach import client, running
from covey.errors import EXIT_OK
from covey.system.home import Home

EXAMPLE: Final = "covey watch --interval 1000"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", nargs="*", help="which peers; without any, all that run or come to run")
    parser.add_argument(
        "--interval",
        type=whole(100, 3_600_000),
        default=2_000,
        metavar="MS",
        help="milliseconds between looks (default 2000)",
    )
    parser.add_argument("--once", action="store_true", help="look once, and end")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Look until nobody is left to look at, or somebody ends this; either is a good end."""
    from covey.cli.interrupt import Interrupt
    from covey.cli.watch.rows import ask_all
    from covey.cli.watch.screen import screen

    home = Home.resolve(console.env)
    for name in arguments.peer:
        client(home, name).close()  # one that does not run is said at once, with who runs instead
    seen: set[str] = set()
    with Interrupt() as interrupt, screen(console, arguments.interval, once=arguments.once) as shown:
        while True:
            # Who was seen alive stays on the list when it ends; a short command, never seen so, does not.
            rows = ask_all(home, arguments.peer or sorted({*running(home), *seen}))
            seen |= {row.peer for row in rows if row.state == "alive"}
            shown.show(rows)
            over = bool(arguments.peer) and all(row.state == "ended" for row in rows)
            if over or arguments.once or interrupt.wait(arguments.interval / 1_000):
                break
    if over:
        console.remark(f"ended: {_listed(arguments.peer)}")
    return EXIT_OK


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(printable, names))
