"""What models cost: a dated table of list prices, which agent.toml may override.

Rules: pure. Prices are USD for a million tokens, standard tier, as listed on PRICES_DATE. Input that a vendor
reads from its prompt cache, or writes there, has its own rate where we know it; where we do not, reading
costs what input costs, so a bill is never higher than our books for that reason. A name is looked up as
it is, then as the longest known name that it only dates (`gpt-4o-2024-11-20`, `…-latest`): a `-pro` or
`-mini` is another model, not a date. A name nobody knows has no known price: its cost is reported as
unknown, and it is reserved at the dearest price of the table, so that not knowing never means not limiting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from covey.limits import BYTES_PER_TOKEN_FLOOR
from covey.model import ModelRequest, Usage
from covey.settings import Price
from covey.values import dataclass

PRICES_DATE: Final = "2026-11"
"""When the table was last held against published price lists."""

FREE: Final = Price(0.0, 0.0)

_CALL_OVERHEAD_TOKENS: Final = 600  # what vendors add for tools and roles: Anthropic states up to about 500
_DATED = re.compile(r"-(?:\d{8}|\d{6}|\d{4}(?:-\d{2}(?:-\d{2})?)?|latest|preview)\Z")

_TABLE: Final[Mapping[str, tuple[float, float]]] = {
    # Anthropic
    "claude-fable-5-1": (10.0, 50.0),
    "claude-fable-5": (10.0, 50.0),
    "claude-mythos-5-1": (10.0, 50.0),
    "claude-mythos-5": (10.0, 50.0),
    "claude-opus-5-5": (4.0, 20.0),
    "claude-opus-5": (5.0, 25.0),
    "claude-opus-4-8": (5.0, 25.0),
    "claude-opus-4-7": (5.0, 25.0),
    "claude-opus-4-6": (5.0, 25.0),
    "claude-opus-4-5": (5.0, 25.0),
    "claude-sonnet-5-5": (2.0, 10.0),
    "claude-sonnet-5": (2.0, 10.0),
    "claude-sonnet-4-6": (3.0, 15.0),
    "claude-sonnet-4-5": (3.0, 15.0),
    "claude-haiku-5-5": (0.10, 0.50),
    "claude-haiku-4-5": (1.0, 5.0),
    # OpenAI
    "gpt-6-astra": (10.0, 50.0),
    "gpt-6.1-sol": (2.0, 10.0),
    "gpt-6-sol": (2.0, 10.0),
    "gpt-6-luna": (0.10, 0.50),
    "gpt-5.6-sol": (5.0, 30.0),
    "gpt-5.6-terra": (2.0, 12.0),
    "gpt-5.6-luna": (0.20, 1.20),
    "gpt-5.5": (5.0, 30.0),
    "gpt-5.4": (2.5, 15.0),
    "gpt-5.4-mini": (0.75, 4.5),
    "gpt-5.4-nano": (0.20, 1.25),
    "gpt-5.2": (1.75, 14.0),
    "gpt-5.1": (1.25, 10.0),
    "gpt-5": (1.25, 10.0),
    "gpt-5-mini": (0.25, 2.0),
    "gpt-5-nano": (0.05, 0.40),
    "gpt-4.1": (2.0, 8.0),
    "gpt-4.1-mini": (0.40, 1.60),
    "gpt-4.1-nano": (0.10, 0.40),
    "gpt-4o": (2.5, 10.0),
    "gpt-4o-mini": (0.15, 0.60),
    "o1": (15.0, 60.0),
    "o3": (2.0, 8.0),
    "o3-mini": (1.10, 4.40),
    "o4-mini": (1.10, 4.40),
    # Mistral
    "mistral-large": (2.0, 6.0),
    "mistral-medium": (1.5, 7.5),
    "mistral-small": (0.10, 0.30),
    "codestral": (0.30, 0.90),
    "open-mistral-nemo": (0.15, 0.15),
    "pixtral-large": (2.0, 6.0),
}

_CACHE: Final[tuple[tuple[str, float, float], ...]] = (
    # name prefix, times input price for tokens read from the cache, and for tokens written into it
    ("claude-", 0.10, 1.25),
    ("gpt-6", 0.10, 1.25),
    ("gpt-5.6", 0.10, 1.25),
    ("gpt-5", 0.10, 1.0),
    ("gpt-4.1", 0.25, 1.0),
    ("gpt-4o", 0.50, 1.0),
    ("o1", 0.50, 1.0),
    ("o3-mini", 0.50, 1.0),
    ("o3", 0.25, 1.0),
    ("o4-mini", 0.25, 1.0),
)

_LONG: Final[tuple[tuple[str, int, float, float], ...]] = (
    # name prefix, from this many input tokens on, times input price, times output price
    ("claude-haiku-5-5", 100_000, 5.0, 5.0),
    ("gpt-5.4", 272_000, 2.0, 1.5),
    ("gpt-5.5", 272_000, 2.0, 1.5),
    ("gpt-5.6", 272_000, 2.0, 1.5),
    ("gpt-6", 272_000, 2.0, 1.5),
)

_DEAREST: Final = Price(
    max(price[0] for price in _TABLE.values()), max(price[1] for price in _TABLE.values())
)


@dataclass(frozen=True, slots=True)
class Quote:
    """What one model's calls cost, and how we know.

    `source` is for people: `agent.toml`, `list price of 2026-11`, `runs on this machine` … When `known` is
    False, `price` is assumed: good for a reserve, never for a bill.
    """

    model: str
    price: Price
    known: bool
    source: str

    @property
    def warning(self) -> str | None:
        """Return what the operator should know about this price, or None."""
        if self.known:
            return None
        return (
            f"no price known for model {self.model}: its cost is shown as unknown and its calls are held "
            f"against the caps at {self.price.input:g}/{self.price.output:g} USD per million tokens; "
            f'set [model.prices] "{self.model}" = {{ input = …, output = … }}'
        )

    def usage(
        self, input_tokens: int, output_tokens: int, cached_tokens: int = 0, written_tokens: int = 0
    ) -> Usage:
        """Return tokens with their cost; unknown where the price is.

        Args:
            input_tokens: All tokens read, those of the vendor's cache among them.
            output_tokens: Tokens written.
            cached_tokens: Of the input, those read from the cache.
            written_tokens: Of the input, those written into it.
        """
        cached = min(cached_tokens, input_tokens)
        written = min(written_tokens, input_tokens - cached)
        cost = self._usd(input_tokens, output_tokens, cached, written) if self.known else None
        return Usage(input_tokens, output_tokens, cost, cached, written)

    def usage_or_unknown(
        self,
        input_tokens: int | None,
        output_tokens: int | None,
        cached_tokens: int | None = 0,
        written_tokens: int | None = 0,
    ) -> Usage:
        """Return usage as a vendor reported it; what it did not report makes the cost unknown."""
        if input_tokens is None or output_tokens is None:
            known_free = self.known and self.price == FREE
            return Usage(input_tokens or 0, output_tokens or 0, 0.0 if known_free else None)
        return self.usage(input_tokens, output_tokens, cached_tokens or 0, written_tokens or 0)

    def reserve_usd(self, request: ModelRequest) -> float:
        """Return what a call may cost at most: every byte pair a token, every allowed token written.

        Where the vendor charges more for filling its cache, all of the input is taken to fill it.
        """
        texts = [request.system, request.user]
        texts += [f"{tool.name}{tool.description}{tool.input_schema}" for tool in request.tools]
        for each in request.rounds:
            texts += [each.remark, *(answer.text for answer in each.answers)]
            texts += [str(each.said.carried)] if each.said.carried is not None else [each.said.text]
            texts += [f"{call.name}{call.raw_arguments}" for call in each.said.tool_calls]
        size = sum(len(text.encode("utf-8", "replace")) for text in texts)
        tokens = size // BYTES_PER_TOKEN_FLOOR + _CALL_OVERHEAD_TOKENS
        return max(self._usd(tokens, request.max_tokens), self._usd(tokens, request.max_tokens, 0, tokens))

    def _usd(self, input_tokens: int, output_tokens: int, cached: int = 0, written: int = 0) -> float:
        times_in = times_out = 1.0
        for prefix, threshold, long_in, long_out in _LONG:
            if self._listed and self.model.startswith(prefix) and input_tokens > threshold:
                times_in, times_out = long_in, long_out
        read_usd, write_usd = self._cache_prices()
        spent = (input_tokens - cached - written) * self.price.input * times_in
        spent += (cached * read_usd + written * write_usd) * times_in
        spent += output_tokens * self.price.output * times_out
        return spent / 1_000_000

    def _cache_prices(self) -> tuple[float, float]:
        """Return what a million tokens cost that are read from the cache, and that are written into it."""
        usual = self.price.input
        factors = ((read, write) for prefix, read, write in _CACHE if self.model.startswith(prefix))
        read, write = next(factors, (1.0, 1.0))
        if self._listed:
            return usual * read, usual * write
        cached, written = self.price.cached, self.price.written
        return usual if cached is None else cached, usual * write if written is None else written

    @property
    def _listed(self) -> bool:
        return self.source.startswith("list")


def quote(model: str, overrides: Mapping[str, Price], *, free: str | None = None) -> Quote:
    """Return what calls of a model cost.

    Args:
        model: The model's name as the vendor is asked for it.
        overrides: `[model.prices]`; they come before everything.
        free: Why calls cost nothing here (`runs on this machine`), or None where they may.
    """
    own = _lookup(model, overrides)
    if own is not None:
        return Quote(model, own, known=True, source="agent.toml")
    if free is not None:
        return Quote(model, FREE, known=True, source=free)
    listed = _lookup(model, {name: Price(*price) for name, price in _TABLE.items()})
    if listed is not None:
        return Quote(model, listed, known=True, source=f"list price of {PRICES_DATE}")
    return Quote(model, _DEAREST, known=False, source="assumed")


def _lookup(model: str, prices: Mapping[str, Price]) -> Price | None:
    """Return the price of a name, or of the longest name that it only dates."""
    if model in prices:
        return prices[model]
    undated = _DATED.sub("", model)
    return prices.get(undated) if undated != model else None
