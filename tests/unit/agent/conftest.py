"""Blocks and a memory for the tests of the agent's pure rooms."""

import hashlib

import pytest

from covey.model import CAT7, NEUTRAL, Block


class Shelf:
    """A Memory over a list, newest first, for one owner."""

    def __init__(self, own_node_id="me", blocks=()):
        self.own = own_node_id
        self.blocks = list(blocks)

    def block(self, key):
        return next((block for block in self.blocks if block.key == key), None)

    def recent(self, limit, *, own=None, room=None):
        found = [
            block
            for block in sorted(self.blocks, key=lambda block: -block.created_ms)
            if (own is None or (block.node_id == self.own) == own) and (room is None or block.room == room)
        ]
        return found[:limit]

    def recall(self, query, limit):
        return [block for block in self.blocks if query in str(block.categories)][:limit]


def make_block(author="ann", *, parents=(), at=0, room="r", node_id=None, to=None, **said):
    categories = {name: said.get(name, NEUTRAL) for name in CAT7}
    digest = hashlib.sha256(repr((author, sorted(categories.items()))).encode()).hexdigest()
    parents = tuple(parent if isinstance(parent, str) else parent.key for parent in parents)
    return Block(
        f"cmb-{digest}", f"asrt-{digest}", node_id or author, author, at, room, to, parents, categories
    )


@pytest.fixture(scope="session")
def block():
    """Make a block: `block("ann", focus="…", parents=[other])`; the author's label is its nodeId too."""
    return make_block


@pytest.fixture(scope="session")
def shelf():
    """Make a Memory: `shelf("me", [blocks])`."""
    return Shelf
