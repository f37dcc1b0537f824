"""What becomes of every frame that clients send while one of two relays is killed and its clients move.

Each client sends numbered frames, in turn to one at the other relay and to one at its own, before the kill,
while half of them are away, and after. A frame is sent when the client's socket took it. It is then
delivered, or the relay tells its sender that it was not, or neither: it lay in what the killed relay had
read, or was sent to it. A relay keeps nothing: peers say those again, as covey's do
(tests/e2e/test_relay_cluster.py).
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from websockets.exceptions import ConnectionClosed

from benches.relay import AT_ONCE, CHANNEL
from benches.relay_clients import Client, join

EVERY_SECONDS = 0.2
"""Between two frames of one client."""
AROUND_SECONDS = 1.0
"""How long all speak before the kill, and after the last client is reached again."""
REACHED_SECONDS = 60.0
"""A client that nobody reaches for so long will not be reached."""
QUIET_SECONDS = 1.0
"""Nothing has come for so long: nothing will."""
BODY = "y" * 200
FROM_LOST, TO_LOST = "of the killed relay's clients", "of others to them"
APART = "between two that it did not serve"
"""What a frame has to do with the relay that is killed; of the last none may be missing."""


@dataclass(slots=True)
class Tally:
    """What was sent, by the number of each frame, and what became of it."""

    sent: dict[str, str] = field(default_factory=dict)
    """Frames by their numbers: FROM_LOST, TO_LOST or APART."""
    delivered: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    """How many were told to their senders as not delivered, by the relay's word for why."""
    closed: int = 0
    """Sends that a closed connection refused."""
    seconds: float = 0.0
    """From the kill until the last of its clients was reached at the other relay."""
    moved: int = 0

    def heard(self, message: str) -> str | None:
        """Count what a client heard; return the number of a frame of ours."""
        frame = json.loads(message)
        if frame.get("type") == "relay-error":
            self.told[str(frame.get("kind") or frame.get("code"))] += 1
            return None
        payload = frame.get("payload")
        number = payload.get("k") if isinstance(payload, dict) else None
        if not isinstance(number, str):
            return None
        self.delivered[number] += 1
        return number

    @property
    def missing(self) -> list[str]:
        """Return the numbers of frames that were sent and not delivered."""
        return [number for number in self.sent if number not in self.delivered]

    def lines(self) -> Iterator[str]:
        """Say what became of all."""
        said = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.told.items())) or "0"
        silent = len(self.missing) - self.told.total()
        whose = Counter(self.sent[number] for number in self.missing)
        parts = ", ".join(f"{whose[each]:,} {each}" for each in (FROM_LOST, TO_LOST, APART))
        twice = self.delivered.total() - len(self.delivered)
        yield f"one relay killed: {self.moved:,} clients back and reached after {self.seconds:.1f} s"
        yield (
            f"meanwhile {len(self.sent):,} frames sent, {len(self.delivered):,} delivered ({twice:,} twice), "
            f"told as undelivered: {said}; neither: {silent:,}"
        )
        yield (
            f"of those not delivered {parts}; {self.closed:,} more sends were refused by closed connections"
        )


class Speaking:
    """Clients that speak and hear until they are stopped."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self.tally = Tally()
        self.stopped = False
        self.heard_at = time.perf_counter()
        self._clients = clients
        self._lost = frozenset(clients[0::2])
        self._reached = {client: asyncio.Event() for client in clients}

    def target(self, index: int, number: int) -> Client:
        """Return whom a client's frame is for: in turn one at the other relay, and one at its own."""
        first = index - index % CHANNEL
        size = min(CHANNEL, len(self._clients) - first)
        place = index % CHANNEL
        return self._clients[first + ((place ^ 1) if number % 2 else (place + 2) % size)]

    async def say(self, index: int) -> None:
        """Let one client speak."""
        client, number = self._clients[index], 0
        while not self.stopped:
            await asyncio.sleep(EVERY_SECONDS)
            number += 1
            name, target = f"{index}-{number}", self.target(index, number)
            to = target.node_id
            try:
                await client.line.send(
                    '{"to":"' + to + '","payload":{"k":"' + name + '","x":"' + BODY + '"}}'
                )
            except ConnectionClosed:
                self.tally.closed += 1
            else:
                lost = self._lost
                self.tally.sent[name] = FROM_LOST if client in lost else TO_LOST if target in lost else APART

    async def hear(self, client: Client) -> None:
        """Count what one client hears."""
        while True:
            if self.tally.heard(await client.heard.get()) is not None:
                self.heard_at = time.perf_counter()
                self._reached[client].set()

    async def move(self, client: Client, url: str, gate: asyncio.Semaphore) -> None:
        """Bring a client of the killed relay to another; return when a frame has reached it there."""
        with suppress(ConnectionClosed):
            await client.line.wait_closed()
        client.line = await join(url, client.token, client.node_id, gate)
        self._reached[client].clear()
        client.read()
        await asyncio.wait_for(self._reached[client].wait(), REACHED_SECONDS)


async def over_the_kill(clients: Sequence[Client], url: str, kill: Callable[[], None]) -> Tally:
    """Let all speak, kill the relay of the even ones, bring those to `url`, and count."""
    for client in clients:
        while not client.heard.empty():
            client.heard.get_nowait()
    speaking, loop = Speaking(clients), asyncio.get_running_loop()
    hearing = [loop.create_task(speaking.hear(client)) for client in clients]
    saying = [loop.create_task(speaking.say(index)) for index in range(len(clients))]
    try:
        await asyncio.sleep(AROUND_SECONDS)
        kill()
        began, gate, lost = time.perf_counter(), asyncio.Semaphore(AT_ONCE), clients[0::2]
        await asyncio.gather(*(speaking.move(client, url, gate) for client in lost))
        speaking.tally.seconds, speaking.tally.moved = time.perf_counter() - began, len(lost)
        await asyncio.sleep(AROUND_SECONDS)
        speaking.stopped = True
        await asyncio.gather(*saying)
        while time.perf_counter() < speaking.heard_at + QUIET_SECONDS:  # noqa: ASYNC110 - no end is announced
            await asyncio.sleep(QUIET_SECONDS / 10)
    finally:
        for task in (*saying, *hearing):
            task.cancel()
    return speaking.tally
