"""One identity's post for decisions: signed words to and from others, over whichever bus there is.

Rules: on the loop's thread. Nothing is handed on that its author did not sign, to this identity; what is
turned away is counted by reason and logged. Who is here is who listens: an address is a topic.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from covey import limits
from covey.errors import UsageError
from covey.fleet import arguments as args
from covey.fleet import signed_word as sw
from covey.fleet.message import EVERYBODY, Message
from covey.fleet.signed_word import Signer, Word, WordError
from covey.runtime.decide.address import ROOT, address_of
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import Clock, Entropy
    from covey.runtime.bus.local import Logger
    from covey.runtime.bus.port import Bus, Cancel
    from covey.runtime.bus.values import Receipt

Handler = Callable[[Word, Message], Awaitable[None]]


class Keys(Protocol):
    """Whose key is whose, and whose word is heeded."""

    async def key_of(self, node_id: str) -> bytes | None:
        """Return the key that is known of a node, or None."""
        ...

    def heeds(self, node_id: str) -> bool:
        """Tell whether a node may wake agents here."""
        ...

    def node_of(self, word: str) -> str:
        """Return the nodeId that a name or nodeId means.

        Raises:
            UsageError: It means none.
        """
        ...


class Ring:
    """Keys known beforehand, for agents of one process; all of them are heeded."""

    def __init__(self, *signers: Signer) -> None:
        self._keys = {each.node_id: bytes(each.public_key) for each in signers}
        self._names = {getattr(each, "name", each.node_id): each.node_id for each in signers}

    async def key_of(self, node_id: str) -> bytes | None:
        """Return the key of one of them, or None."""
        return self._keys.get(node_id)

    def heeds(self, node_id: str) -> bool:
        """Tell whether it is one of them."""
        return node_id in self._keys

    def node_of(self, word: str) -> str:
        """Return the nodeId of one of them, by its name too.

        Raises:
            UsageError: It is none of them.
        """
        found = self._names.get(word, word)
        if found not in self._keys:
            raise UsageError(f"{word}: it is none of these agents")
        return found


@dataclass(frozen=True, slots=True)
class World:
    """What decisions need of the world beside a bus: time, ids, and where to tell of trouble."""

    clock: Clock
    entropy: Entropy
    log: Logger | None = None

    def say(self, level: str, event: str, **facts: Any) -> None:
        """Leave a line in the log."""
        if self.log is not None:
            self.log(level, event, facts)


class Post:
    """One identity's address. Make it where its loop runs; `close` ends it.

    Args:
        bus: Carries the words.
        signer: Whose address it is, and who signs.
        keys: Whose key is whose.
        world: Time, ids, log.
        listens: False where whoever made it listens at its address, and calls `hear`.
    """

    def __init__(self, bus: Bus, signer: Signer, keys: Keys, world: World, *, listens: bool = True) -> None:
        self.bus = bus
        self.signer = signer
        self.world = world
        self.counts: Counter[str] = Counter()
        """What was said, heard and turned away, by word or reason."""
        self._keys = keys
        self._handlers: dict[str, Handler] = {}
        self._known: OrderedDict[str, bytes] = OrderedDict({signer.node_id: bytes(signer.public_key)})
        self._tasks: set[asyncio.Future[None]] = set()
        self._end: Cancel | None = None
        if listens:
            self._end = bus.subscribe(address_of(signer.node_id), self.hear, nickname="decide")

    @property
    def node_id(self) -> str:
        """Return whose address this is."""
        return self.signer.node_id

    def serve(self, word: str, handler: Handler) -> None:
        """Hand every word of one kind to a coroutine function."""
        self._handlers[word] = handler

    def send(
        self,
        to: str,
        kind: str,
        word: str,
        body: Mapping[str, Any],
        *,
        answers: Message | None = None,
        seconds: float | None = None,
    ) -> tuple[Word, Receipt]:
        """Sign a word and send it to one node, as a record where the bus knows records.

        Args:
            to: Its nodeId.
            kind: A name of `MessageType`.
            word: What it is.
            body: A JSON object.
            answers: The message it follows from, whose trace goes on.
            seconds: After that long nobody need act on it.
        """
        said = sw.say(self.signer, word, to, body)
        message = self.bus.make(
            "decide", EVERYBODY, kind, said.to_dict(), answers=answers, ttl_seconds=seconds
        )
        self.counts[f"said-{word}"] += 1
        return said, self.bus.publish(address_of(to), message, proof=True)

    def here(self) -> frozenset[str]:
        """Return the nodeIds that listen now, this one included."""
        head = f"{ROOT}."
        found = (each[len(head) :] for each in self.bus.patterns() if each.startswith(head))
        return frozenset(each for each in found if each == self.node_id or self._keys.heeds(each))

    def node_of(self, word: str) -> str:
        """Return the nodeId that a name or nodeId means; raises UsageError where it means none."""
        return self.node_id if word == getattr(self.signer, "name", None) else self._keys.node_of(word)

    def nodes_of(self, where: str, name: str, words: object) -> frozenset[str]:
        """Return the nodeIds that an argument's names mean; raises UsageError where one means none."""
        return frozenset(self.node_of(each) for each in args.texts(where, name, words))

    async def key_of(self, node_id: str) -> bytes | None:
        """Return the key that is known of a node, or None."""
        known = self._known.get(node_id)
        if known is None and (known := await self._keys.key_of(node_id)) is not None:
            self._known[node_id] = known
            if len(self._known) > limits.DECIDE_KEYS:
                self._known.popitem(last=False)
        return known

    def start(self, work: Awaitable[None]) -> None:
        """Run something beside the post's own hearing; what it raises is told and counted."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def close(self) -> None:
        """Listen no more, and end what was started."""
        if self._end is not None:
            self._end()
        for task in tuple(self._tasks):
            task.cancel()

    def _over(self, task: asyncio.Future[None]) -> None:
        """Contain what was raised: an agent's fault must not end the conversation."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.counts["failed"] += 1
            self.world.say("error", "decide-failed", error=repr(error))

    async def hear(self, message: Message) -> None:
        """Take what came to this address: hand on a word that is signed and known, turn others away."""
        try:
            word = sw.read(dict(message.payload))
        except WordError as error:
            self._turn_away(message, "unreadable", str(error))
            return
        handler = self._handlers.get(word.word)
        if handler is None or word.to != self.node_id:
            self._turn_away(message, "not-for-this" if handler else "unknown-word", word.word)
            return
        key = await self.key_of(word.by)
        if key is None or not sw.holds(word, key):
            self._turn_away(message, "unknown-key" if key is None else "bad-signature", word.by)
            return
        self.counts[f"heard-{word.word}"] += 1
        await handler(word, message)

    def _turn_away(self, message: Message, why: str, detail: str) -> None:
        self.counts[f"refused-{why}"] += 1
        self.world.say("warn", "decide-turned-away", reason=why, detail=detail[:120], id=message.id)
