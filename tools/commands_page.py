"""Write docs/commands.md from the commands' own parsers: `python -m tools.commands_page`.

The page is made of what the parsers know, in a form of its own: argparse words its help differently from one
Python to the next.
"""

import argparse
import importlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from covey.cli.commands import COMMANDS, GROUPS, Command
from covey.cli.parser import Parser

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
HEAD = """# Commands

Every command takes `--help` and `--json`, and ends with 0 done, 1 not done, 2 asked wrongly. A word that
does not exist is named with the nearest one that does. `covey completion` lets a shell complete all of this.
Written from the parsers by `make commands-page`."""
COMMON = ("--help", "--json")


def page() -> str:
    """Return the page."""
    parts = [HEAD, *(table(title, group) for title, group in GROUPS.items())]
    parts += ["\n".join(section(each)) for each in COMMANDS.values()]
    return "\n\n".join(parts) + "\n"


def table(title: str, group: Iterable[Command]) -> str:
    """Return the list of one group, each command a link to its section."""
    rows = "\n".join(f"| [{each.name}](#covey-{each.name}) | {each.summary} |" for each in group)
    return f"{title[0].upper()}{title[1:]}:\n\n| command | what it does |\n|---|---|\n{rows}"


def section(command: Command) -> Iterator[str]:
    """Yield the lines of one command."""
    module = importlib.import_module(command.module)
    parser = Parser(command.name, command.summary, module.EXAMPLE)
    module.configure(parser)
    yield f"## covey {command.name}\n"
    yield f"{command.summary[0].upper()}{command.summary[1:]}.\n"
    yield f"```\n{module.EXAMPLE}\n```"
    rows = [action for action in parser.actions if not set(COMMON) & set(action.option_strings)]
    if rows:
        yield "\n| argument | meaning |\n|---|---|"
        yield from (f"| {cell(called(action))} | {cell(meaning(action))} |" for action in rows)


def called(action: argparse.Action) -> str:
    """Return how an argument is written."""
    if not action.option_strings:
        name = f"`{action.metavar or action.dest}`"
        return {"?": f"{name}, may be left out", "*": f"{name} …, may be left out"}.get(
            str(action.nargs), name
        )
    value = (
        ""
        if action.nargs == 0
        else f" {action.metavar or '|'.join(map(str, action.choices or ())) or action.dest}"
    )
    needed = ", needed" if action.required else ""
    return ", ".join(f"`{flag}{value}`" for flag in action.option_strings) + needed


def meaning(action: argparse.Action) -> str:
    """Return what an argument is for, and its words where it has a closed list."""
    text = (action.help or "").replace("%%", "%")
    listed = "" if action.option_strings or not action.choices else f": {', '.join(map(str, action.choices))}"
    return f"{text}{listed}" if listed and listed[2:] not in text else text


def cell(text: str) -> str:
    """Return a text as one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def main() -> int:
    """Write the page; with `--check` only say whether it is current."""
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text("utf-8") != page())
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
