"""TCP links: bytes in, bytes out, with bounded write buffers. The event loop decides how (uvloop or asyncio).

Rules: no byte is read or written here with any understanding of it.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from covey import limits
from covey.errors import NetworkError
from covey.proto.peers import spelled
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import LinkSink


_WILDCARDS = ("0.0.0.0", "::")


class TcpTransport:
    """All TCP links of one node: its listeners on one port, and the dials the engine asks for."""

    def __init__(self) -> None:
        self._servers: dict[str, asyncio.Server] = {}
        self._port = 0
        self._links: dict[int, _TcpLink] = {}
        self._dials: dict[int, _Dial] = {}
        self._stopping = False
        self._next_accepted = 2
        self._all_gone: asyncio.Event | None = None

    async def listen(self, hosts: Sequence[str], port: int, sink: LinkSink) -> int:
        """Accept connections on one port of all hosts (0: any free one); return it.

        A wildcard of an address family that this machine does not have is left out, unless it stands alone.

        Raises:
            NetworkError: An address cannot be bound; it says which and why.
        """
        for left in reversed(range(limits.LISTEN_TRIES)):
            try:
                for host in hosts:
                    await self._bind(host, self._port or port, sink, last=host == hosts[-1])
            except OSError as error:
                self._unbind(tuple(self._servers))
                self._port = 0
                if port == 0 and error.errno == errno.EADDRINUSE and left:
                    continue  # free on one host and taken on another: take another one
                raise NetworkError(
                    f"cannot listen on {spelled(host, port)}: {_why(error)}",
                    hint="choose another port, or 0 for a free one",
                ) from error
            return self._port
        raise AssertionError("the last try returns or raises")

    async def rebind(self, hosts: Sequence[str], sink: LinkSink) -> Sequence[str]:
        """Accept on these hosts from now on, on the same port; return those that could not be bound."""
        self._unbind([host for host in self._servers if host not in hosts])
        failed = []
        for host in hosts:
            if host not in self._servers:
                try:
                    await self._bind(host, self._port, sink, last=True)
                except OSError:
                    failed.append(host)  # it may be tentative still: the next look tries again
        return failed

    def forsake(self, hosts: Sequence[str]) -> int:
        """Cut every link from an address that is not among these; loopback stays. Return how many."""
        dead = [link for link in self._links.values() if link.stranded(hosts)]
        for link in dead:
            link.abort()
        return len(dead)

    async def _bind(self, host: str, port: int, sink: LinkSink, *, last: bool) -> None:
        loop = asyncio.get_running_loop()
        try:
            if _is_address(host):
                made = _bound(host, port)
                server = await loop.create_server(lambda: self._accepted(sink), sock=made, backlog=128)
            else:
                server = await loop.create_server(lambda: self._accepted(sink), host, port, backlog=128)
        except OSError as error:
            absent = error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
            if host in _WILDCARDS and absent and (self._servers or not last):
                return
            raise
        self._servers[host] = server
        self._port = int(server.sockets[0].getsockname()[1])

    def _unbind(self, hosts: Sequence[str]) -> None:
        for host in hosts:
            self._servers.pop(host).close()

    def connect(self, link: int, host: str, port: int, timeout_seconds: float, sink: LinkSink) -> None:
        """Start to dial; `link_opened` or `link_failed` follows."""
        if self._stopping:
            return
        made = _TcpLink(self, link, sink, inbound=False)
        work = self._dial(made, host, port, timeout_seconds)
        task = asyncio.get_running_loop().create_task(work)
        self._dials[link] = _Dial(made, task)
        task.add_done_callback(lambda _: self._dials.pop(link, None))  # also where it was cancelled unbegun

    def write(self, link: int, data: bytes) -> None:
        """Write in order; a link that is gone swallows it, its loss is already on the way."""
        found = self._links.get(link)
        if found is not None and not found.ending:
            found.transport.write(data)

    def reading(self, link: int, on: bool) -> None:
        """Pause or resume reading."""
        found = self._links.get(link)
        if found is None or found.ending:
            return
        if on:
            found.transport.resume_reading()
        else:
            found.transport.pause_reading()

    def close(self, link: int) -> None:
        """Write what is buffered, then close; a peer that does not read is cut off a moment later.

        Of a dial that is closed before its connection stands nothing more is told.
        """
        found = self._links.get(link)
        if found is not None:
            found.end()
            asyncio.get_running_loop().call_later(limits.GOODBYE_SECONDS, found.abort)
        elif (dial := self._dials.get(link)) is not None:
            dial.give_up()

    async def stop(self) -> None:
        """Stop listening and close every link, giving buffered bytes a moment to leave.

        Nothing is told once it has returned, and nobody is dialled once it has begun.
        """
        self._stopping = True  # what the system has accepted already, or connected, is cut as it comes
        self._unbind(tuple(self._servers))
        for link, dial in tuple(self._dials.items()):
            # One whose connection stands is no dial any more: uvloop would close it and tell nobody.
            if link not in self._links:
                dial.give_up()
        await asyncio.gather(*(dial.task for dial in self._dials.values()), return_exceptions=True)
        if self._links:
            self._all_gone = asyncio.Event()
            for link in tuple(self._links):
                self.close(link)
            # every link is aborted after GOODBYE_SECONDS, so this ends
            await self._all_gone.wait()

    def gone(self, link: int) -> bool:
        """Forget a link whose connection has ended; tell whether that is news."""
        known = self._links.pop(link, None) is not None
        if self._all_gone is not None and not self._links:
            self._all_gone.set()
        return known

    def _accepted(self, sink: LinkSink) -> _TcpLink:
        link = _TcpLink(self, self._next_accepted, sink, inbound=True)
        self._next_accepted += 2
        return link

    def opened(self, link: _TcpLink) -> bool:
        """Take a link whose connection stands; false where nobody wants it any more."""
        if not self._stopping:
            self._links[link.id] = link
        return not self._stopping

    async def _dial(self, link: _TcpLink, host: str, port: int, timeout_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_seconds):
                await loop.create_connection(lambda: link, host, port)
        except asyncio.CancelledError:
            link.undone("closed")
            raise
        except TimeoutError:
            link.undone("connect timeout")
            link.failed("connect timeout")
        except OSError as error:
            link.failed(_why(error))


@dataclass(frozen=True, slots=True)
class _Dial:
    """A link on its way, and who brings it."""

    link: _TcpLink
    task: asyncio.Task[None]

    def give_up(self) -> None:
        """Let it come to nothing, and tell nobody."""
        self.link.unwanted = True
        self.task.cancel()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address; a loop given its text would load tables for names."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        address, _, scope = host.partition("%")
        place = (address, port, 0, socket.if_nametoindex(scope)) if scope else (host, port)
        found.bind(place)
    except OSError:
        found.close()
        raise
    return found


class _TcpLink(asyncio.Protocol):
    """One connection, between the event loop and the sink."""

    transport: asyncio.Transport

    def __init__(self, owner: TcpTransport, link: int, sink: LinkSink, *, inbound: bool) -> None:
        self.id = link
        self._owner = owner
        self._sink = sink
        self._inbound = inbound
        self._said_all = False
        self._told = False
        self.near = ""
        """Our own address on it."""
        self.unwanted = False
        """Its dial was given up before the connection stood."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self.unwanted or not self._owner.opened(self):
            self.transport.abort()
            return
        self._told = True
        self.transport.set_write_buffer_limits(limits.WRITE_HIGH_BYTES, limits.WRITE_LOW_BYTES)
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, port = _place(self.transport.get_extra_info("peername"))
        near, near_port = _place(self.transport.get_extra_info("sockname"))
        self.near = "" if near == "unknown" else near
        self._sink.link_opened(
            self.id,
            inbound=self._inbound,
            address=spelled(host, port),
            local=spelled(near, near_port),
            loopback=is_loopback(host),
        )

    def failed(self, why: str) -> None:
        """Tell that its dial came to nothing, unless nobody waits for it, or it stood, and was told lost."""
        if not self.unwanted and not self._told:
            self._sink.link_failed(self.id, why)

    def undone(self, why: str) -> None:
        """Tell its loss where it stood just before its dial was given up: uvloop would tell nobody."""
        if self._owner.gone(self.id):
            self._sink.link_lost(self.id, why)

    def data_received(self, data: bytes) -> None:
        if not self._said_all:
            self._sink.link_data(self.id, data)

    def pause_writing(self) -> None:
        self._sink.link_full(self.id, True)

    def resume_writing(self) -> None:
        self._sink.link_full(self.id, False)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._owner.gone(self.id):
            return
        why = _why(exc) if isinstance(exc, OSError) else type(exc).__name__
        self._sink.link_lost(self.id, "closed" if exc is None else why)

    @property
    def ending(self) -> bool:
        """Tell whether nothing more is said on it."""
        return self._said_all or self.transport.is_closing()

    def end(self) -> None:
        """Say that all is said, and close when the other side has closed.

        To close with bytes unread makes the system reset the connection, and a reset destroys what the other
        side has not read yet: our last words. So the rest is read, and dropped.
        """
        if self.ending:
            return
        self._said_all = True
        try:
            self.transport.write_eof()
        except OSError:
            self.transport.abort()  # the other side has cut it already; its loss is on the way to the sink
            return
        self.transport.resume_reading()

    def stranded(self, hosts: Sequence[str]) -> bool:
        """Tell whether our end is at an address that this machine does not have, or not in use."""
        plain = {host.partition("%")[0] for host in hosts}
        return bool(self.near) and self.near.partition("%")[0] not in plain and not is_loopback(self.near)

    def abort(self) -> None:
        """Cut the connection, whatever is still buffered; a no-op once it is gone."""
        self.transport.abort()


def _place(name: tuple[Any, ...] | None) -> tuple[str, int]:
    """Return host and port of a socket's end; a link-local IPv6 host with the scope that it needs."""
    if not name:
        return "unknown", 0
    host, port = str(name[0]), int(name[1])
    scope = name[3] if len(name) == 4 else 0
    if scope and "%" not in host:
        try:
            host = f"{host}%{socket.if_indextoname(scope)}"
        except OSError:
            host = f"{host}%{scope}"  # its interface went away meanwhile
    return host, port


def _why(error: OSError) -> str:
    """Say what the system said, in its own words; asyncio's wrap them."""
    return os.strerror(error.errno).lower() if error.errno else str(error)


def is_loopback(host: str) -> bool:
    """Tell whether a peer's literal address is this machine's loopback, IPv4 in IPv6 included."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
