"""Inputs made of a corpus, the same for the same seed: bits, ranges, splices, words that parsers mind."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

LONGEST: Final = 65_536
"""Larger ones only make the run slower: every bound on length is tested by itself."""

_WORDS: Final = (
    *(b"{", b"}", b"[", b"]", b'"', b"\\", b"\\u0000", b"\\ud800", b":", b",", b"=", b"\n", b"\r\n", b"#"),
    *(b"null", b"true", b"-1", b"0.5", b"1e999", b"NaN", b"9007199254740993", b"1" * 5_000, b"'''"),
    *(b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"e\xcc\x81", b'"type":', b'"to":null', b'"extra":1,'),
    *(b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x00\x00\x00\x05"),
)


class Mutator:
    """A source of mutated inputs."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def next(self, corpus: Sequence[bytes]) -> bytes:
        """Make the next input."""
        made = bytearray(self._dice.choice(corpus))
        for _ in range(self._dice.randint(1, 6)):
            self._change(made, corpus)
            del made[LONGEST:]
        return bytes(made)

    def _change(self, made: bytearray, corpus: Sequence[bytes]) -> None:
        dice = self._dice
        at = dice.randint(0, len(made))
        upto = dice.randint(at, len(made))
        match dice.randrange(8):
            case 0 if at < len(made):
                made[at] ^= 1 << dice.randrange(8)
            case 1 if at < len(made):
                made[at] = dice.randrange(256)
            case 2:
                del made[at:upto]
            case 3:
                made[at:at] = made[at:upto]
            case 4:
                del made[at:]
            case 5:
                other = dice.choice(corpus)
                made[at:] = other[dice.randint(0, len(other)) :]
            case 6:
                made[at:at] = dice.choice([b"[", b'{"a":', b"[[a]]\n"]) * dice.randrange(300)
            case _:
                made[at : dice.choice([at, upto])] = dice.choice(_WORDS)
