"""`covey substrate`: carry what a peer learned to others, and take what they learned as a prior.

Importing only takes a bundle apart. Merging is another act, on a peer, and is dry until it says --apply.
"""

from __future__ import annotations

import argparse
import base64
from pathlib import Path
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.cli import passphrase
from covey.cli.parser import Parser, path, whole
from covey.errors import StoreError, UsageError
from covey.system.home import Home

if TYPE_CHECKING:
    from covey.cli.console import Console

EXAMPLE: Final = "covey substrate export --session writer --contributor-id ada --out ada.zip"
_PLACES: Final = {
    "export": (0, 0),
    "inspect": (1, 1),
    "import": (1, 1),
    "merge": (2, 5),
    "undo": (2, 2),
    "show": (1, 1),
    "offer": (2, 2),
    "withdraw": (2, 2),
    "offers": (1, 1),
    "pull": (3, 3),
}
"""How many words each verb takes, at least and at most."""
_WORDS: Final = {
    "inspect": "FILE",
    "import": "FILE",
    "merge": "PEER FILE …",
    "undo": "PEER CONTRIBUTOR",
    "show": "PEER",
    "offer": "PEER FILE",
    "withdraw": "PEER DIGEST",
    "offers": "PEER",
    "pull": "PEER NODE DIGEST",
}
_EXPORT: Final = ("export",)
_BELONGS: Final = {
    "session": _EXPORT,
    "contributor_id": _EXPORT,
    "deny": _EXPORT,
    "allow": _EXPORT,
    "identity_threshold": _EXPORT,
    "no_identity_filter": _EXPORT,
    "unsigned": _EXPORT,
    "explain": _EXPORT,
    "out": ("export", "pull"),
    "into": ("import",),
    "apply": ("merge", "undo"),
    "again": ("merge",),
    "signer": ("undo",),
    "to": ("offer",),
}


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("verb", choices=tuple(_PLACES), help="what to do")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="; ".join(f"{verb} {words}" for verb, words in _WORDS.items()),
    )
    parser.add_argument("--session", metavar="PEER", help="of export: whose learning, a peer or work session")
    parser.add_argument(
        "--contributor-id", metavar="ID", help="of export: under which id; none begins with _"
    )
    parser.add_argument(
        "--deny", type=path, metavar="FILE", help="of export: identities, one a line; one hit leaves out"
    )
    parser.add_argument(
        "--allow",
        action="append",
        metavar="WORD",
        help="of export: no identity, though a peer met here is called so",
    )
    parser.add_argument(
        "--identity-threshold",
        type=whole(1, 1_000),
        metavar="N",
        help="of export: marks of a person that leave a block out; lower leaves out more, 1 is the strictest",
    )
    parser.add_argument(
        "--no-identity-filter",
        action="store_true",
        help="of export: do not guess at names; known identities and the content scrub stay",
    )
    parser.add_argument("--unsigned", action="store_true", help="of export: nobody will be able to merge it")
    parser.add_argument(
        "--explain", action="store_true", help="of export: only say what is left out, and why"
    )
    parser.add_argument("--out", "-o", type=path, metavar="FILE", help="of export and pull: a new file")
    parser.add_argument("--into", type=path, metavar="FOLDER", help="of import: a new folder")
    parser.add_argument("--apply", action="store_true", help="of merge and undo: do it, not only say it")
    parser.add_argument("--again", action="store_true", help="of merge: also what was taken back here")
    parser.add_argument(
        "--signer", metavar="FINGERPRINT", help="of undo: where several keys speak under one id"
    )
    parser.add_argument(
        "--to",
        action="append",
        metavar="WHOM",
        help="of offer: to whose key: fingerprint, public key, or the node id or name of a peer that was met",
    )
    passphrase.add(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do one verb."""
    _refuse_strays(arguments)
    from covey.cli.substrate import files, peers

    home, verb = Home.resolve(console.env), arguments.verb
    if verb == "inspect":
        return files.inspect(Path(arguments.words[0]), console)
    if verb == "import":
        return files.extract(Path(arguments.words[0]), arguments.into, console)
    return peers.run(home, arguments, console)


def content(file: Path) -> bytes:
    """Return a bundle's bytes, and no more of a file than a bundle may have and one.

    Raises:
        StoreError: It cannot be read.
    """
    try:
        with file.open("rb") as stream:
            return stream.read(limits.BUNDLE_BYTES + 1)
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror or error}") from error


def save(file: Path, text: str) -> int:
    """Write a bundle that came as base64 to a new private file; return its size.

    Raises:
        UsageError: The file is there already.
        StoreError: It cannot be written.
    """
    from covey.system.private_file import create_whole

    raw = base64.b64decode(text)
    try:
        create_whole(file, raw)
    except FileExistsError as error:
        raise UsageError(
            f"it is there already: {file}", hint="name a new file: nothing is written over"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror or error}") from error
    return len(raw)


def _refuse_strays(arguments: argparse.Namespace) -> None:
    verb = arguments.verb
    for name, verbs in _BELONGS.items():
        if getattr(arguments, name) not in (None, False) and verb not in verbs:
            raise UsageError(f"--{name.replace('_', '-')} belongs to {' and '.join(verbs)}")
    least, most = _PLACES[verb]
    if not least <= len(arguments.words) <= most:
        raise UsageError(f"{verb}: expected {_WORDS.get(verb, 'flags only')}")
    needed: dict[str, tuple[str, ...]] = {
        "export": ("session", "contributor_id"),
        "import": ("into",),
        "offer": ("to",),
        "pull": ("out",),
    }
    for name in needed.get(verb, ()):
        if getattr(arguments, name) is None:
            raise UsageError(f"{verb}: missing --{name.replace('_', '-')}")
    if verb == "export" and arguments.out is None and not arguments.explain:
        raise UsageError("export: missing --out, or --explain")
