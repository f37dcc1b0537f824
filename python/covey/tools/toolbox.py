"""The toolbox of one peer: every source of agent.toml behind one face, by offered name.

Rules: what is not named under a source's permissions is not offered, and what is not offered is not called,
whoever asks. Every call ends by its deadline, with a result within bounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from importlib.util import find_spec
from shutil import which
from typing import Any, Protocol

from covey import limits
from covey.model import Equipment, OfferedTool, ToolOutcome, ToolSpec
from covey.settings import PythonToolsSettings, ToolsSettings
from covey.tools.bounds import cut, fitting, offered_name, one_line
from covey.values import dataclass


class Source(Protocol):
    """Where tools come from."""

    @property
    def name(self) -> str:
        """Return the source's name in agent.toml."""
        ...

    async def start(self) -> Sequence[ToolSpec]:
        """Start it; return its tools under their own names. Raises Exception with a sentence."""
        ...

    async def call(self, tool: str, arguments: Mapping[str, object], timeout_s: float) -> ToolOutcome:
        """Call a tool by its own name. Never raises."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an offered tool is, and how long it may take."""

    source: Source
    tool: str
    timeout_s: float


class Toolbox:
    """The tools of one peer.

    Args:
        settings: The section [tools].
        sources: One for each source of it.
    """

    def __init__(self, settings: ToolsSettings, sources: Sequence[Source]) -> None:
        self._settings = settings
        self._sources = tuple(sources)
        self._places: dict[str, _Place] = {}

    async def start(self) -> Equipment:
        """Start every source; say what is there and what is wrong with the rest."""
        found = await asyncio.gather(*(self._started(source) for source in self._sources))
        offered = [tool for tools, _ in found for tool in tools]
        problems = [problem for _, those in found for problem in those]
        for beyond in offered[limits.TOOLS :]:
            problems.append(f"{beyond.spec.name}: more than {limits.TOOLS} tools")
            del self._places[beyond.spec.name]
        return Equipment(tuple(offered[: limits.TOOLS]), tuple(problems))

    async def call(self, name: str, arguments: Mapping[str, object]) -> ToolOutcome:
        """Use one tool by its offered name."""
        place = self._places.get(name)
        if place is None:
            return ToolOutcome(f"there is no tool {name}", failed=True, reason="unknown")
        outcome = await place.source.call(place.tool, arguments, place.timeout_s)
        return cut(outcome, self._settings.max_result_bytes)

    async def close(self) -> None:
        """End every source."""
        await asyncio.gather(*(source.close() for source in self._sources))

    async def _started(self, source: Source) -> tuple[list[OfferedTool], list[str]]:
        try:
            async with asyncio.timeout(limits.TOOL_START_SECONDS):
                specs = {spec.name: spec for spec in await source.start()}
        except TimeoutError:
            return [], [f"{source.name}: not ready within {limits.TOOL_START_SECONDS:g} s"]
        except Exception as error:  # a source that does not start costs its tools, not the peer
            return [], [f"{source.name}: {one_line(str(error) or type(error).__name__)}"]
        offered, problems = [], []
        for tool, permission in self._permissions(source.name).items():
            if permission == "deny":
                continue
            try:
                offered.append(self._offer(source, specs, tool, permission))
            except ValueError as error:
                problems.append(f"{source.name}: {tool}: {error}")
        return offered, problems

    def _offer(
        self, source: Source, specs: Mapping[str, ToolSpec], tool: str, permission: str
    ) -> OfferedTool:
        spec = specs.get(tool)
        if spec is None:
            there = one_line(", ".join(sorted(specs)) or "none", 120)
            raise ValueError(f"not among its tools ({there})")
        name = offered_name(source.name, tool)
        made = fitting(name, spec.description, spec.input_schema)
        self._places[name] = _Place(source, tool, self._timeout(source.name))
        return OfferedTool(made, permission, source.name)

    def _permissions(self, source: str) -> Mapping[str, str]:
        return self._of(source).permissions

    def _timeout(self, source: str) -> float:
        own = self._of(source).timeout_seconds
        return self._settings.timeout_seconds if own is None else own

    def _of(self, source: str) -> _SourceSettings:
        settings = self._settings
        return settings.mcp[source] if source in settings.mcp else settings.python[source]


class _SourceSettings(Protocol):
    @property
    def permissions(self) -> Mapping[str, str]: ...

    @property
    def timeout_seconds(self) -> float | None: ...


def complaints(settings: ToolsSettings, env: Mapping[str, str]) -> list[str]:
    """Return what can be seen to be missing without starting anything; nothing is a good sign."""
    found = []
    if settings.mcp and find_spec("mcp") is None:
        found.append("the MCP library is not installed: pip install 'covey[mcp]'")
    for name, server in settings.mcp.items():
        if server.command and which(server.command[0], path=env.get("PATH")) is None:
            found.append(f"{name}: no program {server.command[0]}")
        if server.token_env is not None and not env.get(server.token_env, "").strip():
            found.append(f"{name}: {server.token_env} is not set")
    for name, functions in settings.python.items():
        if functions.file is not None and not functions.file.is_file():
            found.append(f"{name}: no file {functions.file}")
    return found


def of_functions(functions: Iterable[Callable[..., Any]], *, ask: Collection[str] = ()) -> Toolbox:
    """Return a toolbox of functions that a program hands over, each allowed unless it is among `ask`.

    Args:
        functions: Marked with `tool` or not.
        ask: Names of those whose calls a person decides.

    Raises:
        ToolDefinitionError: A signature cannot be described, or two have one name.
    """
    from covey.tools.function import described, found_in, marked
    from covey.tools.functions import FunctionSource

    found = found_in({str(n): marked(each) or described(each) for n, each in enumerate(functions)})
    permissions = {name: "ask" if name in ask else "allow" for name in found}
    own = PythonToolsSettings(module="__main__", permissions=permissions)
    return Toolbox(ToolsSettings(python={"own": own}), [FunctionSource("own", lambda: found)])


def build(settings: ToolsSettings, env: Mapping[str, str]) -> Toolbox:
    """Return the toolbox that agent.toml describes; nothing is started or imported yet.

    Args:
        settings: The section [tools].
        env: The environment: tokens, and what servers get of it.
    """
    sources: list[Source] = []
    for name, functions in settings.python.items():
        from covey.tools.functions import from_settings

        sources.append(from_settings(name, functions))
    for name, server in settings.mcp.items():
        from covey.tools.mcp_server import McpServer

        sources.append(McpServer(name, server, env))
    return Toolbox(settings, sources)
