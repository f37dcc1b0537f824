"""What others say of one's own blocks comes into the question that a model is asked."""

from __future__ import annotations

from covey.agent.context import ContextLimits, assemble
from covey.agent.prompt import Persona, Standing
from covey.hindsight import Feedback
from covey.memory.recents import feedback_blocks
from covey.model import CAT7, Block


def block(key, node="other", **said):
    texts = {name: said.get(name, "neutral") for name in CAT7}
    return Block(key, f"a{key}", node, node, 1, "r", None, (), texts)


class Memory:
    def __init__(self, blocks, words):
        self.blocks, self.words = {each.key: each for each in blocks}, words

    def block(self, key):
        return self.blocks.get(key)

    def recent(self, limit, *, own=None, room=None):
        return []

    def feedback_for_own(self, limit, room):
        return self.words[:limit]


def word(key, seq):
    return Feedback(seq, key, f"a{key}", "other", seq, "dismiss", "mine", "Dismissed cmb-…: out of scope")


def test_a_word_about_an_own_block_is_shown_once_and_within_its_bound():
    memory = Memory(
        [block(f"w{n}", commitment="no") for n in range(9)], [word(f"w{n // 2}", n) for n in range(18)]
    )
    assert [each.key for each in feedback_blocks(memory, 3, room="r", without=["w0"])] == ["w1"]
    assert [each.key for each in feedback_blocks(memory, 4, room="r", without=[])] == ["w0", "w1"]


def test_the_model_is_asked_with_what_was_said_of_its_agents_blocks():
    memory = Memory(
        [block("w", commitment="Dismissed cmb-1: out of scope", motivation="stay on backends")], []
    )
    memory.words = [word("w", 1)]
    persona = Persona("me", "n", "role", "r", {}, "")
    waking = [block("x", focus="a question")]
    standing = Standing(answered=0, answers_left=None, closed=(), closing_only=False)
    context = assemble(
        persona, waking, memory, ContextLimits(), standing=standing, secret=b"x" * 16, request=1
    )
    assert "What others say of your own blocks" in context.user and "stay on backends" in context.user
    assert "w" in context.included
