"""The first agent.toml of a peer: what `covey init` was told, beside every section a person will look for.

Rules: pure; facts and text only. What a person chose enters through `toml.quoted`, never a comment. Whoever
writes the text checks it first by reading it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from covey.model import CAT7
from covey.settings.adapters import ADAPTERS
from covey.settings.roles import preset
from covey.settings.toml import document, quoted, value
from covey.values import dataclass

SCHEMA_FILE: Final = "agent.schema.json"
"""The JSON Schema beside an agent.toml, as its first line names it to editors."""

SCHEMA_LINE: Final = f"#:schema ./{SCHEMA_FILE}"

_PROMPTS: Final[Mapping[str, str]] = {
    "writer": "You write. Say what you drafted and why it is enough; take up the issues that others raise.",
    "reviewer": "You review. Name the one weakness that matters most, and what would settle it.",
    "test-writer": "You write tests. Name the case that would break what was proposed, and the test for it.",
    "auditor": "You audit. Say which rule or assumption is touched, for whom, and how sure you are.",
    "generator": "You bring up ideas. Offer one that is new in this thread, and what trying it would take.",
    "spec": "You specify. Turn what was said into one rule that can be checked, and name what is left open.",
}
_PROMPT: Final = "Say what you see from your role, in one or two sentences for each category."


@dataclass(frozen=True, slots=True)
class Choice:
    """What a new configuration is made from. `cost_cap` is USD for one run, the other caps follow from it."""

    name: str
    role: str
    room: str
    adapter: str
    model: str = ""
    base_url: str = ""
    cost_cap: float = 5.0
    lan: bool = False


def scaffold(choice: Choice) -> str:
    """Return the text of an agent.toml.

    Raises:
        ValueError: A text of it holds a lone surrogate.
    """
    return "\n".join(
        line
        for part in (
            _head(),
            _who(choice),
            _weights(choice),
            _model(choice),
            _prompt(choice),
            _bounds(choice),
        )
        for line in part
    )


def invited(name: str, mesh: Mapping[str, object]) -> str:
    """Return the text of an agent.toml that sits where an invite says, with no model yet.

    Raises:
        ValueError: A text of it holds a lone surrogate.
    """
    tables = {
        "identity": {"name": name, "role": "generic"},
        "mesh": mesh,
        "role_weights": weights_of("generic"),
        "model": {"adapter": "scripted"},
        "scripted": {"rules": [{"name": "ping", "when": {"focus": "^ping$"}, "emit": {"focus": "pong"}}]},
    }
    head = (
        "# Written by covey join. Its model answers only a ping: covey init writes others to copy from.\n"
        "# It may hold a relay's token: keep it to yourself.\n\n"
    )
    return head + document(tables)


def weights_of(role: str) -> Mapping[str, float]:
    """Return a role's seven weights: its own where it is well known, else all 1."""
    known = preset(role)
    return dict.fromkeys(CAT7, 1.0) if known is None else known


def _head() -> Iterator[str]:
    yield SCHEMA_LINE
    yield "# One covey peer. `covey dry-run --config <this file>` checks it without joining the mesh;"
    yield "# `covey schema` lists every key with its bounds."


def _who(choice: Choice) -> Iterator[str]:
    yield f"\n[identity]\nname = {quoted(choice.name)}\nrole = {quoted(choice.role)}"
    yield f"\n[mesh]\nroom = {quoted(choice.room)}             # only peers of one room hear each other"
    yield f"lan = {value(choice.lan)}                  # true: beyond this machine, on the local network"
    yield '# relay = "wss://relay.example:8443"   # its token belongs in COVEY_RELAY_TOKEN'


def _weights(choice: Choice) -> Iterator[str]:
    known = preset(choice.role) is not None
    yield "\n[role_weights]" + ("" if known else "               # no preset for this role: all alike")
    for name, weight in weights_of(choice.role).items():
        yield f"{name} = {value(weight)}"


def _model(choice: Choice) -> Iterator[str]:
    yield f"\n[model]\nadapter = {quoted(choice.adapter)}"
    if choice.model:
        yield f"model_name = {quoted(choice.model)}"
    elif (usual := ADAPTERS[choice.adapter].model) is not None:
        yield f"# model_name = {quoted(usual)}   # its usual one"
    if choice.adapter == "mesh":
        yield 'peer = "leader"                # whose model answers: a trusted peer\'s name, or its nodeId'
    if choice.base_url:
        yield f"base_url = {quoted(choice.base_url)}"
    yield "max_tokens_per_call = 1024"
    yield "# its key is read from the environment; a key in a file is a secret in a file"
    if choice.adapter == "scripted":
        yield '\n[[scripted.rules]]\nname = "answer everything once"\nwhen = { max_times = 1 }'
        yield 'emit = { focus = "heard from {author}: {focus}" }'


def _prompt(choice: Choice) -> Iterator[str]:
    text = _PROMPTS.get(choice.role.lower(), _PROMPT)
    yield f"\n[prompt]\nsystem = {quoted(text)}"


def _bounds(choice: Choice) -> Iterator[str]:
    cap = choice.cost_cap
    yield "\n[context]\nk_lineage = 3\nn_own = 5\nn_room = 10\nmax_context_tokens = 8000"
    yield "\n[budget]\nmax_wakes_per_minute = 10\nmax_wakes_per_hour = 100\nmax_wakes_per_day = 1000"
    yield f"max_cost_usd_per_hour = {value(_usd(cap / 2))}"
    yield f"max_cost_usd_per_day = {value(_usd(cap * 2))}\nmax_cost_usd_per_run = {value(_usd(cap))}"
    yield '\n[safety]\ncycle_depth = 5\napproval_gates = "default"'
    yield '\n[routing]\nresponse_routing = "broadcast"   # or targeted, auto'
    yield '\n[attach]\nmode = "headless"\n\n[logging]\nlevel = "info"'
    yield "\n[trust]\n# Blocks of strangers are judged and remembered, but wake no agent."
    yield '# trusted = ["<nodeId or key fingerprint>"]\nstrangers_may_wake = false\n'


def _usd(amount: float) -> float:
    """Return an amount to the micro-dollar: a small cap must not become none."""
    return max(round(amount, 6), 0.000001)
