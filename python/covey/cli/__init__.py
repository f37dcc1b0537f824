"""The `covey` program: reads argv and the environment, builds adapters, prints, and exits."""

from covey.cli.entry import main

__all__ = ["main"]
