"""`covey conform`: the published vectors, schemas and examples of a folder against an implementation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path
from covey.errors import EXIT_FAILED, EXIT_OK, UsageError

if TYPE_CHECKING:
    from covey.conform.report import Report, Row
    from covey.conform.subject import Subject

EXAMPLE: Final = "covey conform --vectors ../mesh-memory-protocol"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--vectors",
        type=path,
        metavar="DIR",
        help="a checkout of the protocol repository, or any folder of vectors",
    )
    parser.add_argument(
        "--adapter",
        metavar="COMMAND",
        help="test this program instead: it speaks JSON lines (docs/conformance.md)",
    )
    parser.add_argument(
        "--serve", action="store_true", help="be such a program: answer for this build on stdin/stdout"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print a row for each artifact; succeed when nothing failed."""
    if arguments.serve:
        return _serve(arguments)
    if arguments.vectors is None:
        raise UsageError("missing --vectors DIR")
    from covey.conform import folder
    from covey.conform.run import run as run_kit

    collection = folder.read(arguments.vectors)
    width = max(len(artifact.path) for artifact in collection.artifacts)
    console.say(f"{'artifact':<{width}}  {'pass':>5}  {'fail':>5}  {'not covered':>11}")
    with _subject(arguments.adapter) as subject:
        report = run_kit(collection, subject, lambda row: console.say(_line(row, width, console)))
    _summary(report, console)
    return EXIT_OK if report.conforms else EXIT_FAILED


def _serve(arguments: argparse.Namespace) -> int:
    if arguments.vectors is not None or arguments.adapter is not None:
        raise UsageError("--serve stands alone")
    from covey.conform.own import Own
    from covey.conform.serve import serve

    out = sys.stdout.buffer

    def write(line: bytes) -> None:
        out.write(line)
        out.flush()

    serve(Own(), iter(lambda: sys.stdin.buffer.readline(limits.CONFORM_LINE_BYTES), b""), write)
    return EXIT_OK


@contextmanager
def _subject(command: str | None) -> Iterator[Subject]:
    if command is None:
        from covey.conform.own import Own

        yield Own()
        return
    from covey.conform.process import Process

    with Process(command) as process:
        yield process


def _line(row: Row, width: int, console: Console) -> str:
    from covey.conform.report import State

    counts = [row.count(state) for state in (State.PASS, State.FAIL, State.NOT_COVERED)]
    colour = "red" if counts[1] else "green" if not counts[2] else "yellow"
    numbers = f"{counts[0]:>5}  {counts[1]:>5}  {counts[2]:>11}"
    why = "" if any(counts) else "  nothing in it"
    gaps = list(row.of(State.NOT_COVERED))
    if gaps:
        first = gaps[0].detail
        named = ", ".join(gap.label for gap in gaps if gap.detail == first and gap.label != "whole artifact")
        why = f"  {first}: {named}"[:120] if named else f"  {first}"
    return console.style(f"{printable(row.artifact):<{width}}  {numbers}{printable(why)}", colour)


def _summary(report: Report, console: Console) -> None:
    from covey.conform.report import State

    lines = []
    failures = [(row, case) for row in report.rows for case in row.of(State.FAIL)]
    if failures:
        lines.append("\nfailed:")
        for row, case in failures[: limits.CONFORM_DETAILS]:
            lines.append(printable(f"  {row.artifact}: {case.label}: {case.detail}"))
        if len(failures) > limits.CONFORM_DETAILS:
            lines.append(f"  and {len(failures) - limits.CONFORM_DETAILS} more; --json lists all")
    counts = ", ".join(f"{report.count(state)} {state.value}" for state in State)
    by_choice = sum(row.choices().total() for row in report.rows)
    if by_choice:
        lines.append(f"\n{by_choice} of what passes differs by a stated choice; --json says which")
    lines.append(f"\n{printable(report.subject)}: {counts}, in {len(report.rows)} artifacts")
    lines.append(
        "this is a list of results, not a certificate: nobody may claim blanket Core Secure yet (§17.6)"
    )
    console.result(report.as_dict(), "\n".join(lines))
