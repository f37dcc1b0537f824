"""Command lines, read strictly: unknown words are named with their nearest neighbour, nothing is guessed."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from covey.errors import UsageError


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Return the known word that a mistyped one was most likely meant to be, or None."""
    import difflib

    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return near[0] if near else None


_NO_FLAG: Final = re.compile(r"-\d+$|-\d*\.\d+$|-[A-Za-z0-9_-]{42}(:[0-9a-f-]{36})?$")
"""A number below zero; a public key, one in 64 of which begins with a dash, alone or with its node."""


class UnknownWord(UsageError):  # noqa: N818 (said to a person; its base says that it is an error)
    """A command or flag that does not exist."""

    def __init__(self, kind: str, word: str, known: Sequence[str], otherwise: str) -> None:
        """Name the word, and the known one nearest to it where one is near."""
        near = nearest(word, known)
        hint = otherwise if near is None else f"did you mean {near}?"
        super().__init__(
            f"unknown {kind}: {word}", code=f"unknown_{kind.lstrip('-').replace('-', '_')}", hint=hint
        )


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal, without loading readers of archives to ask how wide that is."""

    def __init__(self, prog: str) -> None:
        """Take the width from COLUMNS, else from the terminal, else 80; as `shutil` does."""
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    with contextlib.suppress(KeyError, ValueError):
        if (said := int(os.environ["COLUMNS"])) > 0:
            return said
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr]  # no stdout
    return 80


class Parser(argparse.ArgumentParser):
    """The arguments of one command; errors are UsageError, never an exit."""

    def __init__(self, name: str, summary: str, example: str) -> None:
        """Describe `covey <name>`; every command takes --json and --help."""
        super().__init__(
            prog=f"covey {name}",
            description=summary,
            epilog=f"example:\n  {example}",
            formatter_class=_Formatter,
            allow_abbrev=False,
            add_help=False,
        )
        # argparse asks this of a word with a dash in front, before it takes it for a flag.
        self._negative_number_matcher = _NO_FLAG
        self.add_argument("-h", "--help", action="store_true", help="show this text")
        self.add_argument("--json", action="store_true", help="print JSON instead of text")

    def read(self, words: Sequence[str]) -> argparse.Namespace | None:
        """Return the arguments, or None when help is asked for.

        Raises:
            UsageError: A word is unknown, missing or of the wrong kind.
        """
        flags = words[: words.index("--")] if "--" in words else words
        if "--help" in flags or "-h" in flags:
            return None
        self._refuse_unknown(flags)
        # Flags may stand between words: `recall writer --limit 3 release notes`. After `--` there are none,
        # and argparse's reader of mixed lines does not know `--`.
        if "--" in words:
            arguments, extra = self.parse_known_args(self._flags_first(self._joined(words)))
        else:
            arguments, extra = self.parse_known_intermixed_args(self._joined(words))
        if extra:
            raise UsageError(f"unexpected argument: {extra[0]}")
        return arguments

    @property
    def actions(self) -> Sequence[argparse.Action]:
        """Return every flag and place there is, in the order they were declared."""
        return tuple(self._actions)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        required = "the following arguments are required: "
        if message.startswith(required):
            raise UsageError(f"missing {message.removeprefix(required)}")
        raise UsageError(message.removeprefix("argument "))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a word outside a closed list, with the nearest of the list."""
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        what = max(action.option_strings, key=len, default=action.dest)
        raise UnknownWord(what, str(value), known, f"one of {', '.join(known)}")

    def _refuse_unknown(self, words: Sequence[str]) -> None:
        known = self._option_string_actions
        for word in words:
            name = word.partition("=")[0]
            if name.startswith("--") and " " not in name and name not in known and not _NO_FLAG.match(name):
                raise UnknownWord("flag", name, list(known), f"{self.prog} --help lists its flags")

    def _flags_first(self, words: Sequence[str]) -> list[str]:
        """Put the flags before all other words: argparse gives up on words that flags divide."""
        end = list(words).index("--")
        flags: list[str] = []
        places: list[str] = []
        waiting = False
        for word in words[:end]:
            action = self._option_string_actions.get(word.partition("=")[0])
            (flags if waiting or action is not None else places).append(word)
            waiting = action is not None and not waiting and action.nargs != 0 and "=" not in word
        return [*flags, "--", *places, *words[end + 1 :]]

    def _joined(self, words: Sequence[str]) -> list[str]:
        """Let `--focus -5` and `--focus -maybe` mean what they look like; argparse alone refuses them."""
        joined: list[str] = []
        for index, word in enumerate(words):
            if word == "--":
                return joined + list(words[index:])
            last = joined[-1] if joined else ""
            action = self._option_string_actions.get(last)
            dashed = len(word) > 1 and word[0] == "-" and word[1] != "-"
            if dashed and last.startswith("--") and action is not None and action.nargs is None:
                joined[-1] = f"{last}={word}"
            else:
                joined.append(word)
        return joined


def check_text(arguments: argparse.Namespace) -> None:
    """Refuse text that is not UTF-8; paths may be any bytes, since file names are.

    Raises:
        UsageError: It names the argument.
    """
    for name, value in vars(arguments).items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and any("\ud800" <= char <= "\udfff" for char in text):
                raise UsageError(f"{name.replace('_', '-')}: not valid UTF-8: {text!a}", code="not_utf8")


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, got {text!r}")
        return int(text)

    return read


def seconds(least: float, most: float, unit: str = "seconds") -> Callable[[str], float]:
    """Return a reader of durations in seconds, or in another `unit`, from `least` to `most`."""

    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or not least <= float(text) <= most:
            raise argparse.ArgumentTypeError(f"expected {unit} from {least:g} to {most:g}, got {text!r}")
        return float(text)

    return read


def amount(least: float, most: float) -> Callable[[str], float]:
    """Return a reader of decimal numbers from `least` to `most`, as money is written."""

    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not least <= float(text) <= most:
            lowest = f"{least:.6f}".rstrip("0").rstrip(".")
            raise argparse.ArgumentTypeError(f"expected a number from {lowest} to {most:g}, got {text!r}")
        return float(text)

    return read


def said(text: str) -> str:
    """Read what is said about a block or of a work session: something, and no more than is taken."""
    from covey.limits import WORDS_CHARS

    if not text.strip():
        raise argparse.ArgumentTypeError("expected a text, got an empty one")
    if len(text) > WORDS_CHARS:
        raise argparse.ArgumentTypeError(
            f"expected a text of at most {WORDS_CHARS:,} characters, got {len(text):,}"
        )
    return text


def capability(text: str) -> str:
    """Read a capability: one word, as an agent can offer it."""
    from covey.fleet.arguments import WORD_EXPECTED, is_capability

    if not is_capability(text):
        raise argparse.ArgumentTypeError(f"expected {WORD_EXPECTED}, got {text[:64]!a}")
    return text


def path(text: str) -> Path:
    """Read a path; it may hold any bytes, but some."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path")
    return Path(text)
