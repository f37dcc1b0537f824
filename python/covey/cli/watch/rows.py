"""One peer as `covey watch` shows it: asked over its control socket, or why it could not be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from covey.cli.console import printable
from covey.cli.status import duration
from covey.errors import IpcError, NotRunningError
from covey.limits import WATCH_ANSWER_SECONDS, WATCH_PEERS, WATCH_THREADS
from covey.net.ipc.client import IpcClient
from covey.system.home import Home
from covey.system.lock import running_pid
from covey.values import dataclass

HEADS: Final = ("PEER", "MODEL", "ROOM", "UPTIME", "PEERS", "CMBs", "COST", "BUDGET m/h/d", "BREAKER")


@dataclass(frozen=True, slots=True)
class Row:
    """One peer. `state` is alive, ended, starting or silent; a row that is not alive says why in `note`."""

    peer: str
    state: str
    cells: tuple[str, ...] = ()
    note: str = ""
    status: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the row for --json, the peer's whole status in it."""
        return {"peer": self.peer, "state": self.state, "note": self.note, "status": self.status}


def ask_all(home: Home, names: Sequence[str]) -> list[Row]:
    """Ask every peer at once, so that one that hangs holds up no other; rows come in the order of names."""
    asked = names[:WATCH_PEERS]
    if not asked:
        return []
    with ThreadPoolExecutor(max_workers=min(len(asked), WATCH_THREADS)) as pool:
        return list(pool.map(lambda name: ask(home, name), asked))


def ask(home: Home, name: str) -> Row:
    """Ask one peer for its status."""
    try:
        with IpcClient(home.socket_path(name), WATCH_ANSWER_SECONDS) as peer:
            return row_of(name, peer.request("status"))
    except NotRunningError:
        if running_pid(home.lock_path(name)) is None:
            return Row(name, "ended", note="it does not run any more")
        return Row(name, "starting", note="its control socket is not there yet, or not any more")
    except IpcError as error:
        return Row(name, "silent", note=error.message)


def row_of(name: str, found: Mapping[str, Any]) -> Row:
    """Return the row of a peer's own answer."""
    node, agent = found["node"], found["agent"]
    first = (printable(name), "no agent", node["room"], duration(node["uptime_seconds"]), str(node["peers"]))
    if agent is None:
        return Row(name, "alive", (*first, "-", "-", "-", "-"), status=found)
    run, wakes = agent["run"], agent["wakes"]
    cells = (
        first[0],
        printable(str(agent["model"])),
        *first[2:],
        f"E{run['emitted']}/S{run['suppressed']}",
        f"${run['cost_usd']:.6f}",
        f"{wakes['minute']}m/{wakes['hour']}h/{wakes['day']}d",
        str(agent["breaker"]["state"]),
    )
    return Row(name, "alive", cells, status=found)


def widths(rows: Iterable[Row]) -> list[int]:
    """Return how wide each column needs to be."""
    shown = [HEADS, *(row.cells for row in rows if row.cells)]
    return [max(len(cells[column]) for cells in shown) for column in range(len(HEADS))]
