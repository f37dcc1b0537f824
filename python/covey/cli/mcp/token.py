"""The token of an MCP server over HTTP: made once, kept in a private file, never printed."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from covey.errors import StoreError
from covey.system.private_file import create_whole

_BYTES: Final = 32
_CHARS_LEAST: Final = 32
_FILE_BYTES: Final = 1_024


def token_of(path: Path) -> str:
    """Return the token in a file, made first where there is none.

    Raises:
        StoreError: The file cannot be used, or others can read it.
    """
    try:
        create_whole(path, f"{secrets.token_urlsafe(_BYTES)}\n".encode())
    except FileExistsError:
        pass  # the one that is kept is used
    except OSError as error:
        raise StoreError(f"cannot write the token to {path}: {error.strerror}") from error
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(file.fileno())
            content = file.read(_FILE_BYTES)
    except OSError as error:
        raise StoreError(f"cannot read the token in {path}: {error.strerror}") from error
    if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
        raise StoreError(
            f"the token in {path} is not private", hint=f"chmod 600 {path}, or remove it for a new one"
        )
    token = content.decode("ascii", "replace").strip()
    if len(token) < _CHARS_LEAST or not token.isprintable():
        raise StoreError(f"no token in {path}", hint="remove it: a new one is made")
    return token
