"""A kept decision as lines of text: what it was, then each category, then the sums, then what it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey.cli.blocks import attestation, because, clock, short_key, word
from covey.cli.console import Console, printable
from covey.model import CAT7

_NAME_WIDTH: Final = max(len(name) for name in CAT7)
_CAUSES: Final = {"no-text": "says nothing", "no-anchor": "memory holds nothing to compare it with"}


def lines(console: Console, found: Mapping[str, Any]) -> Iterator[str]:
    """Yield everything that is known of the decisions about a block."""
    block = found["block"]
    if block is None:
        yield f"{found['key']} is not held"
    else:
        yield f"{found['key']} by {console.style(printable(block['author']), 'bold')}"
        for name, text in block["said"].items():
            yield f"  {name:<{_NAME_WIDTH}}  {_short(text, 80)}"
    if found.get("attested"):
        yield f"  {attestation(console, found['attested'])}"
    if not found["decisions"]:
        yield "no decision is kept: it is this peer's own, or the decision is older than what is kept"
    for decided in found["decisions"]:
        yield from _decision(console, decided, found["near"])


def _decision(console: Console, decided: Mapping[str, Any], near: Mapping[str, Any]) -> Iterator[str]:
    by = f"author {decided['node_id']}, brought by {decided['from_node_id']}"
    yield ""
    head = f"{clock(decided['at_ms'])}  {word(console, decided['outcome'])}"
    judgement, basis = decided["judgement"], decided["basis"]
    if judgement is None:
        yield f"{head}  {decided['reason']}: {printable(decided['detail'])}"
        yield console.style(f"  {by} (as it claimed: it was refused before it was judged)", "dim")
        return
    yield f"{head}  {printable(because(decided['outcome'], decided['detail']))}"
    yield console.style(f"  {by}", "dim")
    if basis is not None:
        yield f"  path {basis['path']}, encoder {basis['kernel']}, compared with {_blocks(basis['anchors'])}"
    nearest = {} if basis is None else basis["nearest"]
    yield f"  {'category':<{_NAME_WIDTH}}  verdict    drift  nearest  weight"
    for each in judgement["categories"]:
        yield _category(console, each, nearest.get(each["name"]), near)
    yield from _sums(decided)
    if basis is not None and basis["moved"] is not None:
        yield f"  what others learned moved it by {basis['moved']:+.3f} (covey substrate show)"
    yield from _lineage(basis, near)


def _category(console: Console, each: Mapping[str, Any], key: str | None, near: Mapping[str, Any]) -> str:
    name = f"  {each['name']:<{_NAME_WIDTH}}"
    if each["drift"] is None:
        return console.style(f"{name}  {each['verdict']:<9}  {_CAUSES.get(each['cause'], '')}", "dim")
    numbers = f"{each['drift']:>6.2f}  {each['nearest']:>7.2f}  {each['weight']:>6.2f}"
    line = f"{name}  {each['verdict']:<9} {numbers}"
    if key is None:
        return line
    held = near.get(key)
    if held is None:
        return f"{line}  [{short_key(key)}] (not held any more)"
    said = held["said"].get(each["name"], "")
    return f"{line}  [{short_key(key)}] {printable(held['author'])}: {_short(said, 48)}"


def _sums(decided: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sums of the baseline's arithmetic, and on which side of its thresholds they lie."""
    judgement, numbers = decided["judgement"], decided["thresholds"]
    share = numbers["temporal_lambda"]
    yield (
        f"  content {judgement['field_drift']:.2f} x {1 - share:.2f} + age {judgement['temporal_drift']:.2f}"
        f" x {share:.2f} = {judgement['total_drift']:.2f}"
        f" (aligned up to {numbers['stable']:.2f}, guarded up to {numbers['guarded']:.2f})"
    )
    if any(each["drift"] is not None for each in judgement["categories"]):
        furthest, least = decided["max_nearest"], numbers["redundancy"]
        said = "all it says is held already" if furthest < least else "something in it is new"
        side = "under" if furthest < least else "not under"
        yield f"  novelty {furthest:.2f}, {side} {least:.2f}: {said}"


def _lineage(basis: Mapping[str, Any] | None, near: Mapping[str, Any]) -> Iterator[str]:
    if basis is None or basis["lineage"] is None:
        return
    held = near.get(basis["lineage"])
    whose = "" if held is None else f" by {printable(held['author'])}"
    yield f"  answers [{short_key(basis['lineage'])}]{whose}, which memory held"
    if basis["grounding"]:
        yield "  reports an outcome: it may repeat the words of what it reports on"


def _blocks(count: int) -> str:
    return "1 block" if count == 1 else f"{count} blocks"


def _short(text: str, width: int) -> str:
    shown = printable(text)
    return shown if len(shown) <= width else shown[: width - 3] + "..."
