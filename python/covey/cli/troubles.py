"""What a person at the terminal must hear of the log: a peer cannot store, reach a relay, or be found.

Rules: a line of the log is shown once for each kind of trouble and its reason; the log has every one of them.
"""

from __future__ import annotations

import json
from typing import Final

from covey.cli.console import Console, printable

_TOLD: Final = {
    "relay-lost": "no relay",
    "relay-given-up": "no relay",
    "relay-identity-collision": "no relay",
    "relay-error": "the relay says",
    "store-trouble": "cannot store",
    "discovery-failed": "cannot be found",
}
_WHY: Final = ("reason", "message", "error", "detail")
_WHERE: Final = ("relay", "source")
_REMEMBERED: Final = (
    64  # kinds of trouble of one run: a person reads no more, and reasons may hold a peer's words
)


class Troubles:
    """A sink for log lines that shows some of them on the terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: set[tuple[str, str, str]] = set()

    def __call__(self, line: str) -> None:
        """Show a line of the log, where a person must hear of it and has not."""
        if self._console.as_json:
            return
        entry = json.loads(line)
        what = _TOLD.get(entry["evt"])
        if what is None or entry["level"] not in ("warn", "error"):
            return
        data = entry.get("data") or {}
        why = next((str(data[name]) for name in _WHY if data.get(name)), "see the log")
        where = next((str(data[name]) for name in _WHERE if data.get(name)), "")
        said = (entry["evt"], where, why)
        if said in self._said or len(self._said) >= _REMEMBERED:
            return
        self._said.add(said)
        self._console.note(f"{what}{f' ({printable(where)})' if where else ''}: {printable(why)[:200]}")
