"""Tools: what a model may use while it thinks, from MCP servers and from Python functions.

Importing this imports no MCP library: a file of functions marked with `tool` needs nothing more than covey.
"""

from covey.tools.function import ToolDefinitionError, tool

__all__ = ["ToolDefinitionError", "tool"]
