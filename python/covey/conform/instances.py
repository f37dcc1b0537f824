"""Values beside a valid one, made from the schema that judges them: each bound hit, each member bent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey.conform.mutate import Path, at, dropped, places, put, shown
from covey.conform.schema import Schema, SchemaError, Validator

_MOST_ITEMS: Final = 5_000
"""Longer lists are not built: the published schemas stop at 4,096."""
_KINDS: Final[tuple[Any, ...]] = (None, True, 5, "text", [], {})
_SAMPLES: Final = (
    "018f47a0-7b21-7abc-8def-0123456789ab",
    "cmb-" + "ab" * 32,
    "auth-" + "ab" * 32,
    "asrt-" + "ab" * 32,
    "sha256-" + "ab" * 32,
    "ab" * 32,
    "ab" * 16,
    "IVL40Zt5HSRFMkLhXy6rbLfP-ntqXtMAl5YOBpiB2xI",  # a point of prime order: published test key
    "A" * 43,
    "A" * 86,
    "A" * 22,
    "word",
    "name-space:path",
    "4",
    "https://example.org/schema",
)


def beside(validator: Validator, schema: Schema, home: str, base: Any) -> Iterator[tuple[str, Any]]:
    """Yield (label, value) for values that differ from `base` in one place."""
    for kind in _KINDS:
        yield f"the whole is {kind!r}", kind
    for path in places(base):
        here, value = shown(path), at(base, path)
        if path:
            for kind in _KINDS:
                yield f"{here} is {kind!r}", put(base, path, kind)
            if isinstance(path[-1], str):
                yield f"{here} is gone", dropped(base, path)
        if isinstance(value, dict):
            yield f"{here} has one more", put(base, (*path, "oneMore"), 1)
        for part, name in _speaking(validator, schema, home, base, path):
            for label, new in _bounds(validator, part, name, value):
                yield f"{here}: {label}", put(base, path, new)


def _speaking(
    validator: Validator, schema: Schema, home: str, base: Any, path: Path
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the object schemas that speak about the place `path` of `base`."""
    found = list(validator.applying(schema, base, home))
    value = base
    for step in path:
        value = value[step]
        below: list[tuple[Mapping[str, Any], str]] = []
        for part, name in found:
            child = part.get("items") if isinstance(step, int) else part.get("properties", {}).get(step)
            if child is not None:
                below += validator.applying(child, value, name)
        found = below
    yield from found


def _bounds(
    validator: Validator, part: Mapping[str, Any], home: str, value: Any
) -> Iterator[tuple[str, Any]]:
    if "const" in part or "enum" in part:
        yield "another word", f"{value}x"
        for word in part.get("enum", ()):
            yield f"the word {word!r}", word
    if isinstance(value, str):
        yield from _texts(part, value)
    if isinstance(value, int) and not isinstance(value, bool):
        yield from ((f"the number {n}", n) for n in _numbers(part))
        yield "a fraction", value + 0.5
    if isinstance(value, list):
        yield from _lists(validator, part, home, value)
    if isinstance(value, dict):
        for name, child in part.get("properties", {}).items():
            if name not in value and child is not True:
                sample = example(validator, child, home)
                yield f"with {name}", {**value, name: sample}


def _texts(part: Mapping[str, Any], value: str) -> Iterator[tuple[str, str]]:
    for bound in ("minLength", "maxLength"):
        for length in (part.get(bound, 0) - 1, part.get(bound, 0), part.get(bound, 0) + 1):
            if bound in part and length >= 0:
                yield f"{length} characters", "a" * length
                yield f"{length} wide characters", "\U0001f9e0" * length
    if "pattern" in part or "format" in part:
        yield "empty", ""
        yield "upper case", value.upper()
        yield "cut", value[:-1]
        yield "longer", value + value[-1:]
        yield "a line break after it", value + "\n"
        yield "a space before it", " " + value
        yield "another sign in it", value[:-1] + "!"


def _numbers(part: Mapping[str, Any]) -> Iterator[int]:
    for bound in ("minimum", "maximum"):
        if bound in part:
            yield from (part[bound] - 1, part[bound], part[bound] + 1)


def _lists(
    validator: Validator, part: Mapping[str, Any], home: str, value: list[Any]
) -> Iterator[tuple[str, list[Any]]]:
    if "items" not in part:
        return
    item = value[0] if value else example(validator, part["items"], home)
    yield "empty", []
    yield "one item", [item]
    yield "the same item twice", [item, item]
    most = part.get("maxItems", _MOST_ITEMS)
    if most < _MOST_ITEMS:
        for count in (most, most + 1):
            yield f"{count} items", [_numbered(item, index) for index in range(count)]


def _numbered(item: Any, index: int) -> Any:
    """Make items differ: digits go where an address or a nodeId ends."""
    if isinstance(item, dict):
        return {name: _numbered(value, index) if name == "nodeId" else value for name, value in item.items()}
    return f"{item[:-6]}{index:06d}" if isinstance(item, str) and len(item) > 12 else item


def example(validator: Validator, schema: Schema, home: str) -> Any:
    """Return a value that a schema accepts.

    Raises:
        SchemaError: None of the samples here fits.
    """
    for candidate in _candidates(validator, schema, home):
        if validator.is_valid(schema, candidate, home):
            return candidate
    raise SchemaError("no sample fits")


def _candidates(validator: Validator, schema: Schema, home: str) -> Iterator[Any]:
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        found, name = validator.resolve(schema["$ref"], home)
        yield from _candidates(validator, found, name)
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _candidates(validator, branch, home)
    if "allOf" in schema:
        firsts = [next(_candidates(validator, branch, home), None) for branch in schema["allOf"]]
        yield {name: value for first in firsts if isinstance(first, dict) for name, value in first.items()}
    if "const" in schema:
        yield schema["const"]
    yield from schema.get("enum", ())
    if "properties" in schema:
        parts, needed = schema["properties"], schema.get("required", ())
        yield {name: example(validator, parts[name], home) for name in needed if name in parts}
    if schema.get("type") == "array":
        yield []
        if "items" in schema:
            yield [example(validator, schema["items"], home)]
    yield schema.get("minimum", 0)
    yield from (True, None)
    yield from _SAMPLES
