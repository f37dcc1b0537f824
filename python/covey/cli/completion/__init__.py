"""`covey completion`: let a shell complete commands, flags, values and names of peers."""

from __future__ import annotations

import argparse
from typing import Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.errors import EXIT_OK, CoveyError
from covey.system.home import Home

EXAMPLE: Final = "covey completion bash > ~/.local/share/bash-completion/completions/covey"
_WORDS: Final = "words"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "shell",
        choices=("bash", "zsh", "fish", _WORDS),
        help="print this shell's script; `words` is what the scripts ask",
    )
    parser.add_argument("line", nargs="*", help="of words, after --: the command line up to the cursor")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print a script, or what may stand at the cursor: one word a line, and behind a tab what it is for."""
    # A --json in the half-typed line is not ours.
    said = Console(console.out, console.err, console.env, as_json=arguments.json)
    if arguments.shell != _WORDS:
        from covey.cli.completion.scripts import SCRIPTS

        script = SCRIPTS[arguments.shell]
        said.result({"shell": arguments.shell, "script": script}, script.rstrip("\n"))
        return EXIT_OK
    from covey.cli.completion.candidates import candidates

    found = candidates(arguments.line, lambda: _peers(console))
    text = "\n".join(f"{printable(each.word)}\t{printable(each.about)}" for each in found)
    value = {"candidates": [{"word": each.word, "about": each.about} for each in found]}
    if found or said.as_json:
        said.result(value, text)
    return EXIT_OK


def _peers(console: Console) -> list[str]:
    try:
        return Home.resolve(console.env).peers()
    except CoveyError:
        return []  # a shell in the middle of a line has no place for a complaint
