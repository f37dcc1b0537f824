"""`covey dry-run`: check agent.toml without joining anything, calling a model or emitting a block."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from itertools import chain
from typing import TYPE_CHECKING, Final

from covey.cli import passphrase
from covey.cli.advisory import claude_advice
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path
from covey.errors import EXIT_FAILED, EXIT_OK, ConfigError, CoveyError, IdentityError, ModelError
from covey.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from covey.settings import Settings, StaticPeer

EXAMPLE: Final = "covey dry-run --config agent.toml --probe"
_COLOURS: Final = {"ok": "green", "warn": "yellow", "FAIL": "red"}
_ADVICE: Final = (
    "\ndry-run found issues — fix the FAIL line(s) above before running `covey run`\n"
    "  every key with its bounds: covey schema; a fresh config: covey init <peer>"
)


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, ok, warn or FAIL, what was seen, and figures for programs."""

    name: str
    state: str
    detail: str
    figures: Mapping[str, float | None] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return the check for --json."""
        return {"name": self.name, "state": self.state, "detail": self.detail, **self.figures}


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("--config", type=path, required=True, metavar="PATH", help="the peer's agent.toml")
    parser.add_argument(
        "--probe", action="store_true", help="ask the model one short question: it costs what it says"
    )
    passphrase.add(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print every check; succeed when none failed."""
    from covey.models import others
    from covey.settings import load

    calls = "one tiny model call" if arguments.probe else "no model call"
    console.say(f"covey dry-run — no mesh join, {calls}, no CMB emission")
    console.say(f"config: {printable(str(arguments.config))}\n")
    try:
        settings = load(arguments.config, others=others)
    except ConfigError as error:
        return _unreadable(error, arguments.config, console)
    found: list[Check] = []
    key = key_checks(settings.identity.name, arguments.passphrase_file, console.env)
    tried = _probed(settings, console.env, found) if arguments.probe else ()
    for check in chain(checks(settings, console.env), key, tried):
        found.append(check)
        console.say(_line(console, check))
    return _summary(found, str(arguments.config), console)


def checks(settings: Settings, env: Mapping[str, str]) -> Iterator[Check]:
    """Yield the checks of readable settings, in their fixed order."""
    mesh, safety = settings.mesh, settings.safety
    load = f"peer={settings.identity.name} room={mesh.room} adapter={settings.model.adapter}"
    yield Check("load config", "ok", load)
    yield Check("schema validation", "ok", "config matches covey agent.toml schema")
    advice = claude_advice(env, mesh.room, settings.identity.name)
    yield Check("claude-code advisory", "warn" if advice.conflict else "ok", advice.text)
    yield _model(settings, env)
    yield from _price(settings, env)
    weights = " ".join(f"{name}={weight:g}" for name, weight in settings.role_weights.as_dict().items())
    yield Check("SVAF α_f weights", "ok", weights)
    yield _budget(settings)
    yield _role(settings)
    depth = safety.cycle_depth
    yield Check("cycle depth", "ok" if depth >= 1 else "FAIL", str(depth))
    yield Check("attach mode", "ok", settings.attach.mode)
    if mesh.interfaces:
        yield _interfaces(mesh.interfaces)
    if settings.tools:
        yield _tools(settings, env)
    if mesh.room_owner is not None:
        yield _gate(settings)
    if settings.telemetry.spans:
        yield _spans(env)
    if settings.share.door is not None:
        yield _share(settings, env)
    if settings.metrics.listen is not None:
        yield _metrics(settings.metrics.listen)


def _share(settings: Settings, env: Mapping[str, str]) -> Check:
    """Read the door that would stand open beside the agent."""
    from covey.cli.run import door_of

    try:
        door = door_of(settings, env)
    except CoveyError as error:
        return Check("share", "FAIL", error.message)
    names = "" if door is None else ", ".join(door.settings.lanes or ("default",))
    return Check("share", "ok", f"{names} by {settings.share.door}")


def _interfaces(chosen: Sequence[str]) -> Check:
    """Look for the chosen interfaces; one that is not there may come later, and a word may be mistyped."""
    from covey.net.interfaces import places

    here = places()
    known = {place.interface for place in here} | {place.host.partition("%")[0] for place in here}
    missing = [each for each in chosen if each.partition("%")[0] not in known]
    if not missing:
        return Check("interfaces", "ok", " ".join(chosen))
    there = " ".join(sorted({place.interface for place in here})) or "none"
    rest = "" if len(missing) < len(chosen) else ": only this machine reaches the peer"
    return Check("interfaces", "warn", f"(warn) not here now: {', '.join(missing)}{rest}; here: {there}")


def _tools(settings: Settings, env: Mapping[str, str]) -> Check:
    """Check what the model may use, as far as it shows without starting anything."""
    from covey.tools.toolbox import complaints

    tools = settings.tools
    sources = [*tools.mcp, *tools.python]
    named = [word for server in tools.mcp.values() for word in server.permissions.values()]
    named += [word for functions in tools.python.values() for word in functions.permissions.values()]
    missing = complaints(tools, env)
    if missing:
        return Check("tools", "FAIL", "; ".join(missing))
    counts = " ".join(f"{word}={named.count(word)}" for word in ("allow", "ask", "deny"))
    if not set(named) - {"deny"}:
        return Check("tools", "warn", f"(warn) {', '.join(sources)}: no tool is allowed")
    return Check("tools", "ok", f"{', '.join(sources)}: {counts} (not started)")


def _gate(settings: Settings) -> Check:
    """Check the grant that an owned room asks for, as far as its file says."""
    from covey.cli.run import gate
    from covey.system.clock import SystemClock
    from covey.system.log import timestamp

    mesh = settings.mesh
    try:
        opened = gate(mesh.room_owner, mesh.room_grant)
    except IdentityError as error:
        return Check("room grant", "FAIL", error.message)
    grant = None if opened is None else opened.grant
    if grant is None:
        return Check("room grant", "ok", "none shown — only the owner itself needs none")
    if grant.room != mesh.room:
        return Check("room grant", "FAIL", f"for room {grant.room}, not {mesh.room}")
    if grant.closes_ms <= SystemClock().now_ms():
        return Check("room grant", "FAIL", f"expired {timestamp(grant.closes_ms)}")
    return Check("room grant", "ok", f"for {grant.grantee} until {timestamp(grant.closes_ms)}")


def _metrics(listen: StaticPeer) -> Check:
    """Say where metrics are served, and that beyond this machine anybody may read them."""
    from ipaddress import ip_address

    if listen.host == "localhost" or ip_address(listen.host).is_loopback:
        return Check("metrics", "ok", f"http://{listen}/metrics, this machine only")
    return Check("metrics", "warn", f"(warn) http://{listen}/metrics can be read by whoever reaches it")


def _spans(env: Mapping[str, str]) -> Check:
    """Check that OpenTelemetry is there, and say where its own variables send spans."""
    from covey.cli.tracing import MISSING, NEXT_STEP, missing

    if missing():
        return Check("spans", "FAIL", f"{MISSING} — {NEXT_STEP}")
    base = env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "http://localhost:4318"
    return Check("spans", "ok", f"to {env.get('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') or base} (not asked)")


def key_checks(name: str, file: Path | None, env: Mapping[str, str]) -> Iterator[Check]:
    """Yield the check of a peer's key where it has one; a sealed one is opened, but nobody is asked."""
    from covey.system import identity as ids
    from covey.system.home import Home

    try:
        home = Home.resolve(env)
        if file is None and not home.identity_path(name).exists():
            return  # the first run makes one
        sealed = isinstance(ids.load(home.identity_path(name)), ids.SealedIdentity)
        if sealed and passphrase.given(file, env, passphrase.CURRENT) is None:
            yield Check("key", "warn", "(warn) sealed: `covey run` will need its passphrase")
            return
        passphrase.opened(home, name, file, env)
        yield Check("key", "ok", "sealed, and its passphrase opens it" if sealed else "in the clear")
    except CoveyError as error:
        advice = "" if error.hint is None else f" — {error.hint}"
        yield Check("key", "FAIL", f"{error.message}{advice}")


def _probed(settings: Settings, env: Mapping[str, str], earlier: Sequence[Check]) -> Iterator[Check]:
    """Yield the check of a model that is really asked; where it is not ready there is nothing to ask."""
    from covey.cli.probe import probe

    if any(check.name == "model adapter" and check.state == "FAIL" for check in earlier):
        yield Check("probe", "FAIL", "not asked: the model adapter is not ready")
        return
    found = probe(settings, env)
    figures = {"latency_ms": found.latency_ms, "cost_usd": found.cost_usd}
    yield Check("probe", "ok" if found.fine else "FAIL", found.detail, figures)


def _model(settings: Settings, env: Mapping[str, str]) -> Check:
    from covey.models import check

    try:
        return Check("model adapter", "ok", check(settings.model, env))
    except ModelError as error:
        advice = "" if error.hint is None else f" — {error.hint}"
        return Check("model adapter", "FAIL", f"{error.message}{advice}")


def _price(settings: Settings, env: Mapping[str, str]) -> Iterator[Check]:
    """Yield a warning where nobody knows what the model costs: the caps then hold an assumed price."""
    from covey.models.factory import price_of

    if settings.model.adapter == "scripted":
        return  # rules have no price
    warning = price_of(settings.model, env).warning
    if warning is not None:
        yield Check("model price", "warn", f"(warn) {warning}")


def _budget(settings: Settings) -> Check:
    budget = settings.budget
    # A cap of nothing is legal where the model is free, and stops every call where it is not.
    if budget.max_cost_usd_per_run <= 0 and settings.model.adapter not in ("scripted", "ollama"):
        return Check("budget sanity", "FAIL", "max_cost_usd_per_run must be > 0")
    wakes, cost = budget.max_wakes_per_minute, budget.max_cost_usd_per_run
    return Check("budget sanity", "ok", f"wakes={wakes}/min cost=${cost:g}/run")


def _role(settings: Settings) -> Check:
    from covey.settings import too_light

    role, weights = settings.identity.role, settings.role_weights.as_dict()
    light = too_light(role, weights)
    if light is None:
        return Check("role sanity", "ok", f'(info) role "{role}" not in known-role table — skipping check')
    if light:
        seen = ", ".join(f"{name}={weights[name]:g}" for name in light)
        return Check("role sanity", "warn", f'(warn) role "{role}" α_f mismatch: {seen}')
    return Check("role sanity", "ok", f'role "{role}" α_f emphasis matches expectations')


def _line(console: Console, check: Check) -> str:
    state = console.style(f"{check.state:<4}", _COLOURS[check.state])
    return f"  {state}  {check.name}  — {printable(check.detail)}"


def _summary(found: list[Check], config: str, console: Console) -> int:
    passed = sum(check.state != "FAIL" for check in found)
    warned = sum(check.state == "warn" for check in found)
    fine = passed == len(found)
    warnings = f", {warned} with a warning" if warned else ""
    text = f"\n{'PASS' if fine else 'FAIL'} — {passed}/{len(found)} checks passed{warnings}"
    if fine:
        text += f"\n\nready to run: `covey run --config {printable(config)}`"
    value = {"ok": fine, "config": config, "passed": passed, "total": len(found), "warnings": warned}
    console.result({**value, "checks": [check.as_dict() for check in found]}, text)
    if not fine:
        console.note(_ADVICE)
    return EXIT_OK if fine else EXIT_FAILED


def _unreadable(error: ConfigError, config: object, console: Console) -> int:
    """Say everything that is wrong with a file that gives no settings; no other check can be made then."""
    first, *more = error.lines()
    console.say(_line(console, Check("load config", "FAIL", first)))
    for line in more:
        console.say(f"        {printable(line)}")
    if console.as_json:
        check = {
            "name": "load config",
            "state": "FAIL",
            "detail": first,
            "problems": error.as_dict()["problems"],
        }
        console.result({"ok": False, "config": str(config), "passed": 0, "total": 1, "checks": [check]}, "")
    console.note(_ADVICE)
    return EXIT_FAILED
