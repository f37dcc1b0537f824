"""Model adapters of other distributions: found by the entry points they declare, built when one is chosen.

Rules: nobody looks at entry points before an adapter is named that covey does not have, or doctor is asked;
no offered module is imported before it is chosen. An adapter of covey's own is never replaced. What an
offered one says is checked: prices, time and faults are held here, so that no adapter can widen a cap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from importlib import metadata
from typing import Final, Protocol

from covey.errors import CoveyError, ModelError, ModelErrorKind
from covey.limits import MODEL_ADAPTERS, MODEL_ERROR_CHARS
from covey.model import ModelReply, ModelRequest, Usage
from covey.models.prices import Quote
from covey.settings import ADAPTER_NAME, ADAPTER_NAME_WORDS, ADAPTERS
from covey.values import dataclass

GROUP: Final = "covey.models"
"""The entry-point group of model adapters."""

_METHODS: Final = ("warm", "call", "close")


@dataclass(frozen=True, slots=True)
class AdapterOptions:
    """What an adapter's factory is given: what agent.toml and the environment say of its model.

    `quote` knows the model's price: `quote.reserve_usd(request)` is what a call may cost at most.
    """

    adapter: str
    model_name: str
    base_url: str | None
    api_key: str | None = field(repr=False)
    timeout_seconds: float
    quote: Quote


@dataclass(frozen=True, slots=True)
class Offer:
    """One adapter that an installed distribution offers; `complaint` says why it is not taken."""

    name: str
    target: str
    distribution: str
    complaint: str | None = None

    def __str__(self) -> str:
        """Return all of it, as messages name it."""
        return f"{self.name} ({self.target} of {self.distribution})"


class Adapter(Protocol):
    """What a factory makes: a model, as far as it is not covey's business."""

    async def warm(self) -> None:
        """Load whatever is slow to import, off the event loop."""

    async def call(self, request: ModelRequest) -> ModelReply:
        """Answer one request. Raises ModelError, which says whether trying again can help."""

    async def close(self) -> None:
        """Release connections."""


def offers() -> tuple[Offer, ...]:
    """Return what installed distributions offer, by name; nothing of theirs is imported.

    Raises:
        ModelError: A distribution's list of entry points cannot be read.
    """
    return tuple(offer for offer, _ in _found())


def names() -> frozenset[str]:
    """Return the adapter names that agent.toml may use beside covey's own.

    Raises:
        ModelError: As for `offers`.
    """
    return frozenset(offer.name for offer in offers() if ADAPTER_NAME.match(offer.name)) - ADAPTERS.keys()


def find(name: str) -> tuple[Offer, Callable[[AdapterOptions], Adapter]]:
    """Return who offers an adapter, and its factory, imported.

    Raises:
        ModelError: Nobody offers it, it is not taken, or it cannot be loaded; it says which and why.
    """
    offer, point = next((each for each in _found() if each[0].name == name), (None, None))
    if offer is None or point is None:
        raise _unusable(f"{name}: no installed distribution offers this adapter", "covey doctor lists them")
    if offer.complaint is not None:
        raise _unusable(f"{name}: {offer.complaint}", "uninstall one of them")
    try:
        factory = point.load()
    except Exception as error:  # whatever a stranger's module raises while it is imported
        raise _unusable(f"{offer}: cannot be loaded: {_said(error)}", "repair or reinstall it") from error
    if not callable(factory):
        raise _unusable(f"{offer}: no function that makes a model", "docs/agents.md shows one")
    return offer, factory


def build(options: AdapterOptions) -> CustomModel:
    """Return an offered model, ready to be called.

    Raises:
        ModelError: Its factory is missing, fails, or gives something that is no model.
    """
    offer, factory = find(options.adapter)
    try:
        made = factory(options)
    except CoveyError:
        raise
    except Exception as error:  # a stranger's factory; the operator hears what it said
        raise _unusable(
            f"{offer}: made no model: {_said(error)}", "its documentation says what it needs"
        ) from error
    lacking = [name for name in _METHODS if not callable(getattr(made, name, None))]
    if lacking:
        raise _unusable(
            f"{offer}: what it makes has no {', '.join(lacking)}", "docs/agents.md shows what a model has"
        )
    return CustomModel(made, options)


class CustomModel:
    """A model of another distribution, with its word checked.

    Args:
        model: What its factory made.
        options: What that was made from.
    """

    def __init__(self, model: Adapter, options: AdapterOptions) -> None:
        self._model = model
        self.label = f"{options.adapter}/{options.model_name}"
        self.quote = options.quote

    def reserve_usd(self, request: ModelRequest) -> float:
        """Return covey's own estimate: the caps never rest on what an adapter says."""
        return self.quote.reserve_usd(request)

    async def warm(self) -> None:
        """Let it load what it needs.

        Raises:
            ModelError: It could not.
        """
        try:
            await self._model.warm()
        except CoveyError:
            raise
        except Exception as error:
            raise _unusable(f"{self.label}: not ready: {_said(error)}", "look into its log") from error

    async def call(self, request: ModelRequest) -> ModelReply:
        """Ask it, for as long as the request allows.

        Raises:
            ModelError: Its own; or it was too slow, failed in another way, or gave no reply that can be read.
        """
        try:
            async with asyncio.timeout(request.timeout_seconds) as bound:
                reply = await self._model.call(request)
        except CoveyError:
            raise
        except Exception as error:
            if bound.expired():
                said = f"{self.label}: no answer in {request.timeout_seconds:g} s"
                raise ModelError(said, kind=ModelErrorKind.TIMEOUT, transient=True) from error
            raise self._broken(f"failed: {_said(error)}") from error
        return self._checked(reply)

    async def close(self) -> None:
        """Let it release what it holds.

        Raises:
            ModelError: It could not.
        """
        try:
            await self._model.close()
        except CoveyError:
            raise
        except Exception as error:
            raise self._broken(f"did not close: {_said(error)}") from error

    def _checked(self, reply: object) -> ModelReply:
        """Return a reply with covey's own price on it; one that counted nothing is of unknown cost."""
        if not isinstance(reply, ModelReply) or not isinstance(reply.usage, Usage):
            raise self._broken(f"gave {type(reply).__name__} in place of a ModelReply with its Usage")
        used = reply.usage
        counts = (used.input_tokens, used.output_tokens, used.cached_tokens, used.written_tokens)
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            raise self._broken("counted tokens that are no whole numbers from 0")
        if not used.input_tokens and not used.output_tokens:
            usage = self.quote.usage_or_unknown(None, None)
        else:
            usage = self.quote.usage(*counts)
        return ModelReply(
            reply.text, reply.tool_calls, usage, reply.stop_reason, reply.model, carried=reply.carried
        )

    def _broken(self, what: str) -> ModelError:
        return ModelError(f"{self.label}: {what}", kind=ModelErrorKind.PROTOCOL, transient=False)


def _found() -> list[tuple[Offer, metadata.EntryPoint]]:
    """Return every offer with its entry point, by name, each judged."""
    try:
        points = sorted(metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value))
        found = [(_offer(point), point) for point in points[:MODEL_ADAPTERS]]
    except Exception as error:  # somebody's broken metadata; importlib raises whatever its parser meets
        raise _unusable(
            f"entry points of installed distributions cannot be read: {_said(error)}",
            "pip check names broken distributions",
        ) from error
    by_name: dict[str, list[str]] = {}
    for offer, _ in found:
        by_name.setdefault(offer.name, []).append(offer.distribution)
    return [
        (replace(offer, complaint=_complaint(offer, by_name[offer.name])), point) for offer, point in found
    ]


def _offer(point: metadata.EntryPoint) -> Offer:
    dist = point.dist
    who = "an unknown distribution" if dist is None else f"{dist.metadata['Name']} {dist.version}"
    return Offer(point.name, point.value, who)


def _complaint(offer: Offer, offering: Sequence[str]) -> str | None:
    if offer.name in ADAPTERS:
        return "refused: covey has an adapter of this name, and no other takes its place"
    if not ADAPTER_NAME.match(offer.name):
        return f"refused: a name of {ADAPTER_NAME_WORDS} is needed"
    if len(offering) > 1:
        return f"refused: offered by {' and by '.join(offering)}"
    return None


def _unusable(message: str, hint: str) -> ModelError:
    return ModelError(message, kind=ModelErrorKind.UNAVAILABLE, transient=False, hint=hint)


def _said(error: Exception) -> str:
    """Return a stranger's error as one short line."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return line[:MODEL_ERROR_CHARS]
