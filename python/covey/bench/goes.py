"""Samples that do not hang on each other: each go has new processes, and the machine's pace beside it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Final, TypeVar

from covey.bench import pace, peers
from covey.bench.stats import LEAST_SAMPLES, Measure
from covey.values import dataclass

GOES: Final = LEAST_SAMPLES
"""Of a full run. What is wanted to be known more exactly takes more of them, not longer ones."""
T = TypeVar("T")
Paces = dict[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Task:
    """What a process measures: a function of a module, and its arguments."""

    work: Callable[..., Measure]
    arguments: tuple[Any, ...]


def paced(once: Callable[[], T], goes: int, parts: Sequence[str]) -> tuple[list[T], Paces]:
    """Do something so many times; return what came of it, and the machine's pace before and after each."""
    found, probes = [], [pace.probe(parts)]
    for _ in range(goes):
        found.append(once())
        probes.append(pace.probe(parts))
    return found, {part: tuple(probe[part] for probe in probes) for part in parts}


def anew(goes: int, work: Callable[..., Measure], *arguments: Any) -> Measure:
    """Measure in a new process each time; what its rounds say in the middle is one sample.

    The rounds of one process share where its memory lies, what its caches hold and what the machine does just
    then: many of them say no more of the next process than a few.
    """
    return _one_of_each(lambda: _once(Task(work, arguments)), goes)


def here(work: Callable[..., Measure], *arguments: Any) -> Measure:
    """Measure in this process, one sample: another one could not be told from it."""
    return _one_of_each(lambda: work(*arguments), 1)


def _one_of_each(once: Callable[[], Measure], goes: int) -> Measure:
    found, paces = paced(once, goes, pace.ALONE)
    facts = {name: statistics.median(each.facts[name] for each in found) for name in found[0].facts}
    return replace(found[0], samples=tuple(each.median for each in found), facts=facts, paces=paces)


def _once(task: Task) -> Measure:
    with peers.process(_run, task) as wire:
        measure: Measure = peers.answer(wire)
        return measure


async def _run(task: Task, wire: Connection) -> None:
    wire.send(task.work(*task.arguments))
