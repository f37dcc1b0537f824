from __future__ import annotations

import pytest

from covey import _core, limits
from covey.model import CAT7, NEUTRAL, Duplicate, EmissionRefused, Minted, Proposal, SendState
from covey.proto import effects as fx
from covey.proto import mail
from covey.proto import news as nw
from tests.unit.proto.virtual import Host, Mesh, identity, node_id


@pytest.fixture
def mesh() -> Mesh:
    return Mesh()


def minted(result: object) -> Minted:
    assert isinstance(result, Minted), result
    return result


# --- connecting -------------------------------------------------------------------------------------


def test_two_hinted_peers_open_one_session_dialled_by_the_smaller(mesh: Mesh) -> None:
    one, two = mesh.pair()
    assert (one.names(), two.names()) == (["peer-2"], ["peer-1"])
    assert one.counts["dials.started"] == 1
    assert two.counts["dials.started"] == 0
    assert one.engine.peers()[0].fingerprint == two.identity.fingerprint
    assert two.bound == {one.identity.node_id: one.identity.public_key}
    assert [news.peer.name for news in one.told(nw.PeerJoined)] == ["peer-2"]


def test_a_dual_dial_ends_with_one_session_and_one_joined_peer(mesh: Mesh) -> None:
    one = mesh.host(1, addresses=(("127.0.0.1", 4001),))
    two = mesh.host(2, addresses=(("127.0.0.1", 4000),))
    mesh.settle()
    assert one.counts["sessions.opened"] == two.counts["sessions.opened"] == 2
    minted(one.emit("during the dual dial"))
    mesh.advance(5)
    assert len(one.ends) == len(two.ends) == 1
    assert next(iter(one.ends)) % 2 == 1, "the session whose client is the smaller nodeId stays"
    minted(one.emit("one"))
    minted(two.emit("two"))
    assert two.heard() == ["during the dual dial", "one"]
    assert one.heard() == ["two"]
    assert len(one.told(nw.PeerJoined)) == 1
    assert one.told(nw.PeerLeft) == []
    mesh.advance(120)
    assert len(one.ends) == 1, "the superseded dial came back"


def test_a_second_address_of_a_connected_peer_adds_no_lasting_session(mesh: Mesh) -> None:
    one, two = mesh.pair()
    one.feed(fx.Dialled("127.0.0.1", two.port))
    mesh.advance(5)
    assert len(one.ends) == 1
    minted(two.emit("still here"))
    assert one.heard() == ["still here"]


def test_a_lost_session_comes_back_and_the_peer_leaves_and_joins(mesh: Mesh) -> None:
    one, _ = mesh.pair()
    mesh.cut(next(iter(one.ends.values())))
    mesh.settle()
    assert one.names() == []
    mesh.advance(1)
    assert one.names() == ["peer-2"]
    assert [type(news) for news in one.news] == [nw.PeerJoined, nw.PeerLeft, nw.PeerJoined]


def test_our_own_address_is_dialled_once_and_never_again(mesh: Mesh) -> None:
    one = mesh.host(1, addresses=(("127.0.0.1", 4000),))
    mesh.advance(120)
    assert one.counts["dials.started"] == 1
    assert one.names() == []


def test_a_second_key_for_a_known_node_id_is_refused_and_does_not_retry(mesh: Mesh) -> None:
    one, two = mesh.pair()
    twin = mesh.host(2, seed=99, addresses=(("127.0.0.1", one.port),))
    mesh.advance(300)
    assert one.counts["sessions.closed.identity_conflict"] == 1
    assert twin.counts["dials.started"] == 1
    assert one.names() == ["peer-2"]
    assert one.engine.peers()[0].fingerprint == two.identity.fingerprint
    minted(two.emit("the first key still speaks"))
    assert one.heard() == ["the first key still speaks"]


def test_a_hint_that_names_another_node_id_leads_to_no_session(mesh: Mesh) -> None:
    one, two = mesh.host(1), mesh.host(2)
    where = (("127.0.0.1", two.port),)
    one.feed(fx.PeerDiscovered(fx.Hint("test", node_id(7), "default", "2.0", where)))
    mesh.settle()
    assert one.names() == two.names() == []
    assert sum(n for name, n in one.counts.items() if name.startswith("handshakes.failed.")) == 1


def test_peers_of_two_rooms_do_not_meet(mesh: Mesh) -> None:
    one = mesh.host(1, room="red", addresses=(("127.0.0.1", 4001),))
    two = mesh.host(2, room="blue")
    mesh.settle()
    assert one.names() == two.names() == []
    assert two.bound == {}
    assert any(name.startswith("handshakes.failed.") for name in two.counts)


def test_a_connection_that_never_speaks_is_closed_after_the_handshake_time(mesh: Mesh) -> None:
    one = mesh.host(1)
    one.feed(fx.LinkOpened(2, True, "127.0.0.1:9", True, mesh.entropy(64)))
    mesh.advance(limits.HANDSHAKE_SECONDS - 0.1)
    assert one.counts["handshakes.failed.timeout"] == 0
    mesh.advance(0.2)
    assert one.counts["handshakes.failed.timeout"] == 1


def test_garbage_closes_the_connection_and_leaves_no_state(mesh: Mesh) -> None:
    one = mesh.host(1)
    one.feed(fx.LinkOpened(2, True, "127.0.0.1:9", True, mesh.entropy(64)))
    one.feed(fx.LinkData(2, b"GET / HTTP/1.1\r\n\r\n", mesh.entropy(32)))
    mesh.settle()
    assert any(name.startswith("sessions.closed.") for name in one.counts)
    assert one.names() == []
    assert one.bound == {}


def test_a_flood_of_silent_connections_is_turned_away(mesh: Mesh) -> None:
    one = mesh.host(1)
    for link in range(2, 2 * limits.UNPROVEN_LINKS + 12, 2):
        one.feed(fx.LinkOpened(link, True, "127.0.0.1:9", True, mesh.entropy(64)))
    mesh.settle()
    assert one.counts["sessions.closed.too_many_links"] == 5


def test_silence_is_pinged_and_a_dead_peer_is_let_go(mesh: Mesh) -> None:
    one, two = mesh.pair()
    mesh.advance(60)
    assert one.names() == ["peer-2"]
    assert one.counts["frames.control.pong"] + two.counts["frames.control.pong"] >= 2
    end = next(iter(two.ends.values()))
    end.paused = True
    assert end.other is not None
    end.other.paused = True
    mesh.advance(limits.SILENCE_SECONDS + 1)
    assert one.counts["sessions.closed.silent"] == 1
    assert [news.reason for news in one.told(nw.PeerLeft)] == ["silent"]


def test_heartbeat_and_silence_are_the_operators_choice(mesh: Mesh) -> None:
    one, two = mesh.pair(heartbeat_seconds=2.0, silence_seconds=6.0)
    mesh.advance(5)
    assert one.names() == ["peer-2"]
    assert one.counts["frames.control.pong"] + two.counts["frames.control.pong"] >= 2
    end = next(iter(two.ends.values()))
    end.paused = True
    assert end.other is not None
    end.other.paused = True
    mesh.advance(6.5)
    assert one.counts["sessions.closed.silent"] == 1


# --- blocks -----------------------------------------------------------------------------------------


def test_an_emitted_block_arrives_is_judged_delivered_and_receipted(mesh: Mesh) -> None:
    one, two = mesh.pair()
    result = minted(one.emit("ship the parser"))
    assert [send.state for send in result.sends] == [SendState.ACCEPTED]
    judged = two.told(nw.Judged)
    assert [(j.outcome, j.key) for j in judged] == [("admitted", result.block.key)]
    assert judged[0].judgement is not None
    assert len(judged[0].judgement.categories) == 7
    delivery = two.told(nw.Delivered)[0].delivery
    assert delivery.block == result.block
    assert (delivery.ingested, delivery.directed, delivery.wakes) == (True, False, True)
    assert one.states_of("ship the parser") == [SendState.DELIVERED]
    assert (one.counts["emissions.minted"], two.counts["records.admitted"]) == (1, 1)


def test_an_answer_to_ones_own_block_is_heard(mesh: Mesh) -> None:
    one, two = mesh.pair()
    asked = minted(one.emit("who reviews this"))
    minted(two.emit("the reviewer answers at length", parents=(asked.block.key,)))
    assert one.heard() == ["the reviewer answers at length"]
    assert one.told(nw.Delivered)[0].delivery.block.parents == (asked.block.key,)


def test_the_same_cognition_twice_is_a_duplicate_and_is_sent_once(mesh: Mesh) -> None:
    one, two = mesh.pair()
    first = minted(one.emit("only once"))
    assert one.emit("only once") == Duplicate(first.block.key)
    assert two.heard() == ["only once"]


def test_the_same_cognition_twice_while_the_store_is_busy_is_a_duplicate_too(mesh: Mesh) -> None:
    one, _ = mesh.pair()
    one.store = "hold"
    assert one.emit("only once") is None
    assert isinstance(one.emit("only once"), Duplicate)
    one.answer()
    assert one.counts["emissions.minted"] == 1


@pytest.mark.parametrize(
    ("proposal", "reason"),
    [
        (Proposal({}), "empty"),
        (Proposal({"focus": "  "}), "empty"),
        (Proposal({"focus": "neutral"}), "empty"),
        (Proposal({"colour": "red"}), "unknown_category"),
        (Proposal({"focus": "x"}, to=node_id(1)), "to_self"),
        (Proposal({"focus": "x"}, to="nobody"), "invalid_id"),
        (Proposal({"focus": "x"}, parents=("cmb-1",)), "invalid_id"),
        (Proposal({"focus": "x" * (limits.CATEGORY_TEXT_BYTES + 1)}), "too_large"),
    ],
)
def test_what_cannot_be_signed_is_refused_and_nothing_is_stored(
    mesh: Mesh, proposal: Proposal, reason: str
) -> None:
    one, two = mesh.pair()
    one.feed(fx.Emit(77, proposal))
    mesh.settle()
    refused = one.replies[77]
    assert isinstance(refused, EmissionRefused)
    assert refused.reason == reason
    assert one.keys == set()
    assert two.counts["records.received"] == 0


def test_a_block_that_cannot_be_stored_is_refused_and_never_sent(mesh: Mesh) -> None:
    one, two = mesh.pair()
    one.store = "fail"
    refused = one.emit("lost at home")
    assert isinstance(refused, EmissionRefused)
    assert refused.reason == "store"
    assert two.counts["records.received"] == 0
    one.store = "ok"
    minted(one.emit("lost at home"))
    assert two.heard() == ["lost at home"]


def test_nothing_is_told_before_it_is_durable(mesh: Mesh) -> None:
    one, two = mesh.pair()
    two.store = "hold"
    minted(one.emit("wait for the disk"))
    assert two.told(nw.Judged) == []
    assert two.counts["records.admitted"] == 0
    assert one.states_of("wait for the disk") == []
    two.answer()
    assert two.heard() == ["wait for the disk"]
    assert one.states_of("wait for the disk") == [SendState.DELIVERED]


def test_a_store_failure_takes_the_batch_back_and_a_resend_is_judged_again(mesh: Mesh) -> None:
    one, two = mesh.pair()
    two.store = "fail"
    minted(one.emit("try again"))
    assert two.heard() == []
    assert (two.counts["records.rolled_back"], two.counts["store.failed"]) == (1, 1)
    assert one.states_of("try again") == []
    two.store = "ok"
    mesh.cut(next(iter(one.ends.values())))
    mesh.advance(2)
    assert two.heard() == ["try again"]
    assert one.states_of("try again") == [SendState.DELIVERED]


def test_a_duplicate_of_a_batch_that_failed_is_not_receipted(mesh: Mesh) -> None:
    one, two, three = mesh.host(1), mesh.host(2), mesh.host(3)
    mesh.introduce(one, two, three)
    three.store = "hold"
    two.store = "hold"
    minted(one.emit("same words"))
    two.store = "ok"
    minted(two.emit("same words"))
    asked = [effect for effect in three.asked if isinstance(effect, fx.Store)]
    assert len(asked) == 1, "the second is a duplicate and needs no store"
    three.answer(ok=False)
    ends = {send.name: send.state for send in two.ends_of("same words")}
    assert ends == {"peer-1": SendState.DELIVERED}, "peer-3 took its copy back and must not acknowledge it"


def test_what_was_on_its_way_when_a_session_broke_is_sent_again_once(mesh: Mesh) -> None:
    one, two = mesh.pair()
    end = next(iter(two.ends.values()))
    end.paused = True
    for text in ("first", "second"):
        minted(one.emit(text))
    mesh.cut(end)
    mesh.settle()
    sends = minted(one.emit("third")).sends
    assert [(send.state, send.reason) for send in sends] == [
        (SendState.UNKNOWN, "away: sent when the peer comes back")
    ]
    mesh.advance(2)
    assert two.heard() == ["first", "second", "third"]
    assert [news.replayed for news in two.told(nw.Judged)] == [False] * 3, "sent, not replayed as context"


def test_a_peer_away_past_retention_is_settled_as_expired(mesh: Mesh) -> None:
    one, two = mesh.pair()
    two.feed(fx.Shutdown())
    mesh.advance(5)
    minted(one.emit("too late"))
    mesh.advance(limits.PEER_RETENTION_SECONDS + 1)
    assert one.states_of("too late") == [SendState.EXPIRED]


def test_a_peer_without_receipts_ends_sends_as_accepted(mesh: Mesh) -> None:
    one, two = mesh.host(1), mesh.host(2, receipts=False)
    mesh.introduce(one, two)
    minted(one.emit("no answer"))
    assert two.heard() == ["no answer"]
    assert one.states_of("no answer") == [SendState.ACCEPTED]


def test_admission_says_no_and_the_sender_hears_why(mesh: Mesh) -> None:
    one, two = mesh.pair()
    minted(one.emit("a parser for the configuration language"))
    minted(one.emit("zebra quilts in the moonlight, vividly"))
    ends = one.ends_of("zebra quilts in the moonlight, vividly")
    outcome = two.told(nw.Judged)[-1]
    assert [send.name for send in ends] == ["peer-2"]
    if outcome.outcome == "admitted":
        assert ends[0].state is SendState.DELIVERED
    else:
        assert ends[0].state is SendState.REFUSED
        assert ends[0].reason == outcome.detail.lower()
        assert ends[0].reason.startswith(f"{outcome.outcome}: ")


def test_three_peers_all_hear_each_other(mesh: Mesh) -> None:
    hosts = [mesh.host(number) for number in (1, 2, 3)]
    mesh.introduce(*hosts)
    for host in hosts:
        result = minted(host.emit(f"from {host.identity.name}, about its own work"))
        assert len(result.sends) == 2
    for host in hosts:
        assert host.counts["records.received"] == 2
        assert len(host.told(nw.Judged)) == 2


# --- directed ---------------------------------------------------------------------------------------


def test_a_directed_block_reaches_only_its_peer_and_leaves_the_outbox(mesh: Mesh) -> None:
    hosts = one, two, three = [mesh.host(number) for number in (1, 2, 3)]
    mesh.introduce(*hosts)
    result = minted(one.emit("for your eyes", to=two.identity.node_id))
    assert [send.node_id for send in result.sends] == [two.identity.node_id]
    assert two.heard() == ["for your eyes"]
    assert two.told(nw.Delivered)[0].delivery.directed
    assert three.counts["records.received"] == 0
    assert one.states_of("for your eyes") == [SendState.DELIVERED]
    assert one.outbox == {}


def test_a_directed_block_for_an_absent_peer_waits_and_is_sent_when_it_comes(mesh: Mesh) -> None:
    one = mesh.host(1)
    two_id = node_id(2)
    send = minted(one.emit("when you are back", to=two_id)).sends[0]
    assert send.state is SendState.UNKNOWN
    assert "outbox for 24 h" in str(send.reason)
    assert len(one.outbox) == 1
    two = mesh.host(2)
    mesh.introduce(one, two)
    assert two.heard() == ["when you are back"]
    assert one.states_of("when you are back") == [SendState.DELIVERED]
    assert one.outbox == {}


def test_a_directed_block_past_its_day_expires(mesh: Mesh) -> None:
    one = mesh.host(1)
    minted(one.emit("yesterday", to=node_id(2)))
    mesh.seconds += limits.OUTBOX_SECONDS + 1
    two = mesh.host(2)
    mesh.introduce(one, two)
    assert two.heard() == []
    assert one.states_of("yesterday") == [SendState.EXPIRED]
    assert one.outbox == {}


# --- who wakes, and context --------------------------------------------------------------------------


def strangers(mesh: Mesh, **options: object) -> tuple[Host, Host]:
    one, two = mesh.host(1), mesh.host(2, **options)
    one.loopback = False
    mesh.introduce(one, two)
    return one, two


def test_a_strangers_block_is_remembered_and_wakes_nobody(mesh: Mesh) -> None:
    one, two = strangers(mesh)
    minted(one.emit("hello from afar"))
    delivery = two.told(nw.Delivered)[0].delivery
    assert (delivery.ingested, delivery.wakes) == (True, False)


@pytest.mark.parametrize(
    "options",
    [
        {"trusted": frozenset({node_id(1)})},
        {"trusted": frozenset({identity(1).fingerprint})},
        {"strangers_wake": True},
    ],
)
def test_a_trusted_authors_block_wakes(mesh: Mesh, options: dict[str, object]) -> None:
    one, two = strangers(mesh, **options)
    minted(one.emit("hello from a friend"))
    assert two.told(nw.Delivered)[0].delivery.wakes


def test_a_late_joiner_gets_context_that_wakes_nobody(mesh: Mesh) -> None:
    one = mesh.host(1)
    said = [f"decision number {number} of the morning" for number in range(7)]
    for text in said:
        minted(one.emit(text))
    two = mesh.host(2)
    mesh.introduce(one, two)
    assert two.counts["records.received"] == limits.ANCHOR_REPLAY_RECORDS
    judged = two.told(nw.Judged)
    assert all(j.replayed for j in judged)
    assert len(judged) == limits.ANCHOR_REPLAY_RECORDS
    assert not any(news.delivery.wakes for news in two.told(nw.Delivered))
    minted(one.emit("and now something fresh"))
    assert two.told(nw.Judged)[-1].replayed is False


def test_context_is_replayed_at_most_once_a_minute(mesh: Mesh) -> None:
    one = mesh.host(1)
    minted(one.emit("the one decision"))
    two = mesh.host(2)
    mesh.introduce(one, two)
    for _ in range(3):
        mesh.cut(next(iter(one.ends.values())))
        mesh.advance(5)
    assert one.counts["records.replayed"] == 1
    mesh.advance(limits.ANCHOR_REPLAY_SECONDS)
    mesh.cut(next(iter(one.ends.values())))
    mesh.advance(5)
    assert one.counts["records.replayed"] == 2


# --- pressure ---------------------------------------------------------------------------------------


def test_a_slow_peer_shows_and_gets_everything_when_it_catches_up(mesh: Mesh) -> None:
    one, two = mesh.pair()
    link = next(iter(one.ends))
    one.feed(fx.LinkFull(link, True))
    mesh.settle()
    assert one.engine.peers()[0].state == "slow"
    assert minted(one.emit("hold on")).sends[0].reason == "slow: sent when the peer has taken more"
    assert two.heard() == []
    one.feed(fx.LinkFull(link, False))
    mesh.settle()
    assert two.heard() == ["hold on"]
    assert [news.slow for news in one.told(nw.PeerSlow)] == [True, False]


def test_a_full_queue_refuses_with_a_reason(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OUTLET_RECORDS", 2)
    one, _ = mesh.pair()
    one.feed(fx.LinkFull(next(iter(one.ends)), True))
    states = [minted(one.emit(f"number {n}")).sends[0].state for n in range(3)]
    assert states == [SendState.UNKNOWN, SendState.UNKNOWN, SendState.REFUSED]
    assert one.counts["sends.refused.queue_full"] == 1


def test_a_stranger_is_read_no_faster_than_its_lane_and_nothing_is_lost(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STRANGER_RECORDS_BURST", 4)
    monkeypatch.setattr(limits, "STRANGER_RECORDS_PER_SECOND", 2.0)
    one, two = strangers(mesh)
    for number in range(12):
        minted(one.emit(f"remark {number} by a stranger"))
    assert two.counts["reading.paused"] >= 1
    assert two.counts["records.received"] < 12
    mesh.advance(30)
    assert two.counts["records.received"] == 12
    assert len(two.told(nw.Judged)) == 12
    assert two.counts["reading.paused"] == two.counts["reading.resumed"]


def test_reading_pauses_while_the_store_is_behind(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PENDING_RECORDS", 5)
    one, two = mesh.pair()
    two.store = "hold"
    for number in range(8):
        minted(one.emit(f"remark {number} in a hurry"))
    assert two.counts["reading.paused"] == 1
    assert two.counts["records.received"] == 3
    assert len(two.asked) <= 4
    two.store = "ok"
    two.answer()
    assert len(two.told(nw.Judged)) == 8
    assert two.counts["reading.resumed"] == two.counts["reading.paused"]


# --- the end ----------------------------------------------------------------------------------------


def test_shutdown_waits_for_what_is_pending_then_says_goodbye(mesh: Mesh) -> None:
    one, two = mesh.pair()
    two.store = "hold"
    minted(one.emit("before I go"))
    one.feed(fx.Shutdown())
    mesh.settle()
    assert not one.stopped
    refused = one.emit("too late")
    assert isinstance(refused, EmissionRefused)
    assert refused.reason == "stopping"
    two.answer()
    assert one.stopped
    assert one.states_of("before I go") == [SendState.DELIVERED]
    assert two.names() == []


def test_shutdown_does_not_wait_for_ever(mesh: Mesh) -> None:
    one, two = mesh.pair()
    two.store = "hold"
    minted(one.emit("no receipt will come"))
    one.feed(fx.Shutdown())
    mesh.advance(limits.DRAIN_SECONDS + 0.1)
    assert one.stopped
    assert one.states_of("no receipt will come") == [SendState.UNKNOWN]
    mesh.advance(60)
    assert two.names() == []
    assert one.counts["dials.started"] == 1


def test_an_event_for_a_link_that_is_gone_changes_nothing(mesh: Mesh) -> None:
    one, _ = mesh.pair()
    before = dict(one.counts)
    for event in (
        fx.LinkData(99, b"late", mesh.entropy(32)),
        fx.LinkLost(99, "closed", mesh.entropy(32)),
        fx.LinkFull(99, True),
        fx.PeerVanished("test", node_id(77)),
        mail.OutboxLoaded(node_id(77), ()),
        mail.StreamLoaded(node_id(77), None, 0, ()),
        mail.EndingsLoaded(node_id(77), (), ()),
    ):
        one.feed(event)
    mesh.settle()
    assert dict(one.counts) == before


def test_the_identity_in_the_engine_is_the_one_that_signs(mesh: Mesh) -> None:
    one, two = mesh.pair()
    minted(one.emit("signed"))
    assert two.told(nw.Delivered)[0].delivery.block.node_id == one.identity.node_id
    assert isinstance(one.identity, _core.Identity)


def test_what_is_emitted_together_is_answered_each_by_itself_and_sent_in_order(mesh: Mesh) -> None:
    one, two = mesh.pair()
    texts = ["first", "", "second", "first", "third"]
    for text in texts:
        mesh.texts[_core.content_key(dict.fromkeys(CAT7, NEUTRAL) | {"focus": text or "x"})] = text
    wanted = tuple(fx.Emit(100 + at, Proposal({"focus": text})) for at, text in enumerate(texts))
    one.feed(fx.EmitMany(wanted))
    mesh.settle()
    kinds = [type(one.replies[100 + at]) for at in range(len(texts))]
    assert kinds == [Minted, EmissionRefused, Minted, Duplicate, Minted]
    assert two.heard() == ["first", "second", "third"]
