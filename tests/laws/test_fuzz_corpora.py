"""Any bytes into Python's decoders give a value or the documented error, in bounded memory and time.

Each target mutates its committed corpus (`tests/laws/fuzz/corpus/<name>`) as often and in the same way
each time; `COVEY_FUZZ_SECONDS` gives it a time instead, `COVEY_FUZZ_SEED` another way through. A finding is
printed, and goes into the corpus with its fix. `tools/fuzz-python` runs the same targets guided by coverage.
The native core and the legacy wire have the same two runs.
"""

from __future__ import annotations

import os
import time
import tracemalloc
from pathlib import Path
from typing import Final

import pytest

from covey import settings
from tests.laws import wrong_types
from tests.laws.fuzz_guided import words
from tests.laws.fuzz_mutate import Mutator
from tests.laws.fuzz_rooms import TARGETS
from tests.laws.fuzz_targets import CORPORA, corpus

SECONDS: Final = float(os.environ.get("COVEY_FUZZ_SECONDS", "0"))
INPUTS: Final = 150
"""Of each target where no time is said: the commit decides what is tried, and not how busy the machine is."""
SEED: Final = int(os.environ.get("COVEY_FUZZ_SEED", "1"))
SLOWEST_SECONDS: Final = 5.0
MOST_DOCUMENTS: Final = 400
"""Of one target that has a value of another type; where there are more, each n-th of them."""
LINES: Final = frozenset({"adapter", "controls", "ipc_line", "relay_client", "relay_server", "relayed_room"})
"""Targets that take one document a line."""
MOST_BYTES: Final = 16 * 1_048_576
"""What one input of 64 KiB may hold at its worst: a tree of small objects is much larger than its text."""


def tried(name: str, data: bytes, folder: Path) -> None:
    """Run one input; what breaks is named with everything that repeats it."""
    tracemalloc.reset_peak()
    held, begun = tracemalloc.get_traced_memory()[0], time.monotonic()
    try:
        TARGETS[name](data, folder)
    except Exception as error:
        raise AssertionError(f"{name}: found by {len(data)} bytes: {data!r}") from error
    took, grew = time.monotonic() - begun, tracemalloc.get_traced_memory()[1] - held
    assert took < SLOWEST_SECONDS, f"{name}: {took:.1f} s for {len(data)} bytes: {data!r}"
    assert grew < MOST_BYTES, f"{name}: {grew} bytes for {len(data)}: {data!r}"


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_any_bytes_give_a_value_or_the_documented_error(name: str, tmp_path: Path) -> None:
    seeds, mutator = corpus(name), Mutator(SEED)
    tracemalloc.start()
    try:
        for seed in seeds:
            tried(name, seed, tmp_path)
        until, count = time.monotonic() + SECONDS, 0
        while count < INPUTS if not SECONDS else time.monotonic() < until:
            tried(name, mutator.next(seeds), tmp_path)
            count += 1
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_value_of_another_type_gives_a_value_or_the_documented_error(name: str, tmp_path: Path) -> None:
    lines = [line for seed in corpus(name) for line in (seed.split(b"\n") if name in LINES else [seed])]
    found = [document for line in lines for document in wrong_types.documents(line)]
    for document in found[:: len(found) // MOST_DOCUMENTS + 1]:
        try:
            TARGETS[name](document, tmp_path)
        except Exception as error:
            raise AssertionError(f"{name}: found by {document[:2_000]!r}") from error


def test_a_document_is_bent_in_each_of_its_places() -> None:
    found = list(wrong_types.documents(b'{"a": [1], "b": "x"}'))
    assert {b'{"a": null, "b": "x"}', b'{"a": [1e999], "b": "x"}', b'{"a": [], "b": "x"}'} <= set(found)
    assert b'{"a": [1]}' in found, "left out"
    assert b'{"a": [1], "b": "\\ud800"}' in found and b'{"a": [1], "b": "x", "more": 1}' in found
    assert not list(wrong_types.documents(b"no JSON"))


def test_the_words_of_a_corpus_are_the_dictionary_of_its_guided_runs() -> None:
    found = words([b'{"label": "a\\n", "to": ["*"]}', b'{"to": 1, "\xff": 2}']).splitlines()
    assert {'"\\"label\\""', '"\\"to\\""', '"\\"*\\""', '"null"', '"\\"\\\\ud800\\""'} <= set(found)
    assert len(found) == len(set(found)) and not any("xff" in each for each in found)


def test_every_corpus_has_a_target_and_something_it_takes() -> None:
    assert sorted(folder.name for folder in CORPORA.iterdir()) == sorted(TARGETS)
    assert all(corpus(name) for name in TARGETS)
    whole = [seed for seed in corpus("config") if b"[identity]" in seed]
    assert whole and all(settings.parse(seed.decode()) for seed in whole)


def test_a_run_repeats_itself_and_what_breaks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = [b'{"type":"ping"}', b"[1,2]"]
    once, again, other = Mutator(7), Mutator(7), Mutator(8)
    first = [once.next(seeds) for _ in range(200)]
    assert first == [again.next(seeds) for _ in range(200)] != [other.next(seeds) for _ in range(200)]

    def broken(data: bytes, _: Path) -> None:
        assert len(data) < 3

    monkeypatch.setitem(TARGETS, "config", broken)
    tracemalloc.start()
    try:
        tried("config", b"ab", tmp_path)
        with pytest.raises(AssertionError, match="found by 3 bytes"):
            tried("config", b"abc", tmp_path)
    finally:
        tracemalloc.stop()
