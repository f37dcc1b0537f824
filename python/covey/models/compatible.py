"""The adapter for servers that speak chat completions: vLLM, llama.cpp, LM Studio, Mistral and more."""

from __future__ import annotations

from covey.models.chat import ChatModel, Dialect
from covey.models.line import Line
from covey.models.prices import Quote

_NO_KEY = "none"  # the SDK insists on a key; servers that want none ignore it


class CompatibleModel(ChatModel):
    """A model behind an OpenAI-style server.

    Args:
        adapter: `compatible`, or the alias it was configured by (`mistral`), for logs.
        name: The model's name as the server knows it.
        base_url: The server's address, usually ending in /v1.
        quote: What its calls cost.
        api_key: The key, or None where the server wants none.
        dialect: How to ask.
        line: Another line than the SDK's, or None.
    """

    def __init__(
        self,
        adapter: str,
        name: str,
        base_url: str,
        quote: Quote,
        *,
        api_key: str | None = None,
        dialect: Dialect = Dialect(),  # noqa: B008 - a frozen value
        line: Line | None = None,
    ) -> None:
        super().__init__(
            f"{adapter}/{name}",
            name,
            api_key or _NO_KEY,
            quote,
            base_url=base_url,
            dialect=dialect,
            line=line,
        )
