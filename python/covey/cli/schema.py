"""`covey schema`: print the JSON Schema of agent.toml."""

from __future__ import annotations

import argparse
import json
from typing import Final

from covey.cli.console import Console
from covey.cli.parser import Parser

EXAMPLE: Final = "covey schema > agent.schema.json"


def configure(parser: Parser) -> None:
    """Declare the arguments: there are none."""


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the schema; it is JSON either way, and --json only puts it on one line."""
    from covey.settings.schema import schema

    found = schema()
    console.result(found, json.dumps(found, indent=2, ensure_ascii=False))
    return 0
