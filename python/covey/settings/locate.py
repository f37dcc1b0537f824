"""Find the line on which each key of a TOML text stands.

tomllib says where the syntax breaks but not where a key stood. This walks a text that tomllib has already
accepted, so it never has to judge: it only skips strings, comments and brackets, and notes where keys begin.
Rules: never raises on such a text; on any other the lines found so far are the answer.
"""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Mapping

from covey.settings.rules import Path


class Lines:
    """The lines of keys, by path; a key without its own line has its table's."""

    def __init__(self, lines: Mapping[Path, int]) -> None:
        self._lines = dict(lines)

    def line(self, at: Path) -> int | None:
        """Return the line (from 1) of a key, else of the nearest thing around it, else None."""
        for length in range(len(at), 0, -1):
            if at[:length] in self._lines:
                return self._lines[at[:length]]
        return None


def locate(text: str) -> Lines:
    """Return where each key of a TOML text stands."""
    walk = _Walk(text)
    # Text that is not TOML after all has tomllib's own error to show; the lines found so far stay right.
    with contextlib.suppress(IndexError, tomllib.TOMLDecodeError):
        walk.document()
    return Lines(walk.lines)


class _Walk:
    """One pass over the text; `at` is the index of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.line = 1
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while self.skip(" \t\n"):
            table = self.header() if self.text[self.at] == "[" else self.pair(table)

    def skip(self, blanks: str) -> bool:
        """Move over blanks and comments; say whether anything is left."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif char in blanks:
                self.step()
            else:
                return True
        return False

    def step(self, count: int = 1) -> None:
        self.line += self.text.count("\n", self.at, self.at + count)
        self.at += count

    def header(self) -> Path:
        """Read `[a.b]` or `[[a.b]]`; return the table that the following pairs belong to."""
        line, is_array = self.line, self.text.startswith("[[", self.at)
        self.step(2 if is_array else 1)
        path = self.resolve(self.key())
        self.skip(" \t")
        self.step(2 if is_array else 1)
        self.lines.setdefault(path, line)
        if not is_array:
            return path
        index = self.counts.get(path, -1) + 1
        self.counts[path] = index
        self.lines[(*path, index)] = line
        return (*path, index)

    def resolve(self, names: Path) -> Path:
        """Return the path of a header, inside the latest item of each array of tables it passes."""
        path: Path = ()
        for position, name in enumerate(names):
            path = (*path, name)
            if path in self.counts and position < len(names) - 1:
                path = (*path, self.counts[path])
        return path

    def pair(self, table: Path) -> Path:
        """Read `a.b = value`; return the table unchanged."""
        line = self.line
        names = self.key()
        for length in range(1, len(names) + 1):
            self.lines.setdefault((*table, *names[:length]), line)
        self.skip(" \t")
        self.step()  # the equals sign
        self.skip(" \t")
        self.value((*table, *names))
        return table

    def key(self) -> Path:
        """Read a dotted key."""
        names: list[str] = []
        while True:
            self.skip(" \t")
            names.append(self.name())
            self.skip(" \t")
            if self.text[self.at] != ".":
                return tuple(names)
            self.step()

    def name(self) -> str:
        """Read one bare or quoted part of a key."""
        start = self.at
        if self.text[start] in "\"'":
            self.string()
            parsed = tomllib.loads(f"{self.text[start : self.at]} = 0")
            return next(iter(parsed))
        while self.text[self.at].isalnum() or self.text[self.at] in "_-":
            self.step()
        if self.at == start:
            raise IndexError("no key here")
        return self.text[start : self.at]

    def value(self, at: Path) -> None:
        """Move over a value, noting the keys of inline tables and the items of arrays."""
        char = self.text[self.at]
        if char in "\"'":
            self.string()
        elif char == "[":
            self.array(at)
        elif char == "{":
            self.inline(at)
        else:
            start = self.at
            while self.at < len(self.text) and self.text[self.at] not in ",]}\n#":
                self.step()
            if self.at == start:
                raise IndexError("no value here")

    def array(self, at: Path) -> None:
        self.step()
        index = 0
        while self.skip(" \t\n,") and self.text[self.at] != "]":
            self.lines[(*at, index)] = self.line
            self.value((*at, index))
            index += 1
        self.step()

    def inline(self, at: Path) -> None:
        self.step()
        while self.skip(" \t\n,") and self.text[self.at] != "}":
            self.pair(at)
        self.step()

    def string(self) -> None:
        """Move over a string of any of the four kinds."""
        quote = self.text[self.at]
        triple = quote * 3
        is_long = self.text.startswith(triple, self.at)
        end = triple if is_long else quote
        self.step(len(end))
        while not self.text.startswith(end, self.at):
            is_escape = self.text[self.at] == "\\"  # raises past the end, where no string can close
            self.step(2 if is_escape and quote == '"' else 1)
        self.step(len(end))
        while is_long and self.at < len(self.text) and self.text[self.at] == quote:
            self.step()  # up to two quotes may stand right before the closing three
