import pytest

from covey.errors import StoreError
from covey.store import StoreWakes, open_store

NODE = "0190aaaa-0000-7000-8000-000000000001"
KEY = "cmb-" + "a" * 64


def test_x17_a_block_is_marked_once_also_across_a_restart(tmp_path):
    path = tmp_path / "store.db"
    store = open_store(path, NODE)
    assert not StoreWakes(store).woken(KEY)
    for _ in range(2):
        StoreWakes(store).state_put({"safety.wakes": b"one"}, [KEY])
    store.close()
    again = StoreWakes(open_store(path, NODE))
    assert again.woken(KEY) and again.state_get("safety.wakes") == b"one"


def test_state_is_read_back_as_it_was_put(tmp_path):
    wakes = StoreWakes(open_store(tmp_path / "store.db", NODE))
    assert wakes.state_get("safety.wakes") is None
    wakes.state_put({"safety.wakes": b"one"})
    wakes.state_put({"safety.wakes": b"two", "safety.cost": b"three"})
    assert (wakes.state_get("safety.wakes"), wakes.state_get("safety.cost")) == (b"two", b"three")


def test_several_states_are_kept_together_or_not_at_all(tmp_path):
    wakes = StoreWakes(open_store(tmp_path / "store.db", NODE))
    with pytest.raises(StoreError):
        wakes.state_put({"safety.wakes": b"one", "": b"a name that is none"}, [KEY])
    assert wakes.state_get("safety.wakes") is None and not wakes.woken(KEY)


def test_what_the_store_refuses_is_said_in_the_products_words(tmp_path):
    store = open_store(tmp_path / "store.db", NODE)
    store.close()
    wakes = StoreWakes(store)
    for attempt in (
        lambda: wakes.woken(KEY),
        lambda: wakes.state_get("x"),
        lambda: wakes.state_put({"x": b""}),
    ):
        with pytest.raises(StoreError):
            attempt()
