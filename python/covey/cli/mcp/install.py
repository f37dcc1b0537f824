"""`covey mcp install` and `uninstall`: one entry in an IDE's configuration, with a backup, and nothing else.

It happens when it is called, and never when the package is installed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from covey.cli.console import Console
from covey.cli.mcp import edit as editing
from covey.cli.mcp import name_of
from covey.cli.mcp.clients import CLIENTS, Client
from covey.errors import EXIT_OK, StoreError, UsageError
from covey.names import room_name
from covey.runtime.mcp import bounds
from covey.system.private_file import sync_folder

_KEPT_FLAGS = ("--peer", "--room", "--push", "--author", "--relay", "--dial", "--passphrase-file")
"""Flags with a value that a repaired entry keeps where the command names none."""
_KEPT_SWITCHES = ("--lan", "--attach")


def edit(arguments: argparse.Namespace, console: Console) -> int:
    """Write or remove the entry.

    Raises:
        UsageError: No client was named, or its configuration cannot be changed safely.
        StoreError: It cannot be read or written.
    """
    if arguments.client is None:
        raise UsageError(f"which client? --client {'|'.join(CLIENTS)}")
    if arguments.http is not None:
        raise UsageError(
            "--http: what an IDE starts speaks on standard streams; docs/mcp.md says how HTTP is set up"
        )
    client = CLIENTS[arguments.client]
    home = console.env.get("HOME") or ""
    if not home:
        raise StoreError("home: HOME is not set")
    file = client.file(Path(home), Path.cwd() if arguments.project else None)
    text, mode = _content(file)
    try:
        before = editing.entry_of(editing.read(text, client.form), client.table, arguments.entry)
    except UsageError as error:
        raise UsageError(f"{file}: {error}", hint=error.hint) from error
    installing = arguments.operation == "install"
    entry = client.entry(_command(arguments, before), _variables(console.env)) if installing else None
    if arguments.print:
        if entry is None:
            raise UsageError("--print belongs to install")
        console.result(
            {"file": str(file), "entry": entry},
            editing.shown(client.form, client.table, arguments.entry, entry).rstrip(),
        )
        return EXIT_OK
    if before == entry:
        state = "installed already" if installing else "not installed"
        console.result({"file": str(file), "changed": False}, f"{state}: {file}")
        return EXIT_OK
    after = editing.changed(text, client.form, client.table, arguments.entry, entry)
    return _done(arguments, console, client, file, (text, after), mode)


def _done(
    arguments: argparse.Namespace,
    console: Console,
    client: Client,
    file: Path,
    texts: tuple[str, str],
    mode: int | None,
) -> int:
    facts: dict[str, Any] = {
        "file": str(file),
        "changed": not arguments.dry_run,
        "dry_run": arguments.dry_run,
    }
    what = "add" if arguments.operation == "install" else "remove"
    if arguments.dry_run:
        console.result(facts, f"would {what} {client.table}.{arguments.entry} in {file}")
        return EXIT_OK
    backup = _backup(file) if mode is not None else None
    _write(file, texts[1], 0o600 if mode is None else mode)
    said = f"{'added' if what == 'add' else 'removed'} {client.table}.{arguments.entry}: {file}"
    kept = "" if backup is None else f"\n  before: {backup}"
    console.result(
        {**facts, "backup": None if backup is None else str(backup)}, f"{said}{kept}\n  next: {client.after}"
    )
    return EXIT_OK


def _command(arguments: argparse.Namespace, before: Mapping[str, Any] | None) -> list[str]:
    """Return the command line of the entry: what was said now, else what an entry of ours said before."""
    program = shutil.which("covey")
    words = [program, "mcp"] if program else [sys.executable, "-m", "covey", "mcp"]
    flags = _said(arguments)
    if not flags and before is not None:
        flags = _flags_of(before)
    return [*words, *flags]


def _said(arguments: argparse.Namespace) -> list[str]:
    flags: list[str] = []
    if arguments.room is not None:
        flags += ["--room", room_name(arguments.room)]
    if arguments.peer is not None:
        flags += ["--peer", name_of(arguments.peer, None)]
    for switch in _KEPT_SWITCHES:
        flags += [switch] * bool(getattr(arguments, switch[2:]))
    if arguments.push != "auto":
        flags += ["--push", arguments.push]
    for name in ("author", "dial", "relay"):
        for value in getattr(arguments, name):
            flags += [f"--{name}", value]
    if arguments.passphrase_file is not None:
        flags += ["--passphrase-file", str(arguments.passphrase_file.absolute())]
    return flags


def _flags_of(entry: Mapping[str, Any]) -> list[str]:
    """Return the flags of an entry that a `covey mcp install` wrote; a stranger's words are not kept."""
    args = entry.get("args")
    if not isinstance(args, list) or "mcp" not in args:
        return []
    words = [str(word) for word in args[args.index("mcp") + 1 :]]
    kept, at = [], 0
    while at < len(words):
        if words[at] in _KEPT_FLAGS and at + 1 < len(words):
            kept += words[at : at + 2]
            at += 1
        elif words[at] in _KEPT_SWITCHES:
            kept.append(words[at])
        at += 1
    return kept


def _variables(env: Mapping[str, str]) -> dict[str, str]:
    """Return what the IDE has to hand on: where the home is, if it is not the usual one. Never a secret."""
    return {"COVEY_HOME": os.path.abspath(env["COVEY_HOME"])} if env.get("COVEY_HOME") else {}  # noqa: PTH100 (no links followed, as for the home)


def _content(file: Path) -> tuple[str, int | None]:
    """Return a file's text and mode; no text and None where there is none."""
    try:
        facts = file.stat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > bounds.CONFIG_BYTES:
            raise StoreError(f"not a configuration file: {file}")
        return file.read_bytes().decode("utf-8"), stat.S_IMODE(facts.st_mode)
    except FileNotFoundError:
        return "", None
    except UnicodeDecodeError as error:
        raise StoreError(f"not UTF-8: {file}") from error
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror}") from error


def _backup(file: Path) -> Path:
    """Copy the file beside itself under a name of its own."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    for number in range(100):
        copy = file.with_name(f"{file.name}.covey-{stamp}{f'-{number}' if number else ''}.bak")
        try:
            descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise StoreError(
                f"cannot keep a copy of {file}: {error.strerror}; nothing was changed"
            ) from error
        with os.fdopen(descriptor, "wb") as out:
            out.write(file.read_bytes())
            out.flush()
            os.fsync(out.fileno())
        return copy
    raise StoreError(f"too many copies of {file}: remove old ones")


def _write(file: Path, text: str, mode: int) -> None:
    """Replace the file whole; where it is a link, what it leads to."""
    place = file.resolve()
    temporary = place.with_name(f".{place.name}.covey-{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(text.encode())
            os.fchmod(out.fileno(), mode)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(place)
        sync_folder(place.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"cannot write {file}: {error.strerror}; it is as it was") from error
