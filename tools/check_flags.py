"""`python -m tools.check_flags`: refuse to build a wheel that would die on other machines.

A wheel runs on every processor of its platform. Whoever builds with `target-cpu=native` gets one that stops
with an illegal instruction elsewhere, and no test here would notice. So every place from which cargo takes
flags for the compiler is looked at: the environment, and the configuration files of the checkout, of the
folders above it, and of cargo's home. Flags for platforms that no wheel is for do no harm.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
PINNED = re.compile(r"target-cpu=[^\s\x1f]+|target-feature=[^\s\x1f]*\+(?!crt-static)[^\s\x1f]*")
"""A processor's model, or an instruction that not every one has. How the C library is linked may be said."""
VARIABLES = ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS")
OF_A_TARGET = re.compile(r"CARGO_TARGET_(?P<triple>\w+)_RUSTFLAGS")
NAMES = ("config.toml", "config")
CARRIED = ("linux", "darwin", "windows", "cfg(")
"""What the name of a target that wheels are for has in it."""


def problems(environ: Mapping[str, str], checkout: Path) -> list[str]:
    """Return a line for each place that names a processor: where, and what it says."""
    found = []
    for where, flags in (*_of_environment(environ), *_of_files(environ, checkout)):
        pinned = PINNED.search(flags)
        if pinned:
            found.append(f"{where}: {pinned.group()}: such a wheel dies on other machines")
    return found


def _of_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in sorted(environ.items()):
        target = OF_A_TARGET.fullmatch(name)
        if name in VARIABLES or (target and _carried(target["triple"].lower())):
            yield name, value


def _of_files(environ: Mapping[str, str], checkout: Path) -> Iterator[tuple[str, str]]:
    checkout = checkout.resolve()
    home = Path(environ.get("CARGO_HOME") or Path(environ.get("HOME", "/")) / ".cargo")
    folders = dict.fromkeys(
        [*(folder / ".cargo" for folder in (checkout, *checkout.parents)), home.resolve()]
    )
    seen: set[Path] = set()
    for folder in folders:
        for name in NAMES:
            yield from _of_file(folder / name, seen)


def _of_file(path: Path, seen: set[Path]) -> Iterator[tuple[str, str]]:
    """Return the flags of one file, and of those it includes, each with its place."""
    if path in seen or not path.is_file():
        return
    seen.add(path)
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # cargo complains of it in its own words
    yield f"{path}: build.rustflags", _joined(_table(said.get("build")).get("rustflags"))
    for target, table in _table(said.get("target")).items():
        if _carried(target):
            yield f"{path}: target.{target}.rustflags", _joined(_table(table).get("rustflags"))
    included = said.get("include", ())
    for each in included if isinstance(included, list) else (included,):
        name = _table(each).get("path", each)
        if isinstance(name, str):
            yield from _of_file((path.parent / name).resolve(), seen)


def _carried(target: str) -> bool:
    return any(part in target for part in CARRIED)


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _joined(flags: Any) -> str:
    return " ".join(map(str, flags)) if isinstance(flags, list) else str(flags or "")


def main() -> int:
    """Say what stands against building wheels here; return 2 where something does."""
    found = problems(os.environ, TOP)
    for line in found:
        print(line, file=sys.stderr)
    if found:
        print("next step: unset or take out each of these, then build again", file=sys.stderr)
    return 2 if found else 0


if __name__ == "__main__":
    sys.exit(main())
