"""A task goes to the best bidder: the best one declines what it has won, and the next one does it.

Run it: .venv/bin/python examples/auction.py
"""

import asyncio
import secrets
import tempfile

import covey
from covey.fleet.auction import Lot
from covey.runtime.decide.auctions import Terms

LOADS = {"bob": 0.1, "cid": 0.7}


async def main() -> None:
    """Let ann hold an auction in which bob bids best and declines, and cid does the work."""
    room, done = f"example-{secrets.token_hex(4)}", asyncio.Event()
    with tempfile.TemporaryDirectory() as home:
        async with (
            covey.Peer("ann", room=room, home=home) as ann,
            covey.Peer("bob", room=room, home=home) as bob,
            covey.Peer("cid", room=room, home=home) as cid,
        ):
            for peer in (bob, cid):
                load = LOADS[peer.name]

                async def bid(lot: Lot, load: float = load) -> Terms:
                    return Terms(load=load, eta_seconds=3.0)

                async def accept(lot: Lot, name: str = peer.name) -> bool:
                    return name != "bob"

                async def work(lot: Lot, name: str = peer.name) -> None:
                    print(f"works:   {name}, at {lot.task}")
                    done.set()

                peer.auctions.bidder(bid, capabilities=["translate"], accept=accept, won=work)

            await ann.wait_for_peers(2)
            record = await ann.auctions.hold("the summary", needs=["translate"], bidders=["bob", "cid"])
            print(f"bids:    {len(record.bids())}")
            print(f"passed:  {', '.join(why for _, why in record.passed_over)}")
            print(f"winner:  {'cid' if record.winner == cid.node_id else record.winner}, confirmed")
            await done.wait()
            await ann.auctions.report(record.lot.id, done=True)  # the next auction knows it
            nobody = await ann.auctions.hold("a dance", needs=["dance"], bidders=["bob", "cid"])
            print(f"nobody:  {nobody.stage}")


asyncio.run(main())
