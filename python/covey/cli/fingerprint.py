"""`covey fingerprint`: show a peer's public identity."""

from __future__ import annotations

import argparse
from typing import Final

from covey.cli.console import Console
from covey.cli.keygen import public_facts, sealed_line
from covey.cli.parser import Parser
from covey.errors import IdentityError
from covey.system import identity as ids
from covey.system.home import Home
from covey.system.identity import SealedIdentity

EXAMPLE: Final = "covey fingerprint writer"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="name of the peer")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Read and show an identity; the secret half is neither used nor shown, sealed or not."""
    home, name = Home.resolve(console.env), arguments.peer
    try:
        found = ids.load(home.identity_path(name))
    except IdentityError as error:
        if error.code != "identity_missing":
            raise
        raise IdentityError(
            f'no key for peer "{name}": looked at {home.identity_path(name)}',
            code=error.code,
            hint=f"make one: covey keygen {name}",
        ) from error
    lines = [
        f"peer:        {found.name}",
        f"node id:     {found.node_id}",
        f"keyprint:    {found.keyprint}",
        f"fingerprint: {found.fingerprint}",
        f"public key:  {found.public_key_text}",
        *([sealed_line("sealed:      ", found)] if isinstance(found, SealedIdentity) else []),
    ]
    console.result(public_facts(found), "\n".join(lines))
    return 0
