"""What no tracked file may say: paths of one machine, hosts of package registries, unfinished words."""

import re

import pytest

from tests.tidy import tree

TOPS = ("work", "tmp", "root", "home", "farm", "Users")
MACHINE_PATH = re.compile(rf"(?<![\w.~$}}*-])/(?:{'|'.join(TOPS)})/\w")
"""An absolute path of somebody's machine. A web address or a path below a variable is none."""
REGISTRY_HOST = re.compile(
    r"(?:pypi|pythonhosted)\.org|(?:index|static)\.crates\.io"
    r"|registry\.npmjs\.|(?:deb|security)\.debian\.org",
)
UNFINISHED = re.compile(r"\b(?:{})\b".format("|".join(("TODO", "FIXME", "XXX", "HACK"))))
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)")
THIS = "tests/tidy/test_tracked_text.py"
SKIPPED = ("Cargo.lock", "LICENSE", THIS)
BINARY = (".png", ".ico", ".gz", ".whl", ".so", ".bin", ".db")


def lines_with(pattern: re.Pattern[str], files: dict[str, str]) -> list[str]:
    """Return `file:line` for every match."""
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, body in files.items()
        for number, line in enumerate(body.splitlines(), 1)
        if pattern.search(line)
    ]


def texts() -> dict[str, str]:
    """Return every tracked text file that people write."""
    names = (name for name in tree.tracked() if name not in SKIPPED and not name.endswith(BINARY))
    return {name: tree.text(name) for name in names}


def broken_links(files: dict[str, str]) -> list[str]:
    """Return links of Markdown files to files that are not there."""
    found = []
    for name, body in files.items():
        folder = (tree.ROOT / name).parent
        found += [f"{name}: {link}" for link in LINK.findall(body) if not (folder / link).exists()]
    return found


def test_no_machine_paths():
    assert lines_with(MACHINE_PATH, texts()) == []


def test_no_registry_hosts():
    assert lines_with(REGISTRY_HOST, texts()) == []


def test_nothing_is_left_for_later():
    assert lines_with(UNFINISHED, texts()) == []


def test_links_of_the_documents_lead_somewhere():
    assert broken_links({name: body for name, body in texts().items() if name.endswith(".md")}) == []


@pytest.mark.parametrize("form", ["see {}", "'{}'", "({})", "HOME={}"])
@pytest.mark.parametrize("top", TOPS)
def test_a_machine_path_is_found(form, top):
    assert lines_with(MACHINE_PATH, {"x.md": form.format(f"/{top}/x")})


@pytest.mark.parametrize("form", ["$HOME{}", "docs{}", "~{}", "an address: https://example.org{}"])
def test_other_paths_pass(form):
    assert lines_with(MACHINE_PATH, {"x.md": form.format(f"/{TOPS[0]}/x")}) == []


def test_each_text_check_can_fail():
    assert lines_with(REGISTRY_HOST, {"x": "index: https://files.pythonhosted.org/x"})
    assert lines_with(UNFINISHED, {"x.py": "# TODO: later"})
    assert broken_links({"README.md": "[x](no-such-file.md) [y](LICENSE)"}) == ["README.md: no-such-file.md"]
