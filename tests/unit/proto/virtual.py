"""A virtual mesh for tests: real engines and native sessions; network, clock and store are lists."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from covey import _core
from covey.model import CAT7, NEUTRAL, EmissionResult, PeerSend, Proposal, SendState
from covey.proto import effects as fx
from covey.proto import mail
from covey.proto import news as nw
from covey.proto.extension import Extension
from covey.proto.node import NodeEngine
from covey.proto.options import NodeOptions
from covey.store.mailbox import Mailbox
from tests.unit.proto.shelf import new_store

START_MS = 1_700_000_000_000


def node_id(number: int) -> str:
    return f"01900000-0000-7000-8000-{number:012x}"


def identity(number: int, name: str = "", seed: int | None = None) -> _core.Identity:
    raw = hashlib.sha256(f"seed {seed if seed is not None else number}".encode()).digest()
    return _core.Identity(node_id(number), name or f"peer-{number}", raw)


@dataclass(eq=False)
class End:
    """One side of a connection: who reads it, and what waits to be read."""

    host: Host
    link: int
    other: End | None = None
    waiting: deque[bytes] = field(default_factory=deque)
    closed: bool = False
    paused: bool = False


class Host:
    """An engine with its doing: effects become calls on the virtual network and store."""

    def __init__(
        self,
        mesh: Mesh,
        who: _core.Identity,
        options: NodeOptions,
        port: int,
        extensions: Sequence[Extension] = (),
        db: _core.Store | None = None,
    ) -> None:
        self.mesh = mesh
        self.identity = who
        self.port = port
        self.engine = NodeEngine(who, options, extensions)
        self.events: deque[fx.Event] = deque()
        self.ends: dict[int, End] = {}
        self.loopback = True
        self.store = "ok"
        """ok: answers at once; hold: keeps what it is asked; fail: refuses."""
        self.db = db or new_store(who.node_id)
        self.mailbox = Mailbox(self.db, who)
        self.undone = 0
        """How many of the next wishes about directed sends the store leaves undone."""
        self.asked: list[fx.Store | fx.StoreOwn] = []
        self.wanted: list[fx.Want] = []
        self.shells: dict[str, Callable[[Any], None]] = {}
        """What does an extension's wishes, by its name."""
        self.keys: set[str] = set()
        self.records: dict[str, _core.Record] = {}
        self.bound: dict[str, bytes] = {}
        self.counts: Counter[str] = Counter()
        self.news: list[nw.News] = []
        self.logs: list[fx.Log] = []
        self.replies: dict[int, EmissionResult] = {}
        self.reading: list[tuple[int, bool]] = []
        self.stopped = False
        self.accepted = 0

    # --- what a test does -----------------------------------------------------------------------

    @property
    def outbox(self) -> dict[tuple[str, str], int]:
        """What waits to be sent: by assertion and recipient, its number."""
        return {(row.assertion_id, row.node_id): row.number for row in self.db.outbox(10_000)}

    def emit(
        self,
        text: str,
        *,
        to: str | None = None,
        parents: tuple[str, ...] = (),
        within_seconds: float | None = None,
    ) -> EmissionResult | None:
        proposal = Proposal({"focus": text, "intent": f"say {text}"}, parents, to, within_seconds)
        token = self.mesh.token()
        self.mesh.texts[_core.content_key(dict.fromkeys(CAT7, NEUTRAL) | dict(proposal.categories))] = text
        self.feed(fx.Emit(token, proposal))
        self.mesh.settle()
        return self.replies.get(token)

    def feed(self, event: fx.Event) -> None:
        self.events.append(event)

    def answer(self, *, ok: bool = True, failing: int = 0) -> None:
        """Let a holding store answer everything it was asked, `failing` of it with a refusal, the oldest."""
        asked, self.asked = self.asked, []
        for place, effect in enumerate(asked):
            self._answer(effect, ok=ok and place >= failing)
        self.mesh.settle()

    def told(self, kind: type[Any]) -> list[Any]:
        return [news for news in self.news if isinstance(news, kind)]

    def told_judged(self) -> list[nw.Judged]:
        """What was judged here and is durable, in order, but for what was held before."""
        return [news for news in self.told(nw.Judged) if news.outcome != "duplicate"]

    def heard(self) -> list[str]:
        """What was judged here and is durable, in order, whatever admission said."""
        return [self.mesh.texts[news.key or ""] for news in self.told_judged()]

    def ends_of(self, text: str) -> list[PeerSend]:
        keys = {n.block.key for n in self.told(nw.Emitted) if n.block.categories["focus"] == text}
        return [n.send for n in self.told(nw.SendSettled) if n.key in keys]

    def states_of(self, text: str) -> list[SendState]:
        return [send.state for send in self.ends_of(text)]

    def names(self) -> list[str]:
        return [view.name for view in self.engine.peers()]

    # --- doing ----------------------------------------------------------------------------------

    def step(self) -> bool:
        if not self.events:
            return False
        for effect in self.engine.handle(self.events.popleft(), self.mesh.now()):
            self._do(effect)
        return True

    def _do(self, effect: fx.Effect) -> None:
        match effect:
            case _ if isinstance(effect, mail.EFFECTS):
                self._mail(effect)
            case fx.Dial(link, _, port):
                self.mesh.connect(self, link, port)
            case fx.Write(link, data):
                if link in self.ends:  # else it broke, and the engine will hear of it
                    self.mesh.write(self.ends[link], data)
            case fx.Close(link):
                self.mesh.close(self.ends.get(link))
            case fx.Reading(link, on):
                self.reading.append((link, on))
                if link in self.ends:
                    self.ends[link].paused = not on
            case fx.Store() | fx.StoreOwn():
                self._ask(effect)
            case fx.Lookup(peer, keys):
                self.feed(fx.Looked(peer, keys, frozenset(key for key in keys if key not in self.keys)))
            case fx.LoadRecord(peer, request, key):
                self.feed(fx.RecordLoaded(peer, request, key, self.records.get(key)))
            case fx.Bind(peer, key):
                self.bound[peer] = key
            case fx.Want(name, what):
                self.wanted.append(effect)
                self.shells.get(name, lambda _: None)(what)
            case fx.Notify(news):
                self.news.append(news)
            case fx.Reply(token, result):
                self.replies[token] = result
            case fx.Count(name, by):
                self.counts[name] += by
            case fx.Log():
                self.logs.append(effect)
            case fx.Stopped():
                self.stopped = True

    def _ask(self, effect: fx.Store | fx.StoreOwn) -> None:
        if self.store == "hold":
            self.asked.append(effect)
        else:
            self._answer(effect, ok=self.store == "ok")

    def _answer(self, effect: fx.Store | fx.StoreOwn, *, ok: bool) -> None:
        if not ok:
            self.feed(fx.StoreFailed(effect.token, "disk full"))
            return
        fresh, numbers, held = True, [0], frozenset[int]()
        if isinstance(effect, fx.StoreOwn):
            put = (effect.record, effect.recipients, effect.deadline_ms)
            ((fresh, numbers),) = self.db.put_own_many([put], effect.now_ms)
            fresh = effect.record.key not in self.keys
            self.keys.add(effect.record.key)
            self.records.setdefault(effect.record.key, effect.record)
        else:
            report = self.db.commit([effect.batch], effect.now_ms, [effect.attention])
            held = frozenset(position for _, position in report.held)
            for outcome in effect.batch:
                if outcome.kind == "admitted" and outcome.record is not None:
                    self.keys.add(outcome.key)
                    self.records.setdefault(outcome.key, outcome.record)
        self.feed(fx.Stored((fx.Done(effect.token, fresh, numbers[0] if numbers else 0, held),)))

    def _mail(self, wish: mail.Effect) -> None:
        if self.undone:
            self.undone -= 1
            self.feed(mail.NotDone(wish, "disk full"))
            return
        answer = self.mailbox.perform(wish, self.mesh.now().wall_ms, [])
        if answer is not None:
            self.feed(answer)


class Mesh:
    """Every host, the clock, and the connections between them."""

    def __init__(self) -> None:
        self.hosts: list[Host] = []
        self.seconds = 1000.0
        self.chunk = 1 << 16
        self.texts: dict[str, str] = {}
        self.apart = False
        """No new connection comes about."""
        self._drawn = 0
        self._tokens = 0

    def host(
        self,
        number: int,
        *,
        started: bool = True,
        watched: bool = True,
        seed: int | None = None,
        extensions: Sequence[Extension] = (),
        db: _core.Store | None = None,
        **options: Any,
    ) -> Host:
        port = 4000 + len(self.hosts)
        made = Host(self, identity(number, seed=seed), NodeOptions(**options), port, extensions, db)
        self.hosts.append(made)
        if watched:
            made.feed(fx.Watch(True))
        if started:
            made.feed(fx.Started())
        return made

    def restart(self, host: Host) -> Host:
        """Kill a host where it stands, and start it again on what its store holds."""
        host.stopped = True
        host.events.clear()
        for end in list(host.ends.values()):
            self.cut(end)
        host.events.clear()
        again = Host(self, host.identity, host.engine.options, host.port, db=host.db)
        host.db.load_into(again.engine.intake)
        again.keys, again.records, again.bound = host.keys, host.records, host.bound
        self.hosts[self.hosts.index(host)] = again
        again.feed(fx.Watch(True))
        again.feed(fx.Started(bindings=tuple(host.bound.items())))
        return again

    def pair(self, **options: Any) -> tuple[Host, Host]:
        one, two = self.host(1, **options), self.host(2, **options)
        self.introduce(one, two)
        return one, two

    def introduce(self, *hosts: Host) -> None:
        """Let everybody hear of everybody, as discovery would."""
        for one in hosts:
            for other in hosts:
                if one is not other:
                    one.feed(fx.PeerDiscovered(self.hint(other)))
        self.settle()

    def hint(self, host: Host) -> fx.Hint:
        where = (("127.0.0.1", host.port),)
        return fx.Hint("test", host.identity.node_id, host.engine.options.room, "2.0", where)

    def now(self) -> fx.Now:
        return fx.Now(START_MS + int(self.seconds * 1000), self.seconds)

    def token(self) -> int:
        self._tokens += 1
        return self._tokens

    def entropy(self, count: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(f"entropy {self._drawn}".encode()).digest(count)

    def settle(self) -> None:
        """Run until nothing moves without time."""
        moved = True
        while moved:
            moved = any([host.step() for host in self.hosts] + [self._deliver(host) for host in self.hosts])
            moved = moved or any(self._at_once(host) for host in self.hosts)

    def _at_once(self, host: Host) -> bool:
        """Feed a timer that is due without any time passing, after all that can be read has been."""
        at = host.engine.next_timer()
        if at is None or at > self.seconds:
            return False
        host.feed(fx.Timer(self.entropy(32)))
        return True

    def advance(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.seconds + seconds
        while True:
            self.settle()
            due = [(at, index) for index, host in enumerate(self.hosts) if (at := host.engine.next_timer())]
            if not due or min(due)[0] > end:
                break
            at, index = min(due)
            self.seconds = max(self.seconds, at)
            self.hosts[index].feed(fx.Timer(self.entropy(32)))
        self.seconds = end
        self.settle()

    # --- the network ----------------------------------------------------------------------------

    def connect(self, dialler: Host, link: int, port: int) -> None:
        target = next((host for host in self.hosts if host.port == port and not host.stopped), None)
        if target is None or self.apart:
            dialler.feed(fx.LinkFailed(link, "connection refused", self.entropy(32)))
            return
        target.accepted += 2
        here, there = End(dialler, link), End(target, target.accepted)
        here.other, there.other = there, here
        local = dialler.loopback and target.loopback
        for end, inbound in ((here, False), (there, True)):
            end.host.ends[end.link] = end
            ports = (port, 50_000 + link) if inbound else (50_000 + link, port)
            where = [f"127.0.0.1:{number}" for number in ports]
            end.host.feed(fx.LinkOpened(end.link, inbound, where[1], local, self.entropy(64), where[0]))

    def write(self, end: End, data: bytes) -> None:
        if end.other is not None and not end.other.closed:
            end.other.waiting.extend(data[at : at + self.chunk] for at in range(0, len(data), self.chunk))

    def close(self, end: End | None) -> None:
        """Close from this side: the other reads what is on its way, then the end."""
        if end is None or end.closed:
            return
        self._gone(end, "closed")
        if end.other is not None:
            end.other.waiting.append(b"")

    def cut(self, end: End) -> None:
        """Break a connection: what was on its way to either side is lost."""
        for side in (end, end.other):
            if side is not None and not side.closed:
                side.waiting.clear()
                self._gone(side, "reset")

    def _gone(self, end: End, reason: str) -> None:
        end.closed = True
        end.host.ends.pop(end.link, None)
        end.host.feed(fx.LinkLost(end.link, reason, self.entropy(32)))

    def _deliver(self, host: Host) -> bool:
        moved = False
        for end in list(host.ends.values()):
            if end.paused or not end.waiting:
                continue
            data = end.waiting.popleft()
            moved = True
            if data:
                host.feed(fx.LinkData(end.link, data, self.entropy(32)))
            elif not end.closed:
                self._gone(end, "closed")
        return moved
