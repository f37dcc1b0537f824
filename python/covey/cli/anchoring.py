"""Pinning the anchor of a peer: configured out of band, given up only by name."""

from __future__ import annotations

import argparse

from covey.cli.console import Console
from covey.errors import IdentityError, UsageError
from covey.system import anchor as anchors
from covey.system.anchor import Anchor
from covey.system.home import Home
from covey.system.lock import PeerLock


def pin(home: Home, arguments: argparse.Namespace, console: Console) -> int:
    """Pin the anchor that a command names, or show the pinned one where it names none.

    Raises:
        UsageError: A key is none, or the threshold cannot be met.
        IdentityError: Another anchor is pinned, and --replace was not said.
        CollisionError: The peer runs.
    """
    name = arguments.peer
    if not arguments.words:
        return _show(home, name, console)
    try:
        wanted = Anchor.of(tuple(arguments.words), arguments.threshold)
    except ValueError as error:
        raise UsageError(f"pin: expected {error}") from error
    digest = wanted.native().digest
    home.prepare_peer(name)
    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        path = home.anchor_path(name)
        before = anchors.load(path)
        if before is not None and before != wanted and not arguments.replace:
            raise IdentityError(
                f"another anchor is pinned: {' '.join(before.members)} ({before.threshold} sign)",
                code="anchor_conflict",
                hint="authority under it ends with it; if you are sure, pin again with --replace",
            )
        anchors.save(path, wanted)
    finally:
        lock.release()
    given_up = before if before not in (None, wanted) else None
    said = (
        f"{name} takes authority from {' '.join(wanted.members)} ({wanted.threshold} sign), pin {digest[:16]}"
    )
    if given_up is not None:
        said += f"\n  given up: {' '.join(given_up.members)} ({given_up.threshold} sign)"
    facts = {"peer": name, "members": list(wanted.members), "threshold": wanted.threshold, "pin": digest}
    console.result({**facts, "given_up": given_up and list(given_up.members)}, said)
    return 0


def _show(home: Home, name: str, console: Console) -> int:
    found = anchors.load(home.anchor_path(name))
    members = [] if found is None else list(found.members)
    facts = {"peer": name, "members": members, "threshold": found.threshold if found else None}
    text = "\n".join(members) or f"{name} has pinned no anchor, so nobody has authority there"
    console.result(facts, text)
    return 0
