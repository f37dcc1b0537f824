"""Why memory took a block or did not, from a real store: what is told is what was decided."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from covey import _core
from covey.errors import IpcError
from covey.runtime.reasons import why
from covey.store import StoreMemory, open_store
from tests.unit.store.storekit import ANN, BOB, ME, NOW, intake, judged, says


@pytest.fixture
def store(tmp_path) -> Iterator[_core.Store]:
    opened = open_store(tmp_path / "store.db", ME.node_id)
    yield opened
    opened.close()


def test_a_held_block_is_told_with_what_it_was_compared_with(store) -> None:
    judge, memory = intake(), StoreMemory(store, ME.node_id)
    first, second = says(ANN, "the login fails for users"), says(ANN, "fix the login bug")
    store.commit([judged(judge, first)], NOW)
    store.commit([judged(judge, second)], NOW + 1)
    found = why(memory, second.key)
    assert found["block"]["said"] == {"focus": "fix the login bug"}
    (decided,) = found["decisions"]
    assert (decided["outcome"], decided["node_id"]) == ("admitted", ANN.node_id)
    basis = decided["basis"]
    assert (basis["path"], basis["kernel"], basis["anchors"]) == ("baseline", "ngram-h32", 1)
    assert set(basis["nearest"]) == {each["name"] for each in decided["judgement"]["categories"]}
    assert set(basis["nearest"].values()) == {first.key}
    assert found["near"][first.key]["said"] == {"focus": "the login fails for users"}
    focus = decided["judgement"]["categories"][0]
    assert 0.0 < focus["nearest"] <= focus["drift"] + 1e-9
    numbers = decided["thresholds"]
    share = numbers["temporal_lambda"]
    sums = decided["judgement"]
    assert sums["total_drift"] == pytest.approx(
        (1 - share) * sums["field_drift"] + share * sums["temporal_drift"]
    )


def test_a_block_turned_away_is_explained_without_being_held(store) -> None:
    judge, memory = intake(takes_all=False), StoreMemory(store, ME.node_id)
    first = says(ANN, "the same words")
    again = says(BOB, "the same words", parents=[first.key])
    other = _core.sign(
        _core.Draft(
            {"focus": "The same words!"},
            node_id=BOB.node_id,
            author=BOB.name,
            created_ms=NOW,
            room="den",
            parents=[first.key],
        ),
        BOB,
    )
    store.commit([judged(judge, first, again, other)], NOW)
    found = why(memory, other.key)
    assert found["block"] is None
    (decided,) = found["decisions"]
    assert decided["outcome"] == "redundant" and decided["max_nearest"] < decided["thresholds"]["redundancy"]
    assert decided["basis"]["lineage"] == first.key
    assert decided["detail"].startswith("redundant: ")


def test_a_refused_record_is_told_with_its_reason_and_nothing_of_its_content(store) -> None:
    memory = StoreMemory(store, ME.node_id)
    elsewhere = _core.sign(
        _core.Draft({"focus": "x"}, node_id=ANN.node_id, author="ann", created_ms=NOW, room="other"), ANN
    )
    store.commit([judged(intake(), elsewhere)], NOW)
    (decided,) = why(memory, elsewhere.key)["decisions"]
    assert (decided["outcome"], decided["reason"]) == ("refused", "wrong_room")
    assert decided["judgement"] is None and decided["basis"] is None


def test_first_digits_are_enough_and_what_is_none_is_said(store) -> None:
    memory = StoreMemory(store, ME.node_id)
    blocks = [says(ANN, f"block {number}") for number in range(5)]
    store.commit([judged(intake(), *blocks)], NOW)
    key = blocks[0].key
    assert why(memory, key[:16])["key"] == why(memory, key[4:12])["key"] == key
    for word, code in (
        ("cmb-" + "0" * 64, "unknown_block"),
        ("cmb-00000000", "unknown_block"),
        ("cmb-12", "invalid_argument"),
        ("cmb-xyzxyzxyz", "invalid_argument"),
        ("", "invalid_argument"),
        ("a" * 65, "invalid_argument"),
    ):
        with pytest.raises(IpcError) as refusal:
            why(memory, word)
        assert refusal.value.code == code, word


def test_several_that_begin_so_are_named() -> None:
    class Two:
        def keys_from(self, digits: str) -> list[str]:
            return ["cmb-" + digits + "0" * 58, "cmb-" + digits + "1" * 58]

    with pytest.raises(IpcError) as refusal:
        why(Two(), "abcdef")  # type: ignore[arg-type]  # only its keys are asked for
    assert refusal.value.code == "ambiguous" and "cmb-abcdef" in (refusal.value.hint or "")


def test_the_selective_path_says_so_and_knows_its_memory_again_after_a_restart(store) -> None:
    def selecting() -> _core.Intake:
        judge = _core.Intake(ME.node_id, "den", [1.0] * 7, encoder=_core.Encoder())
        for who in (ANN, BOB):
            judge.bind(who.node_id, who.public_key)
        return judge

    memory = StoreMemory(store, ME.node_id)
    held = says(ANN, "the parser drops the last frame of a burst")
    buffers = (
        f"the {what} of the parser grew by {size} frames" for size, what in enumerate(("buffer", "queue"))
    )
    more = [*buffers, "count lost frames overnight", "a burst fills the buffer", "arm builds lose frames"]
    store.commit([judged(selecting(), held, *(says(ANN, text) for text in more))], NOW)
    again = selecting()
    assert store.load_into(again) == 6
    foreign = says(BOB, "pumpkin risotto belongs on the autumn menu")
    answer = says(BOB, "agreed, I take it", parents=[held.key])
    store.commit([judged(again, foreign, answer)], NOW)
    (turned_away,) = why(memory, foreign.key)["decisions"]
    assert turned_away["outcome"] == "rejected"
    assert (turned_away["basis"]["path"], turned_away["basis"]["kernel"]) == ("selective", "words-1")
    assert why(memory, answer.key)["decisions"][0]["outcome"] == "admitted"
