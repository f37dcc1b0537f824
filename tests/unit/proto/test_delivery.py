"""Directed delivery between two engines: numbers, cursors, gaps, ends, deadlines; and peers that lie."""

from __future__ import annotations

import json

import pytest

from covey import _core, limits
from covey.model import EmissionRefused, Minted, SendState
from covey.proto import effects as fx
from covey.proto import mail, receipts
from covey.proto import news as nw
from covey.proto.options import AdmissionOptions
from tests.unit.proto.virtual import Host, Mesh, node_id

EVERYTHING = AdmissionOptions(stable=2.0, guarded=2.0, redundancy=0.0)


@pytest.fixture
def mesh() -> Mesh:
    return Mesh()


def pair(mesh: Mesh) -> tuple[Host, Host]:
    return mesh.pair(admission=EVERYTHING)


def address(host: Host, text: str, to: int = 2, **more: float) -> str:
    host.mesh.seconds += 0.001  # one text in one millisecond is one assertion
    result = host.emit(text, to=node_id(to), **more)
    assert isinstance(result, Minted)
    return result.block.assertion_id


def numbers(host: Host) -> list[int | None]:
    return [row.number for row in host.db.inbox(0, 1_000)]


def gaps(host: Host) -> list[tuple[int, int | None, str, bool]]:
    return [(gap.first, gap.last, gap.reason, gap.late) for gap in host.told(nw.Gap)]


def hear(host: Host, who: int, frame: bytes) -> None:
    """Let a peer say a control frame on its open session."""
    other = next(each for each in host.mesh.hosts if each.identity.node_id == node_id(who))
    peer = other.engine._sessions.peers[host.identity.node_id]
    assert peer.active is not None
    assert isinstance(peer.active.session, _core.Session)
    peer.active.session.send_control(frame)
    other.engine._sessions.touch(peer.active)
    other.feed(fx.Timer(host.mesh.entropy(32)))
    host.mesh.settle()


def part(mesh: Mesh, host: Host) -> None:
    for end in list(host.ends.values()):
        mesh.cut(end)
    mesh.settle()


# --- ends ---------------------------------------------------------------------------------------


def test_a_directed_block_is_delivered_under_its_number_and_its_end_comes_back(mesh: Mesh) -> None:
    one, two = pair(mesh)
    asserted = address(one, "first")
    address(one, "second")
    assert [news.delivery.number for news in two.told(nw.Delivered)] == [1, 2]
    assert one.states_of("first") == [SendState.DELIVERED]
    assert not any(news.final for news in one.told(nw.SendSettled))
    two.feed(mail.Ended(asserted, "executed", "replied: cmb-1"))
    two.feed(mail.Ended(asserted, "unexecuted", "a second end is none"))
    mesh.settle()
    assert one.states_of("first") == [SendState.DELIVERED, SendState.EXECUTED]
    assert one.ends_of("first")[-1].reason == "replied: cmb-1"
    assert [news.final for news in one.told(nw.SendSettled)] == [False, False, True]


def test_an_end_that_came_while_the_sender_was_away_is_asked_for(mesh: Mesh) -> None:
    one, two = pair(mesh)
    asserted = address(one, "do it")
    part(mesh, one)
    two.feed(mail.Ended(asserted, "unexecuted", "not answered: model-failed"))
    again = mesh.restart(one)
    mesh.introduce(again, two)
    (row,) = again.db.mail.sends(9, assertion_id=asserted)
    assert (row.state, row.reason, row.closed) == ("delivered", "not answered: model-failed", True)
    (settled,) = again.told(nw.SendSettled)
    assert (settled.final, settled.send.state) == (True, SendState.DELIVERED)


def test_a_receiver_that_forgot_a_block_closes_it_as_delivered(mesh: Mesh) -> None:
    one, two = pair(mesh)
    asserted = address(one, "do it")
    part(mesh, one)
    mesh.hosts.remove(two)
    new = mesh.host(2, admission=EVERYTHING)
    mesh.introduce(one, new)
    mesh.advance(5)
    (row,) = one.db.mail.sends(9, assertion_id=asserted)
    assert (row.state, row.closed) == ("delivered", True)
    assert "no longer knows" in (row.reason or "")
    address(one, "again")
    assert gaps(new) == [(1, 1, "settled at its sender, and not held here", False)]
    assert numbers(new) == [2]


def test_a_peer_without_the_extension_yields_accepted_and_nothing_more(mesh: Mesh) -> None:
    one, two = mesh.host(1, admission=EVERYTHING), mesh.host(2, receipts=False, admission=EVERYTHING)
    mesh.introduce(one, two)
    asserted = address(one, "hello")
    (send,) = one.ends_of("hello")
    assert (send.state, send.reason) == (SendState.ACCEPTED, "the peer never says more")
    assert [row.state for row in one.db.mail.sends(9, assertion_id=asserted)] == ["accepted"]
    assert numbers(two) == [None]
    two.feed(mail.Ended(asserted, "executed", None))
    mesh.settle()
    assert one.states_of("hello") == [SendState.ACCEPTED]


# --- order, resumption, gaps ----------------------------------------------------------------------


def test_what_is_minted_while_a_peer_is_away_comes_in_order_page_by_page(mesh: Mesh) -> None:
    one = mesh.host(1, admission=EVERYTHING)
    count = limits.STORE_OUTBOX_PAGE + 40
    for number in range(count):
        address(one, f"errand {number}")
    two = mesh.host(2, admission=EVERYTHING)
    mesh.introduce(one, two)
    address(one, "the last one")
    assert numbers(two) == list(range(1, count + 2))
    assert gaps(two) == []
    assert one.outbox == {}


def test_a_link_that_falls_silent_is_overtaken_without_a_second_delivery(mesh: Mesh) -> None:
    one, two = pair(mesh)
    for end in (*one.ends.values(), *two.ends.values()):
        end.paused = True
    address(one, "stuck")
    for host, other in ((one, two), (two, one)):
        host.feed(fx.Dialled("127.0.0.1", other.port))
    mesh.settle()
    address(one, "behind it")
    for end in (*one.ends.values(), *two.ends.values()):
        end.paused = False
    mesh.advance(10)
    assert numbers(two) == [1, 2]
    assert gaps(two) == []
    assert one.db.outbox(9) == []


def test_a_batch_that_could_not_be_stored_is_a_late_gap_and_comes_again(mesh: Mesh) -> None:
    one, two = pair(mesh)
    two.store = "hold"
    address(one, "lost by the disk")
    held, two.asked, two.store = two.asked, [], "ok"
    two.asked = held
    two.answer(ok=False)
    address(one, "kept")
    assert gaps(two) == [(1, 1, "could not be stored in its place: asked for again", True)]
    mesh.advance(5)
    assert numbers(two) == [2, 1]
    assert one.outbox == {}
    (gap,) = two.db.mail.gaps(0, 9, 9)
    assert (gap.first, gap.last, gap.late) == (1, 1, True)
    part(mesh, one)
    again = mesh.restart(two)
    mesh.introduce(one, again)
    address(one, "and on")
    assert gaps(again) == [], "what came late is no gap any more"


def test_wishes_that_the_store_left_undone_are_wished_again(mesh: Mesh) -> None:
    one, two = mesh.host(1, admission=EVERYTHING), mesh.host(2, admission=EVERYTHING)
    one.undone = two.undone = 1
    mesh.introduce(one, two)
    one.undone = two.undone = 3
    address(one, "in spite of it")
    mesh.advance(30)
    assert numbers(two) == [1]
    assert one.states_of("in spite of it") == [SendState.DELIVERED]
    assert one.counts["mail.not_done"] + two.counts["mail.not_done"] > 0


def test_a_new_store_of_a_sender_is_told_as_a_gap_of_unknown_length(mesh: Mesh) -> None:
    one, two = pair(mesh)
    address(one, "before")
    part(mesh, one)
    mesh.hosts.remove(one)
    new = mesh.host(1, admission=EVERYTHING)
    mesh.introduce(new, two)
    address(new, "after")
    assert gaps(two) == [(2, None, "its sender began anew: what it had not delivered is lost", False)]
    assert numbers(two) == [1, 1]


def test_a_word_that_was_lost_with_its_link_is_asked_for_again(mesh: Mesh) -> None:
    one, two = pair(mesh)
    asserted = address(one, "do it")
    peer = two.engine._sessions.peers[one.identity.node_id]
    assert peer.active is not None
    peer.active.full = True  # what is told now waits …
    two.feed(mail.Ended(asserted, "executed", None))
    mesh.settle()
    peer.owed.clear()  # … and goes down with a link that the sender never used
    peer.active.full = False
    assert one.states_of("do it") == [SendState.DELIVERED]
    mesh.advance(40)
    assert one.states_of("do it") == [SendState.DELIVERED, SendState.EXECUTED]
    assert one.counts["asks.repeated"] >= 1
    asked = one.counts["asks.repeated"]
    mesh.advance(400)
    assert one.counts["asks.repeated"] == asked, "nothing is open any more"


def test_a_receipt_goes_by_the_link_that_brought_the_record(mesh: Mesh) -> None:
    one, two = pair(mesh)
    two.store = "hold"
    address(one, "first")
    for host, other in ((one, two), (two, one)):
        host.feed(fx.Dialled("127.0.0.1", other.port))
    mesh.settle()
    came_by = two.asked[0]
    assert isinstance(came_by, fx.Store)
    two.store = "ok"
    two.answer()
    assert one.states_of("first") == [SendState.DELIVERED]


# --- deadlines ------------------------------------------------------------------------------------


def test_past_its_deadline_a_block_expires_and_leaves_a_gap(mesh: Mesh) -> None:
    one = mesh.host(1, admission=EVERYTHING)
    address(one, "soon", within_seconds=5.0)
    address(one, "any time")
    mesh.advance(6)
    assert one.states_of("soon") == [SendState.EXPIRED]
    two = mesh.host(2, admission=EVERYTHING)
    mesh.introduce(one, two)
    assert numbers(two) == [2]
    assert gaps(two) == [(1, 1, "given up by its sender", False)]
    assert two.heard() == ["any time"]


def test_a_receiver_is_told_how_long_a_block_is_good_for(mesh: Mesh) -> None:
    one, two = pair(mesh)
    address(one, "quick", within_seconds=30.0)
    (news,) = two.told(nw.Delivered)
    assert news.delivery.expires_ms == mesh.now().wall_ms + 30_000
    assert two.db.inbox(0, 9)[0].expires_ms == news.delivery.expires_ms


def test_a_confirmation_after_the_deadline_corrects_it(mesh: Mesh) -> None:
    one, two = pair(mesh)
    two.store = "hold"
    asserted = address(one, "slow disk", within_seconds=2.0)
    mesh.advance(3)
    assert one.states_of("slow disk") == [SendState.EXPIRED]
    two.store = "ok"
    two.answer()
    part(mesh, one)
    mesh.advance(60)
    two.feed(mail.Ended(asserted, "executed", None))
    mesh.settle()
    (row,) = one.db.mail.sends(9, assertion_id=asserted)
    assert row.state in ("expired", "executed"), "never a state that did not happen"


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_deadline_is_in_the_future_and_for_one_peer(mesh: Mesh, seconds: float) -> None:
    one = mesh.host(1)
    for to, within in ((None, 5.0), (node_id(2), seconds)):
        result = one.emit("when", to=to, within_seconds=within)
        assert isinstance(result, EmissionRefused)
        assert result.reason == "deadline"


# --- peers that lie -------------------------------------------------------------------------------


def sent(stream: str = "ab" * 16, base: int = 1, sends: object = (), gaps: object = ()) -> bytes:
    said = {"type": receipts.SENT, "stream": stream, "base": base, "sends": sends, "gaps": gaps}
    return json.dumps(said).encode()


def test_numbers_that_repeat_or_lie_deliver_nothing_twice(mesh: Mesh) -> None:
    one, two = pair(mesh)
    asserted = address(one, "once")
    record = one.records[next(iter(one.records))]
    peer = one.engine._sessions.peers[two.identity.node_id]
    assert peer.active is not None
    assert isinstance(peer.active.session, _core.Session)
    for number in (1, 2, 7):
        peer.active.session.send_control(
            sent(one.db.mail.outbox_page(node_id(2), 0, 1).stream, 1, [[number, asserted, None]])
        )
        peer.active.session.send_record(record)
    one.engine._sessions.touch(peer.active)
    one.feed(fx.Timer(mesh.entropy(32)))
    mesh.settle()
    assert numbers(two) == [1]
    assert len(two.told(nw.Delivered)) == 1


def test_a_liars_gaps_are_told_and_cost_a_bounded_number_of_events(mesh: Mesh) -> None:
    one, two = pair(mesh)
    huge = limits.DELIVERY_NUMBER
    address(one, "an honest one")
    stream = one.db.mail.outbox_page(node_id(2), 0, 1).stream
    hear(two, 1, sent(stream, gaps=[[5, huge]]))
    assert gaps(two) == [(5, huge, "given up by its sender", False)]
    holes = [[10 * each + 1, 10 * each + 1] for each in range(limits.RECEIPTS_PER_FRAME)]
    for more in range(3):
        hear(
            two,
            1,
            sent("cd" * 16, gaps=[[first + 5_000 * more, last + 5_000 * more] for first, last in holes]),
        )
    assert len(two.engine._mail.numbers._streams[one.identity.node_id].spans) <= limits.NUMBERS_HOLES
    assert any(reason == "too many holes" for _, _, reason, _ in gaps(two))
    assert len(gaps(two)) <= 2 + 2 * 3 * limits.RECEIPTS_PER_FRAME


def test_only_who_brought_a_block_is_told_how_it_ended(mesh: Mesh) -> None:
    one, two = pair(mesh)
    three = mesh.host(3, admission=EVERYTHING)
    mesh.introduce(one, two, three)
    asserted = address(one, "between us")
    hear(two, 3, receipts.write_ask([asserted]))
    assert three.counts["receipts.ignored"] == 1, "the answer is: unheard"
    hear(two, 1, receipts.write_ask([asserted]))
    assert two.counts["asks.heard"] == 2


def test_questions_beyond_the_pace_have_no_answer(mesh: Mesh) -> None:
    _, two = pair(mesh)
    for _ in range(limits.ASKS_BURST + 5):
        hear(two, 1, receipts.write_ask(["asrt-" + "0" * 64]))
    assert two.counts["asks.too_fast"] >= 5


def test_a_flood_of_cursors_sends_nothing_again(mesh: Mesh) -> None:
    one, two = pair(mesh)
    two.store = "hold"
    address(one, "in flight")
    stream = one.db.mail.outbox_page(node_id(2), 0, 1).stream
    before = one.counts["records.sent"]
    for _ in range(20):
        hear(one, 2, receipts.write_cursor(receipts.Cursor(stream, 0)))
    assert one.counts["records.sent"] <= before + 1
    assert one.counts["cursors.too_fast"] >= 19


@pytest.mark.parametrize("kind", sorted({receipts.SENT, receipts.CURSOR, receipts.ASK}))
def test_a_malformed_frame_is_counted_and_changes_nothing(mesh: Mesh, kind: str) -> None:
    _, two = pair(mesh)
    hear(two, 1, json.dumps({"type": kind, "more": 1}).encode())
    assert two.counts[f"frames.refused.{kind}"] == 1
    assert gaps(two) == []
