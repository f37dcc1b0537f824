"""`covey migrate`: carry a peer over from the Node product; its files are read and never changed."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path
from covey.errors import EXIT_FAILED, EXIT_OK
from covey.system.home import Home

if TYPE_CHECKING:
    from covey.cli.migrate.step import Step

EXAMPLE: Final = "covey migrate --config reviewer.toml --apply"
_COLOURS: Final = {
    "write": "cyan",
    "wrote": "green",
    "same": "dim",
    "keep": "yellow",
    "note": "yellow",
    "skip": "yellow",
    "FAIL": "red",
}
_HERE: Final = (
    "what is different here: peers stay on this machine unless [mesh] lan = true; a stranger's block wakes",
    'no agent until it is trusted (covey trust add); stock Node peers are met with [mesh] profile = "legacy"',
)


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("--apply", action="store_true", help="write it; without this nothing is written")
    parser.add_argument(
        "--config",
        type=path,
        action="append",
        default=[],
        metavar="PATH",
        help="an agent.toml of the Node product (may be given several times); those of last runs are found",
    )
    parser.add_argument(
        "--from",
        dest="base",
        type=path,
        metavar="DIR",
        help="its folder (default XMESH_RUNTIME_DIR, else ~/.xmesh, else ~/.xmesh-agent)",
    )
    parser.add_argument(
        "--mesh-from", type=path, metavar="DIR", help="its mesh's folder (default SYM_STATE_DIR, else ~/.sym)"
    )
    parser.add_argument(
        "--identity",
        choices=("keys", "mesh"),
        default="keys",
        help="which key is taken first: the one people verified (keys), or the one that signed (mesh)",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Say what would be carried, or carry it and say what was."""
    from covey.cli.migrate.plan import Plan
    from covey.cli.migrate.source import Source

    home = Home.resolve(console.env)
    source = Source.find(console.env, arguments.base, arguments.mesh_from)
    if not source.base.is_dir() and not arguments.config:
        text = f"nothing to do: no files of the Node product at {printable(str(source.base))}"
        said = {"ok": True, "applied": arguments.apply, "steps": []}
        console.result(said, f"{text}\n  --from names another folder, --config a configuration")
        return EXIT_OK
    mode = "" if arguments.apply else " (dry run: nothing is written)"
    console.say(f"covey migrate — from {printable(str(source.base))} to {printable(str(home.path))}{mode}")
    plan = Plan(source, home, tuple(arguments.config), prefer_mesh=arguments.identity == "mesh")
    steps: list[Step] = []
    peer: str | None = None
    for planned in plan.steps():
        step = planned.done() if arguments.apply else planned
        if step.peer != peer:
            peer = step.peer
            console.say(f"\n{console.style(printable(peer) or 'everything else', 'bold')}")
        steps.append(step)
        console.say(_line(console, step))
    return _summary(steps, home, console, applied=arguments.apply)


def _line(console: Console, step: Step) -> str:
    state = console.style(f"{step.state:<5}", _COLOURS[step.state])
    return f"  {state}  {step.what:<8}  {printable(step.detail)}"


def _summary(steps: Sequence[Step], home: Home, console: Console, *, applied: bool) -> int:
    count = Counter(step.state for step in steps)
    fine = count["FAIL"] == 0
    value = {
        "ok": fine,
        "applied": applied,
        "home": str(home.path),
        "counts": dict(count),
        "steps": [step.as_dict() for step in steps],
    }
    console.result(value, "\n".join(_end(steps, count, home, applied=applied)))
    return EXIT_OK if fine else EXIT_FAILED


def _end(steps: Sequence[Step], count: Counter[str], home: Home, *, applied: bool) -> Iterator[str]:
    done = f"{count['wrote']} written" if applied else f"{count['write']} to write"
    failed = f", {count['FAIL']} failed" if count["FAIL"] else ""
    kept = f"{count['same']} already there, {count['keep']} kept"
    yield f"\n{done}, {kept}, {count['skip']} not carried{failed}"
    if not applied:
        if count["write"]:
            yield "this was a dry run: `covey migrate --apply` writes it"
        return
    yield from _HERE
    for name in sorted(
        {step.peer for step in steps if step.what == "config" and step.state in ("wrote", "same")}
    ):
        file = shlex.quote(str(home.peer_folder(name) / "agent.toml"))
        yield f"next: covey dry-run --config {printable(file)}"
