"""Following one directed block: each state as it comes, until the one asked for, a final one, or too late."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from covey.cli.blocks import send_line
from covey.cli.console import Console
from covey.limits import IPC_RECEIPT_SECONDS
from covey.net.ipc.client import IpcClient

REACHED: Final = {"delivered": frozenset({"delivered", "executed"}), "executed": frozenset({"executed"})}
"""Which states are as good as the one that is waited for."""
_LOOK_SECONDS: Final = 30.0
"""One question to the running peer waits at most this long; then the next is asked."""


class States:
    """Shows the states of a block at its peer, each once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[object, ...] = ()

    def __call__(self, send: Mapping[str, Any]) -> None:
        """Show one state, unless it is the last one again."""
        shown = (send["node_id"], str(send["state"]), send.get("reason"))
        if shown == self._last:
            return
        self._last = shown
        event = {"event": "send-state", **{name: send.get(name) for name in ("node_id", "name", "reason")}}
        self._console.event({**event, "state": str(send["state"])}, f"  {send_line(self._console, send)}")


def follow(
    peer: IpcClient,
    found: dict[str, Any],
    wanted: str,
    timeout_seconds: float,
    tell: Callable[[Mapping[str, Any]], None],
) -> dict[str, Any]:
    """Ask a running peer what becomes of a block it has emitted.

    Args:
        peer: The peer.
        found: Its answer to `send`.
        wanted: delivered or executed.
        timeout_seconds: Longest wait.
        tell: Gets each state.

    Returns:
        The answer with the last state, and `taken` where it is the wanted one.
    """
    if found["result"] != "minted" or not found["sends"]:
        return found
    end, send = time.monotonic() + timeout_seconds, dict(found["sends"][0])
    tell(send)
    known = send["state"]
    while send["state"] not in REACHED[wanted] and not send.get("closed"):
        left = end - time.monotonic()
        if left <= 0:
            break
        wait = min(left, _LOOK_SECONDS)
        asked = {
            "assertion_id": found["block"]["assertion_id"],
            "state": known,
            "wait_seconds": wait,
        }
        rows = peer.request("track", asked, timeout_seconds=wait + IPC_RECEIPT_SECONDS)["sends"]
        if not rows:
            break
        known = rows[0]["state"]
        if known == "unknown" and not rows[0]["closed"]:
            continue  # the outbox has no word from the peer yet: what was said before says more
        send.update({name: rows[0][name] for name in ("state", "reason", "closed")})
        send["name"] = send["name"] or rows[0]["name"]
        tell(send)
    settled = send["state"] in REACHED[wanted] or bool(send.pop("closed", False))
    return {**found, "sends": [send], "settled": settled, "taken": send["state"] in REACHED[wanted]}
