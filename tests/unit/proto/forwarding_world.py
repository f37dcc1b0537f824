"""Hosts that hand on, in a virtual mesh whose links a test draws."""

from __future__ import annotations

from collections.abc import Iterable

from covey.model import Minted
from covey.proto import effects as fx
from covey.proto.forward import words
from covey.proto.forward.engine import Forwarding
from covey.proto.inbox import block_of
from covey.proto.options import AdmissionOptions
from covey.runtime.forward import roots_of
from tests.unit.proto.virtual import Host, Mesh, identity, node_id

EVERYTHING = AdmissionOptions(stable=1.0, guarded=1.0, redundancy=0.0)


class World:
    """Peers by number. Everybody knows every author's key, as peers that met once do."""

    def __init__(self, count: int, links: Iterable[tuple[int, int]], *, silent: Iterable[int] = ()) -> None:
        self.mesh = Mesh()
        self.extensions: dict[int, Forwarding] = {}
        self.hosts: dict[int, Host] = {}
        for number in range(1, count + 1):
            self.add(number, hands_on=number not in set(silent))
        for one, other in links:
            self.link(one, other)

    def add(self, number: int, *, hands_on: bool = True, speaks: bool = True) -> Host:
        made = Forwarding(node_id(number), hands_on=hands_on)
        host = self.mesh.host(number, extensions=[made] if speaks else [], admission=EVERYTHING)
        self.hosts[number], self.extensions[number] = host, made
        host.shells["forward"] = lambda what: self._do(host, what)
        for other in self.hosts.values():
            for each in (host, other):
                for known in (host, other):
                    each.engine.intake.bind(known.identity.node_id, known.identity.public_key)
        self.mesh.settle()
        return host

    def link(self, one: int, other: int) -> None:
        """Connect two; without discovery nobody else hears of them."""
        first, second = sorted((self.hosts[one], self.hosts[other]), key=lambda h: h.identity.node_id)
        first.feed(fx.PeerDiscovered(self.mesh.hint(second)))
        self.mesh.settle()

    def part(self, one: int, other: int) -> None:
        """Cut two off from each other, for good."""
        self.mesh.apart = True
        for end in list(self.hosts[one].ends.values()):
            if end.other is not None and end.other.host is self.hosts[other]:
                self.mesh.cut(end)
        self.mesh.settle()

    def say(self, number: int, text: str, *parents: str) -> str:
        minted = self.hosts[number].emit(text, parents=parents)
        assert isinstance(minted, Minted)
        return minted.block.key

    def holders(self, key: str) -> set[int]:
        return {number for number, host in self.hosts.items() if key in host.keys}

    def total(self, name: str) -> int:
        return sum(host.counts[name] for host in self.hosts.values())

    def _do(self, host: Host, what: object) -> None:
        if isinstance(what, words.FindRoots):
            held = {key: block_of(record) for key, record in host.records.items()}
            self._tell(host, roots_of(held.get, what.keys))
        elif isinstance(what, words.FindLacking):
            lacking = frozenset(key for key in what.keys if key not in host.keys)
            self._tell(host, words.Lacking(what.token, lacking))
        elif isinstance(what, words.Load):
            self._tell(host, words.Loaded(what.node_id, what.key, host.records.get(what.key)))

    def _tell(self, host: Host, what: object) -> None:
        host.feed(fx.Told("forward", what, bytes(32)))


__all__ = ["EVERYTHING", "World", "identity", "node_id"]
