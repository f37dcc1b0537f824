"""What the extra `share` brings, whether it is here, and what else is installed beside covey."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from importlib.util import find_spec
from typing import Any, Final

from covey import __version__
from covey.errors import CoveyError

_NEEDED: Final = ("starlette", "uvicorn", "httpx2")


def needed() -> None:
    """Check that the extra is installed.

    Raises:
        CoveyError: It is not; it says how to get it.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise CoveyError(
            f"not installed: {', '.join(missing)}", code="extra_missing", hint="pip install 'covey[share]'"
        )


def facts() -> dict[str, Any]:
    """Return what runs here: versions of Python and system, and of everything covey can use."""
    return {
        "covey": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "executable": sys.executable,
        "packages": packages(),
    }


def packages() -> dict[str, dict[str, Any]]:
    """Return every package that covey's manifest names: its version, or None, and for which extra it is."""
    try:
        required = metadata.requires("covey") or []
    except metadata.PackageNotFoundError:
        required = []  # run from a checkout that was never installed: what is known stands below
    found: dict[str, dict[str, Any]] = {}
    for line in required or _KNOWN:
        name = _name(line)
        extra = line.partition("extra ==")[2].strip(" '\"") or None
        if name != "covey":
            found.setdefault(name, {"version": _version(name), "extra": extra})
    return found


_KNOWN: Final = (
    "uvloop",
    "pynacl",
    "zeroconf",
    "websockets",
    "msgpack",
    "rich",
    "anthropic; extra == 'anthropic'",
    "openai; extra == 'openai'",
    "mcp; extra == 'mcp'",
    "starlette; extra == 'share'",
    "uvicorn; extra == 'share'",
    "httpx2; extra == 'share'",
)


def _name(line: str) -> str:
    end = next((at for at, char in enumerate(line) if not (char.isalnum() or char in "-_.")), len(line))
    return line[:end]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
