"""Which addresses this machine has on its networks, as its system lists them now.

Rules: looked at each time, nothing kept; loopback is no network. An IPv6 link-local address carries its scope
(`fe80::1%eth0`), without which nobody can bind or dial it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from pathlib import Path

from covey.model import Place

_SYSTEM = Path("/sys/class/net")
_IPV6 = Path("/proc/net/if_inet6")
_NOT_USABLE = 0x48
"""Flags of an address there: tentative, or found to be somebody else's."""


def places(chosen: Sequence[str] = ()) -> tuple[Place, ...]:
    """Return the addresses of interfaces that are up: IPv4 first, link-local IPv6 last.

    Args:
        chosen: Names of interfaces or single addresses that count; empty takes all.
    """
    found = [place for place in _all() if not chosen or _chosen(place, chosen)]
    return tuple(sorted(found, key=lambda place: (place.link_local, place.version)))


class Interfaces:
    """The networks of this machine, for a node."""

    def places(self, chosen: Sequence[str]) -> Sequence[Place]:
        """Return the addresses of interfaces that are up, all or the chosen ones."""
        return places(chosen)


def _chosen(place: Place, chosen: Sequence[str]) -> bool:
    return place.interface in chosen or place.host in chosen or place.host.partition("%")[0] in chosen


def _all() -> Iterator[Place]:
    import ifaddr  # zeroconf's own way to list interfaces; only a peer that leaves this machine loads it

    tentative = _tentative()
    for adapter in ifaddr.get_adapters():
        if _down(adapter.name):
            continue
        for address in adapter.ips:
            text = address.ip if isinstance(address.ip, str) else address.ip[0]
            literal = ipaddress.ip_address(text.partition("%")[0])
            if literal.is_loopback or literal.is_unspecified or (str(literal), adapter.name) in tentative:
                continue
            network = ipaddress.ip_network(f"{literal}/{address.network_prefix}", strict=False)
            scoped = literal.version == 6 and literal.is_link_local
            host = f"{literal}%{adapter.name}" if scoped else str(literal)
            yield Place(adapter.name, host, str(network))


def _tentative() -> set[tuple[str, str]]:
    """Return the IPv6 addresses that their network has not agreed to yet: nobody can use them meanwhile."""
    try:
        rows = [row.split() for row in _IPV6.read_text().splitlines()]
    except OSError:
        return set()  # no Linux, or no IPv6
    waiting = [row for row in rows if len(row) == 6 and int(row[4], 16) & _NOT_USABLE]
    return {(str(ipaddress.IPv6Address(bytes.fromhex(row[0]))), row[5]) for row in waiting}


def _down(interface: str) -> bool:
    """Tell whether the system says that an interface is down: it keeps its IPv4 addresses meanwhile."""
    try:
        return (_SYSTEM / interface / "operstate").read_text().strip() in ("down", "lowerlayerdown")
    except OSError:
        return False  # no Linux, or gone since it was listed
