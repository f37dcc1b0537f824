"""A peer's collector: what was there at the start is in no later pass, and cycles are still found."""

from __future__ import annotations

import subprocess
import sys

from covey import limits

CODE = """
import gc
import weakref
from covey.system import collector

class Knot:
    def __init__(self):
        self.me = self

before = len(gc.get_objects())
collector.settle()
seen = len(gc.get_objects())
knot = Knot()
gone = weakref.ref(knot)
del knot
gc.collect()
print(before > 1000, seen < before / 10, gone() is None, gc.get_threshold())
"""


def test_what_is_there_at_the_start_is_left_out_and_later_cycles_are_found() -> None:
    run = [sys.executable, "-c", CODE]
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == f"True True True {limits.COLLECTOR_STEPS}"
