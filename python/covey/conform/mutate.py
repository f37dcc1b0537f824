"""Values made wrong in one place each: what every verifier must refuse."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Path = tuple[Any, ...]

_UNSIGNED = ("method", "valence", "arousal")
"""Covered by no signature, and dropped by a verifier (§8.8.4)."""


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value inside, the whole first."""
    yield path
    if isinstance(value, dict):
        for name, child in value.items():
            yield from places(child, (*path, name))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from places(child, (*path, index))


def at(value: Any, path: Path) -> Any:
    """Return what stands at a path."""
    for step in path:
        value = value[step]
    return value


def changed(value: Any, path: Path, edit: Callable[[Any, Any], None]) -> Any:
    """Return a copy, after `edit(parent, last step)`."""
    if not path:
        raise ValueError("the whole value has no parent")
    copied = copy.deepcopy(value)
    edit(at(copied, path[:-1]), path[-1])
    return copied


def put(value: Any, path: Path, new: Any) -> Any:
    """Return a copy with `new` at a path."""
    if not path:
        return new

    def edit(parent: Any, name: Any) -> None:
        parent[name] = new

    return changed(value, path, edit)


def dropped(value: Any, path: Path) -> Any:
    """Return a copy without one member."""
    return changed(value, path, lambda parent, name: parent.pop(name))


def shown(path: Path) -> str:
    """Return a path for a label."""
    return ".".join(str(step) for step in path) or "<whole>"


def spoiled(record: Any) -> Iterator[tuple[str, Any]]:
    """Yield a signed record with one signed place wrong, gone, or null, and with members too many.

    Left out is what says the same as before: an absent application and a null one, whatever is unsigned.
    """
    for path in places(record):
        if not path or path[-1] in _UNSIGNED:
            continue
        value, name = at(record, path), shown(path)
        yield f"{name} changed", put(record, path, _other(value))
        if not isinstance(path[-1], str):
            continue
        if path != ("metadata", "application") or value is not None:
            yield f"{name} gone", dropped(record, path)
            if value is not None:
                yield f"{name} null", put(record, path, None)
        if path[0] != "categories" or len(path) > 2:
            yield f"a member beside {name}", put(record, (*path[:-1], "extra"), 1)


def spoiled_members(signed: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield a signed object, every member of which counts, with one place wrong or gone, or one too many."""
    for path in places(signed):
        if not path:
            continue
        value, name = at(signed, path), shown(path)
        if not isinstance(value, dict):
            yield f"{name} changed", put(signed, path, _other(value))
        yield f"{name} gone", dropped(signed, path)
        yield f"{name} null", put(signed, path, None)
    yield "a member more", {**signed, "oneMore": 1}


def _other(value: Any) -> Any:
    if isinstance(value, str):
        return value[:-1] + ("a" if value[-1:] != "a" else "b")
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return "x"
