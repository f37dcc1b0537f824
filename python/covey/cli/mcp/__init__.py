"""`covey mcp`: be a mesh peer for an IDE's agent; `install` and `uninstall` write the IDE's configuration."""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, cast

from covey.cli import mesh_flags, passphrase
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path, whole
from covey.errors import EXIT_OK, CoveyError, NetworkError, UsageError
from covey.names import peer_name
from covey.runtime.mcp import bounds
from covey.system.home import Home

if TYPE_CHECKING:
    from covey.cli.loop import Stop
    from covey.cli.mcp.keeper import Keeper
    from covey.runtime.mcp.server import MeshServer, Options

EXAMPLE: Final = "covey mcp install --client claude --room planning"
DEFAULT_NAME: Final = "ide"
CLIENTS: Final = ("claude", "claude-desktop", "cursor", "vscode", "zed", "codex", "windsurf", "gemini")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "operation",
        nargs="?",
        choices=("serve", "install", "uninstall"),
        default="serve",
        help="serve (the default: what an IDE starts), install or uninstall in an IDE's configuration",
    )
    parser.add_argument(
        "--peer", metavar="NAME", help=f"who it is on the mesh (default {DEFAULT_NAME}[-ROOM])"
    )
    parser.add_argument("--attach", action="store_true", help="only attach to the running peer; open none")
    parser.add_argument(
        "--http",
        type=whole(0, 65_535),
        metavar="PORT",
        help="serve HTTP on this port of 127.0.0.1 instead of standard streams (0: any free one)",
    )
    parser.add_argument(
        "--token-file",
        type=path,
        metavar="PATH",
        help="with --http: where the token is (default: with the peer)",
    )
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="with --http: a web page that may call",
    )
    parser.add_argument(
        "--push",
        choices=("auto", "always", "never"),
        default="auto",
        help="headers of new blocks as channel notifications (auto: to clients that take them)",
    )
    parser.add_argument(
        "--author", action="append", default=[], metavar="NAME", help="show only blocks of these authors"
    )
    parser.add_argument(
        "--client",
        type=lambda word: "claude" if word == "claude-code" else word,
        choices=CLIENTS,
        help="install, uninstall: whose configuration (claude is Claude Code)",
    )
    parser.add_argument(
        "--project", action="store_true", help="install, uninstall: this folder's, not the user's"
    )
    parser.add_argument(
        "--entry", default="covey", metavar="NAME", help="install, uninstall: name of the entry"
    )
    parser.add_argument("--dry-run", action="store_true", help="install, uninstall: say what would change")
    parser.add_argument("--print", action="store_true", help="install: print the entry and write nothing")
    mesh_flags.add(parser)
    passphrase.add(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Serve, or edit a configuration."""
    if arguments.operation != "serve":
        from covey.cli.mcp.install import edit

        return edit(arguments, console)
    for flag in ("client", "project", "dry_run", "print"):
        if getattr(arguments, flag):
            raise UsageError(
                f"--{flag.replace('_', '-')} belongs to install: covey mcp install --client <client>"
            )
    if find_spec("mcp") is None:
        raise CoveyError("the MCP library is not installed", hint="pip install 'covey[mcp]'")
    if arguments.http is None and os.isatty(0):
        raise UsageError(
            "standard input is a terminal: an IDE starts this and speaks MCP with it",
            hint="set it up: covey mcp install --client <client>; or serve HTTP: covey mcp --http 8765",
        )
    return _serve(arguments, console)


def name_of(peer: str | None, room: str | None) -> str:
    """Return the name of the peer: as said, else one for each room, so that two rooms do not meet."""
    if peer is not None:
        return peer_name(peer)
    return peer_name(DEFAULT_NAME if room in (None, "default") else f"{DEFAULT_NAME}-{room}"[:64])


def _serve(arguments: argparse.Namespace, console: Console) -> int:
    from covey.cli import loop
    from covey.cli.mcp.keeper import Keeper
    from covey.cli.peer import PeerPlan
    from covey.system.lock import running_pid

    home, name = Home.resolve(console.env), name_of(arguments.peer, arguments.room)
    alone = running_pid(home.lock_path(name)) is None and not arguments.attach
    opened = passphrase.opened(home, name, arguments.passphrase_file, console.env) if alone else None
    options = mesh_flags.options(arguments, console.env, outbound_only=False)
    plan = PeerPlan(home, name, options, opened=opened)

    def note(text: str) -> None:
        console.note(f"covey mcp: {printable(text)}")

    async def work(stop: Stop) -> int:
        keeper = Keeper(
            plan,
            room=arguments.room,
            attach_only=arguments.attach,
            on_stop=lambda: stop.request("IPC_STOP"),
            note=note,
        )
        await loop.until_stopped(_served(arguments, console, keeper, home, name), stop)
        if keeper.collision is not None:
            raise keeper.collision
        return EXIT_OK

    return loop.run(work)


async def _served(
    arguments: argparse.Namespace, console: Console, keeper: Keeper, home: Home, name: str
) -> None:
    """Serve until the client goes."""
    import asyncio

    from covey.system.entropy import SystemEntropy

    # The SDK loads while the peer starts; both take about a second.
    loading = asyncio.create_task(asyncio.to_thread(_load))
    try:
        async with keeper.kept():
            make, options = await loading
            server = make(
                keeper,
                SystemEntropy().bytes(32),
                options(authors=tuple(arguments.author), push=arguments.push),
            )
            async with server.pushing():
                if arguments.http is None:
                    await _on_streams(server)
                else:
                    await _over_http(server, arguments, console, home, name)
    finally:
        await asyncio.gather(loading, return_exceptions=True)


def _load() -> tuple[type[MeshServer], type[Options]]:
    from covey.runtime.mcp.server import MeshServer, Options

    return MeshServer, Options


async def _on_streams(server: MeshServer) -> None:
    from mcp.server.stdio import stdio_server

    from covey.cli.mcp.streams import Lines, Words, claim

    reading, writing = claim()
    # The SDK asks of the two only what these have: lines, and write with flush.
    lines, words = cast("Any", Lines(reading)), cast("Any", Words(writing))
    try:
        async with stdio_server(stdin=lines, stdout=words) as (read, write):
            await server.sdk.run(read, write, server.sdk.create_initialization_options())
    except* (BrokenPipeError, ConnectionResetError):
        pass  # the client went without closing our input first: that is an end, too
    with contextlib.suppress(OSError):
        writing.close()


async def _over_http(
    server: MeshServer, arguments: argparse.Namespace, console: Console, home: Home, name: str
) -> None:
    import asyncio

    from covey.cli.mcp.token import token_of
    from covey.runtime.mcp.http import PATH, HttpForm

    file = arguments.token_file or home.mcp_token_path(name)
    if arguments.token_file is None:
        home.prepare_peer(name)
    token = token_of(file)
    listener = _listener(arguments.http)

    def log(event: str, facts: Any) -> None:
        console.note(f"covey mcp: {event}: {printable(str(facts['reason']))}")

    form = HttpForm(server.sdk, listener, token, arguments.origin, log)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
    facts = {"event": "serving", "peer": name, "url": url, "token_file": str(file)}
    if console.as_json:
        console.event(facts, "")
    else:
        console.note(f"serving MCP at {url}; the token is in {file}; Ctrl-C ends it")
    serving = asyncio.create_task(form.run())
    try:
        await asyncio.shield(serving)
    finally:
        form.stop()
        await asyncio.gather(serving, return_exceptions=True)
        listener.close()


def _listener(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(bounds.SESSIONS)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise NetworkError(
            f"cannot listen on 127.0.0.1:{port}: {error.strerror}", hint="give another port"
        ) from error
    return listener
