"""Hundreds of peers on a simulated transport, for `benches.scale`: what one block costs the engine there.

One engine is the real one, with real sealed sessions; the peers are the other ends of those sessions, and
links are function calls. Its store says yes at once. Only the engine's own processor time is counted: what
a socket and a disk add is measured with real peers, up to two hundred.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from dataclasses import dataclass

from benches import samples
from covey import _core
from covey.model import Proposal
from covey.proto import effects as fx
from covey.proto.node import NodeEngine
from covey.proto.options import AdmissionOptions, NodeOptions

START_MS = 1_760_000_000_000
EVERYTHING = AdmissionOptions(stable=2.0, guarded=2.0, redundancy=0.0)


@dataclass(eq=False)
class Face:
    """The far end of one link."""

    link: int
    who: _core.Identity
    session: _core.Session

    def says(self, number: int) -> bytes:
        """Sign a block, and return the sealed bytes of it."""
        draft = _core.Draft(
            samples.categories(number),
            node_id=self.who.node_id,
            author=self.who.name,
            created_ms=START_MS,
            room=samples.ROOM,
        )
        self.session.send_records([_core.sign(draft, self.who)])
        return self.session.take_output()


class Hub:
    """An engine and its doing; `spent` is the processor time inside of it, in seconds."""

    def __init__(self) -> None:
        options = NodeOptions(room=samples.ROOM, admission=EVERYTHING, trust="open")
        self.engine = NodeEngine(samples.IDENTITY, options)
        self.spent = 0.0
        self.admitted = 0
        self.written: dict[int, int] = {}
        """Frames written to each link since it was last emptied."""
        self._faces: dict[int, Face] = {}
        self._drawn = itertools.count()
        self._numbers = itertools.count()
        self.feed(fx.Started())

    def draw(self, count: int = 64) -> bytes:
        """Return bytes that follow from how many were drawn."""
        return hashlib.shake_256(f"scale {next(self._drawn)}".encode()).digest(count)

    def feed(self, event: fx.Event) -> None:
        """Hand over one event and do what comes of it."""
        waiting = [event]
        while waiting:
            now = fx.Now(START_MS, 1_000.0)
            began = time.process_time()
            effects = self.engine.handle(waiting.pop(0), now)
            self.spent += time.process_time() - began
            for effect in effects:
                waiting += self._do(effect)

    def _do(self, effect: fx.Effect) -> list[fx.Event]:
        match effect:
            case fx.Write(link, data):
                self.written[link] = self.written.get(link, 0) + 1
                return self._carry(self._faces[link], data)
            case fx.Close(link):
                raise ConnectionError(f"the engine closed link {link}")
            case fx.StoreOwn(token):
                return [fx.Stored((fx.Done(token),))]
            case fx.Store(token, batch):
                self.admitted += batch.counts.get("admitted", 0)
                return [fx.Stored((fx.Done(token),))]
        return []

    def _carry(self, face: Face, data: bytes) -> list[fx.Event]:
        """Let the far end read, and say what a peer says at once: its handshake, its anchors, its pongs."""
        met = face.session.state != "handshake"
        heard = face.session.receive(data)
        if not met and face.session.state != "handshake":
            face.session.send_anchors([])
        for said in heard:
            if isinstance(said, _core.Control) and said.type == "ping":
                face.session.send_control(b'{"type":"pong"}')
        out = face.session.take_output()
        return [fx.LinkData(face.link, out, self.draw())] if out else []

    def meet(self, peers: int) -> None:
        """Have that many peers, each in a sealed session."""
        for number in range(len(self._faces) + 1, peers + 1):
            seed = hashlib.sha256(f"scale {number}".encode()).digest()
            who = _core.Identity(f"01900000-0000-7000-8000-{number:012x}", f"peer-{number}", seed)
            session = _core.Session.client(who, room=samples.ROOM, extensions=(), entropy=self.draw())
            self._faces[number] = Face(number, who, session)
            self.feed(
                fx.LinkOpened(number, inbound=True, address="127.0.0.1", loopback=True, entropy=self.draw())
            )
            self.feed(fx.LinkData(number, session.take_output(), self.draw()))
        if len(self.engine.peers()) != peers:
            raise ConnectionError(f"{peers} peers were to be met, {len(self.engine.peers())} are there")

    def speaking(self, blocks: int) -> float:
        """Return the engine's seconds for one block to everybody."""
        self.spent = 0.0
        self.written.clear()
        for _ in range(blocks):
            number = next(self._numbers)
            self.feed(fx.Emit(number, Proposal(samples.categories(number))))
        if sum(self.written.values()) < blocks * len(self._faces):
            raise ConnectionError("not every peer was sent every block")
        return self.spent / blocks

    def hearing(self, blocks: int) -> float:
        """Return the engine's seconds for one block of somebody, all taking turns."""
        faces = itertools.islice(itertools.cycle(self._faces.values()), blocks)
        said = [(face.link, face.says(next(self._numbers))) for face in faces]
        self.spent, self.admitted = 0.0, 0
        for link, data in said:
            self.feed(fx.LinkData(link, data, self.draw()))
        if self.admitted < blocks:
            raise ConnectionError(f"{self.admitted} of {blocks} blocks were admitted")
        return self.spent / blocks
