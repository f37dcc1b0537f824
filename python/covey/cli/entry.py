"""From argv to an exit code: find the command, run it, and let no traceback reach a user.

Rules: `--version` and `--help` import nothing that a command needs. Whatever happens inside a command ends
here as an exit code: 0 done, 1 not done, 2 asked wrongly, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence

from covey import __version__
from covey.cli.commands import COMMANDS, GROUPS, Command
from covey.cli.console import Console
from covey.cli.parser import Parser, UnknownWord, check_text
from covey.errors import EXIT_OK, CoveyError, UsageError

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: The words after the program's name; None takes those of the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    console = Console.of_process(os.environ, as_json="--json" in words)
    return guard(console, words)


def guard(console: Console, words: Sequence[str]) -> int:
    """Run `words` and turn every end it can have into an exit code."""
    said = f"covey {words[0]}" if words and words[0] in COMMANDS else "covey"
    try:
        code = _dispatch(console, words)
        console.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough (`covey recall … | head -1`).
        console.abandon()
        return EXIT_OK
    except CoveyError as error:
        return _fail(console, said, error)
    except Exception as error:  # the last guard: a bug is logged with its traceback and shown as one line
        return _fail(console, said, _internal(console.env, words, error))
    return code


def _dispatch(console: Console, words: Sequence[str]) -> int:
    head = words[0] if words else "--help"
    if head in COMMANDS:
        return _run(COMMANDS[head], console, words[1:])
    rest = [word for word in words if word != "--json"] or ["--help"]
    if rest in (["--help"], ["-h"], ["help"]):
        listed = [{"name": each.name, "summary": each.summary} for each in COMMANDS.values()]
        console.result({"version": __version__, "commands": listed}, help_text())
        return EXIT_OK
    if rest in (["--version"], ["-V"], ["-v"], ["version"]):
        console.result({"version": __version__}, __version__)
        return EXIT_OK
    if rest[0] in COMMANDS:
        raise UsageError(f"the command comes first: covey {rest[0]} …")
    kind = "flag" if rest[0].startswith("-") else "command"
    raise UnknownWord(kind, rest[0], [*COMMANDS, "--help", "--version"], "covey --help lists what there is")


def _run(command: Command, console: Console, words: Sequence[str]) -> int:
    module = importlib.import_module(command.module)
    parser = Parser(command.name, command.summary, module.EXAMPLE)
    module.configure(parser)
    arguments = parser.read(words)
    if arguments is None:
        console.result({"help": parser.format_help()}, parser.format_help().rstrip("\n"))
        return EXIT_OK
    check_text(arguments)
    code: int = module.run(arguments, console)
    return code


def help_text() -> str:
    """Return what `covey --help` says."""
    width = max(len(name) for name in COMMANDS)
    listed = "\n\n".join(
        "\n".join((f"{title}:", *(f"  {each.name:<{width}}  {each.summary}" for each in group)))
        for title, group in GROUPS.items()
    )
    return f"""covey {__version__}: sovereign AI agents on one mesh

usage: covey <command> [options]

{listed}

  {"--help":<{width}}  this text; after a command, its own
  {"--version":<{width}}  the version
  {"--json":<{width}}  after a command: print JSON instead of text

in two terminals, nothing configured:
  covey listen
  covey observe --focus "hello"

exit codes: 0 done, 1 not done, 2 asked wrongly"""


def _fail(console: Console, said: str, error: CoveyError) -> int:
    hint = error.hint
    if isinstance(error, UsageError) and hint is None:
        hint = f"{said} --help says more"
    try:
        console.fail(said, error, hint)
        console.flush()
    except (OSError, CoveyError):
        console.abandon()  # not even the complaint can be written; the exit code still says it
    return error.exit_code


def _internal(env: Mapping[str, str], words: Sequence[str], error: Exception) -> CoveyError:
    from covey.cli.crash import record, scrubbed

    where = record(env, words, error)
    advice = "no log could be written" if where is None else f"report with the log at {where}"
    first = scrubbed(str(error).partition("\n")[0])
    return CoveyError(f"internal error: {type(error).__name__}: {first}; {advice}", code="internal")
