"""The documentation: made pages are current, every page has a place, what it shows is what covey takes."""

import importlib
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec

import pytest

from covey import settings
from covey.cli.commands import COMMANDS
from covey.cli.parser import Parser
from covey.settings.schema import schema as schema_of
from tests.tidy import tree
from tests.tidy.test_workflows import load
from tools import settings_page, site_pages

GUIDES = (
    "docs/getting-started.md",
    "docs/cookbook.md",
    "docs/operations.md",
    "docs/cross-host.md",
    "examples/scenarios/README.md",
)
"""Pages whose commands are typed as they stand."""
SHELL = ("make", "sudo")


def blocks(page: str, language: str) -> list[str]:
    """Return a page's code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", tree.text(page), re.MULTILINE | re.DOTALL)


def pages(entry: object) -> list[str]:
    """Return the pages that a navigation names, in order."""
    if isinstance(entry, str):
        return [entry]
    listed = entry.values() if isinstance(entry, dict) else entry
    return [page for each in listed for page in pages(each)]


def test_the_page_of_settings_is_current() -> None:
    assert tree.text("docs/configuration.md") == settings_page.page(), "write it anew: make settings-page"


def test_every_key_of_the_schema_is_on_the_page() -> None:
    page = settings_page.page()

    def walk(entry: dict, at: tuple[str, ...]) -> None:
        for name, spec in entry["properties"].items():
            below = settings_page.table_below(spec)
            if below is None:
                assert f"| `{name}` |" in page, (*at, name)
            else:
                walk(below[0], (*at, name))

    walk(schema_of(), ())
    assert "### `[[scripted.rules]]`" in page and "### `[model.prices.<name>]`" in page
    assert "| `max_cost_usd_per_day` | number from 0 to 1,000,000 | `10.0` | USD in any day |" in page


def test_every_variable_that_is_read_is_on_the_page() -> None:
    read = {name for body in tree.package().values() for name in re.findall(r'"(COVEY_[A-Z_]+)"', body)}
    assert "COVEY_HOME" in read
    assert read <= settings_page.ENVIRONMENT.keys()


def test_every_page_has_its_place_on_the_site_and_every_place_its_page() -> None:
    named = pages(load(tree.text("mkdocs.yml"))["nav"])
    there = {name.removeprefix("docs/") for name in tree.tracked() if name.startswith("docs/")}
    assert len(named) == len(set(named))
    assert set(named) == {name for name in there if name.endswith(".md")} | set(site_pages.BESIDE)


def test_the_site_asks_nothing_of_anybody_else() -> None:
    config = load(tree.text("mkdocs.yml"))
    assert config["theme"]["font"] == "false"
    assert not {"extra_javascript", "extra_css", "google_analytics"} & config.keys()


@pytest.mark.parametrize(
    ("body", "page", "becomes"),
    [
        ("[x](../SECURITY.md#a)", "relay.md", "[x](SECURITY.md#a)"),
        ("[x](docs/relay.md)", "README.md", "[x](relay.md)"),
        ("[x](relay.md#run-one)", "agents.md", "[x](relay.md#run-one)"),
        ("[x](../examples/a.toml)", "agents.md", "x (`examples/a.toml`)"),
        ("[examples](examples)", "README.md", "examples"),
        ("[x](https://a.example) [y](#z)", "a.md", "[x](https://a.example) [y](#z)"),
        ("```\n[x](../a.toml)\n```\n", "a.md", "```\n[x](../a.toml)\n```\n"),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(body: str, page: str, becomes: str) -> None:
    assert site_pages.relinked(body, page) == becomes


def test_the_site_builds_and_every_link_and_anchor_leads_somewhere(tmp_path) -> None:
    if find_spec("mkdocs") is None or find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed: make docs brings and runs it")
    words = ["build", "--strict", "--config-file", "mkdocs.yml", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", *words],
        cwd=tree.ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Caps are reserved before a call" in (tmp_path / "cookbook.html").read_text()


@pytest.mark.parametrize("page", GUIDES)
def test_every_command_of_a_guide_can_be_read(page: str) -> None:
    lines = [line for body in blocks(page, "sh") for line in body.splitlines()]
    said = [shlex.split(line, comments=True) for line in lines]
    targets = set(re.findall(r"^([a-z-]+):", tree.text("Makefile"), re.MULTILINE))
    assert any(said)
    for program, *words in filter(None, said):
        assert program in ("covey", *SHELL), program
        if program == "make":
            assert set(words) <= targets
        if program == "covey":
            module = importlib.import_module(COMMANDS[words[0]].module)
            parser = Parser(words[0], "", module.EXAMPLE)
            module.configure(parser)
            assert parser.read(words[1:]) is not None, words


@pytest.mark.parametrize("page", [name for name in tree.tracked() if name.startswith("docs/")])
def test_every_configuration_that_a_page_shows_loads(page: str) -> None:
    whole = [body for body in blocks(page, "toml") if "[identity]" in body and "[model]" in body]
    assert whole or page != "docs/cookbook.md"
    for body in whole:
        assert settings.parse(body, file=page).identity.name


@pytest.mark.parametrize("name", ["docs/operations.md"])
def test_the_metrics_that_a_page_names_are_there(name: str) -> None:
    source = "".join(body for path, body in tree.package().items() if "/metrics/" in path or "relay" in path)
    for metric in set(re.findall(r"\bcovey_(?:peer|agent)_[a-z_]+[a-z]", tree.text(name))):
        assert metric in source or metric.startswith("covey_peer_records"), metric
