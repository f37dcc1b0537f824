"""Starting a door: a peer of the mesh that shares a model, over HTTP where that is wanted."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from covey.cli import mesh_flags, passphrase
from covey.cli.console import Console
from covey.cli.share import extra
from covey.cli.share.books import KEYS, StateFile
from covey.cli.troubles import Troubles
from covey.errors import EXIT_OK, NetworkError, UsageError
from covey.inference.door import Rules
from covey.inference.keys import KeyBook
from covey.inference.lanes import DEFAULT, Lanes, Step
from covey.settings import StaticPeer, grammar, load_table
from covey.settings.share import HINT, BackendSettings, DoorSettings
from covey.system.clock import SystemClock
from covey.system.process import allow_files
from covey.system.watched import Watched
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.cli.loop import Stop
    from covey.cli.peer import OpenPeer
    from covey.runtime.share.admin import Admin
    from covey.runtime.share.door import Door
    from covey.runtime.share.gate import Gate
    from covey.runtime.share.http import DoorServer
    from covey.runtime.share.lines import Lines
    from covey.runtime.share.upkeep import Upkeep
    from covey.system.home import Home

_USUAL: Final = StaticPeer("127.0.0.1", 8099)
_BACKLOG: Final = 1_024
_OTHER_FILES: Final = 256
"""The peer's own: store, log, sessions."""


def start(arguments: argparse.Namespace, console: Console, home: Home, name: str) -> int:
    """Open the door and stay until told to end."""
    settings = settings_of(arguments)
    extra.needed()
    from covey.cli import loop
    from covey.cli.peer import PeerPlan, open_peer
    from covey.runtime.share.lines import Lines
    from covey.system.log import Scrubber

    have_files(settings, console)
    secrets = [console.env.get(each.key_env or "", "") for each in settings.backends.values()]
    lines = Lines()
    plan = PeerPlan(
        home,
        name,
        mesh_flags.options(arguments, console.env, outbound_only=False),
        opened=passphrase.opened(home, name, arguments.passphrase_file, console.env),
        sinks=(Troubles(console), lines),
        scrubber=Scrubber(secret for secret in secrets if secret),
        opened_by="covey share",
    )

    async def work(stop: Stop) -> int:
        lines.begin()
        async with open_peer(plan, on_stop=lambda _: stop.request("IPC_STOP")) as peer:
            opening = Opening(settings, console.env, home, name, lines, again, lambda: settings_of(arguments))
            async with opening.opened(peer) as served:
                _ready(console, peer, served)
                stopping = asyncio.ensure_future(stop.wait())
                starting_again = asyncio.ensure_future(again.wait())
                await asyncio.wait((stopping, starting_again), return_when=asyncio.FIRST_COMPLETED)
                if again.is_set() and not stopping.done():
                    await _finished(served.door, settings.answer_seconds, stopping)
                stopping.cancel()
                starting_again.cancel()
        return EXIT_OK

    again = asyncio.Event()
    code = loop.run(work)
    if again.is_set():
        console.note(f"{name} starts again")
        os.execv(sys.executable, [sys.executable, "-m", "covey", *sys.argv[1:]])
    return code


def have_files(settings: DoorSettings, console: Console) -> None:
    """Have room for a connection of each request, waiting or not, and of each that is at a backend."""
    wanted = 2 * settings.max_concurrent + settings.queue + _OTHER_FILES
    allowed = allow_files(wanted)
    if allowed < wanted:
        console.note(
            f"covey share: {allowed} open files are allowed, {wanted} may be needed: ulimit -n {wanted}"
        )


async def _finished(door: Door, seconds: float, stopping: asyncio.Future[str]) -> None:
    """Wait until nothing is under way any more, or somebody does not want to wait."""
    finished = asyncio.ensure_future(door.finished())
    await asyncio.wait((finished, stopping), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finished.cancel()


def settings_of(arguments: argparse.Namespace) -> DoorSettings:
    """Return what the file, or the flags, say.

    Raises:
        ConfigError: The file cannot be used.
        UsageError: The flags cannot.
    """
    if (arguments.config is None) == (arguments.backend is None):
        raise UsageError("start: expected --config <door.toml>, or --backend <address>", hint=EXAMPLE_HINT)
    if arguments.config is not None:
        if arguments.listen is not None:
            raise UsageError("--listen belongs to --backend; door.toml says it as listen")
        return load_table(DoorSettings, arguments.config, HINT)
    try:
        url = grammar.base_url(arguments.backend)
        listen = _USUAL if arguments.listen is None else grammar.listen_address(arguments.listen)
    except ValueError as error:
        raise UsageError(f"expected {error}") from error
    if grammar.leads_away(f"http://{listen}"):
        raise UsageError("--listen: an address of this machine", hint="door.toml can do more: docs/share.md")
    return DoorSettings(backends={"backend": BackendSettings(url)}, lanes={}, listen=listen)


EXAMPLE_HINT: Final = "for an Ollama of this machine: covey share start --backend http://127.0.0.1:11434/v1"


@dataclass(frozen=True, slots=True)
class Served:
    """A door that is open."""

    door: Door
    url: str | None
    server: DoorServer | None


class Opening:
    """How a door is put together.

    Args:
        settings: What the operator wants.
        env: The environment: keys of backends.
        home: Where its books are.
        name: The peer's name.
        lines: The newest lines of its log.
        again: Set where somebody wishes for a new start.
        ready: Reads again what a new start would read.
    """

    def __init__(
        self,
        settings: DoorSettings,
        env: Mapping[str, str],
        home: Home,
        name: str,
        lines: Lines,
        again: asyncio.Event,
        ready: Callable[[], object],
    ) -> None:
        self._again = again
        self._ready = ready
        self._upkeep: Upkeep | None = None
        self._keys = Watched(home.door_keys_path(name), KEYS, KeyBook())
        self._log: Callable[[str, str, Mapping[str, Any]], None] = lambda *line: None
        self._settings = settings
        self._env = env
        self._home = home
        self._name = name
        self._lines = lines

    @asynccontextmanager
    async def opened(self, peer: OpenPeer) -> AsyncIterator[Served]:
        """Keep it open for as long as the context lasts.

        Raises:
            NetworkError: Its address cannot be bound.
            StoreError: Its books cannot be read.
        """
        listen, self._log = self._settings.listen, peer.log.write
        listener = None if listen is None else listening(listen)
        door = self._door(peer)
        door.start()
        carrier = await peer.fleet.door.soon()
        carrier.serve((door, self._keys, self._settings.body_bytes))
        server, serving = None, None
        try:
            if listener is not None:
                server = self._server(door, listener)
                serving = asyncio.create_task(server.run())
            url = None if listener is None else self._url(listener)
            self._log("info", "door-opened", {"url": url, "lanes": list(door.lanes.names)})
            yield Served(door, url, server)
        finally:
            carrier.serve(None)
            if server is not None and serving is not None:
                server.stop()
                await asyncio.gather(serving, return_exceptions=True)
            if listener is not None:
                listener.close()
            if self._upkeep is not None:
                await self._upkeep.settled()
            await door.stop()

    def _door(self, peer: OpenPeer) -> Door:
        from covey.net.upstream import Upstream
        from covey.runtime.share.door import Door

        settings, keeper = self._settings, StateFile(self._home.door_state_path(self._name))
        kept = keeper.load()
        lanes = Lanes(chains(settings))
        connections = settings.max_concurrent + 4
        door = Door(
            rules(settings),
            lanes,
            {
                name: Upstream(
                    each.url, self._env.get(each.key_env or "") or None, each.first_byte_seconds, connections
                )
                for name, each in settings.backends.items()
            },
            accounts=kept.accounts,
            keeper=keeper,
            clock=SystemClock(),
            log=peer.log.write,
            answer_seconds=settings.answer_seconds,
            draining=kept.draining,
        )
        for lane, step in kept.switched.items():
            if lane in lanes.names and step.backend in settings.backends:
                door.switch(lane, step)
        return door

    def _server(self, door: Door, listener: socket.socket) -> DoorServer:
        from covey.runtime.share.app import DoorApp
        from covey.runtime.share.gate import Gate
        from covey.runtime.share.http import DoorServer

        settings = self._settings
        gate = Gate(self._keys, no_keys=settings.unsafe_no_keys)
        admin = self._admin(door, gate).routes()
        app = DoorApp(door, gate, self._lines, extra.facts, settings.body_bytes, admin)
        return DoorServer(app.app, listener, _file(settings.tls_certificate), _file(settings.tls_key))

    def _admin(self, door: Door, gate: Gate) -> Admin:
        import covey
        from covey.runtime.share.admin import Admin, Allowed
        from covey.runtime.share.upkeep import Upkeep
        from covey.system import upkeep

        admin = self._settings.admin
        folder = (
            admin.folder.expanduser() if admin.folder else upkeep.checkout_of(Path(covey.__file__).parent)
        )
        python = sys.executable
        self._upkeep = Upkeep(
            upkeep.run,
            checkout=None if folder is None else str(folder),
            version=covey.__version__,
            installer=admin.installer or (python, "-m", "pip", "install"),
            check=(python, "-m", "covey", "--version"),
        )
        return Admin(
            door,
            gate,
            Allowed(admin.enabled, admin.update, admin.models, admin.extras),
            self._upkeep,
            versions=extra.packages,
            restart=self._again.set,
            ready=self._ready,
            log=self._log,
        )

    def _url(self, listener: socket.socket) -> str:
        host, port = listener.getsockname()[:2]
        scheme = "http" if self._settings.tls_certificate is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/v1"


def chains(settings: DoorSettings) -> dict[str, tuple[Step, ...]]:
    """Return the lanes; without any, one that asks all backends in order."""
    found = {name: tuple(map(Step.parse, lane.steps)) for name, lane in settings.lanes.items()}
    return found or {DEFAULT: tuple(map(Step, settings.backends))}


def rules(settings: DoorSettings) -> Rules:
    """Return what is allowed."""
    return Rules(
        settings.max_concurrent,
        settings.max_concurrent_each or settings.max_concurrent,
        settings.queue,
        min(settings.queue_each, settings.queue),
        settings.queue_seconds,
        settings.requests_per_minute,
    )


def listening(place: StaticPeer) -> socket.socket:
    """Return a socket that listens there.

    Raises:
        NetworkError: It cannot be bound.
    """
    host = "127.0.0.1" if place.host == "localhost" else place.host
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # What is accepted inherits it: without it a second write waits 40 ms for the first one's delayed
        # acknowledgement, since the loop sets it only on sockets that name their protocol.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((host, place.port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise NetworkError(
            f"cannot listen on {place}: {error.strerror}", hint="name another address or port"
        ) from error
    return listener


def _file(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser()


def _ready(console: Console, peer: OpenPeer, served: Served) -> None:
    name, room = peer.node.identity.name, peer.node.options.room
    facts: dict[str, Any] = {
        "event": "ready",
        "peer": name,
        "node_id": peer.node.node_id,
        "room": room,
        "url": served.url,
        "lanes": list(served.door.lanes.names),
    }
    where = "through the mesh only" if served.url is None else f"at {served.url}"
    console.event(facts, f"{name} shares {', '.join(served.door.lanes.names)} {where}; Ctrl-C ends it")
