"""What a command says, and where: text or JSON on standard output, complaints on standard error.

Rules: text from peers is made harmless before it is printed; colours only for a terminal that wants them;
no character makes printing fail.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

from covey.errors import CoveyError

_STYLES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Console:
    """The two streams of a command and how to use them."""

    def __init__(
        self, out: TextIO, err: TextIO, env: Mapping[str, str], *, as_json: bool = False, colour: bool = False
    ) -> None:
        """Say things on `out` and complain on `err`."""
        self.out = out
        self.err = err
        self.env = env
        self.as_json = as_json
        self.colour = colour

    @staticmethod
    def of_process(env: Mapping[str, str], *, as_json: bool = False) -> Console:
        """Return the console of this process, made safe for any text."""
        out, err = _usable(sys.stdout), _usable(sys.stderr)
        return Console(out, err, env, as_json=as_json, colour=_wants_colour(out, env))

    @property
    def live(self) -> bool:
        """Say whether a person watches."""
        return not self.as_json and self.out.isatty()

    def say(self, text: str = "") -> None:
        """Print a line of text; with --json it is left out."""
        if not self.as_json:
            self._write(self.out, text)

    def note(self, text: str) -> None:
        """Print a line beside the output, at once: what happens, not what was asked for."""
        self._write(self.err, text)
        self.flush()

    def remark(self, text: str) -> None:
        """Print a note when a person watches, and nothing otherwise."""
        if self.live:
            self.note(self.style(text, "dim"))

    def result(self, value: Mapping[str, Any], text: str) -> None:
        """Print the outcome: `value` with --json, else `text`."""
        self._write(self.out, _json(value) if self.as_json else text)

    def event(self, value: Mapping[str, Any], text: str) -> None:
        """Print one event of a stream, at once."""
        self.result(value, text)
        self.flush()

    def fail(self, said: str, error: CoveyError, hint: str | None) -> None:
        """Print an error: lines on standard error, and with --json an object on standard output."""
        if self.as_json:
            self._write(self.out, _json({"ok": False, "error": {**error.as_dict(), "hint": hint}}))
        self.complain(said, error, hint)

    def complain(self, said: str, error: CoveyError, hint: str | None) -> None:
        """Print an error for a person, on standard error."""
        prefix = self.style(f"{said}:", "bold")
        command = said.removeprefix("covey ")
        for line in error.message.splitlines():
            while line.startswith(f"{command}: "):  # said once is enough
                line = line.removeprefix(f"{command}: ")
            self._write(self.err, f"{prefix} {printable(line)}")
        for line in (hint or "").splitlines():
            self._write(self.err, f"  {printable(line)}")

    def style(self, text: str, *names: str) -> str:
        """Return `text` in a style, where styles are wanted."""
        if not self.colour:
            return text
        return f"\x1b[{';'.join(_STYLES[name] for name in names)}m{text}\x1b[0m"

    def flush(self) -> None:
        """Let everything that was said leave.

        Raises:
            BrokenPipeError: Nobody reads any more.
            CoveyError: It cannot be written, for another reason.
        """
        try:
            self.out.flush()
            self.err.flush()
        except OSError as error:
            raise _unwritable(error) from error

    def abandon(self) -> None:
        """Stop writing: what is still buffered goes nowhere, also when the interpreter flushes at its end."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), stream.fileno())

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(text + "\n")
        except OSError as error:
            raise _unwritable(error) from error


def printable(text: str) -> str:
    """Return `text` with everything that could steer a terminal made visible; it stays on one line.

    A peer's text is data: escape sequences, line breaks and direction marks in it must not act.
    """
    return "".join(char if char == " " or char.isprintable() else _visible(char) for char in text)


def _visible(char: str) -> str:
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char)
    return named or (f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}")


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _unwritable(error: OSError) -> Exception:
    if isinstance(error, BrokenPipeError):
        return error
    return CoveyError(f"cannot write output: {error.strerror or error}", code="output")


def _usable(stream: TextIO | None) -> TextIO:
    if stream is None:  # started with the stream closed (`>&-`)
        return io.StringIO()
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _wants_colour(out: TextIO, env: Mapping[str, str]) -> bool:
    return out.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def count(number: int, noun: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 entry`, `2 entries`."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"
