"""A peer's relays, driven: one engine and one WebSocket each, what they say handed to the node."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.ports import Clock, Entropy
from covey.ports.relay import RelayDialler
from covey.proto.effects import Log
from covey.proto.relay import client as relay
from covey.proto.relay.frames import Auth
from covey.proto.relay.reserve import Reserve
from covey.proto.relay.told import ForNode
from covey.values import dataclass

if TYPE_CHECKING:
    from covey._core import Identity
    from covey.proto.options import RelayOptions

Deliver = Callable[[int, ForNode], None]
Logger = Callable[[str, str, Mapping[str, Any]], None]


class Relays:
    """Every relay of one peer.

    Args:
        identity: Who the peer says it is to a relay.
        options: The relays, the preferred one first.
        diallers: A WebSocket for each of them.
        deliver: Takes what the relay of a number says.
        log: Takes log lines.
    """

    def __init__(
        self,
        identity: Identity,
        options: Sequence[RelayOptions],
        diallers: Sequence[RelayDialler],
        *,
        clock: Clock,
        entropy: Entropy,
        deliver: Deliver,
        log: Logger,
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._deliver = deliver
        self._log = log
        self._queue: deque[tuple[_Relay, relay.Event]] = deque()
        self._busy = False
        self.reserve = Reserve()
        self._relays = tuple(
            _Relay(self, number, each.url, _client(identity, each), dialler)
            for number, (each, dialler) in enumerate(zip(options, diallers, strict=True))
        )

    def start(self) -> None:
        """Connect to all of them, and stay connected."""
        for each in self._relays:
            self.feed(each, relay.Begin())

    def send(self, number: int, node_id: str, frame: bytes) -> None:
        """Hand a frame for a node to one relay."""
        self.feed(self._relays[number], relay.Send(node_id, frame))

    async def stop(self) -> None:
        """Leave all of them, giving what is queued a moment to go."""
        for each in self._relays:
            self.feed(each, relay.End())
        await asyncio.gather(*(each.dialler.stop() for each in self._relays))
        for each in self._relays:
            each.disarm()

    def status(self) -> list[dict[str, object]]:
        """Return how each relay stands, for `status`."""
        return [
            {
                "relay": each.engine.label,
                "state": each.engine.state,
                "detail": each.engine.detail,
                "present": len(each.engine.present),
            }
            for each in self._relays
        ]

    def jitter(self) -> float:
        """Return a number in [0, 1) nobody can predict."""
        return int.from_bytes(self._entropy.bytes(6), "big") / float(1 << 48)

    def ended(self, number: int, code: int | None) -> None:
        """Let relays of the same cluster serve that were kept in reserve for one that is gone."""
        for other in self.reserve.ended(number, code):
            self.feed(self._relays[other], relay.Wake(self.jitter()))

    def feed(self, to: _Relay, event: relay.Event) -> None:
        """Give an engine an event and do what it wants; what that causes queues behind."""
        self._queue.append((to, event))
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                each, next_event = self._queue.popleft()
                for effect in each.engine.handle(next_event, self._clock.monotonic()):
                    self._do(each, effect)
                each.arm(self._clock.monotonic())
        finally:
            self._busy = False

    def _do(self, each: _Relay, effect: relay.Effect) -> None:
        if isinstance(effect, relay.Transmit):
            each.dialler.transmit(effect.message)
        elif isinstance(effect, relay.Connect):
            each.dialler.connect(each.url, limits.CONNECT_SECONDS, each)
        elif isinstance(effect, relay.Hangup):
            each.dialler.hangup(effect.code, effect.reason)
        elif isinstance(effect, Log):
            self._log(effect.level, effect.event, effect.facts)
        else:
            self._deliver(each.number, effect)


@dataclass(slots=True, eq=False)
class _Relay:
    """One relay: the sink of its WebSocket, and its timer."""

    owner: Relays
    number: int
    url: str
    engine: relay.RelayClient
    dialler: RelayDialler
    timer: asyncio.TimerHandle | None = None

    def up(self, cluster: str) -> None:
        self.owner.feed(self, relay.Up(reserve=not self.owner.reserve.admit(self.number, cluster)))

    def heard(self, message: bytes) -> None:
        self.owner.feed(self, relay.Heard(message))

    def written(self, size: int) -> None:
        self.owner.feed(self, relay.Written(size))

    def down(self, code: int | None, reason: str) -> None:
        self.owner.feed(self, relay.Down(code, reason, self.owner.jitter()))
        self.owner.ended(self.number, code)

    def arm(self, now: float) -> None:
        """Wait for the engine's next deadline."""
        self.disarm()
        deadline = self.engine.next_timer()
        if deadline is not None:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(max(0.0, deadline - now), self.owner.feed, self, relay.Tick())

    def disarm(self) -> None:
        """Wait for nothing."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def _client(identity: Identity, options: RelayOptions) -> relay.RelayClient:
    return relay.RelayClient(Auth(identity.node_id, identity.name, options.token), options.label)
