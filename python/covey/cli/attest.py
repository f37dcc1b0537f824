"""`covey attest`: see what peers attested of their admissions, check it, or hand it out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path
from covey.cli.peers import table
from covey.cli.reach import known
from covey.errors import IpcError, NotRunningError, StoreError, UsageError
from covey.net.ipc.client import IpcClient
from covey.system.home import Home
from covey.system.private_file import replace_whole

EXAMPLE: Final = "covey attest verify writer"
_VERBS: Final = ("list", "verify", "export")
_KINDS: Final = ("attestation", "checkpoint", "witness", "evidence")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("verb", choices=_VERBS, help="list attesters, verify what is held, or export it")
    parser.add_argument("peer", help="whose log")
    parser.add_argument("--out", type=path, metavar="PATH", help="of export: the file to write")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer, or read its store when it does not run."""
    home, name, verb = Home.resolve(console.env), arguments.peer, arguments.verb
    if verb == "export":
        return _export(home, arguments, console)
    if arguments.out is not None:
        raise UsageError(f"--out does not belong to {verb}")
    found = _asked(home, name, {"action": verb})
    if verb == "list":
        console.result({"peer": name, **found}, "\n".join(_lines(name, found, console)))
        return 0
    problems = found["problems"]
    counts = ", ".join(f"{found['counts'][kind]} {kind}" for kind in _KINDS if found["counts"][kind])
    lines = [f"{name} holds {counts or 'no attestation'}"]
    if found["unproved_checkpoints"]:
        lines.append(f"not all held: the attestations of {found['unproved_checkpoints']} checkpoints")
    lines += [printable(f"{each['signer']}: {each['what']}") for each in problems]
    lines.append("everything that is held holds" if not problems else f"{len(problems)} problems")
    console.result({"peer": name, **found}, "\n".join(lines))
    return 1 if problems else 0


def _lines(name: str, found: Mapping[str, Any], console: Console) -> Iterator[str]:
    heads = ("attester", "attested", "checkpoints", "root", "witnesses", "history")
    rows = [
        (
            each["node_id"],
            str(each["upto"]),
            str(each["checkpoints"]),
            (each["root"] or "")[:16],
            str(each["witnesses"]),
            "TWO HISTORIES" if each["two_histories"] else "one",
        )
        for each in found["attesters"]
    ]
    hint = "a peer attests where agent.toml says [mesh] attest = true"
    yield table(console, heads, rows) if rows else f"{name} holds no attestation: {hint}"
    if found.get("ended"):
        yield f"its own chain has ended: {printable(found['ended'])}"


def _export(home: Home, arguments: argparse.Namespace, console: Console) -> int:
    rows: list[dict[str, Any]] = []
    for kind in _KINDS:
        after: int | None = 0
        while after is not None:
            found = _asked(home, arguments.peer, {"action": "rows", "kind": kind, "after": after})
            rows += found["rows"]
            after = found["next"]
    text = "\n".join(json.dumps(each["frame"], separators=(",", ":")) for each in rows)
    if arguments.out is not None:
        try:
            replace_whole(arguments.out, text.encode() + b"\n")
        except OSError as error:
            raise StoreError(f"cannot write {arguments.out}: {error.strerror or error}") from error
        text = f"{len(rows)} frames written to {arguments.out}"
    console.result({"peer": arguments.peer, "rows": rows}, text)
    return 0


def _asked(home: Home, name: str, request: Mapping[str, object]) -> dict[str, Any]:
    """Do one request, over the control socket or over the store of a peer that does not run."""
    try:
        peer = IpcClient(home.socket_path(name))
    except NotRunningError:
        return _offline(home, name, request)
    with peer:
        try:
            return peer.request("attest", dict(request))
        except IpcError as error:
            if error.code == "unknown_cmd":
                raise IpcError(
                    f"{name} runs and does not attest",
                    code="not_attesting",
                    hint="set [mesh] attest = true in its agent.toml, or stop it to read what it holds",
                ) from error
            raise


def _offline(home: Home, name: str, request: Mapping[str, object]) -> dict[str, Any]:
    from covey.runtime.attest import asked
    from covey.store import open_store
    from covey.system import identity as ids
    from covey.system.lock import PeerLock

    known(home, name)
    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        who = ids.load(home.identity_path(name))
        store = open_store(home.store_path(name), who.node_id)
        try:
            return asked(store, (who.node_id, who.public_key), request)
        finally:
            store.close()
    finally:
        lock.release()
