"""Documents of JSON, each with one value of another type: what a decoder must refuse or take, and survive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

_DEEP: Final = 900
"""Nested so often, a reader that follows what it met is near the end of Python's stack."""
_MOST: Final = 40
"""Members of one document that are tried; more of them repeat the same shape."""


class _Raw(str):
    """What stands in the document as it is."""


WRONG: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    1.5,
    _Raw("1e999"),
    _Raw("NaN"),
    _Raw("1" + "0" * 400),
    "",
    "x" * 5_000,
    _Raw('"\\ud800"'),
    [],
    {},
    [[]],
    [None, 1, "\x00"],
    {"more": 1},
    _Raw("[" * _DEEP + "]" * _DEEP),
)


def documents(data: bytes) -> Iterator[bytes]:
    """Give a document with each of its values replaced, left out, doubled, or beside an unknown one."""
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError):
        return
    for path in _paths(whole)[:_MOST]:
        for wrong in WRONG:
            yield _with(whole, path, wrong)
        if path:
            yield _with(whole, path, None, leave_out=True)
    for path in _paths(whole)[:_MOST]:
        if isinstance(_at(whole, path), dict):
            yield _with(whole, (*path, "more"), 1)
            yield _with(whole, (*path, "\ud800"), 1)


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [before, *(path for name, each in inner for path in _paths(each, (*before, name)))]


def _with(whole: Any, path: tuple[Any, ...], wrong: Any, *, leave_out: bool = False) -> bytes:
    marked = json.loads(json.dumps(whole))
    raw = wrong if isinstance(wrong, _Raw) else json.dumps(wrong)
    if not path:
        return raw.encode()
    parent = _at(marked, path[:-1])
    if leave_out:
        del parent[path[-1]]
        return json.dumps(marked).encode()
    mark = "\x01here\x01"
    parent[path[-1]] = mark
    return json.dumps(marked).replace(json.dumps(mark), raw, 1).encode()
