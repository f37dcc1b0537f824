"""A relay's tokens, as a file or a variable says them: which token opens which channel."""

from __future__ import annotations

import re
from typing import Final

from covey import limits
from covey.errors import UsageError

_CHANNEL: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def tokens_of_file(text: str, name: str) -> dict[str, str]:
    """Read lines of `channel token`; empty lines and lines that begin with # say nothing.

    Args:
        text: The file's text.
        name: What complaints call the file.

    Returns:
        The channel of each token.

    Raises:
        UsageError: It names the line and what is wrong, never the token.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:
            raise UsageError(f"{name}, line {number}: expected a channel and a token")
        _add(found, words[0], words[1], f"{name}, line {number}")
    if not found:
        raise UsageError(f"{name}: no token in it", hint="one `channel token` in each line")
    return found


def tokens_of_variable(text: str, name: str) -> dict[str, str]:
    """Read `channel:token` pairs separated by commas.

    Raises:
        UsageError: It says which pair is wrong, never the token.
    """
    found: dict[str, str] = {}
    for number, pair in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        channel, colon, token = pair.partition(":")
        if not colon:
            raise UsageError(f"{name}, pair {number}: expected channel:token")
        _add(found, channel, token, f"{name}, pair {number}")
    if not found:
        raise UsageError(f"{name}: no token in it", hint="channel:token, several separated by commas")
    return found


def _add(found: dict[str, str], channel: str, token: str, where: str) -> None:
    if not _CHANNEL.fullmatch(channel):
        raise UsageError(f"{where}: a channel has 1 to 64 letters, digits, dots, hyphens, underscores")
    if not 1 <= len(token) <= limits.RELAY_TOKEN_CHARS:
        raise UsageError(f"{where}: a token has 1 to {limits.RELAY_TOKEN_CHARS} characters")
    if token in found:
        raise UsageError(f"{where}: the token opens a channel already")
    if len(found) >= limits.RELAY_TOKENS:
        raise UsageError(f"{where}: more than {limits.RELAY_TOKENS} tokens")
    found[token] = channel
