"""What the verb `task` of the control socket answers: submit, list, show, cancel, wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.errors import UsageError
from covey.fleet import arguments as args
from covey.fleet.work.task import OPEN, WorkError
from covey.runtime.work.proof import checked

if TYPE_CHECKING:
    from covey.runtime.work.desk import Desk
    from covey.runtime.work.job import Handle

Bindings = Callable[[], Sequence[tuple[str, bytes, str, int]]]
_OPTIONS: Final = {
    "key": str,
    "within_seconds": float,
    "try_seconds": float,
    "tries": int,
    "choose": str,
    "patience": str,
    "hops": int,
}


class TaskAnswers:
    """Tasks, for commands.

    Args:
        desk: Whose.
        bindings: Gives nodeIds with their public keys, to check what signed results say.
    """

    def __init__(self, desk: Desk, bindings: Bindings) -> None:
        self._desk = desk
        self._bindings = bindings

    async def answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one request.

        Raises:
            UsageError: The operation or an argument is none.
            WorkError: There is no such task, or too many are open.
            StoreError: A submission could not be made durable.
        """
        operation = arguments.get("op")
        if operation == "list":
            return {"tasks": self._desk.listed(), "counters": self._desk.counters()}
        if operation == "submit":
            return await self._submit(arguments)
        if operation not in ("show", "cancel", "wait"):
            raise UsageError("task: expected submit, list, show, cancel or wait")
        task_id = named(self._desk.listed(), arguments.get("task"))
        if operation == "cancel":
            await self._desk.cancel(task_id, "by command")
        if operation == "wait":
            await self._wait(task_id)
        found = self._desk.show(task_id)
        keys = {node_id: key for node_id, key, *_ in await asyncio.to_thread(self._bindings)}
        return {"task": found, "proven": checked(found, keys)}

    async def _submit(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        capability = args.capability("task", arguments.get("capability"))
        options: dict[str, Any] = {}
        for name, kind in _OPTIONS.items():
            value = arguments.get(name)
            if value is None:
                continue
            if not isinstance(value, (int, float) if kind is float else kind) or isinstance(value, bool):
                raise UsageError(f"{name}: expected {kind.__name__}")
            options[name] = value
        if options.get("patience", "queue") not in ("queue", "capable", "free"):
            raise UsageError("patience: expected queue, capable or free")
        handle = await self._desk.submit(capability, arguments.get("payload"), **options)
        if options.get("patience", "queue") != "queue":
            await _looked(handle)
        return {"task": handle.view()}

    async def _wait(self, task_id: str) -> None:
        """Wait for a task's end, no longer than one request may."""
        try:
            async with asyncio.timeout(limits.TASK_WAIT_SECONDS):
                await self._desk.ended(task_id)
        except TimeoutError:
            pass  # the answer says where it stands; whoever waits asks again


async def _looked(handle: Handle) -> None:
    """Wait until a task that may not wait has somebody, or has ended because nobody can; some seconds."""
    with contextlib.suppress(TimeoutError):  # all who can are busy: it waits, and its view says so
        async with asyncio.timeout(limits.TASK_NOBODY_SECONDS), aclosing(handle.news()) as news:
            async for view in news:
                if view["state"] != "waiting":
                    return


def named(tasks: Sequence[Mapping[str, Any]], word: object) -> str:
    """Return the id of the one task that a word names: its id, how that begins, or its key.

    Raises:
        UsageError: The word is none, or names several.
        WorkError: It names none.
    """
    if not isinstance(word, str) or not word:
        raise UsageError("task: expected its id or its key")
    found = [each["id"] for each in tasks if each["key"] == word or each["id"] == word]
    found = found or [each["id"] for each in tasks if len(word) >= 6 and each["id"].startswith(word)]
    if len(found) > 1:
        raise UsageError(f"{len(found)} tasks begin with {word[:64]}", hint="give more of its letters")
    if not found:
        raise WorkError(f"no task {word[:64]} here", code="unknown", hint="covey task list shows them")
    return str(found[0])


def is_open(task: Mapping[str, Any]) -> bool:
    """Tell whether a task is not over."""
    return task["state"] in OPEN
