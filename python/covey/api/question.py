"""A question to the room: asked, asked again where peers take it for what they know, its answers gathered.

Peers that remember the same words judge a question redundant and let it pass unheard. What they say of it
shows that, and then it is put once more, in words that differ further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from covey import limits
from covey.errors import UsageError
from covey.model import Block, Duplicate, SendState
from covey.proto.news import Delivered, SendSettled

if TYPE_CHECKING:
    from covey.proto.news import News
    from covey.runtime.emit import Emission

Say = Callable[[Mapping[str, str]], Awaitable["Emission"]]
"""Says a block of these texts to the room and waits for no receipt."""
TRIES = (
    {"perspective": "asked again at {now}"},
    {"perspective": "asked again at {now}", "motivation": "passed over as known, said {late}"},
    {
        "perspective": "{late} times is how often it seems",
        "motivation": "how it stands at {now}, and not before",
        "mood": "patient by {late}",
    },
)
"""What each further try adds, by category: a difference in one category alone may be too little."""


class Question:
    """One question and what comes back.

    Args:
        answers: How many are enough; None takes whatever comes in time.
    """

    def __init__(self, answers: int | None) -> None:
        self.found: list[Block] = []
        self._enough = answers
        self._asked: set[str] = set()
        self._unsorted: dict[str, Block] = {}
        self._waited: set[str] = set()
        self._redundant: set[str] = set()
        self._settled: dict[str, dict[str, bool]] = {}
        self._changed = asyncio.Event()

    def hear(self, news: News) -> None:
        """Take the peer's news: blocks that may be answers, and what others did with the question."""
        if isinstance(news, Delivered):
            self._unsorted.setdefault(news.delivery.block.key, news.delivery.block)
            while len(self._unsorted) > limits.API_QUEUE:
                del self._unsorted[next(iter(self._unsorted))]
        elif isinstance(news, SendSettled):
            redundant = news.send.state is SendState.REFUSED and (news.send.reason or "").startswith(
                "redundant"
            )
            self._settled.setdefault(news.key, {})[news.send.node_id] = redundant
            while len(self._settled) > limits.API_QUEUE:
                del self._settled[next(iter(self._settled))]
        else:
            return
        self._changed.set()

    async def put(self, say: Say, texts: Mapping[str, str], now_ms: Callable[[], int]) -> None:
        """Ask until somebody takes the question, then wait for enough answers; the caller ends the wait.

        Args:
            say: Says it.
            texts: The question, by category.
            now_ms: Wall time, which makes the same words another block.

        Raises:
            UsageError: It was not sent.
        """
        tries = () if "perspective" in texts else TRIES
        emission = await say(texts)
        for words in tries:
            if not isinstance(emission.result, Duplicate) and not await self._passed_over(emission):
                break
            emission = await say({**further(words, now_ms()), **texts})
        self._key(emission)
        while not self._sorted():
            await self._next()

    async def _passed_over(self, emission: Emission) -> bool:
        """Wait for enough answers, or until all who got the question called it redundant (True)."""
        key = self._key(emission)
        whom = {send.node_id for send in emission.sends if send.state is SendState.ACCEPTED}
        while not self._sorted():
            told = self._settled.get(key, {})
            if whom and whom <= {node_id for node_id, redundant in told.items() if redundant}:
                return True
            await self._next()
        return False

    def _key(self, emission: Emission) -> str:
        key = getattr(getattr(emission.result, "block", None), "key", None)
        if not isinstance(key, str):
            raise UsageError(
                f"the question was not sent: {getattr(emission.result, 'detail', emission.result)}",
                hint="say it in other words, or answer the block that holds these words already",
            )
        self._asked.add(key)
        return key

    async def _next(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def _sorted(self) -> bool:
        """Move answers to where they belong; tell whether they are enough."""
        known = {each.key for each in self.found}
        for key, block in list(self._unsorted.items()):
            if self._asked.intersection(block.parents):
                del self._unsorted[key]
                if key not in known:
                    self.found.append(block)
        return self._enough is not None and len(self.found) >= self._enough


def further(words: Mapping[str, str], now_ms: int) -> dict[str, str]:
    """Return what a try adds to a question at an instant: digits of it, in two orders."""
    return {name: text.format(now=now_ms, late=str(now_ms)[::-1]) for name, text in words.items()}
