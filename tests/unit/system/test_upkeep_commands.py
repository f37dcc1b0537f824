"""Commands of an update: their end, their output, a bound on both, and one that is not there."""

from __future__ import annotations

import asyncio
import sys

from covey import limits
from covey.system import upkeep
from covey.system.process import allow_files


def ran(*words: str, seconds: float = 60.0) -> upkeep.Ran:
    return asyncio.run(upkeep.run(words, seconds))


def test_a_command_ends_with_its_code_and_what_it_said():
    assert ran(sys.executable, "-c", "print(' one')") == upkeep.Ran(0, " one")
    failed = ran(sys.executable, "-c", "import sys; print('why', file=sys.stderr); sys.exit(3)")
    assert (failed.code, failed.said) == (3, "why")


def test_nothing_of_a_command_is_read_by_a_shell():
    assert ran(sys.executable, "-c", "import sys; print(sys.argv[1])", "$HOME;`id`").said == "$HOME;`id`"


def test_one_that_takes_too_long_is_ended_and_one_that_is_not_there_is_said():
    late = ran(sys.executable, "-c", "import threading; threading.Event().wait()", seconds=0.5)
    assert late.code is None and "longer" in late.said
    gone = ran("/nowhere/at-all")
    assert gone.code is None and "cannot run" in gone.said


def test_of_much_output_the_end_is_kept():
    found = ran(sys.executable, "-c", "print('x' * 3_000_000 + 'end')")
    assert found.code == 0 and found.said.endswith("end") and len(found.said) <= limits.UPKEEP_OUTPUT_BYTES


def test_a_checkout_is_found_from_anywhere_in_it(tmp_path):
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "python" / "covey"
    inner.mkdir(parents=True)
    assert upkeep.checkout_of(inner) == tmp_path


def test_files_are_allowed_as_far_as_they_may_be():
    assert allow_files(1) >= 1
