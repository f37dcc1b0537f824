"""What may stand at the cursor of a half-typed command line: asked of the same parsers that read it.

Rules: pure but for the import of the one command that is being typed, and the names that come in; a word that
is half typed never raises.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from covey.cli.commands import COMMANDS
from covey.cli.parser import Parser, path
from covey.values import dataclass

PATHS: Final = ":paths"
"""Stands alone where the shell's own completion of file names is wanted."""
_NAMES: Final = ("peer", "name", "to")
"""Arguments that are names of peers."""
_MANY: Final = ("*", "+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One word, and what it is for."""

    word: str
    about: str = ""


def candidates(words: Sequence[str], peers: Callable[[], Iterable[str]]) -> list[Candidate]:
    """Return what may stand in place of the last word.

    Args:
        words: The command line after the program's name, up to the cursor; the last one may be empty.
        peers: Gives the names of the peers of this machine.
    """
    *before, current = _joined(words) or [""]
    if not before:
        listed = [Candidate(each.name, each.summary) for each in COMMANDS.values()]
        listed += [Candidate("--help", "what there is"), Candidate("--version", "which version this is")]
        return [each for each in listed if each.word.startswith(current)]
    command = COMMANDS.get(before[0])
    if command is None:
        return []
    module = importlib.import_module(command.module)
    parser = Parser(command.name, command.summary, module.EXAMPLE)
    module.configure(parser)
    return list(_Line(parser, peers).at(before[1:], current))


class _Line:
    """The arguments of one command, half typed."""

    def __init__(self, parser: Parser, peers: Callable[[], Iterable[str]]) -> None:
        self._flags = {flag: action for action in parser.actions for flag in action.option_strings}
        self._places = [action for action in parser.actions if not action.option_strings]
        self._peers = peers

    def at(self, before: Sequence[str], current: str) -> Iterator[Candidate]:
        """Yield what may stand at the cursor, given the words before it."""
        waiting: argparse.Action | None = None
        used: set[str] = set()
        filled, only_words = 0, False
        for word in before:
            if waiting is not None:
                waiting = None
            elif only_words or not word.startswith("-"):
                filled += 1
            elif word == "--":
                only_words = True
            else:
                action = self._flags.get(word.partition("=")[0])
                used.update(_spent(action))
                waiting = action if action is not None and "=" not in word and _takes_value(action) else None
        if waiting is not None:
            yield from self._values(waiting, current)
        elif current.startswith("-") and not only_words:
            yield from self._flag(current, used)
        else:
            yield from self._word(current, filled, () if only_words else used)

    def _flag(self, current: str, used: Iterable[str]) -> Iterator[Candidate]:
        flag, equals, value = current.partition("=")
        if equals:
            action = self._flags.get(flag)
            if action is not None:
                for each in self._values(action, value):
                    # A path behind an equals sign is left to the shell, as one behind a space is.
                    yield each if each.word == PATHS else Candidate(f"{flag}={each.word}", each.about)
            return
        for name, action in self._flags.items():
            if name.startswith(current) and name not in used and (len(name) > 2 or current == name):
                yield Candidate(name, _line(action.help))

    def _word(self, current: str, filled: int, used: Iterable[str]) -> Iterator[Candidate]:
        place = None
        if filled < len(self._places):
            place = self._places[filled]
        elif self._places and self._places[-1].nargs in _MANY:
            place = self._places[-1]
        found = [] if place is None else list(self._values(place, current))
        yield from found
        if not found and not current:
            yield from self._flag("--", used)

    def _values(self, action: argparse.Action, current: str) -> Iterator[Candidate]:
        if action.choices is not None:
            known: Iterable[str] = (str(choice) for choice in action.choices)
        elif action.type is path:
            yield Candidate(PATHS)
            return
        elif action.dest in _NAMES:
            known = self._peers()
        else:
            return
        yield from (Candidate(word) for word in known if word.startswith(current))


def _spent(action: argparse.Action | None) -> Iterable[str]:
    """Return the flags that need not be offered again once this one was given."""
    # argparse has no public name for the action that collects values.
    is_repeatable = isinstance(action, argparse._AppendAction)
    return () if action is None or is_repeatable else action.option_strings


def _takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0


def _line(text: str | None) -> str:
    return " ".join((text or "").replace("%%", "%").split())


def _joined(words: Sequence[str]) -> list[str]:
    """Undo what bash does to `--flag=value`: it splits it in three, the equals sign alone."""
    joined: list[str] = []
    for word in words:
        if word == "=" and joined and joined[-1].startswith("--"):
            continue
        joined.append(word)
    if words and words[-1] == "=":
        joined.append("")
    return joined
