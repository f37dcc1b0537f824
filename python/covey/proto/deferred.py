"""An extension that is not loaded yet: what it says in the hello, and what it was told before it could hear.

Most conversations never come up in the life of a peer. Their engines are loaded at the first frame or wish;
until that is done, what happens is kept here in order, and told to the engine as if it had been there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.extension import Extension, ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn


@dataclass(frozen=True, slots=True)
class Described:
    """What others see of an extension before it is loaded: the same as its engine says of itself."""

    name: str
    token: str | None
    frames: frozenset[str]
    schemas: frozenset[str] = frozenset()


ASK: Final = Described(
    "ask", "x-covey-ask-v1", frozenset({"x-covey-ask"}), frozenset({"urn:covey:ask:contribution:1"})
)
CONTINUITY: Final = Described("continuity", "x-covey-continuity-v1", frozenset({"x-covey-continuity"}))
DOOR: Final = Described("door", "x-covey-door-v1", frozenset({"x-covey-door"}))
SUBSTRATE: Final = Described("substrate", "x-covey-substrate-v1", frozenset({"x-covey-substrate"}))


@dataclass(frozen=True, slots=True)
class Load:
    """A wish to the shell: load the engine, start its shell, then say `Loaded`."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The engine, whose shell has begun."""

    engine: Extension


class Deferred:
    """Stands in for an extension until it is loaded, and hands everything on afterwards. An `Extension`.

    Before the first frame nothing is kept: who is there then is known when the engine comes. From then on
    until it comes, frames and comings and goings wait in order, up to a bound; one more frame is dropped,
    counted and logged, as it is where a peer sends faster than it may.

    Args:
        described: What its engine says of itself.
    """

    def __init__(self, described: Described) -> None:
        self.name = described.name
        self.token = described.token
        self.frames = described.frames
        self.schemas = described.schemas
        self._host: ExtensionHost
        self._engine: Any = None
        self._loading = False
        self._said: list[object] = []
        """What the shell said while it began: the engine hears it before anything of a peer."""
        self._kept: deque[Callable[[Turn], None]] = deque()
        self._kept_bytes = 0

    def attach(self, host: ExtensionHost) -> None:
        """Take what the engine will act through."""
        self._host = host

    def started(self, turn: Turn) -> None:
        """Nothing begins before it is used."""

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Tell the engine who has come."""
        self._tell(partial(self._joined, peer), turn)

    def left(self, peer: Peer, turn: Turn) -> None:
        """Tell the engine who has gone."""
        self._tell(lambda later: self._engine.left(peer, later), turn)

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Hand a frame to the engine; the first one has it loaded."""
        self._want(turn)
        if self._engine is None:
            if self._kept_bytes + len(frame) > limits.DEFERRED_BYTES:
                turn.count(f"extensions.{self.name}.unloaded")
                turn.log("warn", "extension-loads-too-slowly", name=self.name, peer=peer.node_id)
                return
            self._kept_bytes += len(frame)
        self._tell(lambda later: self._engine.heard(peer, kind, frame, later), turn)

    def addressed(self, record: _core.Record, turn: Turn, *, wakes: bool, expires_ms: int | None) -> None:
        """Hand on a record that is the engine's; it is held by the store, so only the handle waits."""
        self._want(turn)
        self._tell(
            lambda later: self._engine.addressed(record, later, wakes=wakes, expires_ms=expires_ms), turn
        )

    def due(self, whom: str, turn: Turn) -> None:
        """Hand on a deadline: only the engine sets any."""
        self._engine.due(whom, turn)

    def told(self, what: object, turn: Turn) -> None:
        """Take the engine, or hand on what its shell says."""
        if isinstance(what, Loaded):
            self._begin(what.engine, turn)
        elif self._engine is None:
            self._said.append(what)
        else:
            self._engine.told(what, turn)

    def _joined(self, peer: Peer, turn: Turn) -> None:
        self._engine.joined(peer, turn)

    def _want(self, turn: Turn) -> None:
        if self._engine is None and not self._loading:
            self.loads()
            self._host.want(Load(), turn)

    def loads(self) -> None:
        """Keep from now on what happens, beginning with who is here: the shell loads the engine."""
        if self._engine is not None or self._loading:
            return
        self._loading = True
        for peer in self._host.peers():
            self._kept.append(partial(self._joined, peer))

    def failed(self) -> None:
        """Forget what was kept: the engine could not be loaded; the next frame tries again."""
        self._loading = False
        self._said.clear()
        self._kept.clear()
        self._kept_bytes = 0

    def _tell(self, tell: Callable[[Turn], None], turn: Turn) -> None:
        if self._engine is not None:
            tell(turn)
        elif self._loading:
            self._kept.append(tell)

    def _begin(self, engine: Extension, turn: Turn) -> None:
        schemas: frozenset[str] = getattr(engine, "schemas", frozenset())
        said = (engine.name, engine.token, engine.frames, schemas)
        if said != (self.name, self.token, self.frames, self.schemas):
            raise ValueError(f"the engine of {self.name} says other things of itself than was offered")
        self.loads()
        self._engine = engine
        engine.attach(self._host)
        engine.started(turn)
        for what in self._said:
            engine.told(what, turn)
        self._said.clear()
        while self._kept:
            self._kept.popleft()(turn)
        self._kept_bytes = 0
