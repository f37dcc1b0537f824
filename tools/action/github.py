"""GitHub's side: the event, the diff, the comment, outputs and summary. Its answers are data, and bounded."""

from __future__ import annotations

import http.client
import json
import secrets
import unicodedata
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIFF_BYTES = 60_000  # about 20,000 tokens; what is longer is cut, and the agent is told how much is missing
ANSWER_BYTES = 8_388_608  # of one answer of the API
TITLE_CHARS = 200
BLOCK_CHARS = 12_000  # of one category in a comment; GitHub takes 65,536 in all
SECONDS = 30.0
MARK = "<!-- covey-review -->"


class GithubError(Exception):
    """GitHub did not do it; the sentence says what and why."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Which pull request; its title is somebody's text."""

    number: int
    title: str


class Github:
    """The API, as far as a review needs it.

    Args:
        base: Address of the API.
        repository: `owner/name`.
        token: Reads the diff, writes the comment.

    Raises:
        GithubError: The address is none that a token may be sent to.
    """

    def __init__(self, base: str, repository: str, token: str) -> None:
        parts = urllib.parse.urlsplit(base)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
            raise GithubError("the API's address is not https: no token is sent there")
        self._base = f"{base.rstrip('/')}/repos/{urllib.parse.quote(repository)}"
        self._token = token
        self._open = urllib.request.build_opener(_Stay()).open

    def diff(self, pull: PullRequest) -> str:
        """Return the pull request's diff."""
        found = self._ask("GET", f"/pulls/{pull.number}", accept="application/vnd.github.diff")
        return found.decode("utf-8", "replace")

    def comment(self, pull: PullRequest, body: str) -> None:
        """Post a comment, or write the earlier one of this action anew."""
        listed = self._ask("GET", f"/issues/{pull.number}/comments?per_page=100")
        for each in _objects(listed):
            if isinstance(each.get("id"), int) and str(each.get("body", "")).startswith(MARK):
                self._ask("PATCH", f"/issues/comments/{each['id']}", {"body": body})
                return
        self._ask("POST", f"/issues/{pull.number}/comments", {"body": body})

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, str] | None = None,
        accept: str = "application/vnd.github+json",
    ) -> bytes:
        raw = None if body is None else json.dumps(body).encode()
        headers = {"Accept": accept, "User-Agent": "covey", "Authorization": f"Bearer {self._token}"}
        asked = urllib.request.Request(self._base + path, raw, headers, method=method)
        try:
            with self._open(asked, timeout=SECONDS) as answer:
                found: bytes = answer.read(ANSWER_BYTES + 1)
        except urllib.error.HTTPError as error:
            raise GithubError(f"{method} {path}: GitHub answered {error.code}") from None
        except (OSError, http.client.HTTPException) as error:
            raise GithubError(f"{method} {path}: {type(error).__name__}") from None
        if len(found) > ANSWER_BYTES:
            raise GithubError(f"{method} {path}: the answer is longer than {ANSWER_BYTES} bytes")
        return found


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: a token goes nowhere else."""

    def redirect_request(self, *_: object) -> None:
        return None


def _objects(raw: bytes) -> list[dict[str, Any]]:
    try:
        found = json.loads(raw)
    except ValueError as error:
        raise GithubError("GitHub's list of comments is no JSON") from error
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def pull_request(event: Path | None) -> PullRequest | None:
    """Return the pull request that an event is about, if it is about one."""
    if event is None or not event.is_file():
        return None
    found = json.loads(event.read_bytes()).get("pull_request")
    if not isinstance(found, dict) or not isinstance(found.get("number"), int):
        return None
    return PullRequest(found["number"], plain(str(found.get("title") or ""))[:TITLE_CHARS])


def bounded(diff: str) -> str:
    """Return a diff as an agent gets it: cut to DIFF_BYTES at a line, and saying so."""
    raw = diff.encode()
    if len(raw) <= DIFF_BYTES:
        return diff
    kept = raw[:DIFF_BYTES].decode("utf-8", "ignore").rpartition("\n")[0]
    return f"{kept}\n[cut here: {len(raw) - len(kept.encode())} bytes of the diff are missing]"


def markdown(blocks: Sequence[Mapping[str, str]], facts: str) -> str:
    """Return blocks as a comment: every text of the model's stands in a fence that it cannot close.

    Within a fence no mention notifies anybody, no link is one, and no image is loaded.
    """
    parts = [MARK]
    for block in blocks:
        for name, text in block.items():
            shown = plain(text, keep="\n\t")[:BLOCK_CHARS]
            fence = "`" * max(3, 1 + _longest_run(shown))
            parts.append(f"**{plain(name)}**\n\n{fence}text\n{shown}\n{fence}")
    return "\n\n".join([*parts, f"<sub>{facts}</sub>"]) + "\n"


def plain(text: str, keep: str = "") -> str:
    """Return text without what steers terminals, logs or editors."""
    return "".join(char if char in keep or unicodedata.category(char)[0] != "C" else " " for char in text)


def write_outputs(path: Path | None, outputs: Mapping[str, str]) -> None:
    """Set the step's outputs, each between delimiters that its value cannot hold."""
    if path is None:
        return
    with path.open("a", encoding="utf-8") as file:
        for name, value in outputs.items():
            end = f"covey-{secrets.token_hex(16)}"
            file.write(f"{name}<<{end}\n{value}\n{end}\n")


def _longest_run(text: str) -> int:
    longest = run = 0
    for char in text:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    return longest
