"""Functions of one Python file or module, as a source of tools.

Rules: the file is the operator's own program and runs with the peer's rights; loading it runs it. A plain
function runs on a thread of its own, since nothing can end it: after its deadline its result is not waited
for, and until it has returned it is not called again.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import json
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from covey.model import ToolOutcome, ToolSpec
from covey.settings import PythonToolsSettings
from covey.tools.bounds import one_line
from covey.tools.function import ArgumentError, Described, found_in


class FunctionSource:
    """Functions of one file or module, or handed over by a program.

    Args:
        name: The source's name.
        load: Gives its tools by name; called once, on a thread, and may raise ImportError.
    """

    def __init__(self, name: str, load: Callable[[], dict[str, Described]]) -> None:
        self.name = name
        self._load = load
        self._tools: dict[str, Described] = {}
        self._running: set[str] = set()

    async def start(self) -> list[ToolSpec]:
        """Load the file, on a thread, and return its tools.

        Raises:
            ImportError: It cannot be loaded; the message says why, on one line.
        """
        self._tools = await asyncio.to_thread(self._load)
        return [ToolSpec(each.name, each.description, each.schema) for each in self._tools.values()]

    async def call(self, tool: str, arguments: Mapping[str, object], timeout_s: float) -> ToolOutcome:
        """Call one function, to its end or its deadline."""
        described = self._tools.get(tool)
        if described is None:
            return ToolOutcome(f"there is no tool {tool}", failed=True, reason="unknown")
        if tool in self._running:
            return ToolOutcome("it still works on an earlier call", failed=True, reason="busy")
        try:
            fitted = described.arguments(arguments)
        except ArgumentError as error:
            return ToolOutcome(str(error), failed=True, reason="arguments")
        try:
            async with asyncio.timeout(timeout_s):
                if described.is_async:
                    result = await described.function(**fitted)
                else:
                    result = await self._on_a_thread(described, fitted)
            return ToolOutcome(_as_text(result))
        except TimeoutError:
            return ToolOutcome(f"no result within {timeout_s:g} s", failed=True, reason="timeout")
        except Exception as error:  # whatever a function raises is for the model to read
            said = one_line(f"{type(error).__name__}: {error}")
            return ToolOutcome(said, failed=True, reason="tool-error")

    async def close(self) -> None:
        """Do nothing: a function that still runs cannot be ended, and holds nothing up."""

    async def _on_a_thread(self, described: Described, fitted: Mapping[str, Any]) -> Any:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        self._running.add(described.name)

        def settle(result: Any, error: BaseException | None) -> None:
            self._running.discard(described.name)
            if done.done():
                return
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))

        def work() -> None:
            result, error = None, None
            try:
                result = described.function(**fitted)
            except BaseException as raised:  # even an exit: it must not leave the caller waiting
                error = raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=work, name=f"tool-{described.name}", daemon=True).start()
        return await done


def from_settings(name: str, settings: PythonToolsSettings) -> FunctionSource:
    """Return the source that agent.toml describes; the file is loaded when it starts."""
    path, module = settings.file, settings.module

    def load() -> dict[str, Described]:
        try:
            loaded = importlib.import_module(module or "") if path is None else from_file(name, path)
            return found_in(vars(loaded))
        except Exception as error:  # the operator's file may raise anything while it is loaded
            where = str(path) if path is not None else module
            raise ImportError(f"{where}: {one_line(f'{type(error).__name__}: {error}')}") from None

    return FunctionSource(name, load)


def from_file(name: str, path: Path) -> ModuleType:
    """Load a Python file as a module of its own; whatever it raises comes out."""
    spec = importlib.util.spec_from_file_location(f"covey_tools_{name.replace('-', '_')}", path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and type hints look their module up by name while it is loaded.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _as_text(result: Any) -> str:
    if isinstance(result, str):
        return result
    if inspect.isawaitable(result):
        raise TypeError("it returned something to await; make it an async function")
    return json.dumps(result, ensure_ascii=False, default=str)
