"""Read one TOML table into one dataclass, with every problem named.

Rules: the dataclass's own fields are the grammar (see `rules.key`); an unknown key is a problem, an older
name is read as the new one, a key this build does not do is said to be so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from pathlib import Path as FilePath
from typing import Any

from covey.settings.rules import MISSING, Key, Path, Report, nearest, shown, toml_type
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A TOML table that becomes a value of `cls`."""

    cls: type[Any]

    def read(self, value: object, at: Path, report: Report) -> Any:
        """Return a `cls`, or report every problem in the table."""
        if not isinstance(value, dict):
            report(at, "a table", toml_type(value))
            return MISSING
        known = {spec.name: spec for spec in fields(self.cls)}
        written = _written(value, known, at, report)
        read: dict[str, Any] = {}
        complete = True
        for name, spec in known.items():
            entry = _entry(spec)
            here = (*at, written.get(name, name))
            if name not in written:
                complete &= _required(entry, spec, here, report)
            elif entry.unsupported is not None:
                report(here, "a key this build supports", "one it does not", entry.unsupported)
                complete = False
            else:
                read[name] = entry.rule.read(value[written[name]], here, report)
                complete &= read[name] is not MISSING
        return self.cls(**read) if complete else MISSING

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the table, with descriptions and defaults."""
        properties: dict[str, Any] = {}
        required: list[str] = []
        for spec in fields(self.cls):
            entry = _entry(spec)
            if entry.unsupported is not None:
                continue
            made = {**entry.rule.schema(), "description": entry.about}
            default = _default(spec)
            if default is NO_DEFAULT:
                required.append(spec.name)
            elif _plain(default):
                made["default"] = list(default) if isinstance(default, tuple) else default
            properties[spec.name] = made
            if entry.older is not None:
                older = f"older name of {spec.name}"
                properties[entry.older] = {**entry.rule.schema(), "description": older, "deprecated": True}
        schema = {"type": "object", "additionalProperties": False, "properties": properties}
        return {**schema, "required": required} if required else schema


def _written(
    value: Mapping[str, Any], known: Mapping[str, Field[Any]], at: Path, report: Report
) -> dict[str, str]:
    """Return, by today's name of each key in the table, the name it is written under there.

    Unknown keys, and older names that contradict their new ones, are reported.
    """
    older = {entry.older: name for name, spec in known.items() if (entry := _entry(spec)).older}
    written = {name: name for name in value if name in known}
    for name, item in value.items():
        if name in known:
            continue
        new = older.get(name)
        if new is None:
            _unknown(name, known, at, report)
        elif new not in value:
            written[new] = name
        elif value[new] != item:
            report(
                (*at, name),
                f"the same value as `{new}`, whose older name it is",
                shown(item),
                f"keep `{new}` and remove `{name}`",
            )
    return written


def _unknown(name: str, known: Mapping[str, Field[Any]], at: Path, report: Report) -> None:
    supported = [known_name for known_name, spec in known.items() if _entry(spec).unsupported is None]
    guess = nearest(name, list(known))
    report(
        (*at, name),
        "one of " + ", ".join(supported),
        "an unknown key",
        f"did you mean `{guess}`?" if guess else "see `covey schema` for every key",
    )


def _required(entry: Key, spec: Field[Any], at: Path, report: Report) -> bool:
    """Report a missing required key; say whether the table can still be built without it."""
    if _default(spec) is not NO_DEFAULT:
        return True
    what = "a table" if isinstance(entry.rule, Table) else "a value"
    report(at, f"{what}: {entry.about}", "nothing")
    return False


def _default(spec: Field[Any]) -> Any:
    return spec.default if spec.default_factory is NO_DEFAULT else spec.default_factory()


def _entry(spec: Field[Any]) -> Key:
    entry = spec.metadata["key"]
    if not isinstance(entry, Key):
        raise TypeError(f"the field {spec.name} carries no rule")
    return entry


def _plain(default: object) -> bool:
    """Say whether a default can stand in JSON and says something there."""
    if (
        default is None
        or default == ""
        or is_dataclass(default)
        or isinstance(default, Mapping | FilePath | Enum)
    ):
        return False
    return not isinstance(default, tuple) or not default
