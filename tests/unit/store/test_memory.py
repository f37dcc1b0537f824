"""The Memory port over a real store."""

import pytest

from covey.errors import StoreError
from covey.ports import Memory
from covey.store import StoreMemory, open_store
from tests.unit.store.storekit import ANN, ME, NOW, ROOM, intake, judged, says


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "store.db", ME.node_id)
    yield opened
    opened.close()


@pytest.fixture
def memory(store) -> Memory:
    return StoreMemory(store, ME.node_id)


def test_blocks_are_read_whole(store, memory):
    record = says(ANN, "the whole block")
    store.commit([judged(intake(), record)], NOW)
    block = memory.block(record.key)
    assert (block.key, block.assertion_id, block.node_id) == (record.key, record.assertion_id, ANN.node_id)
    assert (block.author, block.created_ms, block.room, block.to) == (ANN.name, NOW, ROOM, None)
    assert block.said() == {"focus": "the whole block"}
    assert memory.block(says(ANN, "another").key) is None
    assert memory.block("cmb-unknown") is None


def test_recents_are_filtered_by_authorship_and_room(store, memory):
    heard, own = says(ANN, "heard"), says(ME, "own")
    store.commit([judged(intake(), heard)], NOW)
    store.put_own(own, NOW)
    assert [block.key for block in memory.recent(10)] == [own.key, heard.key]
    assert [block.key for block in memory.recent(10, own=True)] == [own.key]
    assert [block.key for block in memory.recent(10, own=False, room=ROOM)] == [heard.key]
    assert memory.recent(10, room="elsewhere") == []
    assert len(memory.recent(1)) == 1


def test_recall_is_best_first(store, memory):
    store.commit([judged(intake(), says(ANN, "red fox"), says(ANN, "red house"))], NOW)
    assert [block.said()["focus"] for block in memory.recall("red fox", 10)] == ["red fox", "red house"]
    assert memory.recall("absent", 10) == []


def test_a_store_that_cannot_be_read_is_a_store_error(store, memory):
    store.close()
    key = says(ANN, "x").key
    for read in (lambda: memory.block(key), lambda: memory.recent(1), lambda: memory.recall("x", 1)):
        with pytest.raises(StoreError) as refusal:
            read()
        assert refusal.value.code == "store_closed"
