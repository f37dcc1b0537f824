"""Records, threads, peers and news as resources: the same quoted texts as the tools give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from covey import limits
from covey.errors import UsageError
from covey.runtime.mcp import bounds
from covey.runtime.mcp.headers import Bodies, compact, named
from covey.runtime.mcp.port import Mesh
from covey.runtime.mcp.quoting import WARNING, Quoter
from covey.runtime.mcp.tools import status_text, thread_text

INBOX: Final = "covey://inbox"
PEERS: Final = "covey://peers"
STATUS: Final = "covey://status"
RECORD: Final = "covey://records/"
THREAD: Final = "covey://threads/"


class Listed(NamedTuple):
    """One resource, or one form of resources, as a client lists it."""

    uri: str
    name: str
    description: str


FIXED: Final = (
    Listed(
        INBOX, "inbox", "the newest blocks of others, one compact header each; subscribe to be told of more"
    ),
    Listed(PEERS, "peers", "who is connected, and how"),
    Listed(STATUS, "status", "how this peer is doing"),
)
TEMPLATES: Final = (
    Listed(RECORD + "{key}", "record", "one block, whole, by its content key"),
    Listed(THREAD + "{key}", "thread", "a block with everything it answers and everything that answers it"),
)


class Resources:
    """The resources of one server; the arguments are those of the tools."""

    def __init__(self, mesh: Mesh, quoter: Quoter, bodies: Bodies, shown: Callable[[str], bool]) -> None:
        self._mesh = mesh
        self._quoter = quoter
        self._bodies = bodies
        self._shown = shown

    async def listed(self) -> list[Listed]:
        """Return the fixed resources and the newest records; no name of one holds a peer's words."""
        blocks = await self._newest(bounds.RECORDS)
        return [*FIXED, *(Listed(RECORD + b["key"], b["key"][:16], "a block of this room") for b in blocks)]

    async def read(self, uri: str) -> str:
        """Return what a resource holds.

        Raises:
            CoveyError: There is none of this address.
        """
        if uri == INBOX:
            return await self._inbox()
        if uri == STATUS:
            return status_text(await self._mesh.request("status"))
        if uri == PEERS:
            peers = (await self._mesh.request("peers"))["peers"]
            rows = [f"{named(p['name'])} {p['node_id']} via {p['path']} {p['state']}" for p in peers]
            return "\n".join(rows) or "No peers connected."
        if uri.startswith(RECORD):
            found = await self._mesh.request("trace", {"key": uri.removeprefix(RECORD), "depth": 1})
            block = found["chain"][0]["block"]
            if self._shown(block["author"]):
                return self._quoter.blocks([block])
        if uri.startswith(THREAD):
            return await self._thread(uri.removeprefix(THREAD))
        raise UsageError(f"no such resource: {uri[:120]}")

    async def _inbox(self) -> str:
        own = (await self._mesh.request("status"))["node"]
        blocks = [b for b in await self._newest(limits.IPC_RECALL_BLOCKS) if b["node_id"] != own["node_id"]]
        if not blocks:
            return "Nothing yet."
        heads = [
            f"{compact(b, self._bodies.keep(b), directed=b['to'] == own['node_id'])} {b['key']}"
            for b in blocks[: bounds.RECORDS]
        ]
        return "\n".join([WARNING, *heads])

    async def _thread(self, key: str) -> str:
        above = await thread_text(self._mesh, self._quoter, {"key": key}, self._shown)
        below = await self._mesh.request("replies", {"key": key, "limit": bounds.ANSWERS})
        blocks = [block for block in below["blocks"] if self._shown(block["author"])]
        more = "\nmore answers are not shown" if below["cut"] else ""
        if not blocks:
            return f"{above}\nno answers are held"
        return f"{above}\nanswers, oldest first:{more}\n{self._quoter.blocks(blocks)}"

    async def _newest(self, limit: int) -> Sequence[Mapping[str, Any]]:
        found = (await self._mesh.request("recall", {"query": "", "limit": limit}))["blocks"]
        return [block for block in found if self._shown(block["author"])]
