"""`covey why-not`: show why memory did not take a block; from a running peer, or its store."""

from __future__ import annotations

import argparse
from typing import Final

from covey.cli.console import Console
from covey.cli.why import configure, reasons, show
from covey.errors import IpcError

EXAMPLE: Final = "covey why-not writer cmb-5e41…"

__all__ = ["EXAMPLE", "configure", "run"]


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer, or read its store when it does not run."""
    found = reasons(arguments, console)
    turned_away = [each for each in found["decisions"] if each["outcome"] != "admitted"]
    if not turned_away:
        raise IpcError(
            f"memory of {arguments.peer} holds {found['key'][:16]}, and never turned it away",
            code="held",
            hint=f"covey why {arguments.peer} {found['key'][:16]} says why",
        )
    show(arguments, console, {**found, "decisions": turned_away})
    return 0
