"""What becomes of a bug: its traceback goes to the log, scrubbed, and never to the terminal."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from covey.errors import CoveyError
from covey.system.clock import SystemClock
from covey.system.home import Home
from covey.system.log import Log, LogFile, Scrubber

LOG_NAME: Final = "covey"


def scrubbed(text: str) -> str:
    """Return `text` without what looks like a secret."""
    return Scrubber().text(text)


def record(env: Mapping[str, str], words: Sequence[str], error: BaseException) -> Path | None:
    """Write the traceback to `<home>/logs/covey.log`.

    Args:
        env: Says where the home is.
        words: The command line; only its first word is written, the rest may be private.
        error: What was raised.

    Returns:
        The log's path, or None when even that could not be written.
    """
    try:
        home = Home.resolve(env)
        home.prepare()
        file = LogFile(home.log_path(LOG_NAME))
    except CoveyError:
        return None
    log = Log(file, SystemClock())
    log.error("internal-error", command=list(words[:1]), traceback=traceback.format_exception(error))
    file.close()
    return None if log.lost else file.path
