"""Notes of agents: nobody else's, never the same object twice, drafts that count only when they are taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.fleet.notebook import Draft, Notebook, NotebookError
from covey.fleet.pooled import AgentFactory
from covey.fleet.profile import ProfileError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def take_turn(turn):
    return None


def made(memory=None, ids=iter(f"{n:012x}" for n in range(1, 10_000))):  # noqa: B008  # one row of ids for all tests
    return AgentFactory(take_turn, lambda: next(ids), role="writer", memory=memory)


def test_m16_agents_of_one_factory_share_nothing_not_even_what_they_began_with():
    begins = {"plan": {"steps": ["one"]}}
    factory = made(begins)
    begins["plan"]["steps"].append("changed afterwards")
    ann, bob = factory.make("ann"), factory.make("bob")
    seen = ann.memory.get("plan")
    seen["steps"].append("mine")
    assert bob.memory.get("plan") == ann.memory.get("plan") == {"steps": ["one"]}
    ann.memory.put("plan", seen)
    value = ["kept"]
    ann.memory.put("list", value)
    value.append("changed afterwards")
    assert ann.memory.export() == {"list": ["kept"], "plan": {"steps": ["one", "mine"]}}
    assert bob.memory.export() == {"plan": {"steps": ["one"]}}
    exported = ann.memory.export()
    exported["list"].append("elsewhere")
    assert ann.memory.get("list") == ["kept"] and ann.memory.get("list") is not ann.memory.get("list")
    assert ann.profile.agent_id != bob.profile.agent_id


@given(st.lists(st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from("xyz"), JSON), max_size=12))
def test_m16_whatever_one_writes_the_other_never_sees(writes):
    factory = made()
    agents = {name: factory.make(name) for name in ("ann", "bob")}
    expected = {"ann": {}, "bob": {}}
    for who, name, value in writes:
        agents[who].memory.put(name, value)
        expected[who][name] = value
    assert {who: each.memory.export() for who, each in agents.items()} == expected


def test_a_draft_counts_when_it_is_taken_and_not_before():
    notes = Notebook({"a": 1, "b": 2})
    draft = Draft(notes)
    draft.put("a", 10)
    draft.delete("b")
    draft.put("c", [3])
    assert (draft.get("a"), draft.get("b", "none"), draft.names()) == (10, "none", ["a", "c"])
    assert notes.export() == {"a": 1, "b": 2}
    notes.commit(draft.changes)
    assert notes.export() == {"a": 10, "c": [3]}


def test_notes_are_bounded_and_the_oldest_goes(monkeypatch):
    monkeypatch.setattr(limits, "NOTEBOOK_ENTRIES", 2)
    notes = Notebook({"a": 1, "b": 2})
    notes.put("a", 3)
    notes.put("c", 4)
    assert (notes.export(), notes.forgotten) == ({"a": 3, "c": 4}, 1)


@pytest.mark.parametrize(
    ("name", "value"), [("", 1), ("n" * 257, 1), ("x", float("nan")), ("x", {1}), ("x", "y" * 262_144)]
)
def test_what_cannot_be_kept_is_refused(name, value):
    with pytest.raises(NotebookError):
        Notebook().put(name, value)
    with pytest.raises(ProfileError):
        made().make("no nickname")
