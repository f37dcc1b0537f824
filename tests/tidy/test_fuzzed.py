"""Every conversation that a peer can hold beside records stands in the fuzz target of control frames."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import covey.proto
from covey.proto.extension import Extension
from tests.laws.fuzz_rooms import _extensions

_CALLS = ("attach", "started", "joined", "heard", "left")


def conversations() -> set[type]:
    """Return the classes of the engines' floor that hear frames as an extension does."""
    found: set[type] = set()
    for module in pkgutil.walk_packages(covey.proto.__path__, "covey.proto."):
        for _, each in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            own = each.__module__.startswith("covey.proto") and each is not Extension
            if (
                own
                and hasattr(each, "frames")
                and all(callable(getattr(each, name, None)) for name in _CALLS)
            ):
                found.add(each)
    return found


def test_every_extension_is_fuzzed_with_a_proven_peer() -> None:
    fuzzed = {type(each) for each in _extensions()[0]}
    assert len(fuzzed) > 10
    missing = sorted(each.__qualname__ for each in conversations() - fuzzed)
    assert not missing, (
        f"add to _extensions of tests/laws/fuzz_rooms.py, with frames in its corpus: {missing}"
    )
