"""Running the commands of an update: each with a bound on time and output, never through a shell."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from covey import limits
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended: its exit code (None: it took too long, or is not there), and what it said last."""

    code: int | None
    said: str


async def run(command: Sequence[str], seconds: float = limits.UPKEEP_SECONDS) -> Ran:
    """Run a command to its end.

    Args:
        command: The program and its arguments; no shell reads them.
        seconds: The longest it may take.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        return Ran(None, f"cannot run {command[0]}: {error.strerror or error}")
    kept = bytearray()
    try:
        async with asyncio.timeout(seconds):
            if process.stdout is not None:
                while data := await process.stdout.read(65_536):
                    kept = (kept + data)[-limits.UPKEEP_OUTPUT_BYTES :]
            code = await process.wait()
    except TimeoutError:
        return Ran(None, f"took longer than {seconds:g} s")
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return Ran(code, kept.decode("utf-8", "replace").rstrip())


def checkout_of(folder: Path) -> Path | None:
    """Return the git checkout that a folder lies in, or None."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)
