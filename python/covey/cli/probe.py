"""One tiny question to the model that agent.toml names: does it answer, how fast, and what did it cost?

Rules: the call is made only when its reserve fits under the cap of a run; what fails is said in the adapter's
own words, with its next step. Nothing is emitted and no mesh is joined.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from covey.errors import CoveyError, ModelError
from covey.limits import PROBE_OUTPUT_TOKENS
from covey.model import ModelReply, ModelRequest
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.models.factory import PricedModel
    from covey.settings import Settings

_SCRIPTED: Final = "(info) rules answer in place of a model: nobody to contact"


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of a probe: whether it went well, one line, and the figures where a call was made."""

    fine: bool
    detail: str
    latency_ms: float | None = None
    cost_usd: float | None = None


def probe(settings: Settings, env: Mapping[str, str]) -> Probed:
    """Ask the model one short question.

    Args:
        settings: The peer's settings; model, key, address, timeout and cap of a run count.
        env: The environment.
    """
    if settings.model.adapter == "scripted":
        return Probed(True, _SCRIPTED)
    try:
        return asyncio.run(_ask(settings, env))
    except CoveyError as error:
        advice = "" if error.hint is None else f" — {error.hint}"
        again = " (may pass by itself)" if isinstance(error, ModelError) and error.transient else ""
        return Probed(False, f"{error.message}{again}{advice}")


async def _ask(settings: Settings, env: Mapping[str, str]) -> Probed:
    from covey.models import build

    request = _request(settings)
    model = build(settings, env)
    reserve, cap = model.reserve_usd(request), settings.budget.max_cost_usd_per_run
    if reserve > cap:
        return Probed(False, f"not asked: it may cost ${reserve:.6f}, and max_cost_usd_per_run is ${cap:g}")
    try:
        await model.warm()  # loading an SDK is no latency of the model's
        began = time.monotonic()
        reply = await model.call(request)
        return _told(model, reply, reserve, (time.monotonic() - began) * 1_000)
    finally:
        await model.close()


def _request(settings: Settings) -> ModelRequest:
    name, room = json.dumps(settings.identity.name), json.dumps(settings.mesh.room)
    return ModelRequest(
        system=f"You are the peer {name} in the room {room}. This only tries whether you can be reached.",
        user="Answer with the one word: ready",
        max_tokens=min(PROBE_OUTPUT_TOKENS, settings.model.max_tokens_per_call),
        timeout_seconds=settings.model.timeout,
    )


def _told(model: PricedModel, reply: ModelReply, reserve: float, latency_ms: float) -> Probed:
    usage = reply.usage
    if usage.cost_usd is None:
        cost = f"cost unknown, at most ${reserve:.6f}: {model.quote.warning or model.quote.source}"
    else:
        cost = f"${usage.cost_usd:.6f} ({model.quote.source})"
    tokens = f"{usage.input_tokens}+{usage.output_tokens} tokens"
    detail = f"{model.label} answered in {latency_ms:.0f} ms, {tokens}, {cost}"
    return Probed(True, detail, round(latency_ms, 1), usage.cost_usd)
