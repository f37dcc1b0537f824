"""Look for keys in what is tracked, or with `--history` in every line that any commit ever added.

The forms are those that vendors give their keys, whole and with their real length, so that made-up keys in
tests are none. What is found is named by place and kind; its value is not shown. Needs Python and git only.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

FORMS = {
    "Anthropic key": r"sk-ant-(?:api|admin)\d{2}-[A-Za-z0-9_-]{80,}",
    "OpenAI key": r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}",
    "GitHub token": r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,}",
    "GitLab token": r"glpat-[A-Za-z0-9_-]{20,}",
    "AWS key id": r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    "Google key": r"AIza[A-Za-z0-9_-]{35}",
    "Hugging Face token": r"hf_[A-Za-z0-9]{34,}",
    "Slack token": r"xox[abposr]-[A-Za-z0-9-]{20,}",
    "package registry token": r"pypi-AgE[A-Za-z0-9_-]{50,}|npm_[A-Za-z0-9]{36}|cio[A-Za-z0-9]{32}",
    "private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "web token": r"eyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
}
FOUND = re.compile(
    "|".join(f"(?P<f{place}>(?<![A-Za-z0-9]){form})" for place, form in enumerate(FORMS.values()))
)
LINE_CHARS = 100_000  # of one line that is looked at: longer ones are data, and looked at in pieces


def kinds(line: str) -> Iterator[str]:
    """Yield what kinds of secret stand in a line."""
    for begin in range(0, max(1, len(line)), LINE_CHARS):
        for match in FOUND.finditer(line, begin, begin + LINE_CHARS + 400):
            yield list(FORMS)[int(str(match.lastgroup)[1:])]


def tracked() -> Iterator[tuple[str, str]]:
    """Yield place and text of every line that is tracked now."""
    names = _git("ls-files", "-z").split("\0")
    for name in filter(None, names):
        try:
            with Path(name).open(encoding="utf-8", errors="replace") as file:
                for number, line in enumerate(file, 1):
                    yield f"{name}:{number}", line
        except (FileNotFoundError, IsADirectoryError):
            continue  # removed here and not yet in git, or a submodule: neither is text of ours


def history() -> Iterator[tuple[str, str]]:
    """Yield place and text of every line that a commit of any branch added."""
    words = [
        "git",
        "log",
        "--all",
        "--patch",
        "--unified=0",
        "--no-color",
        "--no-textconv",
        "--format=%x00%H",
    ]
    commit = name = "?"
    with subprocess.Popen(words, stdout=subprocess.PIPE, encoding="utf-8", errors="replace") as log:
        assert log.stdout is not None, "it was asked for"
        for line in log.stdout:
            if line.startswith("\0"):
                commit = line[1:13]
            elif line.startswith("+++ b/"):
                name = line[6:].strip()
            elif line.startswith("+"):
                yield f"{commit} {name}", line
    if log.returncode != 0:
        raise SystemExit(f"git log failed with {log.returncode}: nothing was proved")


def scan(lines: Iterable[tuple[str, str]]) -> list[str]:
    """Return `place: kind` of everything found."""
    return [f"{place}: {kind}" for place, line in lines for kind in kinds(line)]


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


def main(words: list[str]) -> int:
    """Print what is found; 0 nothing, 1 something, 2 asked wrongly."""
    if words not in ([], ["--history"]):
        sys.stderr.write("expected nothing, or --history\n")
        return 2
    found = scan(history() if words else tracked())
    for each in dict.fromkeys(found):
        sys.stdout.write(f"{each}\n")
    sys.stdout.write(f"{len(found)} found\n" if found else "no secrets found\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
