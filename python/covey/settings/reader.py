"""Read agent.toml into Settings, or say everything that is wrong with it at once.

Rules: one way in for each kind of source (`load` a file, `parse` a text, `from_mapping` data that a program
made); all three check the same table (`values`). Only `load` and the prompt file touch the disk.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar, runtime_checkable

from covey import limits
from covey.errors import ConfigError, Problem
from covey.settings.adapters import ADAPTER_NAME, ADAPTERS, Others, none_offered
from covey.settings.checks import check
from covey.settings.locate import Lines, locate
from covey.settings.prompt import OWN_VARIABLES, filled, places
from covey.settings.roles import preset
from covey.settings.rules import MISSING, OneOf, Report, nearest
from covey.settings.rules import Path as KeyPath
from covey.settings.table import Table
from covey.settings.values import Settings

_DRY_RUN = "fix the lines above; `covey dry-run --config <path>` checks again without joining the mesh"
_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_SYNTAX_LINE = "(at line "
Read = TypeVar("Read")


@runtime_checkable
class Whole(Protocol):
    """A table that also says what must hold between its keys."""

    def check(self, report: Report) -> None:
        """Report every contradiction."""


def load(path: Path, *, others: Others = none_offered) -> Settings:
    """Read a peer's configuration file.

    Args:
        path: The file; `~` stands for the user's home.
        others: Gives the names of model adapters that are not covey's own.

    Returns:
        Settings in which every value is checked and every path is absolute.

    Raises:
        ConfigError: It names file, line, key and what was expected, for every problem found.
    """
    path = path.expanduser()
    return parse(_text(path, str(path), "<file>"), file=str(path), base=path.parent, others=others)


def parse(
    text: str, *, file: str = "agent.toml", base: Path | None = None, others: Others = none_offered
) -> Settings:
    """Read a configuration from its text.

    Args:
        text: TOML.
        file: What messages call the text.
        base: Directory that relative paths in it start from; the working directory by default.
        others: As for `load`.

    Raises:
        ConfigError: As for `load`.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), file, text) from None
    except RecursionError:
        raise _single(file, "<root>", "TOML", "tables nested too deep") from None
    except ValueError:  # an integer longer than Python converts
        raise _single(file, "<root>", "TOML", "a number of thousands of digits") from None
    return _read(data, locate(text), file, base or Path(), others)


def from_mapping(
    data: Mapping[str, Any],
    *,
    file: str = "<settings>",
    base: Path | None = None,
    others: Others = none_offered,
) -> Settings:
    """Read a configuration from data of the same shape, as a program makes it; `others` as for `load`.

    Raises:
        ConfigError: As for `load`, without lines.
    """
    return _read(data, Lines({}), file, base or Path(), others)


def load_table(cls: type[Read], path: Path, hint: str) -> Read:
    """Read a file of another kind, whose root is the table `cls`; its paths stay as they are.

    Args:
        cls: A dataclass whose fields carry their rules.
        path: The file.
        hint: The next step where something in it is wrong.

    Raises:
        ConfigError: As for `load`.
    """
    return parse_table(cls, _text(path.expanduser(), str(path), "<file>"), str(path), hint)


def parse_table(cls: type[Read], text: str, file: str, hint: str) -> Read:
    """Read a table of another kind from its text; the rest is as for `load_table`.

    Raises:
        ConfigError: As for `load`.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), file, text) from None
    except (RecursionError, ValueError):
        raise _single(file, "<root>", "TOML", "what nobody can read") from None
    lines, problems = locate(text), list[Problem]()

    def report(at: KeyPath, expected: str, found: str | None = None, hint: str | None = None) -> None:
        problems.append(Problem(file, dotted(at), expected, found, lines.line(at), hint))

    read = Table(cls).read(data, (), report)
    if isinstance(read, cls) and isinstance(read, Whole):
        read.check(report)
    if problems or not isinstance(read, cls):
        raise ConfigError(_ordered(problems), hint=hint)
    return read


def _read(data: Mapping[str, Any], lines: Lines, file: str, base: Path, others: Others) -> Settings:
    problems: list[Problem] = []

    def report(at: KeyPath, expected: str, found: str | None = None, hint: str | None = None) -> None:
        problems.append(Problem(file, dotted(at), expected, found, lines.line(at), hint))

    _look_for_adapter(data, others, report)
    settings = Table(Settings).read(_with_preset(data), (), report)
    if settings is not MISSING:
        settings = _with_prompt(_with_paths(settings, base), base, report)
        settings = _with_variables(_with_role(settings), report)
        check(settings, report)
    if problems:
        raise ConfigError(_ordered([_placed(problem, data) for problem in problems]), hint=_DRY_RUN)
    if not isinstance(settings, Settings):
        raise TypeError("the reader built no settings and reported no problem")
    return settings


def _look_for_adapter(data: Mapping[str, Any], others: Others, report: Report) -> None:
    """Report an adapter that neither covey nor anybody else has; only then are others asked for theirs."""
    model = data.get("model")
    name = model.get("adapter") if isinstance(model, dict) else None
    if not isinstance(name, str) or name in ADAPTERS or not ADAPTER_NAME.match(name):
        return  # covey's own, or no name at all, which its own rule reports
    known = (*ADAPTERS, *sorted(others()))
    if name not in known:
        OneOf(known).read(name, ("model", "adapter"), report)


def dotted(at: KeyPath) -> str:
    """Return a path as messages write it: `scripted.rules[0].when`."""
    text = ""
    for part in at:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE.match(part) else printable(json.dumps(part, ensure_ascii=False))
            text += f".{name}" if text else name
    return text or "<root>"


def printable(text: str) -> str:
    """Return text as a terminal may show it: what is not printable is escaped."""
    return text if text.isprintable() else ascii(text)[1:-1]


def _with_preset(data: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the weights that a well-known role brings; what the file says comes first."""
    identity, said = data.get("identity"), data.get("role_weights", {})
    role = identity.get("role", identity.get("name")) if isinstance(identity, dict) else None
    usual = preset(role) if isinstance(role, str) else None
    if usual is None or not isinstance(said, dict):
        return dict(data)
    return {**data, "role_weights": {**usual, **said}}


def _with_paths(settings: Settings, base: Path) -> Settings:
    """Make every path absolute; the prompt's is, where it is read."""

    def absolute(part: Any, *names: str) -> Any:
        paths = {name: getattr(part, name) for name in names}
        return dataclasses.replace(
            part, **{name: _absolute(path, base) for name, path in paths.items() if path is not None}
        )

    tools = settings.tools
    servers = {name: absolute(server, "folder") for name, server in tools.mcp.items()}
    functions = {name: absolute(each, "file") for name, each in tools.python.items()}
    offers = {name: absolute(each, "file") for name, each in settings.work.offers.items()}
    return dataclasses.replace(
        settings,
        work=dataclasses.replace(settings.work, offers=MappingProxyType(offers)),
        logging=absolute(settings.logging, "file_path"),
        share=absolute(settings.share, "door"),
        model=absolute(settings.model, "record", "replay"),
        tools=dataclasses.replace(tools, mcp=MappingProxyType(servers), python=MappingProxyType(functions)),
    )


def _with_role(settings: Settings) -> Settings:
    """Let the peer's role have its say in how its model is asked."""
    return dataclasses.replace(settings, model=settings.model.for_role(settings.identity.role))


def _with_variables(settings: Settings, report: Report) -> Settings:
    """Put the variables into the prompt, or report those that nobody knows."""
    prompt = settings.prompt
    own = (settings.identity.name, settings.identity.role, settings.mesh.room, settings.model.name)
    known = {**dict(zip(OWN_VARIABLES, own, strict=True)), **prompt.variables}
    for name in set(OWN_VARIABLES) & prompt.variables.keys():
        report(("prompt", "variables", name), "a name of your own", f"{name}, which every peer has")
    unknown = [(name, line) for name, line in places(prompt.system) if name not in known]
    for name, line in unknown:
        at: KeyPath = ("prompt", "system" if prompt.file is None else "file")
        guess = nearest(name, list(known))
        report(
            at,
            "variables out of " + ", ".join(known),
            f"{{{{ {printable(name[:60])} }}}} on line {line} of the text",
            f"did you mean {{{{ {guess} }}}}?" if guess else "add it under [prompt.variables]",
        )
    if unknown:
        return settings
    text = filled(prompt.system, known)
    if len(text.encode("utf-8", "replace")) > limits.PROMPT_BYTES:
        report(("prompt", "variables"), f"instructions of at most {limits.PROMPT_BYTES} bytes", "more")
    return dataclasses.replace(settings, prompt=dataclasses.replace(prompt, system=text))


def _with_prompt(settings: Settings, base: Path, report: Report) -> Settings:
    """Put the prompt file's text where `prompt.system` stands."""
    at: KeyPath = ("prompt", "file")
    if settings.prompt.file is None:
        return settings
    if settings.prompt.system:
        report(at, "either prompt.system or prompt.file", "both")
        return settings
    path = _absolute(settings.prompt.file, base)
    try:
        text = _text(path, str(path), dotted(at), limits.PROMPT_BYTES).strip()
    except ConfigError as error:
        for problem in error.problems:
            report(at, problem.expected, problem.found, error.hint)
        return settings
    if not text:
        report(at, "a file with text in it", "an empty one")
    return dataclasses.replace(settings, prompt=dataclasses.replace(settings.prompt, system=text, file=path))


def _absolute(path: Path, base: Path) -> Path:
    expanded = path.expanduser()
    return expanded if expanded.is_absolute() else (base / expanded).absolute()


def _text(path: Path, file: str, key: str, max_bytes: int = limits.CONFIG_BYTES) -> str:
    """Return a small text file's content, or raise what is wrong with it."""
    try:
        with path.open("rb") as source:
            raw = source.read(max_bytes + 1)
        if len(raw) > max_bytes:
            raise _single(file, key, f"a file of at most {max_bytes} bytes", str(path))
        return raw.decode("utf-8-sig")
    except FileNotFoundError:
        hint = (
            "make one with `covey init <peer>`" if key == "<file>" else "write the file, or use prompt.system"
        )
        raise _single(file, key, "a file that exists", f"nothing at {printable(str(path))}", hint) from None
    except PermissionError:
        found = f"permission denied at {printable(str(path))}"
        raise _single(file, key, "a readable file", found, "check the owner and mode of the file") from None
    except UnicodeDecodeError as error:
        found = f"byte {error.start} of {printable(str(path))} that is not"
        raise _single(file, key, "UTF-8 text", found, "save the file as UTF-8") from None
    except (OSError, RuntimeError) as error:
        why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
        found = printable(f"{why} at {path}")
        raise _single(file, key, "a readable file", found, "give the path of a file of yours") from None


def _single(file: str, key: str, expected: str, found: str, hint: str | None = None) -> ConfigError:
    return ConfigError([Problem(file, key, expected, found)], hint=hint)


def _syntax_error(message: str, file: str, text: str) -> ConfigError:
    """Turn tomllib's sentence into a problem with its line."""
    what, _, where = message.partition(_SYNTAX_LINE)
    digits = where.partition(",")[0]
    line = int(digits) if digits.isdigit() else text.count("\n") + 1
    problem = Problem(file, "<root>", "valid TOML", what.strip().rstrip(".").lower(), line)
    return ConfigError([problem], hint="the syntax is described at https://toml.io")


def _placed(problem: Problem, data: Mapping[str, Any]) -> Problem:
    """Add, for an unknown section, what it may have been meant as."""
    if problem.found != "an unknown key" or "." in problem.key or problem.key not in data:
        return problem
    sections = [spec.name for spec in dataclasses.fields(Settings)]
    homes = [s.name for s in dataclasses.fields(Settings) if problem.key in _keys_of(s.name)]
    if homes:
        return problem._replace(hint=f"`{problem.key}` belongs in [{homes[0]}]")
    guess = nearest(problem.key, sections)
    return problem._replace(hint=f"did you mean [{guess}]?") if guess else problem


def _keys_of(section: str) -> set[str]:
    entry = next(s for s in dataclasses.fields(Settings) if s.name == section).metadata["key"]
    return (
        {spec.name for spec in dataclasses.fields(entry.rule.cls)} if isinstance(entry.rule, Table) else set()
    )


def _ordered(problems: list[Problem]) -> list[Problem]:
    """Return the problems in the file's order, those without a line last, at most a screenful."""
    ordered = sorted(problems, key=lambda p: (p.line is None, p.line or 0))
    shown = ordered[: limits.CONFIG_PROBLEMS]
    if len(ordered) > len(shown):
        more = len(ordered) - len(shown)
        shown.append(Problem(ordered[0].file, "<root>", "fewer problems", f"{more} more that are not shown"))
    return shown
