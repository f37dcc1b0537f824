"""An agent.toml of the Node product in covey's words: what is renamed, what means something else, what goes.

Rules: covey's own reader decides what can stay; what it refuses is left out with its own words, never
guessed. Where a key meant less there than it says, covey's safe meaning is written and said.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from covey import limits
from covey.cli.migrate.source import Unusable
from covey.errors import ConfigError, Problem
from covey.settings import Settings, from_mapping
from covey.settings.reader import dotted
from covey.settings.scaffold import SCHEMA_LINE
from covey.settings.toml import document, quoted
from covey.values import dataclass

_RENAMED: Final = {("mesh", "group"): "room", ("context", "n_group"): "n_room"}
_OLD_MODEL: Final = "claude-opus-4-7"
"""What the Node product asked every adapter for when a file named no model."""
_NEEDED: Final = ("identity", "identity.name", "mesh.room", "model", "model.adapter")
"""What a configuration cannot do without, or would silently mean something else without."""
_ROUNDS: Final = 8
"""Times the reader is asked: each round leaves out what it refused, and checks between keys come last."""


@dataclass(slots=True)
class Carried:
    """A configuration on its way: its data, and what was said about it."""

    file: Path
    data: dict[str, dict[str, Any]]
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return whose it is, as the file says it."""
        return str(self.data["identity"]["name"])

    @property
    def room(self) -> str:
        """Return the room it sat in."""
        room = self.data.get("mesh", {}).get("room", "default")
        return room if isinstance(room, str) else ""

    def text(self) -> str:
        """Return it as covey's agent.toml; the same for the same source, whenever it is made."""
        told = f"# Carried over by `covey migrate` from {quoted(str(self.file))}; its comments stayed there."
        return f"{SCHEMA_LINE}\n{told}\n\n{document(self.data)}"


def read(file: Path) -> Carried:
    """Read a configuration and put it in covey's words; `settle` decides what can stay.

    Raises:
        Unusable: It cannot be read at all.
    """
    try:
        with file.open("rb") as source:
            raw = source.read(limits.CONFIG_BYTES + 1)
        if len(raw) > limits.CONFIG_BYTES:
            raise Unusable(f"{file} has more than {limits.CONFIG_BYTES} bytes")
        found = tomllib.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        raise Unusable(f"cannot read {file}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{file} is not valid TOML: {error}") from error
    carried = Carried(file.absolute(), {})
    _name_of(file, found)
    for section, table in found.items():
        if isinstance(table, dict):
            carried.data[section] = dict(table)
        else:
            carried.left_out.append(f"{section}: expected a table")
    _rename(carried)
    _reword(carried)
    return carried


def _name_of(file: Path, found: Mapping[str, Any]) -> None:
    identity = found.get("identity")
    if not isinstance(identity, dict) or not isinstance(identity.get("name"), str):
        raise Unusable(f"{file}: no identity.name")


def settle(carried: Carried, base: Path) -> Settings:
    """Leave out what covey's reader refuses, and return what the rest means.

    Raises:
        Unusable: What it needs most is missing or refused.
    """
    for _ in range(_ROUNDS):
        try:
            settings = from_mapping(carried.data, file=str(carried.file), base=base)
        except ConfigError as error:
            first = {problem.key: problem for problem in reversed(error.problems)}
            for problem in first.values():
                if problem.key != "<root>" or len(first) == 1:  # a long list ends with how long it is
                    _leave_out(carried, problem)
        else:
            return settings
    raise Unusable(f"{carried.file} cannot be put in covey's words")


def _leave_out(carried: Carried, problem: Problem) -> None:
    found = "" if problem.found is None else f", got {problem.found}"
    advice = "" if problem.hint is None else f" ({problem.hint})"
    said = f"{problem.key}: expected {problem.expected}{found}{advice}"
    place = next((each for each in _places(carried.data) if dotted(each) == problem.key), None)
    if problem.key in _NEEDED or place is None:
        raise Unusable(f"{carried.file}: {said}")
    if len(place) == 1:
        del carried.data[place[0]]
    else:
        del carried.data[place[0]][place[1]]
    carried.left_out.append(said)


def _places(data: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for section, table in data.items():
        yield (section,)
        yield from ((section, key) for key in table)


def _rename(carried: Carried) -> None:
    for (section, old), new in _RENAMED.items():
        table = carried.data.get(section, {})
        if old in table and new not in table:
            carried.data[section] = {new if key == old else key: value for key, value in table.items()}
            carried.notes.append(f"{section}.{old} is called {new} now")


def _reword(carried: Carried) -> None:
    """Change what would mean something else here."""
    data, notes = carried.data, carried.notes
    model, safety, logging = data.get("model", {}), data.get("safety", {}), data.get("logging", {})
    if "model_name" not in model:
        if model.get("adapter") == "anthropic":
            model["model_name"] = _OLD_MODEL
            notes.append(f"model.model_name was not said and meant {_OLD_MODEL}: now it is said")
        else:
            notes.append(f"model.model_name is not said: here that is the adapter's own, there {_OLD_MODEL}")
    if safety.get("approval_gates") == "none":
        safety["approval_gates"] = "default"
        notes.append(
            'safety.approval_gates = "none" was ignored there; here it would hold, so "default" stays'
        )
    if "file_path" in logging:
        del logging["file_path"]
        carried.left_out.append("logging.file_path: so that no log has two writers; set it to a new file")
    if "budget" in data:
        notes.append("the caps for an hour and a day are enforced here; there they were only shown")
    if "api_key" in model:
        notes.append("model.api_key is a secret in a file: the environment is a better place")
    if data.get("mesh", {}).get("relay") is not None:
        notes.append('mesh.relay: stock peers there are met with profile = "legacy" under [mesh]')
