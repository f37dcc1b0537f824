"""Addresses that peers tell each other, between their engine (`proto/paths`) and the node's discovery."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from covey.proto.gossip import Gossip, Heard
from covey.proto.paths import HEARSAY, TOLD, Found, Gone, Own, Paths

if TYPE_CHECKING:
    from covey.proto.effects import Advert, Hint
    from covey.proto.extension import Extension
    from covey.runtime.plugin import Plugin, Tell


class Source:
    """One kind of hints as a discovery source. It renews: where this peer listens is told again."""

    renews = True

    def __init__(self, label: str, advertised: Callable[[Advert], None]) -> None:
        self.label = label
        self._advertised = advertised
        self.found: Callable[[Hint], None] = lambda _: None
        self.gone: Callable[[str], None] = lambda _: None

    async def start(self, advert: Advert, found: Callable[[Hint], None], gone: Callable[[str], None]) -> None:
        """Tell peers where we listen from now on, and hand on what they tell."""
        self.found, self.gone = found, gone
        self._advertised(advert)

    async def stop(self) -> None:
        """Nothing is withdrawn: hints end by themselves."""


class PathsPlugin:
    """The shell of `proto/paths`; `sources` take what it finds to the roster."""

    def __init__(self, own_id: str, room: str) -> None:
        self.engine = Paths(own_id, room)
        self.extension: Extension = self.engine
        self.sources = (Source(TOLD, self._advertised), Source(HEARSAY, lambda _: None))
        self._by_label = {source.label: source for source in self.sources}
        self._tell: Tell = lambda _: None

    async def start(self, tell: Tell) -> None:
        """Take the way to the engine."""
        self._tell = tell

    def perform(self, what: object) -> None:
        """Hand a hint to the roster, or take it back."""
        if isinstance(what, Found):
            self._by_label[what.hint.source].found(what.hint)
        elif isinstance(what, Gone):
            self._by_label[what.source].gone(what.node_id)

    async def stop(self) -> None:
        """Nothing is under way."""

    def _advertised(self, advert: Advert) -> None:
        hosts = [host for host in advert.hosts if "%" not in host] if advert.port else []
        self._tell(Own(tuple((host, advert.port) for host in hosts), advert.networks))


class GossipPlugin:
    """The shell of `proto/gossip`, which wants nothing of it."""

    def __init__(self, own_id: str, paths: Paths) -> None:
        self._engine = Gossip(own_id, paths.ask)
        self.extension: Extension = self._engine

    async def start(self, tell: Tell) -> None:
        """Nothing is restored."""

    def perform(self, what: object) -> None:
        """Gossip wants nothing of its shell."""
        raise TypeError(f"gossip wants nothing of its shell: {what!r}")

    async def stop(self) -> None:
        """Nothing is under way."""

    def heard_of(self) -> list[Heard]:
        """Return who is said to be elsewhere."""
        return self._engine.heard_of()


def told_paths(own_id: str, room: str) -> tuple[tuple[Plugin, ...], tuple[Source, ...]]:
    """Return the plugins and discovery sources of peers that tell each other where they are."""
    paths = PathsPlugin(own_id, room)
    return (paths, GossipPlugin(own_id, paths.engine)), paths.sources
