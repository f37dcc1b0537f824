"""`covey doctor`: look at everything a peer of this machine needs, and repair what is safe to repair."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path
from covey.errors import EXIT_FAILED, EXIT_OK
from covey.system.home import Home

if TYPE_CHECKING:
    from covey.cli.doctor.finding import Finding

EXAMPLE: Final = "covey doctor --fix --config reviewer.toml"
_COLOURS: Final = {"ok": "green", "info": "dim", "warn": "yellow", "FAIL": "red", "fixed": "cyan"}


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--fix",
        action="store_true",
        help="tighten modes, remove dead sockets, registry rows and temporary files; says what it did",
    )
    parser.add_argument(
        "--config",
        type=path,
        action="append",
        default=[],
        metavar="PATH",
        help="look at this agent.toml, its model, port and relays too (may be given several times)",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Look, repair where asked, and say what is left."""
    home = Home.resolve(console.env)
    console.say(f"covey doctor — health of {printable(str(home.path))}")
    findings: list[Finding] = []
    for section, group in groupby(_look(arguments, home, console), key=lambda each: each.section):
        console.say(f"\n{console.style(printable(section), 'bold')}")
        for finding in group:
            shown = finding.mended() if arguments.fix else finding
            findings.append(shown)
            for line in _lines(console, shown):
                console.say(line)
    return _summary(findings, home, console, fixing=arguments.fix)


def _look(arguments: argparse.Namespace, home: Home, console: Console) -> Iterator[Finding]:
    from covey.cli.doctor import adapters, folders, machine, outside, peers

    yield from machine.look(home)
    yield from folders.look(home)
    yield from peers.look(home)
    yield from adapters.look()
    yield from outside.configurations(home, arguments.config, console.env)
    yield from outside.environment(console.env)


def _lines(console: Console, finding: Finding) -> Iterator[str]:
    state = console.style(f"{finding.state:<5}", _COLOURS[finding.state])
    yield f"  {state}  {finding.name}  — {printable(finding.detail)}"
    if finding.next_step is not None and finding.state in ("warn", "FAIL"):
        for line in finding.next_step.splitlines():
            yield f"         next: {printable(line)}"


def _summary(findings: Sequence[Finding], home: Home, console: Console, *, fixing: bool) -> int:
    issues = [each for each in findings if each.state == "FAIL"]
    fixed = sum(each.state == "fixed" for each in findings)
    fixable = sum(each.mend is not None for each in issues)
    lines = [f"\nsummary: {f'{len(issues)} issue(s) to address:' if issues else 'HEALTHY'}"]
    lines += [f"  - {each.name}: {printable(each.next_step or each.detail)}" for each in issues]
    if fixed:
        lines.append(f"fixed: {fixed}")
    value = {
        "ok": not issues,
        "home": str(home.path),
        "issues": len(issues),
        "fixed": fixed,
        "findings": [each.as_dict() for each in findings],
    }
    console.result(value, "\n".join(lines))
    if issues and fixable and not fixing:
        console.note(f"`covey doctor --fix` repairs {fixable} of them")
    return EXIT_FAILED if issues else EXIT_OK
