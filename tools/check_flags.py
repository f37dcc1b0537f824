"""`python -m tools.check_flags`: refuse to build a wheel that would die on other machines.

A wheel runs on every processor of its platform. Whoever builds with `target-cpu=native` gets one that stops
with an illegal instruction elsewhere, and no test here would notice. SQLite and others are C, where it is
`-march=native` that does it. So every place is looked at from which cargo takes flags, or the crate `cc` for
the C compiler: the environment, and the configuration files of the checkout, of the folders above it, and of
cargo's home. Flags for platforms that no wheel is for do no harm.
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
PINNED_C = re.compile(
    r"-m(?:arch|cpu|tune)=(?!(?:generic|baseline|x86[-_]64|armv8-a)(?:[\s\"']|$))[^\s]+"
    r"|-m(?:avx|sse[34]|ssse3|fma|f16c|bmi|lzcnt|popcnt|movbe|adx|aes|vaes|pclmul|vpclmul|sha|gfni|rdrnd|rdseed)"
    r"[\w.]*|[-/]arch:\w+"
)
"""The same for a C compiler, in the words of gcc, clang and MSVC. What every processor has may be named."""
VARIABLES = ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS")
OF_A_TARGET = re.compile(r"CARGO_TARGET_(?P<triple>\w+)_RUSTFLAGS")
OF_C = re.compile(r"(?:(?:HOST|TARGET)_)?(?:CFLAGS|CXXFLAGS|CC|CXX)(?:_(?P<triple>[\w.-]+))?")
"""What the crate `cc` reads, a triple at the end in either spelling; a compiler may be named with flags."""
NAMES = ("config.toml", "config")
CARRIED = ("linux", "darwin", "windows", "cfg(")
"""What the name of a target that wheels are for has in it."""


def problems(environ: Mapping[str, str], checkout: Path) -> list[str]:
    """Return a line for each place that names a processor: where, and what it says."""
    found = []
    for where, flags, pins in (*_of_environment(environ), *_of_files(environ, checkout)):
        pinned = pins.search(flags)
        if pinned:
            found.append(f"{where}: {pinned.group()}: such a wheel dies on other machines")
    return found


Said = tuple[str, str, re.Pattern[str]]
"""Where flags stand, what they are, and what they must not say."""


def _of_environment(environ: Mapping[str, str]) -> Iterator[Said]:
    for name, value in sorted(environ.items()):
        target = OF_A_TARGET.fullmatch(name)
        if name in VARIABLES or (target and _carried(target["triple"].lower())):
            yield name, value, PINNED
        c = OF_C.fullmatch(name)
        if c and (c["triple"] is None or _carried(c["triple"].lower())):
            yield name, value, PINNED_C


def _of_files(environ: Mapping[str, str], checkout: Path) -> Iterator[Said]:
    checkout = checkout.resolve()
    home = Path(environ.get("CARGO_HOME") or Path(environ.get("HOME", "/")) / ".cargo")
    folders = dict.fromkeys(
        [*(folder / ".cargo" for folder in (checkout, *checkout.parents)), home.resolve()]
    )
    seen: set[Path] = set()
    for folder in folders:
        for name in NAMES:
            yield from _of_file(folder / name, seen)


def _of_file(path: Path, seen: set[Path]) -> Iterator[Said]:
    """Return the flags of one file, and of those it includes, each with its place."""
    if path in seen or not path.is_file():
        return
    seen.add(path)
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # cargo complains of it in its own words
    yield f"{path}: build.rustflags", _joined(_table(said.get("build")).get("rustflags")), PINNED
    for target, table in _table(said.get("target")).items():
        if _carried(target):
            yield f"{path}: target.{target}.rustflags", _joined(_table(table).get("rustflags")), PINNED
    # What cargo adds to the environment of the compilers it calls.
    told = {name: str(_table(value).get("value", value)) for name, value in _table(said.get("env")).items()}
    yield from ((f"{path}: env.{name}", flags, pins) for name, flags, pins in _of_environment(told))
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
