"""Why memory took a block or turned it down, from the rows that admission left, as text for an agent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from covey.agent.prompt import quoted
from covey.runtime.mcp.quoting import when


def text(decisions: Sequence[Mapping[str, Any]]) -> str:
    """Return the decisions, newest first, category by category."""
    if not decisions:
        return "No decision is recorded here: an own block is not judged, and what was never heard neither."
    return "\n".join(line for each in decisions for line in _lines(each))


def _lines(row: Mapping[str, Any]) -> Iterator[str]:
    why = ": ".join(quoted(str(part)) for part in (row["reason"], row["detail"]) if part)
    yield f"{row['kind']} {row['key']} at {when(row['at_ms'])}, heard from {row['from_node_id']}" + (
        f" ({why})" if why else ""
    )
    found = row["evaluation"]
    if found is None:
        yield "  not judged"
        return
    yield (
        f"  {found['decision']}: total drift {found['total_drift']:.3f} "
        f"(content {found['field_drift']:.3f}, time {found['temporal_drift']:.3f})"
    )
    for each in found["categories"]:
        drift = "silent" if each["drift"] is None else f"drift {each['drift']:.3f}"
        cause = f", {quoted(each['cause'])}" if each["cause"] else ""
        yield f"  {each['name']}: {each['verdict']}, {drift}, weight {each['weight']:g}{cause}"
