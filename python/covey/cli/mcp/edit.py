"""Changing one entry of a configuration that is somebody else's: text in, text out, the rest as it was.

Rules: pure. A file that cannot be read as what it should be is refused, never rewritten; so is JSON with
comments, which would be lost. What comes out is read again and compared before anybody writes it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from covey.errors import UsageError

Entry = Mapping[str, Any]


def read(text: str, form: str) -> dict[str, Any]:
    """Return what a configuration says.

    Raises:
        UsageError: It cannot be read; the message says where.
    """
    try:
        value = tomllib.loads(text) if form == "toml" else json.loads(text or "{}", object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        hint = "it may hold comments, which would be lost: add the entry by hand (--print shows it)"
        raise UsageError(
            f"not plain {form.upper()}: {error}", hint=hint if form == "json" else None
        ) from error
    if not isinstance(value, dict):
        raise UsageError(f"expected one {form.upper()} object")
    return value


def entry_of(config: Mapping[str, Any], table: str, name: str) -> dict[str, Any] | None:
    """Return the entry of this name, or None.

    Raises:
        UsageError: There is something else in its place.
    """
    servers = config.get(table, {})
    found = servers.get(name) if isinstance(servers, dict) else servers
    if not isinstance(servers, dict) or not (found is None or isinstance(found, dict)):
        raise UsageError(f"{table}: expected an object of objects")
    return found


def changed(text: str, form: str, table: str, name: str, entry: Entry | None) -> str:
    """Return the configuration with the entry in it, or without it where `entry` is None.

    Raises:
        UsageError: It cannot be read, or not be changed without touching something else.
    """
    before = read(text, form)
    wanted = _with(before, table, name, entry)
    after = _toml(text, table, name, entry) if form == "toml" else _json(text, wanted)
    emptied = {key: value for key, value in wanted.items() if key != table or value}
    if read(after, form) not in (wanted, emptied):
        raise UsageError(
            f"cannot change {table}.{name} without changing more: edit it by hand (--print shows it)"
        )
    return after


def shown(form: str, table: str, name: str, entry: Entry) -> str:
    """Return the entry alone, as it stands in such a file."""
    return (
        _toml("", table, name, entry)
        if form == "toml"
        else json.dumps({table: {name: entry}}, indent=2) + "\n"
    )


def _with(config: Mapping[str, Any], table: str, name: str, entry: Entry | None) -> dict[str, Any]:
    entry_of(config, table, name)
    servers = {key: value for key, value in config.get(table, {}).items() if key != name or entry is not None}
    if entry is not None:
        servers[name] = dict(entry)
    rest = {key: value for key, value in config.items() if key != table}
    if not servers and table not in config:
        return rest
    # The table stays where it was in the file.
    return {key: servers if key == table else value for key, value in {**config, table: servers}.items()}


def _json(text: str, wanted: Mapping[str, Any]) -> str:
    indented = re.search(r"^[{\[]\s*\n([ \t]+)\S", text)
    indent: str | int | None = (
        indented[1] if indented else (2 if "\n" in text.strip() or len(text) < 4 else None)
    )
    end = "\n" if text.endswith("\n") or not text else ""
    written = json.dumps(wanted, indent=indent, ensure_ascii=False)
    # half a character, which the file says by an escape, is written by one again
    return written.encode(errors="backslashreplace").decode() + end


def _toml(text: str, table: str, name: str, entry: Entry | None) -> str:
    key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)
    header = re.compile(
        rf"^\[{re.escape(table)}\.(?:{re.escape(key)}|{re.escape(json.dumps(name))})(?:\.[^\]]+)?\]"
    )
    kept: list[str] = []
    skipping, place = False, None
    for line in text.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            skipping = bool(header.match(line.strip()))
            place = len(kept) if skipping and place is None else place
        if not skipping:
            kept.append(line)
    if entry is None:
        return "".join(kept)
    simple = {each: value for each, value in entry.items() if not isinstance(value, Mapping)}
    lines = [f"[{table}.{key}]", *(f"{each} = {json.dumps(value)}" for each, value in simple.items())]
    for each, value in entry.items():
        if isinstance(value, Mapping):
            lines += [
                f"[{table}.{key}.{each}]",
                *(f"{inner} = {json.dumps(text)}" for inner, text in value.items()),
            ]
    block = "\n".join(lines) + "\n"
    head = "".join(kept if place is None else kept[:place])
    tail = "" if place is None else "".join(kept[place:])
    gap = "" if not head or head.endswith("\n\n") else "\n" if head.endswith("\n") else "\n\n"
    return head + gap + block + ("\n" + tail if tail else "")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands there twice")
    return found
