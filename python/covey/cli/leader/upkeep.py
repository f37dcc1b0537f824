"""`covey peer drain`, `resume`, `llm`, `install`, `update`, `restart`: what an admin key may do there."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.cli.leader import reach
from covey.errors import EXIT_OK
from covey.limits import UPKEEP_SECONDS
from covey.system.home import Home

_NOT_YET: Final = "nothing was changed: --apply does it"


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the leader for it, and say what became of it."""
    target = reach.as_admin(arguments, reach.target(arguments, Home.resolve(console.env)))
    verb, words = arguments.verb, arguments.words
    body: dict[str, Any] = {}
    if verb in ("install", "update", "restart"):
        body["apply"] = arguments.apply
    if verb == "llm":
        body |= {"lane": words[0], "model": words[1]}
    if verb == "install":
        body["extra"] = words[0]
    # An update may take as many steps as there are, each as long as it may.
    with reach.client(target, UPKEEP_SECONDS * 6) as made:
        found = reach.ask(made, "POST", f"/covey/admin/{verb}", body)
    console.result(found, "\n".join(map(printable, _lines(verb, found))))
    return EXIT_OK


def _lines(verb: str, found: Mapping[str, Any]) -> list[str]:
    """Return what a person reads of it."""
    if verb in ("drain", "resume"):
        now = "takes no new work" if found["draining"] else "takes new work"
        return [f"{now}; {found['under_way']} under way, {found['waiting']} waiting"]
    if verb == "llm":
        return [f"lane {found['lane']}: {found['old']} -> {found['new']}"]
    if verb == "install":
        return _installed(found)
    if verb == "update":
        return _updated(found)
    if not found["applied"]:
        return [f"it would finish {found['under_way']} requests and start again", _NOT_YET]
    return [f"it starts again once {found['under_way']} requests are finished"]


def _installed(found: Mapping[str, Any]) -> list[str]:
    if not found["applied"]:
        return [f"it would run: {' '.join(found['command'])}", _NOT_YET]
    names = [*found["old"], *(name for name in found["new"] if name not in found["old"])]
    versions = [
        f"{name}: {found['old'].get(name) or 'none'} -> {found['new'].get(name) or 'none'}" for name in names
    ]
    return [f"installed {found['extra']}", *versions]


def _updated(found: Mapping[str, Any]) -> list[str]:
    by = f"{found['kind']}, branch {found['branch']}" if found["branch"] else str(found["kind"])
    old, new = str(found["old"])[:12], str(found["new"] or "the newest")[:12]
    if not found["steps"]:
        return [f"up to date: {old} ({by})"]
    if found["applied"]:
        return [f"updated ({by}): {old} -> {new}", "covey peer restart --apply makes it run"]
    commits = f", {found['commits']} commits" if found["commits"] else ""
    return [
        f"would update ({by}): {old} -> {new}{commits}",
        *(f"  {step}" for step in found["steps"]),
        _NOT_YET,
    ]
