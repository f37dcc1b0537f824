"""`covey node`: say which agents this host runs, signed by each of them, and read what other hosts say."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.cli import passphrase
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path
from covey.cli.reach import client
from covey.errors import EXIT_OK, IdentityError, StoreError, UsageError
from covey.system import identity as ids
from covey.system.clock import SystemClock
from covey.system.home import Home
from covey.system.log import timestamp
from covey.system.private_file import replace_whole

if TYPE_CHECKING:
    from covey._core import Identity
    from covey.state.node_record import Agent, Chain

EXAMPLE: Final = "covey node make writer reviewer"
_OPERATIONS: Final = ("make", "add", "remove", "show", "verify", "publish", "seen")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "operation",
        choices=_OPERATIONS,
        help="make, add, remove, show, verify a record; publish, seen: through a running peer",
    )
    parser.add_argument("peers", nargs="*", help="names of this host's peers; of verify a file")
    parser.add_argument("--out", type=path, metavar="PATH", help="of show: write the record to this file too")
    passphrase.add(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do it."""
    home, operation = Home.resolve(console.env), arguments.operation
    if operation in ("make", "add", "remove"):
        return _say(_changed(home, operation, arguments, console), console)
    if operation == "verify":
        if len(arguments.peers) != 1:
            raise UsageError("verify: expected one file")
        return _say(_read(Path(arguments.peers[0])), console)
    if operation == "show":
        chain = _read(home.node_path)
        if arguments.out is not None:
            _write(arguments.out, chain)
        return _say(chain, console)
    if len(arguments.peers) != 1:
        raise UsageError(f"{operation}: expected one running peer")
    return (_publish if operation == "publish" else _seen)(home, arguments.peers[0], console)


def _changed(home: Home, operation: str, arguments: argparse.Namespace, console: Console) -> Chain:
    """Sign a new record with every agent in it, and keep it.

    Raises:
        UsageError: No peer is named.
        IdentityError: There is a record already, or none to change, or an agent cannot sign.
    """
    from covey.state import node_record

    names = arguments.peers
    if not names:
        raise UsageError(f"{operation}: missing names of peers")
    now_ms = SystemClock().now_ms()
    kept = home.node_path
    if operation == "make":
        if kept.exists():
            raise IdentityError(
                f"there is a record already: {kept}", hint="covey node add, or covey node remove"
            )
        signers = [_signer(home, name, arguments, console) for name in names]
        chain = node_record.begin(map(_agent, signers), signers, now_ms)
    else:
        before = _read(kept)
        here = {agent.name for agent in before.last.agents}
        after = here | set(names) if operation == "add" else here - set(names)
        if operation == "remove" and not set(names) <= here:
            raise IdentityError(f"not in the record: {', '.join(sorted(set(names) - here))}")
        signers = [_signer(home, name, arguments, console) for name in sorted(after)]
        chain = node_record.change(before, map(_agent, signers), signers, now_ms)
    home.prepare()
    _write(kept, chain)
    return chain


def _signer(home: Home, name: str, arguments: argparse.Namespace, console: Console) -> Identity:
    return ids.native(passphrase.signing(home, name, arguments.passphrase_file, console.env))


def _agent(signer: Identity) -> Agent:
    from covey.state.node_record import Agent

    return Agent(signer.public_key, signer.node_id, signer.name)


def _publish(home: Home, peer: str, console: Console) -> int:
    """Put this host's record where the room reads it."""
    from covey.state.node_record import PREFIX

    chain = _read(home.node_path)
    text = chain.to_json().decode()
    with client(home, peer) as running:
        author = running.request("state", {"op": "status"})["author"]
        name = f"{PREFIX}{chain.node}/{author}"
        request = {"op": "set", "name": name, "value": text}
        running.request("state", request, timeout_seconds=limits.STATE_ANSWER_SECONDS)
    console.result({"node": chain.node, "name": name}, f"published: {chain.node}")
    return EXIT_OK


def _seen(home: Home, peer: str, console: Console) -> int:
    """Show the nodes whose records the room holds; what does not verify is counted, and not shown."""
    from covey.state.node_record import PREFIX, newest, read

    with client(home, peer) as running:
        found = running.request("state", {"op": "list", "prefix": PREFIX})
    chains, refused = [], 0
    for entry in found["entries"]:
        try:
            chains.append(read(str(entry.get("value", "")).encode()))
        except IdentityError:
            refused += 1
    best, split = newest(chains)
    nodes = [{**_facts(chain), "split": node in split} for node, chain in sorted(best.items())]
    lines = [line for chain in best.values() for line in _lines(chain)]
    lines += [f"{node}: two records contradict each other" for node in sorted(split)]
    if refused:
        lines.append(f"records that do not verify: {refused}")
    console.result({"nodes": nodes, "refused": refused}, "\n".join(lines) or "no node records")
    return EXIT_OK


def _say(chain: Chain, console: Console) -> int:
    console.result(_facts(chain), "\n".join(_lines(chain)))
    return EXIT_OK


def _facts(chain: Chain) -> dict[str, object]:
    agents: Sequence[dict[str, str]] = [
        {"name": agent.name, "node_id": agent.node_id, "key": agent.key.hex()} for agent in chain.last.agents
    ]
    return {"node": chain.node, "sequence": chain.last.sequence, "at_ms": chain.last.at_ms, "agents": agents}


def _lines(chain: Chain) -> Iterator[str]:
    yield f"{chain.node}  record {chain.last.sequence} of {timestamp(chain.last.at_ms)}"
    for agent in chain.last.agents:
        yield f"  {printable(agent.name)}  {printable(agent.node_id)}"


def _read(file: Path) -> Chain:
    from covey.state.node_record import read

    try:
        with file.open("rb") as stream:
            data = stream.read(limits.NODE_CHAIN_BYTES + 1)
    except FileNotFoundError as error:
        raise IdentityError(
            f"no node record: looked at {file}", hint="make one: covey node make <peer> …"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror or error}") from error
    return read(data)


def _write(file: Path, chain: Chain) -> None:
    try:
        replace_whole(file, chain.to_json())
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror or error}") from error
