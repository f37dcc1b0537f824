"""A diary: read by who holds the key, sealed everywhere else, and never serialised."""

import copy
import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey import _core
from covey.errors import IdentityError, StoreError, UsageError
from covey.state.diary import Damaged, Diary, DiaryText
from covey.system import identity as ids
from covey.system.clock import SystemClock
from covey.system.diary_seal import DiarySeal, read_export, write_export
from covey.system.entropy import SystemEntropy
from covey.system.sealing import Cost, Passphrase

CHEAP = Cost(1, 8_388_608)
CANARY = "the-canary-of-the-diary"


@pytest.fixture
def who():
    return ids.generate("ann", SystemClock(), SystemEntropy())


@pytest.fixture
def store(tmp_path, who):
    opened = _core.Store.open(tmp_path / "store.db", node_id=who.node_id)
    yield opened
    opened.close()


def test_a27_what_is_written_is_read_found_and_nowhere_on_disk(tmp_path, who, store):
    diary = Diary(store, DiarySeal(who, SystemEntropy()))
    for at_ms, words in ((1_000, "First day"), (3_000, f"Nobody reads {CANARY}"), (2_000, "Ein Tag, wie Öl")):
        diary.write(DiaryText(words), at_ms)
    assert [(e.number, e.at_ms, e.text.reveal()) for e in diary.read(2_000)] == [
        (2, 3_000, f"Nobody reads {CANARY}"),
        (3, 2_000, "Ein Tag, wie Öl"),
    ]
    assert [e.number for e in diary.search("ÖL tag")] == [3]
    assert list(diary.search("nobody day")) == []
    with pytest.raises(UsageError):
        list(diary.search("  "))
    facts = diary.facts()
    assert (facts.entries, facts.first_ms, facts.last_ms) == (3, 1_000, 3_000)
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert CANARY.encode() not in content and b"First day" not in content, file
        assert who.seed not in content


def test_more_entries_than_a_page_are_read_in_order(who, store):
    diary = Diary(store, DiarySeal(who, SystemEntropy()))
    for number in range(70):
        diary.write(DiaryText(f"entry {number}"), 1_000 + number)
    assert [e.text.reveal() for e in diary.read()] == [f"entry {number}" for number in range(70)]


def test_another_key_another_time_and_a_changed_entry_do_not_open(who, store):
    seal = DiarySeal(who, SystemEntropy())
    other = DiarySeal(ids.generate("bob", SystemClock(), SystemEntropy()), SystemEntropy())
    sealed = seal.seal(b"words", 5)
    assert seal.open(sealed, 5) == b"words"
    assert seal.open(sealed, 6) is None
    assert other.open(sealed, 5) is None
    assert seal.seal(b"words", 5) != sealed, "a nonce of its own"
    for place in range(len(sealed)):
        assert seal.open(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :], 5) is None
    store.diary_add(9, b"garbage")
    assert list(Diary(store, seal).read()) == [Damaged(1, 9)]


@settings(max_examples=50)
@given(st.text(min_size=1, max_size=50))
def test_a22_a_diarys_text_has_no_spelling(words):
    text = DiaryText(CANARY + words)
    for shown in (
        str(text),
        repr(text),
        f"{text}",
        f"{text:>40}",
        json.dumps(text, default=str),
    ):
        assert CANARY not in shown
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, bytes, iter, vars):
        with pytest.raises(TypeError):
            attempt(text)
    assert text.reveal() == CANARY + words


def test_entries_have_bounds():
    for words in ("", "x" * 65_537):
        with pytest.raises(UsageError):
            DiaryText(words)


def test_an_export_opens_with_its_passphrase_and_nothing_else(who):
    secret = Passphrase.of("correct horse", "a test")
    entries = [(1, "one"), (2, CANARY)]
    data = write_export(entries, "ann", secret, CHEAP, SystemEntropy())
    assert CANARY.encode() not in data
    assert read_export(data, secret) == ("ann", entries)
    with pytest.raises(IdentityError):
        read_export(data, Passphrase.of("another one", "a test"))
    found = json.loads(data)
    with pytest.raises(IdentityError):
        read_export(json.dumps({**found, "diary": "bob"}).encode(), secret)
    for bad in (b"", b"{}", b"[]", json.dumps({**found, "nonce": "x"}).encode(), b'{"diary": 1, "key": 2}'):
        with pytest.raises(StoreError):
            read_export(bad, secret)
