"""Curation (MMP 2.0 §12.4): of a subgraph, the categories that matter, the most relevant first, in a budget.

Rules: pure reads. Three filters meet: what the agent weighs, what it is doing now, and why the incoming block
was let in. What they leave out is not shown, and the result says how much that was. Tokens are estimated as
the agent's context does: bytes over four.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.cognition.relevance import Relevance
from covey.memory.lineage import ancestors
from covey.model import CAT7, Block
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core

Lookup = Callable[[str], Block | None]

_LIGHT: Final = 0.75
"""A category that weighs less than this part of the mean is not shown of ancestors."""
_TASK: Final = 0.6
"""The part of the task in a cell's worth; the rest is the incoming block's."""
_TRIGGERED: Final = 1.5
"""What a category counts in which admission found the incoming block to be news."""
_FAR: Final = 0.85
"""What each generation between takes away."""
_LINE: Final = 12
"""Bytes that a category costs beside its text: its name, quotes, a break."""


@dataclass(frozen=True, slots=True)
class Projected:
    """A block as far as it is shown: chosen categories in CAT7 order; `depth` is 0 for the incoming one."""

    block: Block
    shown: Mapping[str, str]
    depth: int
    score: float


@dataclass(frozen=True, slots=True)
class Curated:
    """What a model is to read. Tokens are estimates; `everything` is what the whole subgraph would cost."""

    blocks: tuple[Projected, ...]
    tokens: int
    everything: int
    left_out: tuple[str, ...]
    missing: tuple[str, ...]

    def text(self) -> str:
        """Return it as plain lines, for people and tests; what goes to a model is quoted by its caller."""
        return "\n".join(line for each in self.blocks for line in _lines(each.block, each.shown))


def curate(
    incoming: Block,
    weights: Mapping[str, float],
    task: str,
    token_budget: int = limits.CURATED_TOKENS,
    *,
    lookup: Lookup,
    encoder: _core.Encoder,
    children: Callable[[str], Iterable[str]] | None = None,
    triggered: Collection[str] = (),
    depth: int = limits.CURATED_DEPTH,
    with_incoming: bool = True,
) -> Curated:
    """Choose what a model reads of an incoming block and of what it came from.

    Args:
        incoming: The block that is to be understood; it comes first, in its heavy categories if need be.
        weights: The agent's category weights.
        task: What the agent is doing now; empty lets the incoming block alone decide.
        token_budget: The most tokens of everything shown.
        lookup: Finds a held block by its key.
        encoder: Reads texts.
        children: Gives the held blocks that name one as a parent: what else came of an ancestor.
        triggered: Categories of the incoming block that admission found to be news.
        depth: How many generations above are looked at.
        with_incoming: Show the incoming block, too; without, its reader has it already.
    """
    walk = ancestors(lookup, [incoming], depth=depth, max_blocks=limits.CURATED_BLOCKS)
    graph = {incoming.key: (0, incoming)}
    graph.update((each.block.key, (each.depth, each.block)) for each in walk.ancestors)
    _beside(graph, lookup, children)
    heavy = _heavy(weights)
    wanted = Relevance(task, weights, encoder)
    about = Relevance(" ".join(incoming.said().values()), weights, encoder)
    if not wanted.says_something:
        wanted = about
    cells: list[tuple[float, str, str]] = []
    for key, (generation, block) in graph.items():
        near = _FAR**generation
        by_task, by_block = wanted.of(block).cells, about.of(block).cells
        for name in block.said():
            if name in heavy and key != incoming.key:
                worth = _TASK * by_task.get(name, 0.0) + (1 - _TASK) * by_block.get(name, 0.0)
                cells.append((worth * near * (_TRIGGERED if name in triggered else 1.0), key, name))
    budget = max(0, min(token_budget, limits.CURATED_TOKENS_MOST)) * limits.CHARS_PER_TOKEN
    cells.sort(key=lambda cell: (-cell[0], cell[1], cell[2]))
    if with_incoming:
        cells = _own_cells(incoming, heavy, weights) + cells
    else:
        del graph[incoming.key]
    chosen = _filled(cells, graph, budget)
    shown = [
        Projected(block, {name: block.categories[name] for name in CAT7 if name in names}, generation, score)
        for key, (names, score) in chosen.items()
        for generation, block in (graph[key],)
    ]
    shown.sort(key=lambda each: (each.depth != 0, -each.score, each.block.key))
    spent = sum(_cost(each.block, each.shown) for each in shown)
    whole = sum(_cost(block, block.said()) for _, block in graph.values())
    left = tuple(key for key in graph if key not in chosen)
    return Curated(tuple(shown), _tokens(spent), _tokens(whole), left, walk.missing)


def _beside(
    graph: dict[str, tuple[int, Block]], lookup: Lookup, children: Callable[[str], Iterable[str]] | None
) -> None:
    """Add what else the ancestors led to: which answer worked is said beside, not above (§12.7)."""
    if children is None:
        return
    for key, (generation, _) in list(graph.items()):
        for child in children(key):
            if len(graph) >= limits.CURATED_BLOCKS:
                return
            block = lookup(child) if child not in graph else None
            if block is not None:
                graph[child] = (generation + 1, block)


def _heavy(weights: Mapping[str, float]) -> frozenset[str]:
    """Return the categories that an agent weighs enough to read them of others."""
    mean = sum(max(0.0, weights.get(name, 0.0)) for name in CAT7) / len(CAT7)
    return frozenset(name for name in CAT7 if weights.get(name, 0.0) >= _LIGHT * mean and mean > 0)


def _own_cells(
    incoming: Block, heavy: frozenset[str], weights: Mapping[str, float]
) -> list[tuple[float, str, str]]:
    """Return the incoming block's own categories, the heavy ones first: they come before all."""
    said = incoming.said()
    own = sorted(said, key=lambda name: (name not in heavy, -weights.get(name, 0.0), CAT7.index(name)))
    return [(1.0, incoming.key, name) for name in own]


def _filled(
    cells: Iterable[tuple[float, str, str]], graph: Mapping[str, tuple[int, Block]], budget: int
) -> dict[str, tuple[set[str], float]]:
    """Take cells while they fit, in their order; what has nothing to do with anything is left."""
    chosen: dict[str, tuple[set[str], float]] = {}
    for worth, key, name in cells:
        if worth <= 0.0:
            continue
        block = graph[key][1]
        names, score = chosen.get(key, (set(), 0.0))
        cost = _LINE + len(block.categories[name].encode()) + (_header(block) if not names else 0)
        if cost > budget:
            continue
        budget -= cost
        chosen[key] = (names | {name}, max(score, worth))
    return chosen


def _lines(block: Block, shown: Mapping[str, str]) -> list[str]:
    return [f"{block.key[:12]} {block.author}", *(f"  {name}: {text}" for name, text in shown.items())]


def _header(block: Block) -> int:
    return 14 + len(block.author.encode())


def _cost(block: Block, shown: Mapping[str, str]) -> int:
    return _header(block) + sum(_LINE + len(text.encode()) for text in shown.values())


def _tokens(size: int) -> int:
    return -(-size // limits.CHARS_PER_TOKEN)
