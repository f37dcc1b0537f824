"""A store that cannot be opened says which, why and the next step, and is left as it was."""

import pytest

from covey.errors import StoreError
from covey.store import open_store
from tests.unit.store.storekit import ANN, ME


def refusal(path, node_id=ME.node_id):
    with pytest.raises(StoreError) as raised:
        open_store(path, node_id)
    assert str(path) in raised.value.message
    assert "\n" not in raised.value.message
    return raised.value


def test_a_new_store_is_made(tmp_path):
    open_store(tmp_path / "store.db", ME.node_id).close()
    assert (tmp_path / "store.db").stat().st_size > 0


def test_a_text_file_is_no_store(tmp_path):
    path = tmp_path / "store.db"
    path.write_text("not a database, but somebody's notes")
    error = refusal(path)
    assert error.code == "store_not_a_database"
    assert "move the file away" in error.hint
    assert path.read_text() == "not a database, but somebody's notes"
    assert [entry.name for entry in tmp_path.iterdir()] == ["store.db"]


def test_a_locked_store_names_the_next_step(tmp_path):
    first = open_store(tmp_path / "store.db", ME.node_id)
    error = refusal(tmp_path / "store.db")
    assert error.code == "store_locked"
    assert "covey stop" in error.hint
    first.close()
    open_store(tmp_path / "store.db", ME.node_id).close()


def test_another_peers_store_is_refused(tmp_path):
    open_store(tmp_path / "store.db", ME.node_id).close()
    assert refusal(tmp_path / "store.db", ANN.node_id).code == "store_other_peer"


def test_a_missing_folder_is_not_made(tmp_path):
    assert refusal(tmp_path / "absent" / "store.db").code == "store_unwritable"
    assert list(tmp_path.iterdir()) == []
