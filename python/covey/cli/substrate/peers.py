"""What `covey substrate` does with a peer, running or not; offers and pulls need one that runs."""

from __future__ import annotations

import argparse
import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.cli.substrate import content, lines, save
from covey.errors import NotRunningError, StoreError, UsageError
from covey.net.ipc.client import IpcClient

if TYPE_CHECKING:
    from covey.cli.console import Console
    from covey.system.home import Home

Ask = Callable[[Mapping[str, object]], dict[str, Any]]
_SECONDS: Final = 120.0
"""How long a peer may take to learn of 4,096 blocks, or to pull a bundle over a slow relay."""
_LIVE: Final = ("offer", "withdraw", "offers", "pull")


def run(home: Home, arguments: argparse.Namespace, console: Console) -> int:
    """Do one verb on a peer.

    Raises:
        CoveyError: It is refused, or cannot be done; the message says why.
    """
    name = arguments.session if arguments.verb == "export" else arguments.words[0]
    request = _REQUESTS[arguments.verb](arguments)
    with _reached(home, name, arguments, console) as ask:
        found = ask({"op": arguments.verb, **request})
    raw = found.pop("bundle", None)
    if raw is not None:
        size = save(arguments.out, raw)
        found = {**found, "file": str(arguments.out), "bytes": size}
    console.result({"peer": name, **found}, "\n".join(lines.SAID[arguments.verb](found)))
    return 0


@contextmanager
def _reached(home: Home, name: str, arguments: argparse.Namespace, console: Console) -> Iterator[Ask]:
    """Reach a peer: through the peer where it runs, else in its folder.

    Raises:
        NotRunningError: There is none, or the verb needs it to run.
    """
    with ExitStack() as stack:
        try:
            peer = stack.enter_context(IpcClient(home.socket_path(name)))
        except NotRunningError:
            if arguments.verb in _LIVE:
                from covey.cli.reach import not_running

                raise not_running(home, name) from None
            yield stack.enter_context(_offline(home, name, arguments, console))
        else:
            yield lambda request: peer.request("substrate", dict(request), timeout_seconds=_SECONDS)


@contextmanager
def _offline(home: Home, name: str, arguments: argparse.Namespace, console: Console) -> Iterator[Ask]:
    from covey.cli import passphrase
    from covey.cli.peer import stored
    from covey.cli.reach import known
    from covey.cli.substrate_room import desk_of
    from covey.runtime.substrate_verb import answer, checked
    from covey.system import identity as ids

    known(home, name)
    sign = None
    if arguments.verb == "export" and not arguments.unsigned and not arguments.explain:
        sign = ids.native(
            passphrase.signing(home, name, arguments.passphrase_file, console.env)
        ).sign_statement
    with stored(home, name) as (store, _):
        who = ids.load(home.identity_path(name))
        desk = desk_of(home, (who.node_id, name, who.public_key), store, sign=sign)
        yield lambda request: answer(desk, checked(request))


def _export(arguments: argparse.Namespace) -> dict[str, object]:
    if arguments.out is not None and arguments.out.exists():
        raise UsageError(f"it is there already: {arguments.out}", hint="name a new file")
    contributor = arguments.contributor_id
    if contributor.startswith("_"):
        raise UsageError(f"--contributor-id: ids that begin with _ are covey's own: {contributor[:64]}")
    return {
        "contributor": contributor,
        "denied": [] if arguments.deny is None else _denied(arguments.deny),
        "allowed": arguments.allow or [],
        "threshold": arguments.identity_threshold or limits.IDENTITY_MARKS,
        "guess": not arguments.no_identity_filter,
        "signed": not arguments.unsigned,
        "explain": arguments.explain,
    }


def _denied(file: Path) -> list[str]:
    try:
        with file.open("rb") as stream:
            raw = stream.read(limits.DENIED_BYTES + 1)
        listed = [line.strip() for line in raw.decode().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {file}: {error}") from error
    found = [line for line in listed if line and not line.startswith("#")]
    if len(raw) > limits.DENIED_BYTES or len(found) > limits.DENIED_IDENTITIES:
        raise UsageError(f"--deny: at most {limits.DENIED_IDENTITIES} lines, {limits.DENIED_BYTES} bytes")
    return found


def _merge(arguments: argparse.Namespace) -> dict[str, object]:
    raws = [_encoded(Path(word)) for word in arguments.words[1:]]
    return {"bundles": raws, "apply": arguments.apply, "again": arguments.again}


def _undo(arguments: argparse.Namespace) -> dict[str, object]:
    made = {"contributor": arguments.words[1], "apply": arguments.apply}
    return made if arguments.signer is None else {**made, "signer": arguments.signer}


def _offer(arguments: argparse.Namespace) -> dict[str, object]:
    return {"bundle": _encoded(Path(arguments.words[1])), "to": arguments.to}


def _encoded(file: Path) -> str:
    return base64.b64encode(content(file)).decode()


def _pull(arguments: argparse.Namespace) -> dict[str, object]:
    if arguments.out.exists():
        raise UsageError(f"it is there already: {arguments.out}", hint="name a new file")
    return {"node_id": arguments.words[1], "digest": arguments.words[2]}


_REQUESTS: Final[Mapping[str, Callable[[argparse.Namespace], dict[str, object]]]] = {
    "export": _export,
    "merge": _merge,
    "undo": _undo,
    "show": lambda arguments: {},
    "offer": _offer,
    "withdraw": lambda arguments: {"digest": arguments.words[1]},
    "offers": lambda arguments: {},
    "pull": _pull,
}
