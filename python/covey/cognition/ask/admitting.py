"""Which contributions become claims (MMP 2.0 §12.11): every one passes here, and what does not is named.

Rules: pure. What is judged has been verified and judged by admission before; a contribution that admission
rejected is never synthesised (I-Ask-3). Beyond it: nobody counts whom this peer does not listen to, nobody
twice, nothing without lineage, nothing whose lineage shows nothing, nothing that says more than its sources,
nothing beside the question, and no echo: who brings no source that is not cited yet adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.cognition.ask.contributing import clipped, extract, line_of, text_of
from covey.cognition.ask.values import VOUCHED, Admitted, Claim, Contribution, Dropped, Selected
from covey.cognition.terms import numbers, terms
from covey.model import Decision

if TYPE_CHECKING:
    from covey.cognition.relevance import Relevance
    from covey.model import Block

_CARRIED: Final = 0.5
"""The part of a contribution's words that its sources must have: a summary may use words of its own."""


def admit(
    contributions: Iterable[Contribution],
    relevance: Relevance,
    *,
    own: Selected | None = None,
    prior: Block | None = None,
    asker: tuple[str, str],
) -> Admitted:
    """Judge contributions in an order that does not hang on who was faster, and make claims of them.

    Args:
        contributions: Verified blocks that were addressed to the asker for this question.
        relevance: Measures what they have to do with the question, under the asker's weights.
        own: What the asker's own store says; cited directly, and only as far as nobody else brought it.
        prior: An earlier answer of the asker that this one may build on (§12.13).
        asker: Its nodeId and name.
    """
    waiting = sorted(contributions, key=lambda each: _order(each, relevance))
    claims: list[Claim] = []
    dropped: list[Dropped] = []
    cited: set[str] = set()
    heard: set[str] = set()
    for each in waiting:
        why = _objection(each, relevance, cited, heard, len(claims))
        block = each.block
        if why is not None:
            dropped.append(Dropped(block.key, block.author, block.node_id, *why, drift=each.drift))
            continue
        heard.add(block.node_id)
        cited.update(source.key for source in each.sources)
        claims.append(_claim(each, len(claims) + 1))
    claims += _own(own, cited, asker, len(claims))
    if prior is not None:
        text = clipped(prior.categories.get("motivation", ""), limits.ASK_CLAIM_CHARS)
        claims.append(Claim(len(claims) + 1, text, (prior.key,), asker[1], asker[0], own=True, prior=True))
    return Admitted(tuple(claims), tuple(dropped))


def _claim(each: Contribution, number: int) -> Claim:
    block, shown = each.block, {source.key for source in each.sources}
    vouched = tuple((source.key, source.author) for source in each.sources if source.proof == VOUCHED)
    proven = (source.key for source in each.sources if source.proof != VOUCHED)
    return Claim(
        number,
        line_of(block),
        (block.key, *proven),
        block.author,
        block.node_id,
        not_shown=tuple(key for key in each.named if key not in shown),
        vouched=vouched,
    )


def _order(each: Contribution, relevance: Relevance) -> tuple[int, float, str]:
    """Whoever speaks from its own observations goes before who passes others' on; then the more relevant."""
    first_hand = sum(source.node_id == each.block.node_id for source in each.sources)
    return (-first_hand, -relevance.of(each.block).score, each.block.node_id)


def _objection(
    each: Contribution, relevance: Relevance, cited: set[str], heard: set[str], count: int
) -> tuple[str, str] | None:
    """Return why a contribution is dropped, as a stable word and a line; None where it is not."""
    block, shown = each.block, {source.key for source in each.sources}
    score = relevance.of(block).score
    checks: Sequence[tuple[bool, str, str]] = (
        (not each.wakes, "stranger", "its author is not trusted here"),
        (block.node_id in heard, "again", "one contribution of each peer counts"),
        (not each.named, "no-lineage", "it names no source"),
        (
            len(each.named) > limits.ASK_SOURCES,
            "too-many-sources",
            f"it names {len(each.named)} sources; {limits.ASK_SOURCES} count",
        ),
        (not shown, "no-source", "none of the sources it names came with it or is held here, whole and open"),
        (each.decision == Decision.REJECTED, "rejected", "admission rejected it"),
        (not _carried(each), "beyond-sources", "it says what its sources do not"),
        (score < limits.SELF_SELECT_THRESHOLD, "off-question", "it has nothing to do with the question"),
        (shown <= cited, "echo", "others brought all of its sources"),
        (count >= limits.ASK_CONTRIBUTIONS, "too-many", f"{limits.ASK_CONTRIBUTIONS} are weighed"),
    )
    return next(((reason, detail) for true, reason, detail in checks if true), None)


def _carried(each: Contribution) -> bool:
    """Tell whether a contribution stays within its sources, as far as words show it.

    Of sources that are not shown nothing can be said: the words of those that are must carry it all the same.
    """
    said = line_of(each.block)
    sources = [text for source in each.sources for text in source.said().values()]
    words = terms(said)
    there = frozenset[str]().union(*map(terms, sources))
    enough = len(words & there) >= _CARRIED * len(words)
    return enough and numbers(said) <= frozenset[str]().union(*map(numbers, sources))


def _own(own: Selected | None, cited: set[str], asker: tuple[str, str], count: int) -> list[Claim]:
    """Make a claim of what only the asker holds; it tells nobody, so its sources are cited themselves."""
    rest = () if own is None else tuple(each for each in own.sources if each.block.key not in cited)
    if not rest:
        return []
    node_id, name = asker
    text = text_of(extract(Selected(rest)))
    return [Claim(count + 1, text, tuple(each.block.key for each in rest), name, node_id, own=True)]
