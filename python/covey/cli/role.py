"""`covey role`: say whether this machine leads, uses a leader or neither, and which rule chose that."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.errors import EXIT_OK, StoreError, UsageError
from covey.inference.roles import ROLES, Facts, role_of
from covey.system.home import Home

EXAMPLE: Final = "covey role"
VARIABLE: Final = "COVEY_ROLE"
_BYTES: Final = 64


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("--set", choices=ROLES, help="this role from now on, whatever else is found here")
    parser.add_argument("--unset", action="store_true", help="forget the role that was set")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Set a role, or show it with its reason."""
    home = Home.resolve(console.env)
    if arguments.set is not None and arguments.unset:
        raise UsageError("--set and --unset exclude each other")
    if arguments.set is not None:
        from covey.system.private_file import replace_whole

        home.prepare()
        try:
            replace_whole(home.role_path, f"{arguments.set}\n".encode())
        except OSError as error:
            raise StoreError(f"cannot write {home.role_path}: {error.strerror or error}") from error
    elif arguments.unset:
        home.role_path.unlink(missing_ok=True)
    try:
        facts = _facts(home, console)
        chosen = role_of(facts)
        if chosen.rule == "default":
            # Only now: an Ollama of this machine is asked whether it is there.
            chosen = role_of(replace(facts, model=_model(console.env)))
    except ValueError as error:
        raise UsageError(f"expected {error}") from error
    console.result(
        {"role": chosen.role, "rule": chosen.rule, "why": chosen.why},
        f"{chosen.role}: {printable(chosen.why)}",
    )
    return EXIT_OK


def _facts(home: Home, console: Console) -> Facts:
    """Look at what each rule asks for."""
    env = console.env
    node_role, node_name = _node(home)
    return Facts(
        environment=env.get(VARIABLE, "").strip() or None,
        chosen=_chosen(home),
        node_role=node_role,
        node_name=node_name,
        tunnel=_tunnel(env.get("HOME", "")),
        door=_door(home),
        connection=_connection(home),
    )


def _chosen(home: Home) -> str | None:
    try:
        with home.role_path.open("rb") as file:
            return file.read(_BYTES).decode("utf-8", "replace").strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"cannot read {home.role_path}: {error.strerror or error}") from error


def _node(home: Home) -> tuple[str | None, str]:
    if not home.mesh_path.exists():
        return None, ""
    from covey.cli.leader import nodes_file

    found = nodes_file.load(home)
    here = found.here
    return (None, "") if here is None else (found.nodes[here].role, here)


def _tunnel(user: str) -> str | None:
    """Return the configuration of a tunnel of this user that leads here, or None."""
    if not user:
        return None
    names = (Path(user) / ".cloudflared" / name for name in ("config.yml", "config.yaml"))
    return next((str(path) for path in names if path.is_file()), None)


def _door(home: Home) -> str | None:
    return next((name for name in home.peers() if home.door_keys_path(name).is_file()), None)


def _connection(home: Home) -> str | None:
    if not home.leader_path.exists():
        return None
    from covey.cli.leader import book

    found = book.load(home)
    return None if found is None else found.url


def _model(env: Mapping[str, str]) -> str | None:
    """Return what this machine would think with by itself, or None where that is only rules."""
    from covey.models.factory import detect

    found = detect(env)
    return None if found.adapter == "scripted" else found.reason
