"""Would compact batches shrink, and what would it cost? `python -m benches.compression [--blocks N]`.

Batches are those of the wire (docs/protocol.md, x-covey-compact-v1), of the loopback bench's texts and of the
admission scenarios'. Each is compressed as a whole, and record by record: only the first lets one author's
text be measured by the length of another's (SECURITY.md). Dictionaries are trained on other blocks than those
that are measured. The yardstick is one libsodium signature check, taken in the same run: a peer makes at
least that for every block, so a share of it means the same on every machine. zstd needs `zstandard` and is
otherwise left out, visibly.
"""

from __future__ import annotations

import argparse
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nacl.signing import SigningKey

from benches import samples
from benches.admission import scenarios
from benches.admission.seeds import Part
from covey import core
from covey.model import CAT7

BATCHES: Final = (1, 8, 64)
"""Records of one batch: of a quiet peer, a busy one, and one that ends at 65,536 bytes."""
ROUNDS: Final = 5
DERIVED_BYTES: Final = 9 * 34
"""Of a record: the seven category keys, its own and its assertion's, which every receiver computes anyway."""
DICTIONARY_BYTES: Final = 32_768
Squeeze = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Way:
    """One codec: both directions, and whether records are taken one by one."""

    name: str
    squeeze: Squeeze
    restore: Squeeze
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What one way makes of batches of one size: share of the bytes; CPU as a share of a signature check."""

    way: str
    batch: int
    bytes_each: float
    share: float
    out_checks: float
    back_checks: float


# --- the wire's form -----------------------------------------------------------------------------


def _head(small: int, marks: Sequence[int], short: int, length: int) -> bytes:
    """Return the shortest head of a value of this length; `short` lengths fit into the mark itself."""
    if length <= short:
        return bytes([small | length])
    for size, mark in zip((1, 2, 4), marks, strict=True):
        if mark and length < 1 << (8 * size):
            return bytes([mark]) + length.to_bytes(size, "big")
    raise ValueError("too long")


def _text(text: str) -> bytes:
    raw = text.encode()
    return _head(0xA0, (0xD9, 0xDA, 0xDB), 31, len(raw)) + raw


def _bin(raw: bytes) -> bytes:
    return _head(0, (0xC4, 0xC5, 0xC6), -1, len(raw)) + raw


def _array(length: int) -> bytes:
    return _head(0x90, (0, 0xDC, 0xDD), 15, length)


def _number(value: int) -> bytes:
    return b"\xcf" + value.to_bytes(8, "big")  # times of now have no shorter spelling


def packed(record: core.Record) -> bytes:
    """Return a record without application bytes as it stands in a batch."""
    digest = [bytes.fromhex(key.rpartition("-")[2]) for key in (record.key, record.assertion_id)]
    author = bytes.fromhex(record.node_id.replace("-", ""))
    parts = [_array(11), *map(_bin, digest), _bin(author), _text(record.author), _number(record.created_ms)]
    parts += [_text(record.room), b"\xc0", _array(0), _bin(record.signature), b"\xc0", _array(21)]
    for name in CAT7:
        text = record.categories[name]
        parts += [_text(text), _bin(bytes.fromhex(core.category_key(name, text))), _array(0)]
    said = b"".join(parts)
    if len(said) != record.size_bytes:
        raise AssertionError("this bench packs other bytes than the wire")
    return said


def signed(texts: dict[str, str], number: int) -> bytes:
    """Return one block of these texts, as it stands in a batch."""
    facts = {"node_id": samples.NODE_ID, "author": "writer", "room": samples.ROOM}
    return packed(
        core.sign(core.Draft(texts, created_ms=samples.CREATED_MS + number, **facts), samples.IDENTITY)
    )


def corpora(blocks: int) -> Iterator[tuple[str, list[bytes], list[bytes]]]:
    """Give each corpus: its name, what is measured, and what a dictionary learns from instead."""
    loop = [signed(samples.categories(number), number) for number in range(2 * blocks)]
    yield "loopback", loop[:blocks], loop[blocks:]
    told: list[list[bytes]] = []
    part: Part
    for part in ("held back", "tuning"):
        texts = [dict(case.texts) for case in scenarios.cases(part)][:blocks]
        told.append([signed(each, number) for number, each in enumerate(texts)])
    yield "admission", told[0], told[1]


# --- the ways --------------------------------------------------------------------------------------


def ways(learned: Sequence[bytes]) -> list[Way]:
    """Return every codec there is here; a dictionary comes of `learned`."""
    found = [Way("deflate 1", lambda raw: zlib.compress(raw, 1), zlib.decompress)]
    try:
        import zstandard
    except ImportError:
        print("zstd: skipped, `pip install zstandard` shows it", file=sys.stderr)
        return found
    trained = zstandard.train_dictionary(DICTIONARY_BYTES, list(learned))
    for level in (1, 3):
        for known, word in ((None, ""), (trained, " + dictionary")):
            extra: dict[str, Any] = {} if known is None else {"dict_data": known}
            squeeze = zstandard.ZstdCompressor(level=level, **extra).compress
            restore = zstandard.ZstdDecompressor(**extra).decompress
            found.append(Way(f"zstd {level}{word}", squeeze, restore))
    squeeze = zstandard.ZstdCompressor(level=1, dict_data=trained).compress
    restore = zstandard.ZstdDecompressor(dict_data=trained).decompress
    return [*found, Way("zstd 1 + dictionary, each record", squeeze, restore, alone=True)]


def seconds(work: Callable[[], object]) -> float:
    """Return the least CPU time of some rounds: a busy machine only ever adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def one_check() -> float:
    """Return the CPU seconds of one libsodium signature check."""
    key = SigningKey(samples.SEED)
    message = bytes(1_200)
    said = key.sign(message)
    verify = key.verify_key.verify
    return seconds(lambda: [verify(said) for _ in range(500)]) / 500


def measured(way: Way, blocks: Sequence[bytes], batch: int, check: float) -> Row:
    """Compress and restore all blocks in batches of this size."""
    chunks = [b"".join(blocks[at : at + batch]) for at in range(0, len(blocks), batch)]
    units = list(blocks) if way.alone else chunks
    small = [way.squeeze(unit) for unit in units]
    if [way.restore(unit) for unit in small] != units:
        raise AssertionError(f"{way.name} lost something")
    out = seconds(lambda: [way.squeeze(unit) for unit in units])
    back = seconds(lambda: [way.restore(unit) for unit in small])
    size, before = sum(map(len, small)), sum(map(len, blocks))
    each = check * len(blocks)
    return Row(way.name, batch, size / len(blocks), size / before, out / each, back / each)


def main(words: Sequence[str] | None = None) -> int:
    """Print a table for each corpus."""
    parser = argparse.ArgumentParser(prog="python -m benches.compression")
    parser.add_argument("--blocks", type=int, default=1_024)
    asked = parser.parse_args(words)
    check = one_check()
    for name, blocks, learned in corpora(asked.blocks):
        size = sum(map(len, blocks)) / len(blocks)
        print(f"{name}: {len(blocks):,} blocks of {size:,.0f} bytes; CPU in signature checks a block")
        print(f"  digests that a receiver computes by itself: {DERIVED_BYTES / size:.2f} of these")
        print(f"  {'':34} {'batch':>5} {'bytes':>7} {'share':>6} {'squeeze':>8} {'restore':>8}")
        for way in ways(learned):
            for batch in BATCHES[:1] if way.alone else BATCHES:
                row = measured(way, blocks, batch, check)
                size_shown = f"{row.bytes_each:>7,.0f} {row.share:>6.2f}"
                cost_shown = f"{row.out_checks:>8.3f} {row.back_checks:>8.3f}"
                print(f"  {row.way:34} {batch:>5} {size_shown} {cost_shown}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
