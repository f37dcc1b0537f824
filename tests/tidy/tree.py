"""The project's tree as the tidy tests see it: which files there are, and what their text says.

Nothing here judges. A check is a function from named texts to a list of breaches, so that each is also run
on a sample that breaks its rule: a check that cannot fail proves nothing.
"""

import ast
import subprocess
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
MADE = {".venv", "target", "dist", "build", "node_modules", "__pycache__"}
"""Folders that make and the tools fill; never part of the tree."""


@cache
def tracked() -> tuple[str, ...]:
    """List the project's own files, relative, with forward slashes; from git, or from the disk without it."""
    listing = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        answer = subprocess.run(listing, capture_output=True, check=True, timeout=30)
    except (OSError, subprocess.CalledProcessError):
        names = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        return tuple(sorted(str(PurePosixPath(name)) for name in names if not _made(name.parts)))
    found = answer.stdout.decode().split("\0")
    return tuple(sorted(name for name in found if name and (ROOT / name).is_file()))


def _made(parts: tuple[str, ...]) -> bool:
    return any(part in MADE or (part.startswith(".") and part not in (".ci", ".github")) for part in parts)


@cache
def text(name: str) -> str:
    """Return one file's text."""
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def python(name: str) -> ast.Module:
    """Return one Python file, parsed."""
    return ast.parse(text(name), filename=name)


def named(*, under: tuple[str, ...], suffix: str) -> dict[str, str]:
    """Return {name: text} of the files with this suffix under any of the folders."""
    return {name: text(name) for name in tracked() if name.endswith(suffix) and name.startswith(tuple(under))}


def package() -> dict[str, str]:
    """Return the package's own Python files, {path inside python/: text}."""
    files = named(under=("python/covey/",), suffix=".py")
    return {name.removeprefix("python/"): body for name, body in files.items()}
