"""`covey schema`: print the JSON Schema of agent.toml, or keep a file of it for editors."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path
from covey.errors import StoreError

EXAMPLE: Final = "covey schema --out agent.schema.json"
_FILE_BYTES: Final = 1_048_576


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--out",
        type=path,
        metavar="PATH",
        help="write it to this file; `#:schema ./agent.schema.json` in agent.toml points an editor at it",
    )
    parser.add_argument(
        "--force", action="store_true", help="with --out: replace a file that is no schema of ours"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the schema; it is JSON either way, and --json only puts it on one line. Or write it."""
    from covey.settings.schema import schema

    if arguments.out is None:
        found = schema()
        console.result(found, json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    state = keep(arguments.out, force=arguments.force)
    if state == "foreign":
        raise StoreError(
            f"not replaced: {arguments.out} is no schema of covey's",
            code="exists",
            hint="--force replaces it",
        )
    said = {"written": "wrote", "current": "unchanged:"}[state]
    console.result({"path": str(arguments.out), "state": state}, f"{said} {printable(str(arguments.out))}")
    return 0


def keep(place: Path, *, force: bool = False) -> str:
    """Let a file hold today's schema.

    Args:
        place: The file.
        force: True to replace a file that is none of ours.

    Returns:
        `written`, `current` where it already did, `foreign` where it is somebody else's and stayed.

    Raises:
        StoreError: It cannot be read or written.
    """
    from covey.settings.schema import schema
    from covey.system.private_file import replace_whole

    today = schema()
    try:
        held = _held(place)
        if held == today:
            return "current"
        if held is not None and not force and held.get("$id") != today["$id"]:
            return "foreign"
        replace_whole(place, json.dumps(today, indent=2, ensure_ascii=False).encode() + b"\n")
    except OSError as error:
        raise StoreError(f"cannot write {place}: {error.strerror or error}") from error
    return "written"


def _held(place: Path) -> dict[str, Any] | None:
    """Return what a file holds: None where there is none, an empty object where it is no JSON object."""
    try:
        with place.open("rb") as file:
            raw = file.read(_FILE_BYTES)
    except FileNotFoundError:
        return None
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
