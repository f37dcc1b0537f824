"""From settings to an agent: persona, engine options and safety, in one place.

Rules: pure translation of floor 1 values. Defaults live in settings; nothing is decided here.
"""

from __future__ import annotations

from covey.agent.context import ContextLimits
from covey.agent.guards import Estimate, Guards
from covey.agent.options import EngineOptions
from covey.agent.prompt import Persona
from covey.safety import (
    Breaker,
    CostGuard,
    CycleGuard,
    Gates,
    Ledger,
    LoopGuard,
    Quarantine,
    WakeBudget,
)
from covey.settings import Settings


def persona(settings: Settings, node_id: str) -> Persona:
    """Return who the agent is; its nodeId comes from its identity, the rest from agent.toml."""
    return Persona(
        name=settings.identity.name,
        node_id=node_id,
        role=settings.identity.role or settings.identity.name,
        room=settings.mesh.room,
        weights=settings.role_weights.as_dict(),
        instructions=settings.prompt.system,
        has_tools=bool(settings.tools),
        as_json=settings.model.answer_as == "json",
    )


def engine_options(settings: Settings, node_id: str) -> EngineOptions:
    """Return how the agent behaves; a run with participants counts this peer among them."""
    run = settings.run
    return EngineOptions(
        context=ContextLimits(
            k_lineage=settings.context.k_lineage,
            n_own=settings.context.n_own,
            n_room=settings.context.n_room,
            max_tokens=settings.context.max_context_tokens,
            curated_tokens=settings.context.curated_tokens,
        ),
        routing=settings.routing.response_routing,
        max_tokens=settings.model.max_tokens_per_call,
        timeout_seconds=settings.model.timeout,
        first_token_seconds=settings.model.first_token_seconds,
        temperature=settings.model.temperature,
        awaits_tools=bool(settings.tools),
        max_tool_calls=settings.tools.max_calls_per_wake,
        max_in_flight=settings.safety.max_in_flight,
        max_calls=run.max_calls or None,
        participants=frozenset({node_id, *run.participants}) if run.participants else frozenset(),
        idle_seconds=run.idle_seconds or None,
    )


def guards(settings: Settings, node_id: str, estimate: Estimate, era: str = "") -> Guards:
    """Return the safety rooms as agent.toml sets them.

    Args:
        settings: The peer's settings.
        node_id: Whose blocks are own.
        estimate: The most a call of its model can cost, in USD.
        era: Names the boot whose monotonic clock the agent lives by; empty where nobody knows.
    """
    budget, safety = settings.budget, settings.safety
    return Guards(
        wakes=WakeBudget(budget.max_wakes_per_minute, budget.max_wakes_per_hour, budget.max_wakes_per_day),
        money=CostGuard(
            budget.max_cost_usd_per_run, budget.max_cost_usd_per_hour, budget.max_cost_usd_per_day
        ),
        breaker=Breaker(),
        circles=CycleGuard(
            node_id,
            depth=safety.cycle_depth,
            max_hops=safety.max_hops,
            max_calls=safety.max_calls_per_thread,
        ),
        loops=LoopGuard(safety.max_rounds),
        gates=Gates(safety.approval_gates, safety.gate_patterns, safety.gates_off),
        quarantine=Quarantine(safety.quarantine_hours * 3_600),
        ledger=Ledger(),
        estimate=estimate,
        era=era,
    )
