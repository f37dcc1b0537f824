"""For tests of authority: who signs what, and a shell in memory for each extension."""

from __future__ import annotations

from covey import _core
from covey.proto import effects as fx
from covey.proto.authority import words
from covey.proto.authority.engine import AuthorityExtension
from covey.proto.authority.signing import Wish
from tests.unit.proto.virtual import Host, Mesh, identity

ANCHOR = identity(1)
PIN = _core.AnchorPin(1, [(ANCHOR.public_key, ANCHOR.node_id)])


def grant(who, role, *, source="anchor", signer=ANCHOR, n=0, scope=None):
    draft = _core.Statement.grant(
        source, node_id=who.node_id, public_key=who.public_key, role=role, nonce=bytes([n]) * 16, scope=scope
    )
    return draft.sign(signer)


def revoke(*targets, source="anchor", signer=ANCHOR, n=0):
    return _core.Statement.revoke(source, [t.id for t in targets], nonce=bytes([n]) * 16).sign(signer)


class Ruled:
    """A host with authority, and a disk that is a dictionary."""

    def __init__(self, mesh: Mesh, number: int, *, pin=PIN, disk=None, **options) -> None:
        self.mesh = mesh
        self.extension = AuthorityExtension(identity(number), pin)
        self.host: Host = mesh.host(number, extensions=[self.extension], **options)
        self.disk: dict[str, bytes] = dict(disk or {})
        self.full = False
        self.answers: dict[int, words.Answer] = {}
        self.host.shells["authority"] = self._do
        rows = list(self.disk.items())
        refused = self.extension.authority.restore(rows)
        gone = {rows[at][0] for at, _, _ in refused}
        told = tuple((rows[at][0], reason, detail) for at, reason, detail in refused)
        self.tell(words.Restored(frozenset(self.disk) - gone, told))

    @property
    def authority(self) -> _core.Authority:
        return self.extension.authority

    def tell(self, what) -> None:
        self.host.feed(fx.Told("authority", what, bytes(32)))
        self.mesh.settle()

    def _do(self, what) -> None:
        if isinstance(what, words.Answer):
            self.answers[what.token] = what
            return
        if isinstance(what, words.Changed):
            return
        problem = "store_disk_full: no room" if self.full else ""
        if not problem:
            self.disk.update(what.statements)
            for each in what.dropped:
                self.disk.pop(each, None)
        self.host.feed(fx.Told("authority", words.Kept(what.token, problem), bytes(32)))

    def take(self, statement) -> words.Answer:
        token = len(self.answers) + 1
        self.tell(words.TakeRequest(token, statement.to_json()))
        return self.answers[token]

    def sign(self, kind, **wish) -> words.Answer:
        token = len(self.answers) + 1
        self.tell(words.SignRequest(token, Wish(kind, **wish)))
        return self.answers[token]


def ruled(mesh: Mesh, *numbers: int, **options) -> list[Ruled]:
    return [Ruled(mesh, number, **options) for number in numbers]


def meet(*all_of_them: Ruled) -> None:
    mesh = all_of_them[0].mesh
    mesh.introduce(*(each.host for each in all_of_them))
    mesh.advance(2)
