"""The scopes a peer holds, and whose keys it knows: opened, restored, introduced, each within its bound."""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING

from covey import _core, limits
from covey.proto.state import wants
from covey.proto.state.held import Held
from covey.proto.state.scopes import ANYBODY, Scope, read_scope, room_scope
from covey.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from covey.proto.turn import Turn


@dataclass(frozen=True, slots=True)
class StateOptions:
    """What shared state is told by its peer's settings.

    `strict` believes only keys that a session proved or whose fingerprint is in `trusted`.
    """

    room: str
    strict: bool = False
    trusted: frozenset[str] = field(default_factory=frozenset)


class Replicas:
    """Every scope here, by name.

    Args:
        identity: Who keeps them; its key is its author.
        options: Which room, and whose keys are believed.
    """

    def __init__(self, identity: _core.Identity, options: StateOptions) -> None:
        self.author = identity.author
        self.scopes: dict[str, Held] = {}
        self.broken: dict[str, str] = {}
        """Scopes whose rows could not be read, and why: nothing is written there until somebody looks."""
        self.served: frozenset[str] = frozenset()
        """The scopes of this peer's own agent that may be spoken of: none until its policy says so."""
        self.fence: Callable[[Scope], bool] = lambda _: False
        """Tells which scopes are not spoken of: somebody else holds the agent whose state they are."""
        self.keys = _core.AuthorKeys()
        self.keys.add(identity.public_key)
        self._options = options
        self._introduced: Counter[str] = Counter()
        self._begun: Counter[str] = Counter()

    def restore(self, rows: Iterable[wants.Row], turn: Turn) -> None:
        """Begin with what the store holds; the room's own scope is there in any case."""
        self.scopes.clear()
        self.broken.clear()
        for name, kind, data in rows:
            if name in self.broken:
                continue
            try:
                self._restore(name, kind, data, turn)
            except _core.CoreError as error:
                self.scopes.pop(name, None)
                self.broken[name] = str(error)
                turn.count("state.unreadable")
                turn.log("error", "state-unreadable", scope=name, error=str(error))
        self.open(room_scope(self._options.room).name, turn)

    def open(self, name: str, turn: Turn) -> Held | None:
        """Return the scope of this name; begin it where it may be here and there is room."""
        held = self.scopes.get(name)
        if held is not None or name in self.broken:
            return held
        scope = read_scope(name, self._options.room)
        if scope is None or not scope.holder(self.author):
            turn.count("state.scopes.foreign")
            return None
        if len(self.scopes) >= limits.STATE_SCOPES:
            turn.count("state.scopes.full")
            return None
        held = Held(scope, _core.StateMap(name, self.author, seed=turn.draw()[:16]), self._believed(scope))
        self.scopes[name] = held
        return held

    def offered(self, name: str, node_id: str, turn: Turn) -> Held | None:
        """Return the scope that a peer speaks of; begin it where it may be here, for so many of one peer.

        What is for this peer alone only its owner offers; what is for everybody, whoever passes it on.
        """
        if name in self.scopes:
            return self.scopes[name]
        scope = read_scope(name, self._options.room)
        if scope is None or scope.owner == self.author or scope.to not in ("", ANYBODY, self.author):
            return None
        if self._begun[node_id] >= limits.STATE_SCOPES_OF_PEER:
            turn.count("state.scopes.full")
            return None
        held = self.open(name, turn)
        self._begun[node_id] += held is not None
        return held

    @property
    def size_bytes(self) -> int:
        """Return how many bytes of operations all of them hold."""
        return sum(held.map.size_bytes for held in self.scopes.values())

    def prove(self, public_key: bytes) -> str:
        """Take the key that a session proved; return its author."""
        author = _core.author_of(public_key)
        if author in self.keys or len(self.keys) < limits.STATE_KEYS:
            self.keys.add(public_key)
            self._tell_owned(author, public_key)
        return author  # one that did not fit is not believed

    def introduce(self, node_id: str, public_key: bytes, turn: Turn) -> str | None:
        """Take a key that a peer passes on; return its author where it was not known, else None.

        A key is its author, so nobody can be given another's; what is bounded is how many names come in.
        """
        try:
            author = _core.author_of(public_key)
        except _core.CoreError:
            turn.count("state.keys.invalid")
            return None
        if author in self.keys:
            return None
        if self._options.strict and _fingerprint(public_key) not in self._options.trusted:
            turn.count("state.keys.untrusted")
            return None
        if len(self.keys) >= limits.STATE_KEYS or self._introduced[node_id] >= limits.STATE_INTRODUCED:
            turn.count("state.keys.full")
            return None
        self._introduced[node_id] += 1
        self.keys.add(public_key)
        self._tell_owned(author, public_key)
        return author

    def _restore(self, name: str, kind: int, data: bytes, turn: Turn) -> None:
        scope = read_scope(name, self._options.room)
        if scope is None:
            return  # a room this peer was in before; its rows stay where they are
        if kind == wants.KEY:
            author = self.prove(data)
            if name in self.scopes:
                self.scopes[name].keyed.add(author)
            return
        if kind == wants.GONE:
            held = self.open(name, turn)
            if held is not None:
                held.gone.add(data.decode())
            return
        if kind == wants.SNAPSHOT:
            replica = _core.StateMap.restore(name, self.author, data, seed=turn.draw()[:16])
            self.scopes[name] = Held(scope, replica, self._believed(scope))
        else:
            held = self.open(name, turn)
            if held is None:
                return
            held.map.merge(data)
        self.scopes[name].loaded(kind, len(data))

    def _believed(self, scope: Scope) -> _core.AuthorKeys:
        if not scope.owner:
            return self.keys
        keys, key = _core.AuthorKeys(), self.keys.key(scope.owner)
        if key is not None:
            keys.add(key)
        return keys

    def _tell_owned(self, author: str, public_key: bytes) -> None:
        """Let an owner's own scopes believe its key, which came after they did."""
        for held in self.scopes.values():
            if held.scope.owner == author:
                held.keys.add(public_key)


def _fingerprint(public_key: bytes) -> str:
    from covey.proto.peers import fingerprint

    return fingerprint(public_key)
