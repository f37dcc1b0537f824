"""`covey run`: start a peer and its agent from agent.toml, until it ends by itself or is told to."""

from __future__ import annotations

import argparse
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from covey.cli import passphrase
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path
from covey.cli.troubles import Troubles
from covey.errors import EXIT_OK
from covey.system.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from covey.cli.loop import Stop
    from covey.cli.peer import OpenPeer, PeerPlan
    from covey.cli.share.beside import Beside
    from covey.cli.share.start import Served
    from covey.fleet.packs import Pack
    from covey.ports import Clock, Purse
    from covey.proto.gate import GateOptions
    from covey.proto.options import AdmissionOptions, NodeOptions
    from covey.runtime.agent import AgentRuntime, Note, RunEnd
    from covey.runtime.memory_book import Keeping
    from covey.settings import Settings
    from covey.system.anchor import Anchor

EXAMPLE: Final = "covey run --config writer.toml"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("--config", required=True, type=path, metavar="PATH", help="the peer's agent.toml")
    passphrase.add(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Load the settings, put the peer together, and stay until the end of its run."""
    from covey.cli import loop
    from covey.models import build, others
    from covey.settings import load

    settings = load(arguments.config, others=others)
    model = build(settings, console.env)
    home = Home.resolve(console.env)
    opened = passphrase.opened(home, settings.identity.name, arguments.passphrase_file, console.env)
    plan = peer_plan(home, settings, console.env)
    plan = replace(plan, opened=opened, sinks=(*plan.sinks, Troubles(console)))
    beside = door_of(settings, console.env)
    if beside is not None:
        plan = beside.planned(plan, console)

    if plan.options.legacy:
        from covey.proto.legacy import NOTICE

        console.note(NOTICE)

    async def work(stop: Stop) -> int:
        from covey.cli.peer import open_peer
        from covey.cli.working import offer_work
        from covey.system import collector

        teller = Teller(console, stop)
        joined: list[AgentRuntime] = []

        def join(peer: OpenPeer) -> None:
            agent = join_agent(peer, settings, model, console.env)
            peer.agent = agent
            joined.append(agent)
            teller.listen_to(peer, agent)
            # From now on nothing that reaches the peer is lost on the agent, however early it comes.
            agent.attach()

        async with (
            open_peer(plan, on_stop=lambda seconds: stop.request("stop", seconds), join=join) as peer,
            AsyncExitStack() as stack,
        ):
            await offer_work(peer, settings)
            say_price(joined[0])
            collector.settle()
            served = None if beside is None else await stack.enter_async_context(beside.opened(peer))
            end = await _run(peer, joined[0], stop, teller, served)
        teller.ended(end)
        return EXIT_OK

    return loop.run(work)


def say_price(agent: AgentRuntime) -> None:
    """Note that nobody knows what the model costs, and how the caps hold all the same."""
    from covey.models import Quote

    quote = getattr(agent.model, "quote", None)  # a program's own model object needs none
    if isinstance(quote, Quote) and quote.warning is not None:
        agent.note("warn", "price-unknown", {"reason": "price-unknown", "detail": quote.warning})


def peer_plan(home: Home, settings: Settings, env: Mapping[str, str]) -> PeerPlan:
    """Return what the peer is made of, as agent.toml says it."""
    from pathlib import Path
    from urllib.parse import urlsplit

    from covey.cli.mesh_flags import RELAY_PROXY, RELAY_TOKEN
    from covey.cli.passphrase import CURRENT
    from covey.cli.peer import PeerPlan
    from covey.cli.tracing import header_values
    from covey.models.factory import key_of
    from covey.system.log import LogFile, Rotation, Scrubber

    logging, watched = settings.logging, settings.metrics.listen
    mesh = settings.mesh
    ways = (mesh.relay_proxy or "", env.get(RELAY_PROXY, ""))
    secrets = (
        *(key_of(settings.model, env), mesh.relay_token, env.get(RELAY_TOKEN), env.get(CURRENT)),
        *(urlsplit(way).password for way in ways),
        *header_values(env),
        *(env.get(server.token_env or "") for server in settings.tools.mcp.values()),
    )
    rotation = Rotation(logging.max_file_size, logging.keep)
    return PeerPlan(
        home,
        settings.identity.name,
        node_options(settings, env),
        log_level=logging.level,
        rotation=rotation,
        sinks=() if logging.file_path is None else (LogFile(logging.file_path, rotation),),
        anchor=anchor(settings),
        attest=mesh.attest,
        packs=packs(settings),
        spans=f"{settings.model.adapter}/{settings.model.name}" if settings.telemetry.spans else None,
        metrics=None if watched is None else (watched.host, watched.port),
        scrubber=Scrubber(secret for secret in secrets if secret),
        stock_folder=Path(env.get("HOME") or Path.home()) / ".sym" / "loopback",
        keeping=keeping(settings),
    )


def keeping(settings: Settings) -> Keeping:
    """Return how long memory keeps what, as agent.toml says it."""
    from covey.runtime.memory_book import Keeping

    memory = settings.memory
    return Keeping(memory.retention_days or None, memory.archive_after_days or None)


def packs(settings: Settings) -> tuple[Pack, ...]:
    """Return the tool packs that agent.toml names."""
    from covey.fleet.packs import Pack

    found = settings.tools.packs.items()
    return tuple(Pack(name, pack.capabilities, pack.about) for name, pack in found)


def anchor(settings: Settings) -> Anchor | None:
    """Return the anchor that agent.toml names, if it does."""
    from covey.system.anchor import Anchor

    trust = settings.trust
    return Anchor.of(trust.anchor, trust.anchor_threshold) if trust.anchor else None


def node_options(settings: Settings, env: Mapping[str, str]) -> NodeOptions:
    """Return how the peer sits on the mesh, as agent.toml says it."""
    from covey.cli.mesh_flags import keys, relays
    from covey.proto.options import NodeOptions

    mesh, trust = settings.mesh, settings.trust
    return NodeOptions(
        room=mesh.room,
        lan=mesh.lan,
        forward=mesh.forward,
        host="0.0.0.0" if mesh.lan else "127.0.0.1",
        port=mesh.listen,
        heartbeat_seconds=mesh.heartbeat_seconds,
        silence_seconds=mesh.silence_seconds,
        interfaces=mesh.interfaces,
        addresses=tuple((each.host, each.port) for each in mesh.peers),
        address_keys=keys(mesh.peers),
        legacy=mesh.profile == "legacy",
        stock_peers=tuple((each.host, each.port) for each in mesh.stock_peers),
        trusted=frozenset({*trust.trusted, *trust.invited}),
        strangers_wake=trust.strangers_may_wake,
        relays=relays(mesh.relay, mesh.relay_token, env, mesh.relay_proxy),
        trust=trust.mode,
        clock_ahead_ms=trust.clock_ahead_seconds * 1000,
        gate=gate(mesh.room_owner, mesh.room_grant),
        admission=admission(settings),
    )


def admission(settings: Settings) -> AdmissionOptions:
    """Return how the peer judges, as agent.toml says it.

    Raises:
        CoveyError: The table it names cannot be used.
    """
    from covey.proto.options import AdmissionOptions
    from covey.system.table import load_table

    svaf = settings.svaf
    return AdmissionOptions(
        weights=settings.role_weights.as_tuple(),
        freshness_seconds=svaf.ages,
        stable=svaf.stable,
        guarded=svaf.guarded,
        redundancy=svaf.redundancy,
        path="baseline" if svaf.path == "baseline" else "selective",
        kernel=svaf.kernel,
        encoder=None if svaf.table is None else load_table(svaf.table),
    )


def gate(owner: str | None, grant: Path | None) -> GateOptions | None:
    """Return the gate of the room; None where it has no owner.

    Raises:
        IdentityError: The grant's file cannot be read, or holds no grant.
    """
    import base64

    from covey import _core
    from covey.errors import IdentityError
    from covey.proto.gate import GateOptions

    if owner is None:
        return None
    owner_key = base64.urlsafe_b64decode(owner + "=")
    if grant is None:
        return GateOptions(owner_key)
    try:
        with grant.expanduser().open("rb") as file:
            return GateOptions(owner_key, _core.RoomGrant.parse(file.read(4_096)))
    except OSError as error:
        raise IdentityError(
            f"cannot read the grant {grant}: {error.strerror or error}",
            hint="ask the room's owner for one: covey grant <peer> --room <room> --to <nodeId> --key <key>",
        ) from error
    except _core.CoreError as error:
        raise IdentityError(
            f"no grant in {grant}: {error.detail}", hint="ask the room's owner for a new one"
        ) from error


def join_agent(
    peer: OpenPeer,
    settings: Settings,
    model: Any,
    env: Mapping[str, str],
    *,
    functions: Sequence[Callable[..., Any]] = (),
    ask: Collection[str] = (),
) -> AgentRuntime:
    """Return the agent of a peer; it does nothing before `attach` and `start`.

    Args:
        peer: Where it lives.
        settings: Who it is and how it behaves.
        model: Who thinks.
        env: The environment: tokens of tool servers.
        functions: Tools that a program hands over, instead of those that the settings name.
        ask: Those of them that wait for a person.
    """
    from covey.agent.setup import engine_options, guards, persona
    from covey.runtime.agent import AgentRuntime
    from covey.store import StoreWakes
    from covey.system.clock import SystemClock
    from covey.system.entropy import SystemEntropy

    node_id, clock = peer.node.node_id, SystemClock()
    era = clock.era()
    tools = None
    if functions:
        from covey.tools.toolbox import of_functions

        tools = of_functions(functions, ask=ask)
    elif settings.tools:
        from covey.tools.toolbox import build

        tools = build(settings.tools, env)
    agent = AgentRuntime(
        peer.node,
        model,
        persona=persona(settings, node_id),
        options=engine_options(settings, node_id),
        guards=guards(settings, node_id, model.reserve_usd, era),
        memory=peer.memory,
        store=StoreWakes(peer.store),
        clock=clock,
        entropy=SystemEntropy(),
        tools=tools,
        ask_seconds=settings.tools.ask_seconds,
        purse=_purse(peer, settings, clock, era),
    )
    if settings.model.facts.kind == "mesh":
        from covey.cli.fleet import DoorCarrier
        from covey.models.mesh import MeshModel

        if isinstance(model, MeshModel):
            model.attach(DoorCarrier(peer.fleet.door))
    agent.subscribe(peer.metering.take)
    agent.subscribe(peer.tracing.take)
    return agent


def _purse(peer: OpenPeer, settings: Settings, clock: Clock, era: str) -> Purse | None:
    """Return the peer's hand in its team's purse; None where it has no team.

    Raises:
        StoreError: The purse cannot be used, and so nothing may be spent.
    """
    budget = settings.budget
    if budget.team is None:
        return None
    from covey.store.purse import SqlitePurse, TeamCaps

    caps = TeamCaps(budget.max_team_cost_usd_per_hour, budget.max_team_cost_usd_per_day)
    path = peer.plan.home.prepare_team(budget.team)
    return SqlitePurse(path, peer.plan.name, caps, clock, era)


def door_of(settings: Settings, env: Mapping[str, str]) -> Beside | None:
    """Return the door that agent.toml wants open beside the agent, or None.

    Raises:
        ConfigError: Its door.toml cannot be used.
        CoveyError: The extra `share` is not installed.
    """
    if settings.share.door is None:
        return None
    from covey.cli.share.beside import Beside

    return Beside(settings.share.door, env)


async def _run(
    peer: OpenPeer, agent: AgentRuntime, stop: Stop, teller: Teller, served: Served | None
) -> RunEnd:
    import asyncio

    try:
        await agent.start()
        teller.ready(peer, agent, served)
        asked = asyncio.ensure_future(stop.wait())
        ended = asyncio.ensure_future(agent.finished())
        await asyncio.wait({asked, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            agent.stop(asked.result(), stop.drain_seconds)
        asked.cancel()
        return await ended
    finally:
        await agent.close()


class Teller:
    """Says on the console what a running peer does: JSON lines for programs, one line each for people."""

    _SHOWN: Final = frozenset(
        {
            "agent-woke",
            "agent-emitted",
            "agent-no-answer",
            "agent-tool-used",
        }
    )
    """What people see of the ordinary; warnings and errors they see all."""

    def __init__(self, console: Console, stop: Stop) -> None:
        """Speak on `console`; ask for the stop when nobody reads it any more."""
        self.as_json = console.as_json
        self._console = console
        self._stop = stop
        self._deaf = False

    def listen_to(self, peer: OpenPeer, agent: AgentRuntime) -> None:
        """Tell, log and publish what the agent decides; to programs also the mesh's own news."""
        from covey.proto.news import as_dict
        from covey.runtime.agent import as_event

        def on_note(note: Note) -> None:
            peer.log.write(note.level, f"agent-{note.event}", note.facts)
            event = as_event(note)
            peer.publish(event)
            self.tell(event)

        agent.subscribe(on_note)
        if self.as_json:
            # Text mode shows what the agent decides; news costs time for each block.
            peer.node.subscribe(lambda news: self.tell(as_dict(news)))

    def ready(self, peer: OpenPeer, agent: AgentRuntime, served: Served | None = None) -> None:
        """Say that the peer listens, its agent wakes from now on, and what it shares."""
        node = peer.node
        facts: dict[str, Any] = {
            "event": "ready",
            "peer": node.identity.name,
            "node_id": node.node_id,
            "room": node.options.room,
            "port": node.port,
            "model": agent.model.label,
            "peers": [{"node_id": each.node_id, "name": each.name} for each in node.peers()],
            "store": str(peer.plan.home.store_path(peer.plan.name)),
        }
        shares = ""
        if served is not None:
            lanes = list(served.door.lanes.names)
            facts["shares"] = {"url": served.url, "lanes": lanes}
            where = "through the mesh only" if served.url is None else f"at {served.url}"
            shares = f"; it shares {', '.join(lanes)} {where}"
        said = f"{node.identity.name} is in room {node.options.room} with {agent.model.label}{shares}"
        self._say(facts, said)

    def tell(self, event: Mapping[str, Any]) -> None:
        """Say one event."""
        trouble = event["event"].startswith("agent-") and event.get("level") in ("warn", "error")
        if self.as_json or trouble or event["event"] in self._SHOWN:
            facts = ", ".join(
                f"{name} {printable(str(value))[:120]}"
                for name, value in event.items()
                if name not in ("event", "level") and value not in (None, [], {}, "")
            )
            self._say(event, f"{event['event'].removeprefix('agent-').replace('-', ' ')}: {facts}")

    def ended(self, end: RunEnd) -> None:
        """Say why the run is over."""
        detail = f" ({end.detail})" if end.detail else ""
        self._say(
            {"event": "ended", "reason": end.reason, "detail": end.detail}, f"ended: {end.reason}{detail}"
        )

    def _say(self, event: Mapping[str, Any], text: str) -> None:
        if self._deaf:
            return
        try:
            self._console.event(event, text)
        except (OSError, ValueError) as error:  # nobody reads us: the peer finishes and ends
            self._deaf = True
            self._stop.request(f"output: {error}")
