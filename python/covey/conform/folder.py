"""The artifacts in a folder the user gives: a checkout of the protocol repository, or vectors alone.

Rules: files are read, never written; what a file is follows from its text and not from its place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from covey import limits
from covey.errors import UsageError
from covey.values import dataclass

_SKIPPED = frozenset({"node_modules", "target", "dist"})
_NOT_ARTIFACTS = frozenset({"package.json", "package-lock.json", "tsconfig.json"})


@dataclass(frozen=True, slots=True)
class Artifact:
    """One JSON file: its path below the folder, its bytes and its value."""

    path: str
    raw: bytes
    value: Any

    @property
    def name(self) -> str:
        """Return the file's name."""
        return self.path.rpartition("/")[2]

    @property
    def place(self) -> str:
        """Return the path of the folder it lies in, below the one given."""
        return self.path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Collection:
    """Every artifact found, sorted by path."""

    root: Path
    artifacts: tuple[Artifact, ...]
    unreadable: tuple[tuple[str, str], ...]

    def having(self, *members: str) -> Iterator[Artifact]:
        """Yield the artifacts that are objects with all these members."""
        for artifact in self.artifacts:
            if isinstance(artifact.value, dict) and all(member in artifact.value for member in members):
                yield artifact

    def schemas_beside(self, artifact: Artifact) -> dict[str, Any]:
        """Return the schemas of the same folder by file name, which is how they refer to each other."""
        return {
            other.name: other.value
            for other in self.artifacts
            if other.place == artifact.place and other.name.endswith(".schema.json")
        }


def read(root: Path) -> Collection:
    """Read every JSON file below `root`.

    Raises:
        UsageError: It is no folder, or there is nothing to check in it.
    """
    if not root.is_dir():
        raise UsageError(f"no such folder: {root}", hint="give a checkout of the protocol repository")
    found, unreadable = [], []
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        try:
            raw = _bounded(path)
            found.append(Artifact(name, raw, json.loads(raw)))
        except (OSError, ValueError, RecursionError) as error:
            unreadable.append((name, str(error).partition("\n")[0]))
    if not found:
        raise UsageError(f"nothing to check: no JSON files in {root}")
    return Collection(root, tuple(sorted(found, key=lambda artifact: artifact.path)), tuple(unreadable))


def _files(root: Path) -> Iterator[Path]:
    count = 0
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(names):
            if name.endswith(".json") and not name.startswith(".") and name not in _NOT_ARTIFACTS:
                count += 1
                if count > limits.CONFORM_FILES:
                    raise UsageError(f"more than {limits.CONFORM_FILES} JSON files below {root}")
                yield Path(folder, name)


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(limits.CONFORM_FILE_BYTES + 1)
    if len(raw) > limits.CONFORM_FILE_BYTES:
        raise ValueError(f"larger than {limits.CONFORM_FILE_BYTES} bytes")
    return raw
