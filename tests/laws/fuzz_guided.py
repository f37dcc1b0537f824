"""Python's decoders, fuzzed under the guidance of coverage (libFuzzer, by atheris), for tools/fuzz-python.

`python -m tests.laws.fuzz_guided <seconds each> <folder> [target ...]`: each target begins with its committed
corpus and what earlier runs kept under the folder. A finding is kept there; the run ends with 1 and shows it.
`<seconds each>:<runs>` makes so many runs of each at most, always the same ones, from the committed corpus.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 65_536
SLOWEST_SECONDS: Final = 5
MOST_MEGABYTES: Final = 1_024
"""Of the whole process: Python, the native core and libFuzzer's own corpus."""
_SHOWN_LINES: Final = 60
_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_WORD: Final = re.compile(rb'"[ !#-[\]-~]{1,40}"')
_WORDS: Final = 512
"""Of one dictionary: every name that the documents of a corpus have."""
_VALUES: Final = (
    "null",
    "true",
    "1e999",
    "NaN",
    "-1",
    "1.5",
    "9007199254740993",
    '"\\ud800"',
    "[]",
    "{}",
    '""',
)
"""What stands where a reader expects another type: coverage alone hardly ever spells it."""


def words(seeds: Iterable[bytes]) -> str:
    """Return libFuzzer's dictionary of a corpus: its quoted words, and values of other types."""
    said = (word for seed in seeds for word in _QUOTED.findall(seed))
    found = dict.fromkeys(word.decode() for word in said if _WORD.fullmatch(word))
    quoted = [each.replace("\\", "\\\\").replace('"', '\\"') for each in (*_VALUES, *list(found)[:_WORDS])]
    return "".join(f'"{each}"\n' for each in quoted)


def fuzz(
    name: str, target: Callable[[bytes, Path], None], seconds: int, runs: int | None, folder: Path
) -> None:
    """Fuzz one target in this process, which libFuzzer ends; a number of runs is always the same ones."""
    import atheris

    from tests.laws.fuzz_targets import corpus

    grown, seeds, found = folder / "corpus" / name, folder / "seeds" / name, folder / "found"
    for each in (grown, seeds, found):
        each.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(corpus(name)):
        (seeds / str(number)).write_bytes(seed)
    (folder / f"{name}.dict").write_text(words(corpus(name)))
    work = Path(tempfile.mkdtemp(dir=folder))
    if runs is not None:
        grown = Path(tempfile.mkdtemp(dir=folder))  # what earlier runs found would be another beginning

    def one_input(data: bytes) -> None:
        try:
            target(data, work)
        except BaseException:  # libFuzzer keeps what crashes or is slow, not what raises
            (found / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
            raise

    options = (
        f"-max_total_time={seconds}",
        f"-max_len={MOST_BYTES}",
        f"-timeout={SLOWEST_SECONDS}",
        f"-rss_limit_mb={MOST_MEGABYTES}",
        f"-artifact_prefix={found}/{name}-",
        f"-dict={folder / name}.dict",
    )
    same = () if runs is None else (f"-runs={runs}", "-seed=1", "-reload=0")
    atheris.Setup([sys.argv[0], *options, *same, str(grown), str(seeds)], one_input)
    atheris.Fuzz()


def apart(work: Callable[[], None], log: Path) -> int:
    """Do something in a process of its own that writes into a log; return its exit code.

    A fork: what instruments every module of covey is paid for once, not by each target.
    """
    child = os.fork()
    if child == 0:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(seconds: int, runs: int | None, folder: Path, names: Sequence[str]) -> int:
    """Fuzz the named targets, or all; return the exit code."""
    import atheris

    # it names every module that it instruments
    with (
        contextlib.redirect_stderr(io.StringIO()),
        atheris.instrument_imports(include=["covey"], enable_loader_override=False),
    ):
        from tests.laws.fuzz_rooms import TARGETS
    unknown = sorted(set(names) - set(TARGETS))
    if unknown:
        sys.stderr.write(f"no such decoder: {unknown[0]}\nknown: {' '.join(sorted(TARGETS))}\n")
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or sorted(TARGETS):
        told = f"{seconds} s" if runs is None else f"{runs} runs, at most {seconds} s"
        sys.stdout.write(f"fuzz: {name} (Python), {told}\n")
        sys.stdout.flush()
        log = folder / f"{name}.log"
        if apart(partial(fuzz, name, TARGETS[name], seconds, runs, folder), log) != 0:
            lines = log.read_text(errors="replace").splitlines()
            sys.stderr.write("\n".join(lines[-_SHOWN_LINES:]) + "\n")
            return 1
    return 0


if __name__ == "__main__":
    most, _, counted = sys.argv[1].partition(":")
    sys.exit(main(int(most), int(counted) if counted else None, Path(sys.argv[2]), sys.argv[3:]))
