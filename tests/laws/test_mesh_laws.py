"""Laws of the mesh in any order of events: what was minted arrives everywhere, once; every send ends."""

from __future__ import annotations

from collections import Counter

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from covey.model import CAT7, Minted, SendState
from covey.proto import effects as fx
from covey.proto import news as nw
from tests.unit.proto.virtual import Host, Mesh

WORDS = ("parser", "harbour", "violin", "ledger", "glacier", "tomato", "orbit", "saddle", "lantern", "quartz")


class MeshMachine(RuleBasedStateMachine):
    """Three peers under cut connections, odd chunks, second dials, slow links and failing stores."""

    def __init__(self) -> None:
        super().__init__()
        self.mesh = Mesh()
        self.hosts: list[Host] = []
        self.minted: list[tuple[Host, Minted]] = []
        self.number = 0

    @initialize(chunk=st.sampled_from([7, 100, 1_000, 1 << 16]))
    def start(self, chunk: int) -> None:
        self.mesh.chunk = chunk
        self.hosts = [self.mesh.host(number) for number in (1, 2, 3)]
        self.mesh.introduce(*self.hosts)

    @rule(who=st.integers(0, 2), count=st.integers(1, 4))
    def emit(self, who: int, count: int) -> None:
        for _ in range(count):
            self.number += 1
            word = WORDS[self.number % len(WORDS)]
            result = self.hosts[who].emit(f"{word} {self.number} of peer {who}")
            if isinstance(result, Minted):
                self.minted.append((self.hosts[who], result))

    @rule(who=st.integers(0, 2), which=st.integers(0, 3))
    def cut(self, who: int, which: int) -> None:
        ends = list(self.hosts[who].ends.values())
        if ends:
            self.mesh.cut(ends[which % len(ends)])
            self.mesh.settle()

    @rule(who=st.integers(0, 2), whom=st.integers(0, 2))
    def dial(self, who: int, whom: int) -> None:
        if who != whom:
            self.hosts[who].feed(fx.Dialled("127.0.0.1", self.hosts[whom].port))
            self.mesh.settle()

    @rule(who=st.integers(0, 2), full=st.booleans())
    def press(self, who: int, full: bool) -> None:
        for link in list(self.hosts[who].ends):
            self.hosts[who].feed(fx.LinkFull(link, full))
        self.mesh.settle()

    @rule(who=st.integers(0, 2), how=st.sampled_from(["ok", "hold", "fail"]))
    def disk(self, who: int, how: str) -> None:
        self.hosts[who].store = how
        if how != "hold":
            self.hosts[who].answer(ok=how == "ok")

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 15.0]))
    def wait(self, seconds: float) -> None:
        self.mesh.advance(seconds)

    @invariant()
    def nothing_is_heard_twice(self) -> None:
        for host in self.hosts:
            delivered = Counter(news.delivery.block.key for news in host.told(nw.Delivered))
            assert not [key for key, times in delivered.items() if times > 1]

    @invariant()
    def what_is_counted_happened(self) -> None:
        for host in self.hosts:
            judged = Counter(news.outcome for news in host.told(nw.Judged))
            for outcome in ("admitted", "redundant", "rejected", "duplicate", "refused"):
                assert host.counts[f"records.{outcome}"] == judged[outcome]

    @rule(who=st.integers(0, 2), stalled=st.booleans())
    def stall(self, who: int, stalled: bool) -> None:
        """Leave bytes on the way: a cut then loses them."""
        for end in self.hosts[who].ends.values():
            end.paused = stalled
        self.mesh.settle()

    def teardown(self) -> None:
        """Let the world be kind again; then everything must have arrived and ended."""
        for host in self.hosts:
            for end in host.ends.values():
                end.paused = False
            host.store = "ok"
            host.answer()
        for host in self.hosts:
            for end in list(host.ends.values()):
                host.feed(fx.LinkFull(end.link, False))
        self.mesh.advance(60)
        for host in self.hosts:  # what a failed store took back has no receipt; a new session brings it again
            for end in list(host.ends.values()):
                self.mesh.cut(end)
        self.mesh.advance(60)
        for host in self.hosts:
            assert len(host.ends) == 2, "one session for each pair"
            assert len(host.engine.peers()) == 2
            keys = {news.key for news in host.told(nw.Judged)}
            for author, result in self.minted:
                assert author is host or result.block.key in keys
        for author, result in self.minted:
            ends = [n.send for n in author.told(nw.SendSettled) if n.key == result.block.key]
            assert {send.node_id for send in ends} == {
                host.identity.node_id for host in self.hosts if host is not author
            }
            assert all(send.state in (SendState.DELIVERED, SendState.REFUSED) for send in ends)
            assert set(result.block.categories) == set(CAT7)


MeshMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestMesh = MeshMachine.TestCase
