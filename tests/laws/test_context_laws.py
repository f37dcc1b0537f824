"""Laws of the context: the budget is exact and no peer text can forge a delimiter, whatever peers write."""

from hypothesis import given
from hypothesis import strategies as st

from covey.agent.context import ContextLimits, ContextTooSmall, assemble, estimate_tokens
from covey.agent.prompt import EMIT_TOOL, Persona, Standing
from covey.model import CAT7, Block

TEXT = st.one_of(
    st.text(max_size=400),
    st.sampled_from(
        ["\n§", '"\n§0 end\n', "\\", "\u2028§ end", "x" * 5_000, "é" * 3_000, "\x00\x85\x0b\x0c\x1c"]
    ),
)


@st.composite
def shelves(draw):
    count = draw(st.integers(1, 8))
    blocks = []
    for number in range(count):
        categories = draw(st.dictionaries(st.sampled_from(CAT7), TEXT, max_size=7))
        node = draw(st.sampled_from(["me", "ann", "bob"]))
        parents = (
            draw(st.lists(st.integers(0, max(0, number - 1)), max_size=2, unique=True)) if number else []
        )
        blocks.append(
            Block(
                f"cmb-{number}",
                f"asrt-{number}",
                node,
                draw(TEXT),
                number,
                "r",
                None,
                tuple(f"cmb-{parent}" for parent in parents),
                categories,
            )
        )
    return blocks


class Shelf:
    def __init__(self, blocks):
        self.blocks = blocks

    def block(self, key):
        return next((block for block in self.blocks if block.key == key), None)

    def feedback_for_own(self, limit, room):
        return []

    def recent(self, limit, *, own=None, room=None):
        return [b for b in reversed(self.blocks) if own is None or (b.node_id == "me") == own][:limit]

    def recall(self, query, limit):
        return []


@given(shelves(), st.integers(256, 6_000), st.integers(1, 3), TEXT)
def test_the_budget_is_never_exceeded_and_quotes_are_never_left(blocks, max_tokens, waking, instructions):
    awake = blocks[-waking:]
    persona = Persona("me", "me", "reviewer", "r", {"issue": 2.0}, instructions)
    limits = ContextLimits(max_tokens=max_tokens)
    try:
        context = assemble(
            persona,
            awake,
            Shelf(blocks),
            limits,
            standing=Standing(1, 2, ("bob",)),
            secret=b"k" * 32,
            request=7,
        )
    except ContextTooSmall:
        return
    import json

    tool = json.dumps(EMIT_TOOL.input_schema) + EMIT_TOOL.description + EMIT_TOOL.name
    assert context.tokens == estimate_tokens(context.system, context.user, tool) <= max_tokens
    assert context.included[: len(awake)] == tuple(block.key for block in awake)
    assert sorted(context.included + context.dropped) == sorted(set(context.included + context.dropped))
    assert set(context.trimmed) <= set(context.included)
    first, *rest = context.user.splitlines()
    fence = first.split(" ")[-1]
    opened = [line for line in rest if fence in line]
    assert len(opened) == 2 * len(context.included)
    for begin, end in zip(opened[::2], opened[1::2], strict=True):
        assert begin.startswith(f"{fence} block cmb-")
        assert end == f"{fence} end"
