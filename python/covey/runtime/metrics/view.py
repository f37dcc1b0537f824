"""A peer's status as a page for people: read-only, without a script, made anew for each request.

Rules: whatever a peer, a model or a file said is text here and stays text: every value passes `html.escape`,
and what steers terminals or editors is made visible.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any, Final

CONTENT_TYPE: Final = "text/html; charset=utf-8"
REFRESH_SECONDS: Final = 5
_HIDDEN: Final = frozenset({"counters", "latest", "decisions"})
"""What has a table of its own, or is on the page of metrics."""
_STYLE: Final = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em}"
    "table{border-collapse:collapse;width:100%;margin-bottom:2em}"
    "td,th{border-bottom:1px solid #8884;padding:.25em .5em;text-align:left;vertical-align:top}"
    "th{width:16em;font-weight:normal;opacity:.7}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}"
)


def page(status: Mapping[str, Any]) -> str:
    """Return the page."""
    name = shown(status["peer"])
    agent = status.get("agent")
    parts = [
        "<!doctype html>",
        f'<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="{REFRESH_SECONDS}">',
        f"<title>{name} - covey</title><style>{_STYLE}</style>",
        f"<h1>{name}</h1>",
        _table("the mesh", flat(status["node"])),
    ]
    if agent is not None:
        parts.append(_table("the agent", flat(agent)))
        latest = [
            (each["event"], f"{each['reason']} {each['detail']}".strip())
            for each in reversed(agent.get("latest") or [])
        ]
        parts.append(_table("latest decisions, newest first", latest or [("none", "so far")]))
    process = {name: value for name, value in status.items() if name not in ("node", "agent", "peer")}
    parts.append(_table("the process", flat(process)))
    return "\n".join(parts) + "\n"


def flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested facts as rows; lists on one line."""
    for name, value in facts.items():
        label = f"{prefix}{name}".replace("_", " ")
        if name in _HIDDEN:
            continue
        if isinstance(value, Mapping):
            yield from flat(value, f"{label} ")
        elif isinstance(value, list | tuple):
            yield label, ", ".join(map(_line, value)) or "none"
        else:
            yield label, "-" if value is None else str(value)


def shown(text: object) -> str:
    """Return any text as HTML that says it and does nothing else."""
    plain = "".join(char if char == " " or char.isprintable() else ascii(char)[1:-1] for char in str(text))
    return html.escape(plain, quote=True)


def _line(item: object) -> str:
    if isinstance(item, Mapping):
        return " ".join(f"{name}={value}" for name, value in item.items() if value not in (None, "", [], {}))
    return str(item)


def _table(title: str, rows: Any) -> str:
    body = "\n".join(f"<tr><th>{shown(name)}</th><td>{shown(value)}</td></tr>" for name, value in rows)
    return f"<h2>{title}</h2><table>{body}</table>"
