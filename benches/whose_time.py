"""Whose time two peers on loopback take, native or Python, by kind: `python -m benches.whose_time [words]`.

It runs `python -m benches.loopback`, with the words it is given, under py-spy (`pip install py-spy`; skipped,
visibly, without it) and groups samples by the line of Python that was running: a native call counts for the
line that called it. Waiting is left out, and so is what happens before the first block; and the thread that
writes the store, which is native and runs no line of Python for a block. Shares are of what else one process
does; they hold on a busy machine too, for they are of one run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

SAMPLES_A_SECOND = "400"
MOST_SECONDS = 180.0
"""A run takes seconds; of a dozen on a busy machine one had no end."""
NATIVE = {
    "check and judge": ("Admission.judge",),
    "open and read": ("Sessions.read",),
    "sign": ("mint (", "ManyBlocks.sign"),
    "sockets and wake-ups": ("Runner.run",),
}
"""What the line that runs last tells of; `sign` is called on a thread where many are signed at once."""
WAITING = ("_worker (", "Condition.wait", "wait (multiprocessing", "Condition.acquire")
BESIDE = (
    "_find_and_load",
    "_process_class",
    "_create_fn",
    "_make (covey/values.py",
    "open_store",
    "benches/samples.py",
    "batches (benches/loopback.py",
    "json/encoder.py",
    "rmtree",
)
"""Loading, making what is said, tidying up: no part of a block's way."""
HEARS, SPEAKS = ("Admission.judge",), ("Emission._take", "Many.stored", "ManyBlocks.sign")


def samples(raw: str) -> Iterator[tuple[str, list[str], int]]:
    """Yield process, stack and count of each line that py-spy wrote."""
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        process = [frame for frame in frames if frame.startswith("process ")]
        if process and count.isdigit():
            yield process[-1].partition(":")[0], frames, int(count)


def tells(frames: Iterable[str], of: tuple[str, ...]) -> bool:
    """Say whether a frame is one of these."""
    return any(word in frame for frame in frames for word in of)


def kind(last: str) -> str:
    """Return whose time a sample was."""
    return next((name for name, lines in NATIVE.items() if tells([last], lines)), "Python")


def shares(raw: str) -> dict[str, Counter[str]]:
    """Return samples by kind, of the speaker and of the hearer."""
    found = list(samples(raw))
    roles = {process: "speaker" for process, frames, _ in found if tells(frames, SPEAKS)}
    roles.update({process: "hearer" for process, frames, _ in found if tells(frames, HEARS)})
    counted: dict[str, Counter[str]] = {"speaker": Counter(), "hearer": Counter()}
    for process, frames, count in found:
        role = roles.get(process)
        if role is not None and not tells(frames[-1:], WAITING) and not tells(frames, BESIDE):
            counted[role][kind(frames[-1])] += count
    return counted


def main(arguments: list[str]) -> int:
    """Measure, and print a line for each kind."""
    spy = shutil.which("py-spy")
    if spy is None:
        print("whose time: skipped, py-spy is not on the path")
        return 0
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "raw.txt"
        how = ["record", "-r", SAMPLES_A_SECOND, "--subprocesses", "--threads", "-f", "raw", "-o", str(out)]
        work = [sys.executable, "-m", "benches.loopback", *arguments]
        try:
            done = subprocess.run(
                [spy, *how, "--", *work], capture_output=True, text=True, check=False, timeout=MOST_SECONDS
            )
        except subprocess.TimeoutExpired:
            print(f"whose time: no figure: no end in {MOST_SECONDS:.0f} s", file=sys.stderr)
            return 1
        if not out.exists():
            print(f"whose time: no figure: {done.stderr.strip() or done.stdout.strip()}", file=sys.stderr)
            return 1
        counted = shares(out.read_text(encoding="utf-8"))
    print(done.stdout.strip())
    for role, kinds in counted.items():
        every = kinds.total()
        print(f"{role}, {every:,} samples:")
        for name, count in kinds.most_common():
            print(f"  {name:22}{count / every:6.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
