"""`covey peer connect`, `show`, `key` and `forget`: the leader that this machine uses."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import Any

from covey.cli.console import Console, printable
from covey.cli.leader import book
from covey.cli.leader.book import Connection
from covey.errors import EXIT_OK, UsageError
from covey.limits import PEER_BOOK_BYTES
from covey.system.clock import SystemClock
from covey.system.home import Home
from covey.system.log import timestamp


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do one of them."""
    home = Home.resolve(console.env)
    return {"connect": _connect, "show": _show, "key": _key, "forget": _forget}[arguments.verb](
        arguments, console, home
    )


def _connect(arguments: argparse.Namespace, console: Console, home: Home) -> int:
    """Test, and save only what passed."""
    from covey.cli.leader import testing
    from covey.cli.leader.stages import CODES

    url, key = arguments.words[0], testing.key_for(arguments)
    ca = None if arguments.ca is None else str(arguments.ca.expanduser().absolute())
    connection = Connection(url, key, arguments.model or "", ca, SystemClock().now_ms())
    told: dict[str, Any] = {}
    if not arguments.skip_test:
        stages = testing.tested(connection, arguments, console)
        told = testing.told_of(connection, stages)
        if not stages[-1].good:
            console.result({**told, "saved": False}, f"not saved: {stages[-1].name} failed")
            return CODES[stages[-1].name]
    try:
        connection = replace(connection, url=book.address(url))
    except ValueError as error:
        raise UsageError(f"{url}: expected {error}") from error
    held = book.load(home)
    again = held is not None and replace(held, saved_ms=0) == replace(connection, saved_ms=0)
    if not again:
        # Written first: where that fails, what was saved before still stands. Its test says nothing of this.
        book.save(home, connection)
        home.leader_probe_path.unlink(missing_ok=True)
    if told:
        testing.keep(home, told)
    use = f'[model] adapter = "compatible", base_url = "{connection.url}/v1", api_key_env = "…"'
    said = "saved already" if again else f"saved in {home.leader_path}"
    console.result(
        {**told, "url": connection.url, "saved": True, "changed": not again},
        f"{said}\nan agent uses it by {use}",
    )
    return EXIT_OK


def _show(arguments: argparse.Namespace, console: Console, home: Home) -> int:
    """Show everything but the key."""
    found = book.needed(home)
    probe = _probe(home)
    facts = {
        "url": found.url,
        "model": found.model or None,
        "ca": found.ca,
        "key": "saved",
        "saved": timestamp(found.saved_ms),
        "file": str(home.leader_path),
        "last_test": probe,
    }
    lines = [f"leader: {found.url}", f"key: saved, {len(found.key)} characters"]
    lines += [f"model: {printable(found.model)}"] if found.model else []
    if probe is not None:
        ended = "passed" if probe.get("ok") else f"failed at {probe.get('failed')}"
        lines.append(f"last test: {ended}, {probe.get('at')}")
    console.result(facts, "\n".join(lines))
    return EXIT_OK


def _key(arguments: argparse.Namespace, console: Console, home: Home) -> int:
    """Let another key take the saved one's place."""
    found = book.needed(home)
    key = book.key_of(arguments.key_file, "new key")
    book.save(home, replace(found, key=key, saved_ms=SystemClock().now_ms()))
    # What the old key could do says nothing of the new one.
    home.leader_probe_path.unlink(missing_ok=True)
    console.result({"url": found.url, "changed": key != found.key}, "saved; covey peer test tries it")
    return EXIT_OK


def _forget(arguments: argparse.Namespace, console: Console, home: Home) -> int:
    gone = book.forget(home)
    said = f"forgotten: {', '.join(map(str, gone))}" if gone else "no leader was saved"
    console.result({"removed": [str(each) for each in gone]}, said)
    return EXIT_OK


def _probe(home: Home) -> dict[str, Any] | None:
    """Return what the last test found; it is a cache, so one that cannot be read is none."""
    try:
        with home.leader_probe_path.open("rb") as file:
            found = json.loads(file.read(PEER_BOOK_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
