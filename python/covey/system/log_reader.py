"""Reading the logs that `system.log` writes: from their end backwards, rotated files too, or as they grow.

Rules: memory is bounded by one line, however large the files; a file that rotates while it is read is read
once; nothing here writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from covey.errors import StoreError
from covey.limits import LOG_FILES, LOG_LINE_BYTES

_BLOCK: Final = 65_536


class Backwards:
    """The lines of a log, newest first, through its rotated files. Use as a context manager.

    All files are opened before the first line is read, so a rotation meanwhile neither doubles nor hides one.
    """

    def __init__(self, path: Path) -> None:
        """Open the log and its older files; what is written from now on is no part of it.

        Raises:
            StoreError: There is a log, and it cannot be opened.
        """
        self._path = path
        self._files: list[tuple[BinaryIO, int]] = []
        seen: set[tuple[int, int]] = set()
        for number in range(LOG_FILES + 1):
            place = _numbered(path, number)
            try:
                file = place.open("rb")
            except FileNotFoundError:
                if number:  # between a rotation's two steps only the newest is missing
                    break
                continue
            except OSError as error:
                self.close()
                raise StoreError(f"cannot read {place}: {error.strerror or error}") from error
            facts = os.fstat(file.fileno())
            if (facts.st_dev, facts.st_ino) in seen:
                file.close()
                continue
            seen.add((facts.st_dev, facts.st_ino))
            self._files.append((file, facts.st_size))

    def __enter__(self) -> Backwards:
        """Return the open log."""
        return self

    def __exit__(self, *failure: object) -> None:
        """Close every file."""
        self.close()

    def close(self) -> None:
        """Close every file; calling it twice is harmless."""
        for file, _ in self._files:
            file.close()

    @property
    def found(self) -> bool:
        """Say whether there is a log at all."""
        return bool(self._files)

    def follower(self) -> Follower:
        """Return the lines that come after these: none is lost, none comes twice."""
        if not self._files:
            return Follower(self._path, None, 0)
        file, size = self._files[0]
        end = _end_of_last_line(file, size)
        self._files[0] = (file, end)
        return Follower(self._path, os.fdopen(os.dup(file.fileno()), "rb"), end)

    def __iter__(self) -> Iterator[str]:
        """Yield lines without their ends, the newest first."""
        for file, size in self._files:
            yield from _backwards(file, size)


class Follower:
    """The lines that a log gets from now on; a log that rotates or is cut short is followed on."""

    def __init__(self, path: Path, file: BinaryIO | None, at: int) -> None:
        """Begin in an open file at a position; without one, at the start of the file that comes."""
        self._path = path
        self._file = file
        self._rest = b""
        if file is not None:
            file.seek(at)

    def close(self) -> None:
        """Close the file; calling it twice is harmless."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def lines(self) -> Iterator[str]:
        """Yield the lines that were completed since the last call, in their order."""
        while True:
            if self._file is not None:
                yield from self._grown()
            following = self._next()
            if following is None:
                return
            if self._file is not None:
                yield from self._grown()  # what was written between the last read and the rotation
                self._file.close()
            self._file, self._rest = following, b""

    def _grown(self) -> Iterator[str]:
        assert self._file is not None, "callers look first"
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._rest = b""
        while block := self._file.read(_BLOCK):
            *whole, self._rest = (self._rest + block).split(b"\n")
            yield from map(_text, whole)
            if len(self._rest) > LOG_LINE_BYTES:
                yield _text(self._rest)
                self._rest = b""

    def _next(self) -> BinaryIO | None:
        """Open the file that comes after the held one; None where the held one is the newest."""
        while True:
            place = self._place()
            if place == 0:
                return None
            # One that is held nowhere any more was rotated away: what is left begins with the oldest.
            following = self._oldest() if place is None else place - 1
            try:
                file = _numbered(self._path, following).open("rb")
            except FileNotFoundError:
                return None  # between a rotation's two steps, or no log yet
            if self._file is None or self._place() == place:
                return file
            file.close()  # it rotated meanwhile, and the numbers mean other files

    def _place(self) -> int | None:
        """Return the number under which the held file stands now."""
        if self._file is None:
            return None
        held = os.fstat(self._file.fileno())
        for number in range(LOG_FILES + 1):
            try:
                there = _numbered(self._path, number).stat()
            except FileNotFoundError:
                if number:
                    return None
                continue
            if (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino):
                return number
        return None

    def _oldest(self) -> int:
        if self._file is None:
            return 0  # a log that was not there begins with its first file
        numbers = (number for number in range(LOG_FILES, 0, -1) if _numbered(self._path, number).exists())
        return next(numbers, 0)


def _backwards(file: BinaryIO, size: int) -> Iterator[str]:
    at, rest = size, b""
    while at > 0:
        step = min(_BLOCK, at)
        at -= step
        first, *whole = (_at(file, step, at) + rest).split(b"\n")
        yield from (_text(line) for line in reversed(whole) if line)
        rest = first
        if len(rest) > LOG_LINE_BYTES:
            yield _text(rest)
            rest = b""
    if rest:
        yield _text(rest)


def _end_of_last_line(file: BinaryIO, size: int) -> int:
    """Return the position behind the last line break: what stands after it is still being written."""
    at = size
    while at > 0:
        step = min(_BLOCK, at)
        found = _at(file, step, at - step).rfind(b"\n")
        if found >= 0:
            return at - step + found + 1
        at -= step
    return 0


def _numbered(path: Path, number: int) -> Path:
    """Return where a log stands after so many rotations."""
    return path.with_name(f"{path.name}.{number}") if number else path


def _at(file: BinaryIO, count: int, at: int) -> bytes:
    """Read without moving the file's position, which a follower shares."""
    return os.pread(file.fileno(), count, at)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
