"""The OpenAI adapter: chat completions at the vendor's own address, or at one that stands in for it."""

from __future__ import annotations

from covey.models.chat import ChatModel, Dialect
from covey.models.line import Line
from covey.models.prices import Quote


class OpenAIModel(ChatModel):
    """A model of OpenAI.

    Args:
        name: The model's name.
        api_key: The key; it is sent and never shown.
        quote: What its calls cost.
        base_url: Another address than the vendor's, or None.
        dialect: How to ask.
        line: Another line than the SDK's, or None.
    """

    def __init__(
        self,
        name: str,
        api_key: str,
        quote: Quote,
        *,
        base_url: str | None = None,
        dialect: Dialect = Dialect(),  # noqa: B008 - a frozen value
        line: Line | None = None,
    ) -> None:
        super().__init__(
            f"openai/{name}", name, api_key, quote, base_url=base_url, dialect=dialect, line=line
        )
