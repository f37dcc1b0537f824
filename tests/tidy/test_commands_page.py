"""docs/commands.md is what the parsers say today."""

from covey.cli.commands import COMMANDS
from tests.tidy import tree
from tools import commands_page


def test_the_page_of_commands_is_current():
    assert tree.text("docs/commands.md") == commands_page.page(), "write it anew: make commands-page"


def test_every_command_and_flag_is_on_the_page():
    page = commands_page.page()
    for name in COMMANDS:
        assert f"\n## covey {name}\n" in page
    for flag in ("`--probe`", "`--fix`", "`--timeout SECONDS`", "`--config PATH`, needed", "`--apply`"):
        assert f"| {flag}" in page, flag
