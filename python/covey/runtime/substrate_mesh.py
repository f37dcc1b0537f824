"""The shell of bundles between peers: what is offered is read, what was heard kept, what came handed on."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.errors import CoveyError, NetworkError, RefusedArgumentError
from covey.proto.substrate import (
    BundleOffer,
    HeardOffers,
    Offering,
    PartRead,
    Pulled,
    PullFailed,
    PullWish,
    ReadPart,
    SubstrateExchange,
)
from covey.runtime import substrate_verb as verb
from covey.substrate import bundle as bundles
from covey.substrate.values import BundleError

if TYPE_CHECKING:
    from covey.proto.extension import Extension
    from covey.runtime.plugin import Tell
    from covey.runtime.substrate import Result, SubstrateDesk

Logger = Callable[[str, str, Mapping[str, Any]], None]
_OPS: Final = {
    **verb.OPS,
    "offer": frozenset({"bundle", "to"}),
    "withdraw": frozenset({"digest"}),
    "offers": frozenset[str](),
    "pull": frozenset({"node_id", "digest"}),
}
_WHY: Final = {
    "not_here": "that peer is not here, or does not give bundles",
    "unknown": "that peer offers no such bundle to this one",
    "busy": "that peer gives this one no more for now",
    "gone": "that peer left",
    "late": f"nothing came for {limits.PULL_SECONDS:g} seconds",
    "wrong": "what came is not what was offered",
    "too_many": "another pull is under way",
}


class SubstratePlugin:
    """The extension with what performs its wishes, and the verb of the control socket.

    Args:
        desk: The peer's substrate.
        log: Called with level, event word and facts.
        now_ms: Wall time.
    """

    def __init__(self, desk: SubstrateDesk, log: Logger, now_ms: Callable[[], int]) -> None:
        self.extension: Extension = SubstrateExchange()
        self._desk = desk
        self._log = log
        self._now_ms = now_ms
        self._tell: Tell = lambda _: None
        self._heard: dict[str, HeardOffers] = {}
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._tokens = itertools.count(1)
        self._working: set[asyncio.Task[None]] = set()
        self._writing = asyncio.Lock()

    async def start(self, tell: Tell) -> None:
        """Hand admission what is merged, and say what is offered. A damaged shelf stops no peer.

        What is merged and what is offered are two matters: one that cannot be read leaves the other be.
        """
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(self._desk.prime)
        except CoveyError as error:
            self._log("error", "substrate-unreadable", {"reason": error.message})
        try:
            offers = await asyncio.to_thread(self._offers)
        except CoveyError as error:
            self._log("error", "substrate-unreadable", {"reason": error.message})
            return
        tell(Offering(offers))

    def perform(self, what: object) -> None:
        """Do what the engine wants."""
        if isinstance(what, ReadPart):
            task = asyncio.get_running_loop().create_task(self._read(what))
            self._working.add(task)
            task.add_done_callback(self._working.discard)
        elif isinstance(what, HeardOffers):
            self._heard[what.node_id] = what
            if not what.offers:
                del self._heard[what.node_id]
        elif isinstance(what, Pulled):
            self._finish(what.token, what.raw)
        elif isinstance(what, PullFailed):
            self._finish(what.token, NetworkError(_WHY[what.reason], code=f"pull_{what.reason}"))

    async def stop(self) -> None:
        """Finish what is being read; whoever waits for a bundle is told that none comes."""
        for token in list(self._waiting):
            self._finish(token, NetworkError("this peer is stopping", code="pull_gone"))
        await asyncio.gather(*self._working, return_exceptions=True)

    # --- what the operator asks -----------------------------------------------------------------

    async def handle(self, arguments: Mapping[str, Any]) -> Result:
        """Answer the verb `substrate`.

        Raises:
            IpcError: An argument is wrong.
            BundleError, StoreError: As `substrate_verb.answer`.
            NetworkError: A bundle did not come.
        """
        request = verb.checked(arguments, _OPS)
        if request["op"] == "offers":
            return await self._listed()
        if request["op"] == "pull":
            return await self._pull(request)
        async with self._writing:  # journal and offers are read, then written: one act at a time
            if request["op"] == "offer":
                return await self._offer(request)
            if request["op"] == "withdraw":
                return await self._withdraw(request)
            return await asyncio.to_thread(verb.answer, self._desk, request)

    async def _offer(self, request: Mapping[str, Any]) -> Result:
        raw, to = verb.decoded(request.get("bundle")), request.get("to")
        if not isinstance(to, list) or not to or not all(isinstance(each, str) for each in to):
            raise RefusedArgumentError("to: expected fingerprints, keys, nodeIds or names")
        return await asyncio.to_thread(self._offer_now, raw, sorted(set(to)))

    def _offer_now(self, raw: bytes, words: list[str]) -> Result:
        bundle, to = bundles.read(raw), sorted({self._desk.key_of(word) for word in words})
        rows = [row for row in self._desk.shelf.offers() if row["digest"] != bundle.digest]
        if len(rows) >= limits.OFFERS or len(to) > limits.OFFERED_TO:
            raise BundleError(
                f"offers: at most {limits.OFFERS}, each to {limits.OFFERED_TO} peers", code="full"
            )
        self._desk.shelf.put(bundle.digest, raw)
        contributor = bundle.manifest.contributor
        row = {"digest": bundle.digest, "contributor": contributor, "to": to, "atMs": self._now_ms()}
        self._desk.shelf.save_offers([*rows, row])
        return self._told({"digest": bundle.digest, "contributor": contributor, "to": to})

    async def _withdraw(self, request: Mapping[str, Any]) -> Result:
        digest = request.get("digest")
        if not isinstance(digest, str) or len(digest) < 8:
            raise RefusedArgumentError("digest: expected its first 8 digits or more")
        return await asyncio.to_thread(self._withdraw_now, digest)

    def _withdraw_now(self, digest: str) -> Result:
        rows = self._desk.shelf.offers()
        gone = [row for row in rows if row["digest"].startswith(digest)]
        if len(gone) != 1:
            raise BundleError(f"offers that begin with {digest[:16]}: {len(gone)}", code="not_offered")
        self._desk.shelf.save_offers([row for row in rows if row not in gone])
        if not self._desk.keeps(gone[0]["digest"]):
            self._desk.shelf.drop(gone[0]["digest"])
        return self._told({"digest": gone[0]["digest"]})

    def _told(self, said: Result) -> Result:
        """Tell the engine what is offered now; called on a worker thread."""
        offers = self._offers()
        self._loop.call_soon_threadsafe(self._tell, Offering(offers))
        return said

    async def _listed(self) -> Result:
        rows = await asyncio.to_thread(self._desk.shelf.offers)
        heard = [
            {"node_id": each.node_id, "name": each.name, **asdict(one)}
            for each in self._heard.values()
            for one in each.offers
        ]
        return {"given": [dict(row) for row in rows], "heard": heard}

    async def _pull(self, request: Mapping[str, Any]) -> Result:
        node_id, digits = request.get("node_id"), request.get("digest")
        if not isinstance(node_id, str) or not isinstance(digits, str):
            raise RefusedArgumentError("node_id and digest: expected texts")
        heard = self._heard.get(node_id)
        offers = () if heard is None else heard.offers
        found = [each.digest for each in offers if each.digest.startswith(digits)]
        if len(found) != 1:
            raise NetworkError(
                f"offers of {node_id} that begin with {digits[:16]!r}: {len(found)}",
                code="pull_unknown",
                hint="covey substrate offers says who offers what",
            )
        token = next(self._tokens)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[token] = future
        self._tell(PullWish(token, node_id, found[0]))
        raw = await future
        return {"digest": found[0], "bundle": base64.b64encode(raw).decode()}

    # --- below ----------------------------------------------------------------------------------

    def _finish(self, token: int, end: bytes | CoveyError) -> None:
        future = self._waiting.pop(token, None)
        if future is None or future.done():
            return
        if isinstance(end, bytes):
            future.set_result(end)
        else:
            future.set_exception(end)

    def _offers(self) -> list[tuple[BundleOffer, frozenset[str]]]:
        found = []
        for row in self._desk.shelf.offers():
            size = len(self._desk.shelf.get(row["digest"]))
            found.append(
                (BundleOffer(row["digest"], row["contributor"], size), self._desk.offered_to(row["to"]))
            )
        return found

    async def _read(self, want: ReadPart) -> None:
        try:
            raw = await asyncio.to_thread(self._desk.shelf.get, want.digest)
        except CoveyError as error:
            self._log("error", "substrate-unreadable", {"reason": error.message})
            self._tell(PartRead(want.node_id, want.digest, want.at, None))
        else:
            part = raw[want.at : want.at + limits.PULL_PART_BYTES]
            self._tell(PartRead(want.node_id, want.digest, want.at, part))
