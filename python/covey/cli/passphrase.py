"""Where a passphrase comes from: a file, the environment, or a person at a terminal; never the command line.

Rules: what is named on the command line comes before the environment, the environment before a question. A
question is asked only where the terminal can be kept from showing the answer, and before any event loop runs,
so that Ctrl-C ends it. Nothing is written here.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from covey import limits
from covey.cli.parser import Parser, path
from covey.errors import IdentityError, UsageError
from covey.system import identity as ids
from covey.system.home import Home
from covey.system.identity import PeerIdentity, SealedIdentity
from covey.system.sealing import Passphrase

CURRENT: Final = "COVEY_PASSPHRASE"
NEW: Final = "COVEY_NEW_PASSPHRASE"


def add(parser: Parser) -> None:
    """Declare --passphrase-file."""
    parser.add_argument(
        "--passphrase-file",
        type=path,
        metavar="PATH",
        help=f"where the passphrase of a sealed key is (else {CURRENT}, else you are asked)",
    )


def opened(home: Home, name: str, file: Path | None, env: Mapping[str, str]) -> PeerIdentity | None:
    """Return a peer's identity, its seal opened where it has one; None when there is no identity yet.

    Raises:
        UsageError: It is sealed and there is no passphrase, or there is no seal for the file's passphrase.
        IdentityError: It cannot be read, or the passphrase is wrong.
    """
    try:
        return signing(home, name, file, env)
    except IdentityError as error:
        if error.code != "identity_missing":
            raise
    if file is not None:
        raise _no_seal(name, file, "--passphrase")
    return None


def signing(home: Home, name: str, file: Path | None, env: Mapping[str, str]) -> PeerIdentity:
    """Return a peer's identity, its seal opened where it has one.

    Raises:
        UsageError: As `opened`.
        IdentityError: As `opened`, or there is none.
    """
    found = ids.load(home.identity_path(name))
    if isinstance(found, SealedIdentity):
        return ids.unseal(found, current(name, file, env))
    if file is not None:
        raise _no_seal(name, file, "--reseal")
    return found


def current(name: str, file: Path | None, env: Mapping[str, str]) -> Passphrase:
    """Return the passphrase that opens a peer's key.

    Raises:
        UsageError: There is none, or it cannot be one.
    """
    found = given(file, env, CURRENT)
    if found is not None:
        return found
    if not _can_ask():
        raise needed(name)
    return Passphrase.of(_ask(f"passphrase of {name}: "), "the terminal")


def fresh(name: str, found: Passphrase | None, missing: UsageError | None = None) -> Passphrase:
    """Return a new passphrase: `found`, else what a person says twice.

    Args:
        name: Whose.
        found: What was given.
        missing: The error where there is none and nobody can be asked, unless it is for a key.

    Raises:
        UsageError: There is none, it is too short, or the two are not the same.
    """
    if found is None:
        if not _can_ask():
            raise missing or needed(name)
        found = Passphrase.of(_ask(f"new passphrase of {name}: "), "the terminal")
        if found.chars >= limits.PASSPHRASE_CHARS_LEAST and found != Passphrase.of(
            _ask("the same again: "), "the terminal"
        ):
            raise UsageError("the two passphrases differ: nothing was changed", code="passphrase")
    if found.chars < limits.PASSPHRASE_CHARS_LEAST:
        raise UsageError(
            f"new passphrase: expected at least {limits.PASSPHRASE_CHARS_LEAST} characters", code="passphrase"
        )
    return found


def given(file: Path | None, env: Mapping[str, str], variable: str) -> Passphrase | None:
    """Return the passphrase of a file, else of the environment, else None.

    Raises:
        UsageError: The file cannot be read, or either cannot be a passphrase.
    """
    if file is not None:
        return Passphrase.of(_content(file), str(file))
    text = env.get(variable)
    return Passphrase.of(text, variable) if text else None


def needed(name: str) -> UsageError:
    """Return the error that says that a passphrase is missing."""
    return UsageError(
        f'the key of "{name}" needs a passphrase, and nobody can be asked here',
        code="passphrase_needed",
        hint=f"set {CURRENT}, give --passphrase-file, or start it from a terminal",
    )


def _no_seal(name: str, file: Path, how: str) -> UsageError:
    return UsageError(
        f'a passphrase file was given, but the key of "{name}" is not sealed',
        code="not_sealed",
        hint=f"seal it first: covey keygen {name} {how} --passphrase-file {file}",
    )


def _content(file: Path) -> str:
    """Read a passphrase file: a private file, or a pipe; one line break at its end does not count."""
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
                raise UsageError(
                    f"passphrase file {file} can be read by others: mode {stat.S_IMODE(mode):04o}",
                    code="passphrase_too_open",
                    hint=f"if nobody else has seen it: chmod 600 {file}",
                )
            raw = stream.read(limits.PASSPHRASE_BYTES + 3)
    except OSError as error:
        raise UsageError(
            f"cannot read passphrase file {file}: {error.strerror or error}", code="passphrase"
        ) from error
    return raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")


def _can_ask() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _ask(prompt: str) -> str:
    import getpass
    import warnings

    with warnings.catch_warnings():
        # getpass falls back to a question whose answer everybody sees; we do not.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt)
        except getpass.GetPassWarning as error:
            raise UsageError(
                "this terminal cannot hide what is typed", code="passphrase_needed", hint=f"set {CURRENT}"
            ) from error
        except EOFError as error:
            raise UsageError("no passphrase was given", code="passphrase_needed") from error
