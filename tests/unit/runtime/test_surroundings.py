"""A node among networks that change: what it binds and advertises follows, and nothing else is disturbed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from covey import limits
from covey.errors import NetworkError
from covey.model import Place
from covey.proto.effects import Advert
from covey.proto.options import NodeOptions
from covey.runtime.surroundings import Surroundings
from tests.unit.runtime.meshkit import identity

ETH = Place("eth0", "10.0.0.2", "10.0.0.0/24")
WLAN = Place("wlan0", "10.9.0.2", "10.9.0.0/24")
V6 = Place("eth0", "fe80::2%eth0", "fe80::/64")


class View:
    def __init__(self, *places: Place) -> None:
        self.now: tuple[Place, ...] = places
        self.failing = False
        self.looked = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait, look by look, until something holds."""
        while not condition():
            self.looked.clear()
            await self.looked.wait()

    def places(self, chosen: Sequence[str]) -> Sequence[Place]:
        self.looked.set()
        if self.failing:
            raise OSError("no such table")
        return [place for place in self.now if not chosen or place.interface in chosen]


class Transport:
    def __init__(self) -> None:
        self.bound: list[str] = []
        self.links: set[str] = set()
        """The own addresses of links that stand."""
        self.unready: set[str] = set()

    async def listen(self, hosts: Sequence[str], port: int, sink: object) -> int:
        self.bound = list(hosts)
        return 7000

    async def rebind(self, hosts: Sequence[str], sink: object) -> Sequence[str]:
        self.bound = [host for host in hosts if host not in self.unready]
        return [host for host in hosts if host in self.unready]

    def forsake(self, hosts: Sequence[str]) -> int:
        dead = self.links - set(hosts)
        self.links -= dead
        return len(dead)


class Source:
    def __init__(self, label: str, *, renews: bool) -> None:
        self.label, self.renews = label, renews
        self.adverts: list[Advert] = []
        self.again = asyncio.Event()

    async def start(self, advert: Advert, found: Callable[..., None], gone: Callable[..., None]) -> None:
        self.adverts.append(advert)
        self.again.set()

    async def stop(self) -> None:
        self.again.clear()


class Kit:
    def __init__(self, view: View, **options: Any) -> None:
        self.view, self.transport = view, Transport()
        self.counts: Counter[str] = Counter()
        self.speaking, self.still = Source("mdns", renews=True), Source("registry", renews=False)
        self.surroundings = Surroundings(
            identity(1),
            NodeOptions(**{"lan": True, "host": "0.0.0.0", **options}),
            transport=self.transport,  # type: ignore[arg-type]  # what is asked of it here
            discovery=(self.speaking, self.still),
            view=view,
            feed=lambda _: None,
            count=lambda name: self.counts.update([name]),
            log=lambda *_: None,
        )

    async def started(self) -> Kit:
        await self.surroundings.listen(object())  # type: ignore[arg-type]  # the transport here tells nobody
        self.surroundings.start()
        await self.speaking.again.wait()
        return self

    async def changed(self, *places: Place) -> None:
        """Change the networks, and wait until that was advertised."""
        before = len(self.speaking.adverts)
        self.view.now = places
        await self.view.until(lambda: len(self.speaking.adverts) > before)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "NETWORKS_LOOK_SECONDS", 0.005)


def test_a_network_that_comes_or_goes_is_advertised_again_and_dead_links_are_cut() -> None:
    async def run() -> None:
        kit = await Kit(View(ETH)).started()
        assert kit.transport.bound == ["0.0.0.0", "::"]
        assert (kit.speaking.adverts[0].hosts, kit.speaking.adverts[0].networks) == (
            ("10.0.0.2",),
            ("10.0.0.0/24",),
        )
        await kit.changed(ETH, WLAN, V6)
        assert kit.speaking.adverts[-1].hosts == ("10.0.0.2", "10.9.0.2", "fe80::2%eth0")
        kit.transport.links = {"10.0.0.2", "10.9.0.2"}
        await kit.changed(WLAN)
        assert kit.transport.links == {"10.9.0.2"}
        assert len(kit.still.adverts) == 1, "what speaks on no network is left alone"
        assert kit.counts["networks.changed"] == 2
        await kit.surroundings.stop()

    asyncio.run(run())


def test_a_network_that_was_gone_between_two_looks_is_noticed_by_its_dead_links() -> None:
    async def run() -> None:
        kit = await Kit(View(ETH)).started()
        adverts = len(kit.speaking.adverts)
        kit.transport.links = {"10.9.0.2"}  # made over an interface that came and went meanwhile
        await kit.view.until(lambda: len(kit.speaking.adverts) > adverts)
        assert kit.transport.links == set()
        await kit.surroundings.stop()

    asyncio.run(run())


def test_chosen_interfaces_are_bound_as_they_come_beside_this_machine_itself() -> None:
    async def run() -> None:
        kit = await Kit(View(WLAN), interfaces=("eth0",)).started()
        assert kit.transport.bound == ["127.0.0.1"]
        assert kit.surroundings.hosts == ()
        kit.transport.unready.add("10.0.0.2")
        await kit.changed(WLAN, ETH)
        assert kit.counts["networks.unbound"] == 1
        kit.transport.unready.clear()
        await kit.view.until(lambda: kit.transport.bound == ["127.0.0.1", "10.0.0.2"])
        await kit.surroundings.stop()

    asyncio.run(run())


def test_without_lan_no_network_is_looked_at_and_none_is_bound() -> None:
    async def run() -> None:
        kit = await Kit(View(ETH), lan=False, host="127.0.0.1").started()
        assert kit.transport.bound == ["127.0.0.1"]
        assert kit.speaking.adverts[0].hosts == ("127.0.0.1",)
        await kit.surroundings.stop()
        with pytest.raises(NetworkError, match="not this machine's loopback"):
            await Kit(View(ETH), lan=False).started()

    asyncio.run(run())


def test_a_table_that_cannot_be_read_changes_nothing_and_is_counted() -> None:
    async def run() -> None:
        kit = await Kit(View(ETH)).started()
        kit.view.failing = True
        await kit.view.until(lambda: kit.counts["networks.failed"] > 1)
        assert kit.surroundings.hosts == ("10.0.0.2",)
        await kit.surroundings.stop()

    asyncio.run(run())
