"""`covey relay`: run a relay, through which peers of different networks reach each other."""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from covey import limits
from covey.cli.console import Console
from covey.cli.parser import Parser, path
from covey.errors import EXIT_OK, UsageError
from covey.settings.tokens import tokens_of_file, tokens_of_variable

if TYPE_CHECKING:
    import ssl

    from covey.cli.loop import Stop
    from covey.proto.relay.server import Access

BACKPLANE_VARIABLE: Final = "COVEY_RELAY_BACKPLANE"
EXAMPLE: Final = "covey relay --listen 0.0.0.0:8443 --cert chain.pem --key key.pem --tokens tokens.txt"
DEFAULT_LISTEN: Final = "127.0.0.1:8787"
TOKENS_VARIABLE: Final = "COVEY_RELAY_TOKENS"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--listen", metavar="HOST:PORT", default=DEFAULT_LISTEN, help=f"where ({DEFAULT_LISTEN}); port 0: any"
    )
    parser.add_argument("--cert", type=path, metavar="FILE", help="with --key: TLS certificate chain, PEM")
    parser.add_argument("--key", type=path, metavar="FILE", help="with --cert: TLS private key, PEM")
    parser.add_argument(
        "--tokens",
        type=path,
        metavar="FILE",
        help=f"lines of `channel token`; or {TOKENS_VARIABLE}=channel:token,…",
    )
    parser.add_argument(
        "--open", action="store_true", help="let everybody in without a token, beyond loopback too"
    )
    parser.add_argument(
        "--plain", action="store_true", help="speak ws:// beyond loopback: a proxy in front does the TLS"
    )
    parser.add_argument(
        "--backplane",
        metavar="URL",
        action="append",
        help=f"with --cluster: NATS, through which several relays are one (again for more servers); "
        f"or {BACKPLANE_VARIABLE}",
    )
    parser.add_argument(
        "--cluster",
        metavar="NAME",
        help="with --backplane: what these relays are together; the same at all of them",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Serve until a signal."""
    from covey.net.tcp import is_loopback

    host, port = _address(arguments.listen)
    loopback = host == "localhost" or is_loopback(host)
    access = _access(arguments, console.env, loopback=loopback)
    tls = _tls(arguments, loopback=loopback)
    return _serve(host, port, access, tls, _line(arguments, console.env), console)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise UsageError("--listen: expected HOST:PORT, an IPv6 host in brackets")
    return host, int(port)


def _access(arguments: argparse.Namespace, env: Mapping[str, str], *, loopback: bool) -> Access:
    from covey.proto.relay.server import Access, digest

    said = env.get(TOKENS_VARIABLE, "")
    if arguments.open and (arguments.tokens or said):
        raise UsageError("--open and tokens contradict each other")
    if arguments.tokens:
        tokens = tokens_of_file(_text(arguments.tokens), str(arguments.tokens))
    elif said:
        tokens = tokens_of_variable(said, TOKENS_VARIABLE)
    elif arguments.open or loopback:
        return Access(open=True)
    else:
        raise UsageError(
            "beyond loopback a relay needs tokens",
            hint="give --tokens FILE, or say --open to let everybody in",
        )
    return Access({digest(token): channel for token, channel in tokens.items()})


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            raw = opened.read(limits.RELAY_TOKENS_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {(error.strerror or str(error)).lower()}") from error
    if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
        raise UsageError(
            f"the tokens in {file} can be read by others: mode {stat.S_IMODE(mode):04o}",
            code="tokens_too_open",
            hint=f"if nobody else has seen them: chmod 600 {file}",
        )
    if len(raw) > limits.RELAY_TOKENS_BYTES:
        raise UsageError(f"{file}: longer than {limits.RELAY_TOKENS_BYTES} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8") from error


def _tls(arguments: argparse.Namespace, *, loopback: bool) -> ssl.SSLContext | None:
    from covey.net.websocket import server_tls

    if (arguments.cert is None) != (arguments.key is None):
        raise UsageError("--cert and --key come together")
    if arguments.cert is not None:
        return server_tls(arguments.cert, arguments.key)
    if not loopback and not arguments.plain:
        raise UsageError(
            "beyond loopback a relay needs TLS",
            hint="give --cert and --key, or say --plain behind a TLS proxy",
        )
    return None


def _line(arguments: argparse.Namespace, env: Mapping[str, str]) -> Line | None:
    from covey.net.nats import check_cluster, check_url

    said = env.get(BACKPLANE_VARIABLE)
    urls = arguments.backplane or (said.split(",") if said else [])
    if not urls and arguments.cluster is None:
        return None
    urls = [check_url(url.strip()) for url in urls]  # a mistyped one is told of before what is missing
    if not urls or arguments.cluster is None:
        raise UsageError(
            "--backplane and --cluster come together",
            hint="covey relay --backplane nats://HOST:4222 --cluster NAME",
        )
    return Line(urls, check_cluster(arguments.cluster))


class Line(NamedTuple):
    """The backplane a relay shares with others."""

    urls: list[str]
    cluster: str


def _many_files() -> None:
    """Ask the system for as many open files as it gives: each client is one."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.RELAY_CLIENTS + 64
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _serve(
    host: str, port: int, access: Access, tls: ssl.SSLContext | None, line: Line | None, console: Console
) -> int:
    from covey.cli import loop
    from covey.net.nats import NatsBackplane
    from covey.net.websocket import WebSocketServer
    from covey.proto.relay.cluster import Cluster
    from covey.proto.relay.clustered import ClusteredRelay
    from covey.proto.relay.server import RelayServer
    from covey.runtime.relay import RelayHost
    from covey.system.clock import SystemClock
    from covey.system.entropy import SystemEntropy
    from covey.system.log import Log

    _many_files()
    clock = SystemClock()
    log = Log(lambda line: console.note(line.rstrip("\n")), clock, peer="relay")

    async def work(stop: Stop) -> int:
        backplane = None
        engine = RelayServer(access)
        if line is not None:
            own = SystemEntropy().bytes(8).hex()
            engine = ClusteredRelay(access, Cluster(own, line.cluster))
            backplane = NatsBackplane(line.urls, line.cluster, own)
        pages = {"/healthz": lambda: relay.health(), "/metrics": lambda: relay.metrics()}
        server = WebSocketServer(pages, line.cluster if line else "")
        relay: RelayHost = RelayHost(engine, server, clock, log.write, backplane)
        if backplane is not None:
            await backplane.open(relay)  # first: a client is to find everybody who is there
        bound = await server.listen(host, port, relay, tls)
        url = f"{'wss' if tls else 'ws'}://{f'[{host}]' if ':' in host else host}:{bound}"
        channels = len(set(access.channels.values()))
        who = "open to everybody" if access.open else f"{channels} channel{'' if channels == 1 else 's'}"
        facts = {"event": "relaying", "url": url, "port": bound, "open": access.open, "channels": channels}
        if line is not None:
            facts["cluster"] = line.cluster
            who += f", one of cluster {line.cluster}"
        console.event(facts, f"relay at {url}, {who}; Ctrl-C ends it")
        try:
            await stop.wait()
        finally:
            await server.stop()
            if backplane is not None:
                relay.leave()
                await backplane.close()
            relay.close()
        return EXIT_OK

    # uvloop reads before TLS could begin on a socket that is already accepted (net/half_open)
    return loop.run(work, plain=tls is not None)
