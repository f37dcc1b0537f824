"""`covey init`: write a first agent.toml, checked by reading it, and make the peer's identity."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, amount, nearest, path
from covey.errors import ConfigError, IdentityError, StoreError, UsageError
from covey.names import peer_name, room_name
from covey.settings.adapters import ADAPTERS
from covey.settings.roles import PRESETS, preset
from covey.settings.scaffold import SCHEMA_FILE, Choice, scaffold
from covey.system.home import Home
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.settings import Settings
    from covey.system.identity import StoredIdentity

EXAMPLE: Final = "covey init reviewer-01 --role reviewer --adapter anthropic"
_COST_CAP: Final = 5.0
_DAY_TIMES: Final = 2
"""The cap of a day is this many times that of a run."""


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="name of the new peer")
    parser.add_argument(
        "--role", default="generic", metavar="ROLE", help=f"any word; with a preset: {', '.join(PRESETS)}"
    )
    parser.add_argument("--room", "--group", default="default", metavar="ROOM", help="where it meets others")
    parser.add_argument("--adapter", choices=tuple(ADAPTERS), default="anthropic", help="which model thinks")
    parser.add_argument(
        "--model", default="", metavar="NAME", help="the model (each adapter has its usual one)"
    )
    parser.add_argument(
        "--base-url", default="", metavar="URL", help="where the API is; needed for compatible"
    )
    parser.add_argument("--out", type=path, metavar="PATH", help="the file (default <peer>.toml)")
    parser.add_argument(
        "--cost-cap",
        type=amount(0.000001, limits.COST_USD / _DAY_TIMES),
        default=_COST_CAP,
        metavar="USD",
        help="most for one run (default 5); half of it for an hour, twice for a day",
    )
    parser.add_argument("--lan", action="store_true", help="reach the local network, not only this machine")
    parser.add_argument(
        "--force", action="store_true", help="replace the file; an identity is never replaced"
    )


@dataclass(frozen=True, slots=True)
class _Made:
    """What there is afterwards: the file, whose it is, and which of it is new."""

    file: Path
    settings: Settings
    identity: StoredIdentity
    identity_is_new: bool
    schema: str


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Check everything, then write: identity, schema, and the configuration last."""
    name = peer_name(arguments.peer)
    file = arguments.out or Path(f"{name}.toml")
    if not arguments.force and (file.exists() or file.is_symlink()):
        raise _taken(file)
    if not file.parent.is_dir():
        raise UsageError(f"no folder: {file.parent}", hint="make it first, or give another --out")
    text, settings = _checked(arguments, name, file)
    identity, is_new = _identity(Home.resolve(console.env), name)
    from covey.cli.schema import keep

    made = _Made(file, settings, identity, is_new, keep(file.with_name(SCHEMA_FILE)))
    _write(file, text, force=arguments.force)
    console.result(_facts(made, arguments.cost_cap), "\n".join(_lines(made, arguments.cost_cap, console)))
    return 0


def _checked(arguments: argparse.Namespace, name: str, file: Path) -> tuple[str, Settings]:
    """Return the text, and what it says when it is read: what was asked for, or nothing is done.

    Raises:
        UsageError: A value cannot stand in agent.toml.
    """
    from covey.settings import parse

    if arguments.adapter == "compatible" and not (arguments.base_url and arguments.model):
        raise UsageError(
            "adapter compatible: expected --base-url and --model",
            hint="for example --base-url http://127.0.0.1:8000/v1 --model qwen3",
        )
    choice = Choice(
        name,
        arguments.role,
        room_name(arguments.room),
        arguments.adapter,
        arguments.model,
        arguments.base_url,
        arguments.cost_cap,
        arguments.lan,
    )
    text = scaffold(choice)
    try:
        settings = parse(text, file=str(file), base=file.parent)
    except ConfigError as error:
        told = "; ".join(f"{each.key}: expected {each.expected}, got {each.found}" for each in error.problems)
        raise UsageError(told, hint="covey init --help lists the flags") from error
    said = (settings.identity.name, settings.identity.role, settings.mesh.room, settings.model.adapter)
    if said != (choice.name, choice.role, choice.room, choice.adapter):
        raise StoreError("the new configuration does not say what was asked for; nothing was written")
    return text, settings


def _identity(home: Home, name: str) -> tuple[StoredIdentity, bool]:
    from covey.system import identity as ids
    from covey.system.clock import SystemClock
    from covey.system.entropy import SystemEntropy

    try:
        return ids.load(home.identity_path(name)), False
    except IdentityError as error:
        if error.code != "identity_missing":
            raise
    home.prepare_peer(name)
    clock, entropy = SystemClock(), SystemEntropy()
    return ids.load_or_create(home.identity_path(name), name, clock, entropy), True


def _write(file: Path, text: str, *, force: bool) -> None:
    from covey.system.private_file import create_whole, replace_whole

    try:
        (replace_whole if force else create_whole)(file, text.encode())
    except FileExistsError as error:
        raise _taken(file) from error
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror or error}") from error


def _taken(file: Path) -> StoreError:
    return StoreError(f"{file} already exists", code="exists", hint="--force overwrites it")


def _facts(made: _Made, cost_cap: float) -> dict[str, object]:
    settings = made.settings
    return {
        "path": str(made.file),
        "peer": settings.identity.name,
        "role": settings.identity.role,
        "known_role": preset(settings.identity.role) is not None,
        "room": settings.mesh.room,
        "adapter": settings.model.adapter,
        "model": settings.model.name,
        "max_cost_usd_per_run": cost_cap,
        "identity": "made" if made.identity_is_new else "kept",
        "node_id": made.identity.node_id,
        "fingerprint": made.identity.fingerprint,
        "schema": made.schema,
    }


def _lines(made: _Made, cost_cap: float, console: Console) -> Iterator[str]:
    settings = made.settings
    role, model = settings.identity.role, settings.model
    near = None if preset(role) is not None else nearest(role, list(PRESETS))
    guess = "" if near is None else f"; did you mean {near}?"
    known = f"no preset; generic α weights{guess}" if preset(role) is None else "known role; α weights tuned"
    yield f"wrote {printable(str(made.file))}"
    yield f"  peer:     {settings.identity.name}"
    yield f"  role:     {printable(role)} ({known})"
    yield f"  room:     {settings.mesh.room}"
    yield f"  adapter:  {model.adapter} / {printable(model.name)}"
    yield f"  budget:   ${cost_cap:g} per run"
    whether = "made" if made.identity_is_new else "already there"
    yield f"  identity: {made.identity.keyprint} ({whether})"
    if made.schema == "foreign":
        yield f"  schema:   not written: {SCHEMA_FILE} beside it is another file"
    yield "\nnext steps:"
    yield from (f"  {number}. {step}" for number, step in enumerate(_steps(made, console), 1))


def _steps(made: _Made, console: Console) -> Iterator[str]:
    facts = made.settings.model.facts
    if facts.key_env is not None and not console.env.get(facts.key_env):
        yield f"export {facts.key_env}={facts.key_sample}"
    where = printable(shlex.quote(str(made.file)))
    yield f"covey dry-run --config {where}"
    yield f"covey run --config {where}"
