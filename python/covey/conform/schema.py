"""JSON Schema 2020-12, as much of it as the published schemas use: a second opinion on what is valid.

Rules: a keyword outside the list below is an error and never skipped, or the opinion would be worth nothing.
`format` is asserted for `uuid` and `uri`, since the published schemas mean it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Schema = Any
_ANNOTATIONS: Final = frozenset({"$schema", "$id", "$defs", "title", "description", "then", "else"})
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")


class SchemaError(ValueError):
    """A schema that this reader does not understand whole."""


class Validator:
    """The schemas of one folder, which refer to each other by file name."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def resolve(self, reference: str, home: str) -> tuple[Schema, str]:
        """Return what a `$ref` of the file `home` names, and the file it is in.

        Raises:
            SchemaError: There is no such schema.
        """
        name, _, inside = reference.partition("#")
        name = name or home
        try:
            found = self._schemas[name]
            for step in inside.strip("/").split("/") if inside else ():
                found = found[step]
        except (KeyError, TypeError) as error:
            raise SchemaError(f"no such schema: {reference}") from error
        return found, name

    def is_valid(self, schema: Schema, value: Any, home: str) -> bool:
        """Tell whether a value is valid.

        Raises:
            SchemaError: The schema uses what this reader does not know.
        """
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise SchemaError("a schema is an object or a boolean")
        return all(self._keyword(name, schema, value, home) for name in schema if name not in _ANNOTATIONS)

    def applying(self, schema: Schema, value: Any, home: str) -> Iterator[tuple[Mapping[str, Any], str]]:
        """Yield every object schema that speaks about `value`: references and valid branches followed."""
        if not isinstance(schema, dict):
            return
        yield schema, home
        if "$ref" in schema:
            found, name = self.resolve(schema["$ref"], home)
            yield from self.applying(found, value, name)
        for branch in schema.get("allOf", ()):
            yield from self.applying(branch, value, home)
        for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
            if self.is_valid(branch, value, home):
                yield from self.applying(branch, value, home)

    def _keyword(self, name: str, schema: Mapping[str, Any], value: Any, home: str) -> bool:
        wanted = schema[name]
        if name in _VALUES:
            return _VALUES[name](wanted, value)
        match name:
            case "$ref":
                found, place = self.resolve(wanted, home)
                return self.is_valid(found, value, place)
            case "allOf":
                return all(self.is_valid(branch, value, home) for branch in wanted)
            case "anyOf":
                return any(self.is_valid(branch, value, home) for branch in wanted)
            case "oneOf":
                return sum(self.is_valid(branch, value, home) for branch in wanted) == 1
            case "if":
                branch = "then" if self.is_valid(wanted, value, home) else "else"
                return self.is_valid(schema.get(branch, True), value, home)
            case "items":
                return not isinstance(value, list) or all(self.is_valid(wanted, v, home) for v in value)
            case "properties":
                return not isinstance(value, dict) or all(
                    self.is_valid(part, value[key], home) for key, part in wanted.items() if key in value
                )
            case "additionalProperties":
                known = schema.get("properties", {})
                return not isinstance(value, dict) or all(
                    self.is_valid(wanted, value[key], home) for key in value if key not in known
                )
        raise SchemaError(f"unknown keyword: {name}")


def _is_type(wanted: str | list[str], value: Any) -> bool:
    kinds = [wanted] if isinstance(wanted, str) else wanted
    return any(_TYPES[kind](value) for kind in kinds)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _number,
    "integer": lambda value: _number(value) and value == int(value),
}


def _format(wanted: str, value: Any) -> bool:
    pattern = {"uuid": _UUID, "uri": _URI}.get(wanted)
    if pattern is None:
        raise SchemaError(f"unknown format: {wanted}")
    return not isinstance(value, str) or pattern.fullmatch(value) is not None


def _pattern(wanted: str, value: Any) -> bool:
    # ECMAScript's `$` is the end of the text; Python's would also allow a line break before it.
    ending = re.sub(r"(?<!\\)\$$", r"\\Z", wanted)
    return not isinstance(value, str) or re.search(ending, value) is not None


def _unique(wanted: bool, value: Any) -> bool:
    return not wanted or not isinstance(value, list) or all(v not in value[:i] for i, v in enumerate(value))


def _equal(wanted: Any, value: Any) -> bool:
    return type(wanted) is type(value) and bool(wanted == value)


_VALUES: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "type": _is_type,
    "const": _equal,
    "enum": lambda wanted, value: any(_equal(one, value) for one in wanted),
    "required": lambda wanted, value: not isinstance(value, dict) or all(name in value for name in wanted),
    "minLength": lambda wanted, value: not isinstance(value, str) or len(value) >= wanted,
    "maxLength": lambda wanted, value: not isinstance(value, str) or len(value) <= wanted,
    "minItems": lambda wanted, value: not isinstance(value, list) or len(value) >= wanted,
    "maxItems": lambda wanted, value: not isinstance(value, list) or len(value) <= wanted,
    "minimum": lambda wanted, value: not _number(value) or value >= wanted,
    "maximum": lambda wanted, value: not _number(value) or value <= wanted,
    "uniqueItems": _unique,
    "pattern": _pattern,
    "format": _format,
}
