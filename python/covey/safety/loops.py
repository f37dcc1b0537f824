"""Loops across agents: the same content going round between peers, in other words or in new threads.

The cycle guard follows signed parents. It is blind where lineage breaks: a peer that answers under a new
root, or whose implementation renames what it stores. This guard looks at turns instead: an own block, then
somebody's block that says much the same soon after, then an own one again. After `max_rounds` such rounds
the next one is stopped, before a model is paid for it.

Rules: pure; time comes in. A turn is remembered as the set of its content words (stems, without the words
that every text has), never as text. What is no reaction — it came before our last word on the matter, or
long after it — is no round: a monitor that reports every ten minutes is not a loop.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import deque
from collections.abc import Mapping

from covey.limits import LOOP_ALIKE, LOOP_REACTION_SECONDS, LOOP_SECONDS, LOOP_TURNS, LOOP_WORDS
from covey.model import said
from covey.safety import state
from covey.safety.disguise import views
from covey.values import dataclass

_NAME = "loops"
_WORD = re.compile(r"[^\W_]+")
_COMMON_WORDS = """
the and for you your with that this from are was were will shall can could would should please about
into have has had not but all any our out its it's they them their there here when what which who whom
how why then than also just very much more most some such been being does did done let may might must
need like get got make made take say says said one two now again over under only yes kindly thank thanks
hello dear
"""
_COMMON = frozenset(_COMMON_WORDS.split())
_STEM_CHARS = 5


@dataclass(frozen=True, slots=True)
class Round:
    """The same matter went round `rounds` times with these `peers`; it goes no further."""

    rounds: int
    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Turn:
    at: float
    own: bool
    author: str
    words: frozenset[int]
    members: str
    """The turn as it is kept, without its age: each is written at every save, and only the age changes."""

    @classmethod
    def make(cls, at: float, own: bool, author: str, words: frozenset[int]) -> _Turn:
        """Return a turn."""
        kept = {"own": own, "author": author, "words": sorted(words)}
        return cls(at, own, author, words, json.dumps(kept, separators=(",", ":"))[1:-1])


class LoopGuard:
    """Watches one peer's turns with all others.

    Args:
        max_rounds: Rounds of one matter that may be; 0 watches nothing.
    """

    def __init__(self, max_rounds: int) -> None:
        self.max_rounds = max_rounds
        self._turns: deque[_Turn] = deque(maxlen=LOOP_TURNS)

    def heard(self, author: str, categories: Mapping[str, str], now: float) -> None:
        """Hear somebody's block that may wake this peer."""
        self._note(_Turn.make(now, False, author, content_words(categories)))

    def spoke(self, categories: Mapping[str, str], now: float) -> None:
        """Hear of an own block that exists now."""
        self._note(_Turn.make(now, True, "", content_words(categories)))

    def before_call(self, author: str, categories: Mapping[str, str], now: float) -> Round | None:
        """Say whether a block only brings back what went round often enough.

        Args:
            author: Who said it, as people know them.
            categories: What it says.
            now: Monotonic seconds.
        """
        if self.max_rounds == 0:
            return None
        self._forget(now)
        words = content_words(categories)
        earlier, at = self._before(author, words, now)
        rounds, peers, own_next = 0, {author: None}, True
        for turn in reversed(earlier):
            if turn.own is not own_next or not _alike(turn.words, words):
                continue
            if own_next and at - turn.at > LOOP_REACTION_SECONDS:
                break
            if own_next:
                rounds += 1
            else:
                peers[turn.author] = None
            own_next, at = not own_next, turn.at
        return Round(rounds, tuple(peers)) if rounds >= self.max_rounds else None

    def _before(self, author: str, words: frozenset[int], now: float) -> tuple[list[_Turn], float]:
        """Return the turns before this block was heard, and when it was."""
        turns = list(self._turns)
        for index in range(len(turns) - 1, -1, -1):
            turn = turns[index]
            if not turn.own and turn.author == author and turn.words == words:
                return turns[:index], turn.at
        return turns, now

    def export(self, moment: state.Moment) -> bytes:
        """Return what must survive a restart."""
        self._forget(moment.monotonic)
        now = moment.monotonic
        turns = ",".join(f'{{"age_ms":{int((now - turn.at) * 1000)},{turn.members}}}' for turn in self._turns)
        return state.pack(_NAME, state.stamp(moment), turns=f"[{turns}]")

    def restore(self, raw: bytes, moment: state.Moment) -> None:
        """Take over the turns of an earlier run.

        Raises:
            StoreError: The document cannot be read; the guard is as it was.
        """
        content = state.unpack(_NAME, raw)
        away_ms = state.away_ms(_NAME, content, moment)
        turns = content.get("turns")
        if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
            raise state.unreadable(_NAME, "turns is not a list")
        earlier = [
            _Turn.make(
                moment.monotonic - (state.whole(_NAME, turn, "age_ms") + away_ms) / 1000,
                state.flag(_NAME, turn, "own"),
                state.word(_NAME, turn, "author"),
                frozenset(state.wholes(_NAME, turn, "words")),
            )
            for turn in turns
        ]
        self._turns.extendleft(reversed(earlier))
        self._forget(moment.monotonic)

    def _note(self, turn: _Turn) -> None:
        if self.max_rounds:
            self._turns.append(turn)

    def _forget(self, now: float) -> None:
        while self._turns and self._turns[0].at < now - LOOP_SECONDS:
            self._turns.popleft()


def content_words(categories: Mapping[str, str]) -> frozenset[int]:
    """Return what a block speaks of: hashes of the stems of its content words, at most LOOP_WORDS of them."""
    text = " ".join(said(categories).values())[: LOOP_WORDS * 64]
    words = _WORD.findall(views(text)[-1] if not text.isascii() else text.lower())
    stems = {
        word[:_STEM_CHARS] for word in words if word not in _COMMON and (len(word) > 2 or word.isdigit())
    }
    return frozenset(sorted(zlib.crc32(stem.encode()) for stem in stems)[:LOOP_WORDS])


def _alike(one: frozenset[int], other: frozenset[int]) -> bool:
    if not one or not other:
        return one == other
    return 2 * len(one & other) >= LOOP_ALIKE * (len(one) + len(other))
