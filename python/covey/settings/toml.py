"""Write TOML: values as text that reads back as the same values, whatever their characters.

Rules: pure; the other half of `tomllib`. Every string a person or a file chose goes through `quoted`, so that
no quote, line break or control character in it can become a key, a table or a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def quoted(text: str) -> str:
    """Return `text` as a basic string on one line.

    Raises:
        ValueError: It holds a lone surrogate, which no TOML file can say.
    """
    return '"' + "".join(map(_escaped, text)) + '"'


def key(name: str) -> str:
    """Return a key, quoted where it needs to be."""
    return name if _BARE.match(name) else quoted(name)


def value(item: object) -> str:
    """Return a value as TOML, tables inline.

    Raises:
        ValueError: A string in it holds a lone surrogate.
        TypeError: It is of no kind that agent.toml has.
    """
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str):
        return quoted(item)
    if isinstance(item, int | float):
        return repr(item)
    if isinstance(item, list | tuple):
        return f"[{', '.join(map(value, item))}]"
    if isinstance(item, Mapping):
        return "{" + ", ".join(f"{key(name)} = {value(inner)}" for name, inner in item.items()) + "}"
    raise TypeError(f"no TOML value of agent.toml: {type(item).__name__}")


def document(tables: Mapping[str, object]) -> str:
    """Return a document: plain values first, then one `[table]` for each mapping.

    Raises:
        ValueError: As `value`.
        TypeError: As `value`.
    """
    return "\n".join(_lines(tables, ())).strip("\n") + "\n"


def _lines(tables: Mapping[str, object], at: tuple[str, ...]) -> Iterator[str]:
    for name, item in tables.items():
        if not isinstance(item, Mapping):
            yield f"{key(name)} = {value(item)}"
    for name, item in tables.items():
        if isinstance(item, Mapping):
            path = (*at, name)
            yield f"\n[{'.'.join(map(key, path))}]"
            yield from _lines(item, path)


def _escaped(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    if "\ud800" <= char <= "\udfff":
        raise ValueError("a lone surrogate, which no file in UTF-8 can hold")
    # What is not printable is legal in TOML but steers editors: direction marks, line separators.
    if char == " " or char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
