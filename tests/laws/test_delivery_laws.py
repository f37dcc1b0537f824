"""Laws of directed delivery: each record is in its receiver's inbox once, in order or with a gap."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from covey.proto import effects as fx
from covey.proto import mail
from covey.proto import news as nw
from covey.proto.options import AdmissionOptions
from covey.proto.spans import Spans
from tests.unit.proto.virtual import Host, Mesh

EVERYTHING = AdmissionOptions(stable=2.0, guarded=2.0, redundancy=0.0)


class DeliveryMachine(RuleBasedStateMachine):
    """Two peers that address each other, while links, disks and both processes fail."""

    def __init__(self) -> None:
        super().__init__()
        self.mesh = Mesh()
        self.number = 0
        self.told_before: dict[str, list[tuple[int, int]]] = {}
        """Gaps that a process told before it was killed, by nodeId: the disk may never have had them."""

    @property
    def hosts(self) -> list[Host]:
        return self.mesh.hosts

    @initialize(chunk=st.sampled_from([7, 100, 1 << 16]))
    def start(self, chunk: int) -> None:
        self.mesh.chunk = chunk
        for number in (1, 2):
            self.mesh.host(number, admission=EVERYTHING)
        self.mesh.introduce(*self.hosts)

    @rule(who=st.integers(0, 1), count=st.integers(1, 5))
    def address(self, who: int, count: int) -> None:
        for _ in range(count):
            self.number += 1
            self.mesh.seconds += 0.001
            self.hosts[who].emit(f"errand {self.number}", to=self.hosts[1 - who].identity.node_id)

    @rule(who=st.integers(0, 1), asked=st.booleans())
    def kill(self, who: int, asked: bool) -> None:
        """Kill a process; what its disk was asked for is lost, or (`asked`) was just done."""
        host = self.hosts[who]
        if asked and host.store == "hold":
            for effect in host.asked:
                if isinstance(effect, fx.Store):
                    host.db.commit([effect.batch], effect.now_ms, [effect.attention])
        told = self.told_before.setdefault(host.identity.node_id, [])
        told += [(news.first, news.last or 1 << 62) for news in host.told(nw.Gap)]
        again = self.mesh.restart(host)
        other = self.hosts[1 - who]
        again.feed(fx.PeerDiscovered(self.mesh.hint(other)))
        other.feed(fx.PeerDiscovered(self.mesh.hint(again)))
        self.mesh.settle()

    @rule(who=st.integers(0, 1), which=st.integers(0, 3))
    def cut(self, who: int, which: int) -> None:
        ends = list(self.hosts[who].ends.values())
        if ends:
            self.mesh.cut(ends[which % len(ends)])
            self.mesh.settle()

    @rule(who=st.integers(0, 1))
    def dial(self, who: int) -> None:
        """Open a second session beside the first."""
        self.hosts[who].feed(fx.Dialled("127.0.0.1", self.hosts[1 - who].port))
        self.mesh.settle()

    @rule(who=st.integers(0, 1), stalled=st.booleans())
    def stall(self, who: int, stalled: bool) -> None:
        """Leave bytes on the way: a cut then loses them, and another session overtakes them."""
        for end in self.hosts[who].ends.values():
            end.paused = stalled
        self.mesh.settle()

    @rule(who=st.integers(0, 1), full=st.booleans())
    def press(self, who: int, full: bool) -> None:
        for link in list(self.hosts[who].ends):
            self.hosts[who].feed(fx.LinkFull(link, full))
        self.mesh.settle()

    @rule(who=st.integers(0, 1), how=st.sampled_from(["ok", "hold", "fail"]))
    def disk(self, who: int, how: str) -> None:
        host = self.hosts[who]
        host.store = how
        if how != "hold":
            host.answer(ok=how == "ok")

    @rule(who=st.integers(0, 1), count=st.integers(1, 4), failing=st.integers(1, 2))
    def lose_some(self, who: int, count: int, failing: int) -> None:
        """Let a disk refuse what came first, and take what came after it."""
        host = self.hosts[who]
        host.answer()
        host.store = "hold"
        for _ in range(count):
            self.address(1 - who, 1)
        host.store = "ok"
        host.answer(failing=failing)

    @rule(who=st.integers(0, 1))
    def finish_apart(self, who: int) -> None:
        """Let an application finish while the sender is away: nobody can tell it then."""
        self.mesh.apart = True
        for end in list(self.hosts[who].ends.values()):
            self.mesh.cut(end)
        self.mesh.settle()
        self._finish_all(self.hosts[who])
        self.address(who, 1)
        self.mesh.apart = False

    @rule(who=st.integers(0, 1), count=st.integers(1, 3))
    def leave_undone(self, who: int, count: int) -> None:
        self.hosts[who].undone = count

    @rule(who=st.integers(0, 1))
    def finish(self, who: int) -> None:
        self._finish_all(self.hosts[who])

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.mesh.advance(seconds)

    @invariant()
    def nothing_is_delivered_twice(self) -> None:
        for host in self.hosts:
            rows = Counter(row.record.assertion_id for row in host.db.inbox(0, 10_000))
            assert not [each for each, times in rows.items() if times > 1]
            told = Counter(news.delivery.block.assertion_id for news in host.told(nw.Delivered))
            assert not [each for each, times in told.items() if times > 1]

    @invariant()
    def what_is_out_of_order_was_told(self) -> None:
        for host in self.hosts:
            rows = [row for row in host.db.inbox(0, 10_000) if row.number is not None]
            gaps = [(gap.first, gap.last) for gap in host.db.mail.gaps(0, 1 << 40, 10_000)]
            # what the disk refused to keep was told all the same, and is kept with the next attempt
            gaps += [(news.first, news.last or 1 << 62) for news in host.told(nw.Gap)]
            gaps += self.told_before.get(host.identity.node_id, [])
            for before, after in pairwise(rows):
                assert before.number is not None
                assert after.number is not None
                told = [first for first, last in gaps if first <= after.number <= last]
                missing = range(before.number + 1, after.number)
                assert after.number > before.number or told, "a number behind its turn was told as missing"
                had = {row.number for row in rows if row.seq < after.seq}
                for number in missing:
                    assert number in had or any(first <= number <= last for first, last in gaps)

    def _finish_all(self, host: Host) -> None:
        for row in host.db.inbox(0, 10_000):
            if row.directed and row.finished is None:
                host.feed(mail.Ended(row.record.assertion_id, "executed", "done"))
        self.mesh.settle()

    def teardown(self) -> None:
        """Let the world be kind again: then everything has arrived, was acted on, and its sender knows."""
        if not self.hosts:
            return
        for host in self.hosts:
            host.store, host.undone = "ok", 0
            host.answer()
        for host in self.hosts:
            for end in list(host.ends.values()):
                end.paused = False
                host.feed(fx.LinkFull(end.link, False))
        self.mesh.advance(90)
        for host, author in zip(self.hosts, reversed(self.hosts), strict=True):
            rows = [row for row in host.db.inbox(0, 10_000) if row.directed]
            assert sorted(row.record.assertion_id for row in rows) == sorted(self._addressed(author))
            self._finish_all(host)
        self.mesh.advance(90)
        for host in self.hosts:
            assert not host.db.mail.sends(10_000), "nothing is left open"
            ends = {
                row.state
                for each in self._addressed(host)
                for row in host.db.mail.sends(9, assertion_id=each)
            }
            assert ends <= {"executed"}, ends

    def _addressed(self, host: Host) -> list[str]:
        """Return what a host durably addressed to the other one: minted, whatever happened since."""
        own = host.db.recent(10_000, author_node_id=host.identity.node_id)
        return [record.assertion_id for record in own if record.to is not None]


DeliveryMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestDelivery = DeliveryMachine.TestCase


spans = st.tuples(st.integers(1, 40), st.integers(0, 6)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(spans, max_size=25))
def test_spans_hold_what_a_set_holds(added: list[tuple[int, int]]) -> None:
    held, plain = Spans(), set[int]()
    for first, last in added:
        fresh = [number for a, b in held.add(first, last) for number in range(a, b + 1)]
        assert fresh == [number for number in range(first, last + 1) if number not in plain]
        plain.update(range(first, last + 1))
        assert all((number in held) == (number in plain) for number in range(1, 60))
        assert held.cursor == next(number for number in range(60) if number + 1 not in plain)
        open_numbers = [number for a, b in held.holes(50) for number in range(a, b + 1)]
        assert open_numbers == [number for number in range(1, 51) if number not in plain]
