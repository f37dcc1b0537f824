"""The section [work]: what tasks of others this peer does, each by a Python function of the operator's.

    [work]
    capacity = 2

    [work.offers.translate]
    file = "translate.py"          # beside agent.toml; or module = "my.work"
    function = "translate"         # by default the capability's name, with _ for . and -

A function gets a job (`job.payload`, `job.id`, `job.progress(0.5)`) and returns a JSON value; whoever is
trusted here may have it run. Without offers the peer does nothing for others.

Rules: as in `values`, of whose table this is a part.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from covey import limits
from covey.settings.rules import Flag, MapOf, Text, Whole, key
from covey.settings.table import Table
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class WorkOfferSettings:
    """One capability, and the function that does it."""

    file: Path | None = key(Text(1, 4_096, parse=Path), "the file; relative to agent.toml", default=None)
    module: str | None = key(Text(1, 200), "the module, by its import name", default=None)
    function: str | None = key(
        Text(1, 200), "its name; by default the capability's, with _ for . and -", default=None
    )


@dataclass(frozen=True, slots=True)
class WorkSettings:
    """What tasks of others it does."""

    agent: str | None = key(
        Text(1, 64), "the nickname its tasks are given to; by default the peer's name", default=None
    )
    capacity: int = key(Whole(1, limits.TASK_CAPACITY_MOST), "tasks at once", default=1)
    hand_on: bool = key(
        Flag(), "hand tasks on while it is full, where their submitters allow that", default=False
    )
    offers: Mapping[str, WorkOfferSettings] = key(
        MapOf(Table(WorkOfferSettings), limits.PACK_CAPABILITIES),
        "what it can do, by capability",
        factory=lambda: MappingProxyType({}),
    )
