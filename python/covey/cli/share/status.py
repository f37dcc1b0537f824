"""How a door that runs here stands: slots, queue, lanes, backends and accounts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from covey.cli.console import Console, printable
from covey.cli.peers import table
from covey.cli.reach import client
from covey.errors import EXIT_OK

if TYPE_CHECKING:
    from covey.system.home import Home

_LANES: Final = ("lane", "requests", "p50", "p99", "failed", "tokens/s", "asks")
_ACCOUNTS: Final = ("account", "answered", "failed", "cancelled", "refused", "tokens", "today")


def shown(home: Home, name: str, console: Console) -> int:
    """Ask the door over its control socket, whichever way its peers come in."""
    with client(home, name) as peer:
        found = peer.request("door")
    console.result(found, "\n".join(_lines(console, found)))
    return EXIT_OK


def _lines(console: Console, found: Mapping[str, Any]) -> Iterator[str]:
    state = "takes no new work" if found["draining"] else "open"
    slots = f"{found['under_way']} of {found['concurrent']} slots"
    yield f"{state}; {slots}, {found['waiting']} of {found['queue']} waiting"
    rows = [
        (
            printable(name),
            str(lane["requests"]),
            _seconds(lane["p50_seconds"]),
            _seconds(lane["p99_seconds"]),
            "" if lane["failed_share"] is None else f"{lane['failed_share']:.0%}",
            "" if lane["tokens_per_second"] is None else f"{lane['tokens_per_second']:.0f}",
            printable(", ".join(lane["steps"])),
        )
        for name, lane in found["lanes"].items()
    ]
    yield table(console, _LANES, rows)
    for name, backend in found["backends"].items():
        if not backend["healthy"]:
            yield f"{printable(name)}: {backend['failures']} failures, the last {backend['last_failure']}"
    accounts = [
        (
            printable(name),
            *(str(each["ends"].get(end, 0)) for end in ("answered", "failed", "cancelled", "refused")),
            str(each["prompt_tokens"] + each["completion_tokens"]),
            str(each["day_tokens"]),
        )
        for name, each in found["accounts"].items()
    ]
    if accounts:
        yield table(console, _ACCOUNTS, accounts)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"
