"""Curation: of a subgraph the cells that matter, the best first, never past the budget."""

from hypothesis import given
from hypothesis import strategies as st

from covey import _core
from covey.cognition.curation import curate
from covey.model import CAT7, Block

ENCODER = _core.Encoder()
EVEN = dict.fromkeys(CAT7, 1.0)


def block(key, *parents, author="ann", **said):
    texts = {name: said.get(name, "neutral") for name in CAT7}
    return Block(key, key, author, author, len(key), "r", None, parents, texts)


def chosen(incoming, *others, budget=500, weights=EVEN, task="", **more):
    held = {each.key: each for each in others}
    return curate(incoming, weights, task, budget, lookup=held.get, encoder=ENCODER, **more)


ROOT = block("root", focus="the user sat for two hours", mood="tired", perspective="wristband of the user")
BREAK = block("break", "root", focus="a stretch break was recommended", intent="get the user moving")
DONE = block("done", "break", focus="took the break, solved the bug", mood="relieved")


def test_the_incoming_block_comes_first_and_ancestors_follow_by_relevance():
    found = chosen(DONE, ROOT, BREAK, task="is a break good for the user?")
    assert found.blocks[0].block.key == "done"
    assert {each.block.key for each in found.blocks} == {"done", "break", "root"}
    assert found.tokens <= 500 and found.everything >= found.tokens
    assert not found.left_out and not found.missing


def test_only_what_the_agent_weighs_and_the_task_wants_is_shown_of_ancestors():
    weights = {**dict.fromkeys(CAT7, 0.4), "mood": 2.0, "focus": 1.5}
    found = chosen(DONE, ROOT, BREAK, weights=weights, task="how does the user feel, tired or relieved?")
    shown = {each.block.key: set(each.shown) for each in found.blocks}
    assert "perspective" not in shown["root"] and "intent" not in shown.get("break", set())
    assert "mood" in shown["root"]


def test_what_admission_found_to_be_news_is_traced_first():
    old = block("old", focus="the bug of the parser", mood="the bug of the parser")
    new = block("new", "old", focus="the bug of the parser is solved")
    budget = 30
    for name in ("focus", "mood"):
        found = chosen(new, old, triggered=[name], budget=budget)
        (shown,) = [set(each.shown) for each in found.blocks if each.block.key == "old"]
        assert shown == {name}


def test_what_else_an_ancestor_led_to_is_seen_where_children_are_known():
    music = block("music", "root", focus="shifted the music to calm ambient for the tired user")
    children = {"root": ["break", "music"]}
    found = chosen(
        DONE, ROOT, BREAK, music, children=lambda key: children.get(key, ()), task="music for the user"
    )
    assert "music" in {each.block.key for each in found.blocks}


def test_a_parent_that_is_not_held_is_named_and_what_does_not_fit_is_left_out():
    found = chosen(DONE, BREAK, task="break")
    assert found.missing == ("root",)
    found = chosen(DONE, ROOT, BREAK, budget=20)
    assert [each.block.key for each in found.blocks] == ["done"]
    assert set(found.left_out) == {"root", "break"}
    assert chosen(DONE, ROOT, BREAK, budget=0).blocks == ()


WORDS = st.sampled_from(
    ["parser", "frame", "user", "break", "music", "tired", "fast", "burst", "seven", "12"]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)


@given(
    st.lists(st.dictionaries(st.sampled_from(CAT7), TEXTS, min_size=1), min_size=1, max_size=12),
    st.integers(0, 400),
    st.dictionaries(st.sampled_from(CAT7), st.floats(0, 3)),
    TEXTS,
)
def test_whatever_the_graph_the_budget_holds_and_nothing_is_made_up(bodies, budget, weights, task):
    blocks = [block(f"b{n}", *([f"b{n - 1}"] if n else []), **said) for n, said in enumerate(bodies)]
    found = chosen(blocks[-1], *blocks[:-1], budget=budget, weights=weights, task=task)
    again = chosen(blocks[-1], *blocks[:-1], budget=budget, weights=weights, task=task)
    assert found == again
    assert found.tokens <= budget
    for each in found.blocks:
        assert each.shown and all(each.block.categories[name] == text for name, text in each.shown.items())
    assert {each.block.key for each in found.blocks}.isdisjoint(found.left_out)
