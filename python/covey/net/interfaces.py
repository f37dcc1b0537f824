"""Which addresses this machine has on its networks, as its system lists them now.

Rules: looked at each time, nothing kept; loopback is no network. An IPv6 link-local address carries its scope
(`fe80::1%eth0`), without which nobody can bind or dial it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_SYSTEM = Path("/sys/class/net")


@dataclass(frozen=True, slots=True)
class Place:
    """One address of one interface; `network` is its prefix, as `10.0.0.0/24`."""

    interface: str
    host: str
    network: str

    @property
    def version(self) -> int:
        """Return 4 or 6."""
        return 6 if ":" in self.host else 4

    @property
    def link_local(self) -> bool:
        """Tell whether it means something on its own link only, for which IPv6 needs the scope."""
        return "%" in self.host


def places(chosen: Sequence[str] = ()) -> tuple[Place, ...]:
    """Return the addresses of interfaces that are up: IPv4 first, link-local IPv6 last.

    Args:
        chosen: Names of interfaces or single addresses that count; empty takes all.
    """
    found = [place for place in _all() if not chosen or _chosen(place, chosen)]
    return tuple(sorted(found, key=lambda place: (place.link_local, place.version)))


def _chosen(place: Place, chosen: Sequence[str]) -> bool:
    return place.interface in chosen or place.host in chosen or place.host.partition("%")[0] in chosen


def _all() -> Iterator[Place]:
    import ifaddr  # zeroconf's own way to list interfaces; only a peer that leaves this machine loads it

    for adapter in ifaddr.get_adapters():
        if _down(adapter.name):
            continue
        for address in adapter.ips:
            text = address.ip if isinstance(address.ip, str) else address.ip[0]
            literal = ipaddress.ip_address(text.partition("%")[0])
            if literal.is_loopback or literal.is_multicast or literal.is_unspecified:
                continue
            network = ipaddress.ip_network(f"{literal}/{address.network_prefix}", strict=False)
            scoped = literal.version == 6 and literal.is_link_local
            host = f"{literal}%{adapter.name}" if scoped else str(literal)
            yield Place(adapter.name, host, str(network))


def _down(interface: str) -> bool:
    """Tell whether the system says that an interface is down: it keeps its IPv4 addresses meanwhile."""
    try:
        return (_SYSTEM / interface / "operstate").read_text().strip() in ("down", "lowerlayerdown")
    except OSError:
        return False  # no Linux, or gone since it was listed
