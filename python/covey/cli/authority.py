"""`covey authority`: sign and read the statements that say who may validate what (MMP 2.0 §6.6)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from covey import limits
from covey.cli import passphrase
from covey.cli.anchoring import pin
from covey.cli.authority_reach import asked
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path
from covey.cli.peers import table
from covey.errors import IpcError, StoreError, UsageError
from covey.settings import grammar
from covey.system.home import Home
from covey.system.private_file import replace_whole

EXAMPLE: Final = "covey authority grant owner <nodeId> <public key> validator"
_ROLES: Final = ("admin", "validator", "issuer", "participant")
"""The roles of the specification (MMP 2.0 update 1, §6.6); an extension's own has a hyphen."""
_VERBS: Final = ("pin", "grant", "revoke", "endorse", "cosign", "list", "export", "import")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("verb", choices=_VERBS, help="what to do")
    parser.add_argument("peer", help="name of the peer that signs, holds or reads the statements")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="of pin: the anchor's public keys, each alone or as key:nodeId; of grant: nodeId, public key "
        "and role; of revoke and endorse: statement ids; of import and cosign: a file",
    )
    parser.add_argument("--scope", help="of grant: the part of the mesh it holds in, as namespace:path")
    parser.add_argument("--anchor", action="store_true", help="sign as a member of the anchor")
    parser.add_argument(
        "--threshold", type=int, default=1, metavar="N", help="of pin: how many keys must sign together"
    )
    parser.add_argument("--replace", action="store_true", help="of pin: give up the anchor pinned now")
    parser.add_argument("--out", type=path, metavar="PATH", help="of export and cosign: the file to write")
    passphrase.add(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Pin, sign, read or hand over."""
    home, verb, words = Home.resolve(console.env), arguments.verb, arguments.words
    _refuse_strays(arguments)
    if verb == "pin":
        return pin(home, arguments, console)
    if verb in ("grant", "revoke", "endorse"):
        found = _ask(home, arguments, console, _wish(verb, words, arguments))
        return _signed(found, arguments, console)
    if verb == "list":
        return _list(_ask(home, arguments, console, {"action": "list"}), arguments.peer, console)
    if verb == "export":
        return _export(home, arguments, console)
    if len(words) != 1:
        raise UsageError(f"{verb}: expected one file")
    statements = _read(Path(words[0]))
    if verb == "cosign":
        return _cosign(home, arguments, statements, console)
    return _import(home, arguments, statements, console)


def _refuse_strays(arguments: argparse.Namespace) -> None:
    belongs = {
        "scope": ("grant",),
        "anchor": ("grant", "revoke", "endorse"),
        "replace": ("pin",),
        "out": ("export", "cosign", "grant", "revoke", "endorse"),
    }
    for flag, verbs in belongs.items():
        if getattr(arguments, flag) and arguments.verb not in verbs:
            raise UsageError(f"--{flag} does not belong to {arguments.verb}")
    if arguments.verb in ("list", "export") and arguments.words:
        raise UsageError(f"unexpected argument: {arguments.words[0]}")


def _wish(verb: str, words: list[str], arguments: argparse.Namespace) -> dict[str, object]:
    wish: dict[str, object] = {"action": "sign", "kind": verb, "as_anchor": arguments.anchor}
    if verb != "grant":
        if not words:
            raise UsageError(f"{verb}: expected the ids of statements, as `covey authority list` shows them")
        return wish | {"targets": words}
    if len(words) != 3:
        raise UsageError("grant: expected a nodeId, its public key and a role")
    try:
        node_id, key = grammar.node_id(words[0]), grammar.public_key(words[1])
    except ValueError as error:
        raise UsageError(f"grant: expected {error}") from error
    if words[2] not in _ROLES and "-" not in words[2]:
        raise UsageError(
            f"grant: no such role: {words[2]}",
            hint=f"one of {', '.join(_ROLES)}, or an extension's own with a -",
        )
    return wish | {"node_id": node_id, "key": key, "role": words[2], "scope": arguments.scope}


def _ask(
    home: Home, arguments: argparse.Namespace, console: Console, request: Mapping[str, object]
) -> dict[str, Any]:
    return asked(home, arguments.peer, request, arguments.passphrase_file, console.env)


def _signed(found: Mapping[str, Any], arguments: argparse.Namespace, console: Console) -> int:
    incomplete = found["standing"] == "incomplete"
    if arguments.out is not None:
        _write(arguments.out, [found["statement"]])
    lines = [f"{found['id']}: {found['standing']}"]
    if incomplete:
        lines = [
            json.dumps(found["statement"], separators=(",", ":")),
            "not in force: another member of the anchor signs too: covey authority cosign <peer> <file>",
        ]
    console.result(dict(found), "\n".join(lines))
    return 0


def _list(found: Mapping[str, Any], peer: str, console: Console) -> int:
    rows = [
        (
            each["id"][:17],
            each["kind"],
            printable(f"{each['role']} to {each['node_id']}" if each["kind"] == "grant" else _names(each)),
            each["scope"] or "" if each["kind"] == "grant" else "",
            "anchor" if each["source"] == "anchor" else each["source"][:17],
            each["standing"],
        )
        for each in found["statements"]
    ]
    head = f"{peer}: {found['in_force']} of {found['held']} statements in force, root {found['root'][:16]}"
    signers = f"anchor: {len(found['anchor'])} keys, {found['threshold']} sign, pin {found['pin'][:16]}"
    columns = ("statement", "kind", "says", "scope", "signed under", "standing")
    shown = table(console, columns, rows) if rows else "no statement yet: covey authority grant"
    console.result({"peer": peer, **found}, "\n".join((head, signers, shown)))
    return 0


def _names(statement: Mapping[str, Any]) -> str:
    first, count = statement["targets"][0][:17], len(statement["targets"])
    return first if count == 1 else f"{first} and {count - 1} more"


def _export(home: Home, arguments: argparse.Namespace, console: Console) -> int:
    statements: list[Any] = []
    after: int | None = 0
    while after is not None:
        found = _ask(home, arguments, console, {"action": "export", "after": after})
        statements += found["statements"]
        after = found["next"]
    lines = "\n".join(json.dumps(each, separators=(",", ":")) for each in statements)
    if arguments.out is not None:
        _write(arguments.out, statements)
        lines = f"{len(statements)} statements written to {arguments.out}"
    console.result({"peer": arguments.peer, "statements": statements}, lines)
    return 0


def _import(home: Home, arguments: argparse.Namespace, statements: list[Any], console: Console) -> int:
    """Hand over each; what is not taken is named, and the others still are."""
    taken: list[str] = []
    refused: list[str] = []
    for each in statements:
        try:
            found = _ask(home, arguments, console, {"action": "take", "statement": each})
        except IpcError as error:
            refused.append(error.message)
        else:
            (refused if found["standing"] == "incomplete" else taken).append(
                f"{found['id']}: {found['standing']}"
            )
    lines = [*taken, *(f"not taken: {printable(why)}" for why in refused)]
    console.result(
        {"peer": arguments.peer, "taken": taken, "refused": refused}, "\n".join(lines) or "an empty file"
    )
    return 1 if refused else 0


def _cosign(home: Home, arguments: argparse.Namespace, statements: list[Any], console: Console) -> int:
    """Add this peer's signature to what the anchor says."""
    from covey import _core
    from covey.system import identity as ids

    signer = ids.native(passphrase.signing(home, arguments.peer, arguments.passphrase_file, console.env))
    signed = []
    for each in statements:
        try:
            statement = _core.Statement.parse(json.dumps(each).encode())
            if statement.source != "anchor":
                raise UsageError(f"{statement.id}: only what the anchor says is signed by several")
            signed.append(json.loads(statement.sign(signer).to_json()))
        except _core.CoreError as error:
            raise UsageError(f"not a statement that can be signed: {error.detail}") from error
    text = "\n".join(json.dumps(each, separators=(",", ":")) for each in signed)
    if arguments.out is not None:
        _write(arguments.out, signed)
        text = (
            f"signed; written to {arguments.out}\nhand it over: covey authority import <peer> {arguments.out}"
        )
    console.result({"peer": arguments.peer, "statements": signed}, text)
    return 0


def _read(file: Path) -> list[Any]:
    """Read statements: JSON objects, one a line."""
    try:
        with file.open("rb") as source:
            raw = source.read(limits.AUTHORITY_FILE_BYTES + 1)
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror or error}") from error
    if len(raw) > limits.AUTHORITY_FILE_BYTES:
        raise UsageError(f"{file}: more than {limits.AUTHORITY_FILE_BYTES} bytes")
    try:
        found = [json.loads(line) for line in raw.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: expected statements as JSON, one a line: {error}") from error
    return found


def _write(file: Path, statements: list[Any]) -> None:
    content = "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in statements)
    try:
        replace_whole(file, content.encode())
    except OSError as error:
        raise StoreError(
            f"cannot write {file}: {error.strerror or error}", hint="name a folder that is there and yours"
        ) from error
