"""Keys: whose they are, what is kept of them, and what a book refuses."""

from __future__ import annotations

import hmac
import json
from dataclasses import replace

import pytest

from covey.inference import keys
from covey.inference.keys import Entry, KeyBook

TOKEN = keys.spelled("0000abcd", bytes(range(32)))
ANN = Entry("0000abcd", "ann", keys.digest_of_token(TOKEN), 1)
NODE = "01997c00-0000-7000-8000-000000000001"
BOB = Entry("0000beef", "bob", "", 2, node_id=NODE, fingerprint="f" * 64)


def test_a_key_is_matched_by_its_secret_and_kept_as_a_digest():
    book = KeyBook((ANN, BOB))
    assert book.match(TOKEN) is ANN
    kept = json.dumps(keys.as_json(book))
    assert TOKEN[13:] not in kept
    assert keys.from_json(json.loads(kept)) == book
    assert "digest" not in keys.shown(book.entries)[0]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "cvk-",
        TOKEN[:-1],
        TOKEN[:-1] + ("A" if TOKEN[-1] != "A" else "B"),
        "cvk-0000beef-" + TOKEN[13:],
        "cvk-ffffffff-" + TOKEN[13:],
        TOKEN + "\n",
        "é" * 56,
    ],
)
def test_another_word_is_nobodys(token):
    assert KeyBook((ANN, BOB)).match(token) is None


def test_m20_secrets_are_compared_in_constant_time_also_where_there_is_no_such_key(monkeypatch):
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def watching(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return compare(one, other)

    monkeypatch.setattr(keys.hmac, "compare_digest", watching)
    book = KeyBook((ANN,))
    for token in (TOKEN, TOKEN[:-2] + "AA", "cvk-ffffffff-" + TOKEN[13:], "short", ""):
        book.match(token)
    assert compared == [(64, 64)] * 5


def test_a_node_comes_without_a_key_and_only_under_its_own():
    book = KeyBook((ANN, BOB))
    assert book.of_node(NODE, "f" * 64) is BOB
    assert book.of_node(NODE, "e" * 64) is None
    assert book.of_node("", "") is None


def test_one_key_is_revoked_and_the_others_stay():
    other = replace(ANN, key_id="0000cafe")
    book = KeyBook((ANN, other, BOB))
    assert book.find("ann") is None, "two keys: it has to be said which"
    assert book.find("0000cafe") is other
    left = book.without("0000cafe")
    assert left.match(TOKEN) is ANN and left.find("ann") is ANN


@pytest.mark.parametrize(
    "changed",
    [
        {"account": ""},
        {"account": "a b"},
        {"key_id": "xyz"},
        {"digest": ""},
        {"digest": "0"},
        {"node_id": NODE},
        {"priority": "first"},
        {"per_minute": 0},
        {"tokens_per_day": True},
        {"admin": 1},
    ],
)
def test_what_is_no_entry_is_refused(changed):
    with pytest.raises(ValueError):
        KeyBook().with_entry(replace(ANN, **changed))
    row = {**keys.as_json(KeyBook((ANN,)))[0], **changed}
    with pytest.raises(ValueError):
        keys.from_json([row])


def test_an_id_is_taken_once():
    with pytest.raises(ValueError, match="taken"):
        KeyBook((ANN,)).with_entry(replace(ANN, account="eve"))


@pytest.mark.parametrize("found", [None, {}, [1], [{}], [{"key_id": "0000abcd"}]])
def test_a_damaged_book_is_refused(found):
    with pytest.raises(ValueError):
        keys.from_json(found)
