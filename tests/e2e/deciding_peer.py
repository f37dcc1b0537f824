"""A program that bids and votes, for tests: tells what it is asked; accepts and says yes, or hangs.

Started with home, room, name, load and what it does with an award or a question: accept or hang.
DECIDING_PEER holds further options of its peer, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import covey
from covey.fleet.auction import Lot
from covey.fleet.vote import Question
from covey.runtime.decide.auctions import Terms


def say(event: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


async def main(home: str, room: str, name: str, load: str, does: str) -> None:
    options = json.loads(os.environ.get("DECIDING_PEER", "{}"))
    async with covey.Peer(name, room=room, home=home, **options) as peer:

        async def bid(lot: Lot) -> Terms:
            say("asked", task=lot.task)
            return Terms(load=float(load))

        async def accept(lot: Lot) -> bool:
            say("award", task=lot.task)
            if does == "hang":
                await asyncio.Event().wait()
            return True

        async def won(lot: Lot) -> None:
            say("won", task=lot.task)

        @peer.votes.answer
        async def choose(question: Question) -> str:
            say("question", text=question.text)
            if does == "hang":
                await asyncio.Event().wait()
            return "yes"

        peer.auctions.bidder(bid, capabilities=["translate"], accept=accept, won=won)
        say("ready", node_id=peer.node_id)
        await peer.run()


asyncio.run(main(*sys.argv[1:6]))
