"""A program with one agent on the bus, for tests: answers questions, asks them, sends signed messages.

Started with home, room and name. Reads JSON lines: {"ask": nickname}, {"sign": recipient, "n": number},
{"set": name}, {"resolve": reference}; writes events as JSON lines.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import covey
from covey.errors import CoveyError
from covey.fleet.message import Message
from covey.runtime.bus.requests import Requests

SECONDS = 30.0


def say(event: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


async def act(peer: covey.Peer, requests: Requests, name: str, wish: dict[str, Any]) -> None:
    if "ask" in wish:
        await peer.bus.wait_for(wish["ask"], SECONDS)
        try:
            reply = await requests.ask(wish["ask"], {"from": name}, timeout_seconds=SECONDS)
            say("answered", payload=dict(reply.payload), trace=reply.trace)
        except CoveyError as error:
            say("failed", error=str(error))
    elif "sign" in wish:
        message = peer.bus.make(name, wish["sign"], "X_WORK", {"n": wish["n"]})
        receipt = peer.bus.send(message, proof=True)
        say("signed", carried=receipt.carried, id=message.id)
    elif "set" in wish:
        await peer.state.set(wish["set"], True)
        say("set")


async def main(home: str, room: str, name: str) -> None:
    async with covey.Peer(name, room=room, home=home) as peer:
        requests = Requests(peer.bus, name)

        async def answer(message: Message) -> dict[str, Any]:
            return {"by": name, "origin": peer.bus.origin(message.id)}

        async def work(message: Message) -> None:
            if message.type == "X_WORK":
                proof = peer.bus.proof(message.id)
                say("worked", n=message.payload["n"], by=None if proof is None else proof.node_id)

        requests.serve(answer)
        peer.bus.register(name, work)
        peer.bus.watch(lambda fate: say("fate", id=fate.message_id, state=fate.state, reason=fate.reason))
        peer.capabilities.announce(name, ["work", f"only-{name}"], capacity=2)
        say("ready", node_id=peer.node_id)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            await act(peer, requests, name, json.loads(line))


asyncio.run(main(*sys.argv[1:4]))
