"""An answer of the mesh as one text for a model: what peers wrote stands quoted, with the keys to cite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from covey.runtime.mcp.headers import named
from covey.runtime.mcp.quoting import Quoter


def text(found: Mapping[str, Any], quoter: Quoter, shown: Callable[[str], bool]) -> str:
    """Return an answer of the verb `ask`; claims of authors that are not shown are left out, and counted."""
    claims = {each["number"]: each for each in found["claims"]}
    visible = {number for number, each in claims.items() if each["own"] or shown(each["author"])}
    rows = []
    for sentence in found["answer"]:
        if not set(sentence["claims"]) <= visible:
            continue
        by = ", ".join(named(claims[number]["author"]) for number in sentence["claims"])
        rows.append((f"{by}; cite {' '.join(sentence['cites'])}", sentence["text"]))
    lines = [quoter.lines(rows) if rows else "No answer: nobody had anything to say that counts."]
    if found["illustrative"] and rows:
        lines.append(
            "Illustrative: the contributions restated, no model's words. Compose from them, and cite."
        )
    hidden = len(found["answer"]) - len(rows)
    if hidden:
        lines.append(f"not shown by this server's settings: {hidden}")
    lines += [f"Silent: {named(e['name'] or e['node_id'])}: {e['detail']}." for e in found["silent"]]
    lines += [f"Dropped: {named(each['author'])}: {each['detail']}." for each in found["dropped"]]
    written = found["synthesis"]
    if written is not None and written["key"] is not None:
        lines.append(f"Written back as {written['key']}.")
    return "\n".join(lines)
