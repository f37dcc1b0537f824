"""What must hold between keys, once each key by itself is right.

Rules: pure; every problem is reported at the key a person would change.
"""

from __future__ import annotations

import re

from covey.names import COMMON_ROOMS
from covey.settings.adapters import ADAPTERS, CUSTOM
from covey.settings.grammar import needs_tls
from covey.settings.rules import Report
from covey.settings.values import Settings

_SOURCE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?\Z")
_CAPABILITY = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
"""A source's name: beside it an offered name has 38 characters for the tool's own."""


def check(settings: Settings, report: Report) -> None:
    """Report every contradiction between keys."""
    _check_mesh(settings, report)
    _check_relays(settings, report)
    _check_model(settings, report)
    _check_peer(settings, report)
    _check_rules(settings, report)
    _check_tools(settings, report)
    _check_work(settings, report)
    _check_trust(settings, report)
    _check_room(settings, report)
    _check_team(settings, report)


def _check_team(settings: Settings, report: Report) -> None:
    budget = settings.budget
    caps = {
        "max_team_cost_usd_per_hour": budget.max_team_cost_usd_per_hour,
        "max_team_cost_usd_per_day": budget.max_team_cost_usd_per_day,
    }
    stated = [name for name, cap in caps.items() if cap is not None]
    if budget.team is not None and not stated:
        report(
            ("budget", "team"),
            "a cap for the team beside it",
            "none",
            "set max_team_cost_usd_per_hour or max_team_cost_usd_per_day",
        )
    if budget.team is None:
        for name in stated:
            report(("budget", name), "a team that it holds for", "none", 'set team = "…", or remove the key')


def _check_relays(settings: Settings, report: Report) -> None:
    mesh = settings.mesh
    for url in mesh.relay:
        if needs_tls(url) and not mesh.relay_plain:
            report(
                ("mesh", "relay"),
                "a wss:// address beyond this machine",
                url,
                "relay_plain = true allows ws:// where the way there is trusted",
            )
    if len(set(mesh.relay)) != len(mesh.relay):
        report(("mesh", "relay"), "each relay once", "one of them twice")


def _check_mesh(settings: Settings, report: Report) -> None:
    mesh = settings.mesh
    if mesh.profile == "legacy" and mesh.room_owner is not None:
        report(
            ("mesh", "profile"),
            '"core-secure" in a room that has an owner',
            '"legacy"',
            "stock Node peers have no grant to show: leave out room_owner, or the profile",
        )
    if mesh.interfaces and not mesh.lan:
        report(
            ("mesh", "interfaces"),
            "lan = true, without which no interface but loopback is used",
            "lan = false",
            "set lan = true under [mesh], or remove the key",
        )
    if mesh.stock_peers and mesh.profile != "legacy":
        report(
            ("mesh", "stock_peers"),
            'profile = "legacy", which says that they prove nothing',
            f'profile = "{mesh.profile}"',
            'set profile = "legacy" under [mesh], or remove the key',
        )


def _check_model(settings: Settings, report: Report) -> None:
    model = settings.model
    if model.adapter == "compatible" and model.base_url is None:
        report(
            ("model", "base_url"),
            'the server\'s address for adapter "compatible"',
            "nothing",
            'for example base_url = "http://127.0.0.1:8000/v1"',
        )
    if not model.name:
        own = model.adapter in ADAPTERS
        hint = None if own else f"covey's own adapters are {', '.join(sorted(ADAPTERS))}"
        report(("model", "model_name"), f'the model\'s name for adapter "{model.adapter}"', "nothing", hint)
    if model.api_key is not None and model.api_key_env is not None:
        report(("model", "api_key_env"), "either api_key or api_key_env", "both", "keep api_key_env")
    if model.record is not None and model.replay is not None:
        report(("model", "replay"), "either record or replay", "both")
    for name in ("record", "replay"):
        if model.facts.kind == CUSTOM and getattr(model, name) is not None:
            report(("model", name), "an adapter of covey's own, whose calls have a tape", model.adapter)
        if model.adapter == "scripted" and getattr(model, name) is not None:
            report(("model", name), "a model that is called", "rules, which cost and say the same each time")
    if model.answer_as == "json" and settings.tools:
        report(
            ("model", "answer_as"),
            '"tool" beside [tools]',
            '"json"',
            "a model that uses tools answers by one",
        )
    if model.adapter == "scripted" and not settings.scripted.rules:
        report(
            ("model", "adapter"),
            'at least one [[scripted.rules]] for adapter "scripted"',
            "none",
            'for example [[scripted.rules]] with emit = { focus = "heard {focus}" }',
        )


def _check_peer(settings: Settings, report: Report) -> None:
    model = settings.model
    if (model.adapter == "mesh") != (model.peer is not None):
        report(
            ("model", "peer"),
            'the name or nodeId of the peer whose model answers, with adapter "mesh" and no other',
            "nothing" if model.peer is None else f'adapter "{model.adapter}"',
            'for example adapter = "mesh" and peer = "leader"',
        )
    if model.adapter == "mesh" and model.base_url is not None:
        report(("model", "base_url"), "no address: the mesh carries the calls", "one")


def _check_tools(settings: Settings, report: Report) -> None:
    tools = settings.tools
    for kind, sources in (("mcp", tools.mcp), ("python", tools.python)):
        for name in sources:
            if not _SOURCE.match(name):
                report(("tools", kind, name), "a name of up to 24 small letters, digits and hyphens", name)
            if kind == "python" and name in tools.mcp:
                report(("tools", kind, name), "a name that no MCP server has", name)
    for name in tools.packs:
        if not _SOURCE.match(name):
            report(("tools", "packs", name), "a name of up to 24 small letters, digits and hyphens", name)
    for name, server in tools.mcp.items():
        at = ("tools", "mcp", name)
        if bool(server.command) == (server.url is not None):
            report(at, "either command or url", "both" if server.command else "neither")
        if server.url is None and server.token_env is not None:
            report((*at, "token_env"), "a url to show the token to", "none", "a command takes pass_env")
        if server.url is not None and (server.env or server.pass_env or server.folder):
            report(at, "env, pass_env and folder beside a command", "a url")
        if server.token_env is not None and server.url is not None and needs_tls(server.url):
            report((*at, "url"), "an https:// address to show a token to", server.url)
    for name, functions in tools.python.items():
        if (functions.file is None) == (functions.module is None):
            report(
                ("tools", "python", name), "either file or module", "both" if functions.file else "neither"
            )


def _check_work(settings: Settings, report: Report) -> None:
    for name, offer in settings.work.offers.items():
        if not _CAPABILITY.match(name):
            report(("work", "offers", name), "a capability, for example translate.de", name)
        if (offer.file is None) == (offer.module is None):
            report(("work", "offers", name), "either file or module", "both" if offer.file else "neither")


def _check_trust(settings: Settings, report: Report) -> None:
    trust = settings.trust
    if trust.anchor and trust.anchor_threshold > len(trust.anchor):
        report(
            ("trust", "anchor_threshold"),
            f"at most {len(trust.anchor)}, as many as anchor has keys",
            str(trust.anchor_threshold),
        )
    if trust.mode == "open" and settings.mesh.lan and not trust.strangers_may_wake:
        report(
            ("trust", "mode"),
            "tofu or strict beyond this machine",
            "open with mesh.lan",
            "strangers_may_wake = true says that anyone on the network may spend its budget",
        )


def _check_room(settings: Settings, report: Report) -> None:
    mesh = settings.mesh
    if mesh.room_owner is not None and mesh.room in COMMON_ROOMS:
        report(
            ("mesh", "room_owner"), "a room that can be owned", f'room = "{mesh.room}"', "name another room"
        )
    if mesh.silence_seconds <= 2 * mesh.heartbeat_seconds:
        report(
            ("mesh", "silence_seconds"),
            f"more than two heartbeats ({2 * mesh.heartbeat_seconds} s)",
            str(mesh.silence_seconds),
        )
    if mesh.room_grant is not None and mesh.room_owner is None:
        report(("mesh", "room_owner"), "the owner's public key beside room_grant", "nothing")


def _check_rules(settings: Settings, report: Report) -> None:
    for index, rule in enumerate(settings.scripted.rules):
        at = ("scripted", "rules", index)
        if not rule.emit.templates():
            report((*at, "emit"), "at least one of the seven categories", "none")
        for category, names in rule.unknown_fields().items():
            known = "a category, author, key, room, self, role or a named group of the rule's patterns"
            report((*at, "emit", category), f"templates that quote {known}", ", ".join(names))
