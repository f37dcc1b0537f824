from covey.memory.lineage import ancestors, root_of
from covey.model import Block


def held(**parents):
    """Blocks by key; the value names the parents."""
    return {
        key: Block(key, "", "n", "n", number, "r", None, tuple(above), {})
        for number, (key, above) in enumerate(parents.items())
    }


def test_a_walk_gives_ancestors_nearest_first_and_each_once():
    blocks = held(a=[], b=["a"], c=["a"], d=["b", "c"])
    walk = ancestors(blocks.get, [blocks["d"]], depth=5)
    assert [(found.depth, found.block.key) for found in walk.ancestors] == [(1, "b"), (1, "c"), (2, "a")]
    assert walk.complete


def test_depth_bounds_the_walk_and_says_so():
    blocks = held(a=[], b=["a"], c=["b"])
    walk = ancestors(blocks.get, [blocks["c"]], depth=1)
    assert [found.block.key for found in walk.ancestors] == ["b"]
    assert walk.cut and not walk.complete
    assert ancestors(blocks.get, [blocks["c"]], depth=0).ancestors == ()
    assert ancestors(blocks.get, [blocks["a"]], depth=0).complete


def test_a_parent_that_is_not_held_is_missing_not_guessed():
    blocks = held(b=["a"])
    walk = ancestors(blocks.get, [blocks["b"]], depth=3)
    assert walk.missing == ("a",) and not walk.cut and not walk.complete


def test_breadth_is_bounded():
    blocks = held(**{f"p{number}": [] for number in range(50)}, top=[f"p{number}" for number in range(50)])
    walk = ancestors(blocks.get, [blocks["top"]], depth=3, max_blocks=10)
    assert len(walk.ancestors) == 10 and walk.cut


def test_a_ring_ends():
    blocks = held(a=["b"], b=["a"])
    walk = ancestors(blocks.get, [blocks["a"]], depth=100)
    assert [found.block.key for found in walk.ancestors] == ["b"]


def test_the_root_is_the_oldest_end():
    blocks = held(old=[], young=[], both=["young", "old"])
    assert root_of(blocks.get, blocks["both"]) == "old"
    assert root_of(blocks.get, blocks["old"]) == "old"


def test_without_a_held_root_the_missing_parent_names_the_thread():
    blocks = held(child=["z", "y"])
    assert root_of(blocks.get, blocks["child"]) == "y"
