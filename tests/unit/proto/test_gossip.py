"""What peers tell of others: hints, bounded and paced, that make nobody and go no further."""

from __future__ import annotations

import json
from typing import Any

import pytest

from covey import limits
from covey.proto import effects as fx
from covey.proto.gossip import Gossip
from covey.proto.paths import HEARSAY, TOLD, Found, Gone, Own, Paths
from tests.unit.proto.virtual import START_MS, Host, Mesh, identity, node_id

LAN = ("10.0.0.0/24", "fd00::/64")
AT = (("10.0.0.2", 7000), ("fd00::2", 7000))


class Silent(Paths):
    """Speaks the extension and answers nothing by itself: what it says is the test's."""

    def heard(self, *_: object) -> None:
        pass


class Both:
    """A host with both conversations."""

    def __init__(
        self, mesh: Mesh, number: int, *, own: Own | None = None, loopback: bool = False, **options: Any
    ) -> None:
        self.paths = (Silent if options.pop("silent", False) else Paths)(node_id(number), "default")
        self.gossip = Gossip(node_id(number), self.paths.ask)
        self.host = mesh.host(number, extensions=[self.paths, self.gossip], **options)
        self.host.loopback = loopback
        self.mesh = mesh
        tell(self.host, own or Own((), LAN))

    def send(self, frame: dict[str, object]) -> None:
        """Say something sealed to everybody, as a peer that keeps no rules would."""
        for peer in self.host.engine._sessions.peers.values():
            assert peer.active is not None
            assert peer.active.session is not None
            peer.active.session.send_control(json.dumps(frame).encode())
            self.host.engine._sessions.touch(peer.active)
        self.host.feed(fx.Timer(bytes(32)))
        self.mesh.settle()

    def hints(self) -> list[fx.Hint]:
        return [want.what.hint for want in self.host.wanted if isinstance(want.what, Found)]


def tell(host: Host, own: Own) -> None:
    host.feed(fx.Told("paths", own, bytes(32)))
    host.mesh.settle()


def info(*numbers: int) -> dict[str, object]:
    listed = [{"nodeId": node_id(n), "name": f"peer-{n}", "lastSeen": START_MS} for n in numbers]
    return {"type": "peer-info", "peers": listed}


def test_a_new_peer_hears_of_those_that_are_here_and_of_no_others() -> None:
    mesh = Mesh()
    one, two, three = (Both(mesh, number) for number in (1, 2, 3))
    mesh.introduce(one.host, two.host)
    two.send(info(9))
    mesh.introduce(one.host, three.host)
    assert [each.node_id for each in three.gossip.heard_of()] == [node_id(2)], (
        "what two said of nine stays here"
    )
    assert [each.node_id for each in one.gossip.heard_of()] == [node_id(9)]
    assert three.host.names() == ["peer-1"], "a hint makes no peer"
    assert node_id(2) not in three.host.bound, "and pins no key"


def test_a_direct_peer_needs_nobodys_word_and_words_end_with_their_teller() -> None:
    mesh = Mesh()
    one, two, three = (Both(mesh, number) for number in (1, 2, 3))
    mesh.introduce(one.host, two.host)
    two.send(info(1, 3, 9))
    assert [each.node_id for each in one.gossip.heard_of()] == [node_id(3), node_id(9)]
    mesh.introduce(one.host, three.host)
    assert [each.node_id for each in one.gossip.heard_of()] == [node_id(9)]
    two.host.feed(fx.Shutdown())
    mesh.settle()
    assert one.gossip.heard_of() == []


def test_a_flood_of_peer_info_is_read_at_its_pace_and_up_to_its_bound() -> None:
    mesh = Mesh()
    one, two = Both(mesh, 1), Both(mesh, 2)
    mesh.introduce(one.host, two.host)
    two.send(info(*range(10, 10 + limits.PEER_INFO_READ + 50)))
    assert len(one.gossip.heard_of()) == limits.PEER_INFO_READ
    assert one.host.counts["gossip.ignored.beyond_bound"] == 50
    for _ in range(20):
        two.send(info(5000))
    assert one.host.counts["gossip.ignored.too_many"] == 20 - limits.PEER_INFO_BURST + 1
    assert one.host.names() == ["peer-2"]


def test_a_wake_channel_is_declined_with_its_reason_and_not_kept() -> None:
    mesh = Mesh()
    one, two = Both(mesh, 1), Both(mesh, 2)
    mesh.introduce(one.host, two.host)
    for _ in range(2):
        two.send({"type": "wake-channel", "platform": "apns", "token": "t0ken", "environment": "production"})
    assert one.host.counts["wake.refused.no_push_service"] == 2
    assert [log.facts["reason"] for log in one.host.logs if log.event == "wake-channel-refused"] == [
        "no_push_service"
    ]
    assert "t0ken" not in repr(vars(one.gossip)) + repr([log.facts for log in one.host.logs])


def test_peers_that_met_anywhere_tell_where_they_listen_and_hints_end() -> None:
    mesh = Mesh()
    one, two = Both(mesh, 1), Both(mesh, 2, own=Own(AT, LAN))
    mesh.introduce(one.host, two.host)
    (hint,) = one.hints()
    assert (hint.source, hint.node_id, hint.addresses, hint.room) == (TOLD, node_id(2), AT, "default")
    two.host.feed(fx.Shutdown())
    mesh.advance(limits.PATHS_HINT_SECONDS + 1)
    assert [want.what for want in one.host.wanted if isinstance(want.what, Gone)] == [Gone(TOLD, node_id(2))]


def test_hints_live_on_while_their_owner_is_here_and_change_when_it_moves() -> None:
    mesh = Mesh()
    one, two = Both(mesh, 1), Both(mesh, 2, own=Own(AT, LAN))
    mesh.introduce(one.host, two.host)
    mesh.advance(3 * limits.PATHS_HINT_SECONDS)
    assert not [want for want in one.host.wanted if isinstance(want.what, Gone)]
    tell(two.host, Own((("10.0.0.77", 7000),), LAN))
    assert one.hints()[-1].addresses == (("10.0.0.77", 7000),)


def test_what_was_told_before_we_were_on_its_network_is_dialled_once_we_are_and_no_longer_than_that() -> None:
    """Of two that plug into one LAN the first told one not on it yet, and again only after minutes."""
    mesh = Mesh()
    one, two = Both(mesh, 1, own=Own()), Both(mesh, 2, own=Own(AT, LAN))
    mesh.introduce(one.host, two.host)
    assert one.hints() == []
    assert one.host.counts["paths.ignored.address"] == 2
    tell(one.host, Own((), LAN[:1]))
    assert [hint.addresses for hint in one.hints()] == [AT[:1]]
    tell(one.host, Own((("10.0.0.1", 7000),), LAN[:1]))
    assert len(one.hints()) == 1, "the networks are the same"
    tell(one.host, Own((), LAN))
    assert one.hints()[-1].addresses == AT
    tell(one.host, Own())
    assert [want.what for want in one.host.wanted if isinstance(want.what, Gone)] == [Gone(TOLD, node_id(2))]
    mesh.advance(limits.PATHS_HINT_SECONDS / 2)
    tell(one.host, Own((), LAN))
    assert one.hints()[-1].addresses == AT, "the cable is back"


def test_what_was_told_of_a_third_before_we_were_on_its_network_ends_with_its_time() -> None:
    mesh = Mesh()
    one, two, three = Both(mesh, 1), Both(mesh, 2, own=Own(AT, LAN)), Both(mesh, 3, own=Own())
    mesh.introduce(one.host, two.host)
    mesh.introduce(one.host, three.host)
    assert three.hints() == []
    tell(three.host, Own((), LAN))
    assert [(hint.source, hint.addresses) for hint in three.hints()] == [(HEARSAY, AT)]
    tell(three.host, Own())
    mesh.advance(limits.PATHS_HINT_SECONDS + 1)
    tell(three.host, Own((), LAN))
    assert len(three.hints()) == 1


def test_who_is_told_of_somebody_asks_where_and_is_answered_with_that_ones_own_words() -> None:
    mesh = Mesh()
    one, two, three = Both(mesh, 1), Both(mesh, 2, own=Own(AT, LAN)), Both(mesh, 3)
    mesh.introduce(one.host, two.host)
    mesh.introduce(one.host, three.host)
    (hint,) = three.hints()
    assert (hint.source, hint.node_id, hint.addresses) == (HEARSAY, node_id(2), AT)


@pytest.mark.parametrize(
    "address",
    ["192.168.7.7:1", "8.8.8.8:53", "127.0.0.1:22", "[::1]:22", "[::ffff:127.0.0.1]:22", "[2001:db8::1]:1"],
)
def test_poisoned_addresses_beyond_our_networks_are_not_dialled(address: str) -> None:
    mesh = Mesh()
    one, two = Both(mesh, 1), Both(mesh, 2)
    mesh.introduce(one.host, two.host)
    two.send({"type": "x-covey-paths", "at": [[node_id(2), [address]]]})
    assert one.hints() == []
    assert one.host.counts["paths.ignored.address"] == 1


def test_words_about_others_that_nobody_asked_for_are_ignored() -> None:
    mesh = Mesh()
    one, two = Both(mesh, 1), Both(mesh, 2)
    mesh.introduce(one.host, two.host)
    two.send({"type": "x-covey-paths", "at": [[node_id(n), ["10.0.0.9:1"]] for n in range(10, 30)]})
    assert one.hints() == []
    assert one.host.counts["paths.ignored.unasked"] == 20


def test_one_teller_gives_only_a_bounded_number_of_hints() -> None:
    mesh = Mesh()
    one, two = Both(mesh, 1), Both(mesh, 2, silent=True)
    mesh.introduce(one.host, two.host)
    for start in range(10, 1010, limits.PATHS_ASKED):
        numbers = range(start, start + limits.PATHS_ASKED)
        mesh.advance(limits.PEER_INFO_SECONDS)
        two.send(info(*numbers))
        two.send({"type": "x-covey-paths", "at": [[node_id(n), ["10.0.0.9:1"]] for n in numbers]})
        alive = len(one.hints()) - sum(isinstance(want.what, Gone) for want in one.host.wanted)
        assert alive <= limits.PATHS_ASKED + 1
    assert one.host.counts["paths.ignored.full"] > 0


def test_on_one_machine_loopback_is_told_and_taken_and_nothing_else_is() -> None:
    mesh = Mesh()
    here = Own((("127.0.0.1", 7000),), ())
    one, two = Both(mesh, 1, own=here, loopback=True), Both(mesh, 2, own=here, loopback=True)
    mesh.introduce(one.host, two.host)
    assert [hint.addresses for hint in one.hints()] == [here.addresses]
    far = Mesh()
    three, four = Both(far, 3, own=here), Both(far, 4, own=here)
    far.introduce(three.host, four.host)
    assert three.hints() == four.hints() == []
    assert three.host.counts["extensions.paths.sent"] == 0, "a loopback address means nothing elsewhere"


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"at": {}},
        {"ask": ["x"]},
        {"ask": [node_id(1)] * (limits.PATHS_ASKED + 1)},
        {"ask": [], "at": []},
        {"at": [[node_id(2)]]},
        {"at": [[node_id(2), ["host.example:1"]]]},
        {"at": [[node_id(2), ["10.0.0.1:0"]]]},
        {"at": [[node_id(2), ["10.0.0.1:65536"]]]},
        {"at": [[node_id(2), ["[fe80::1]:1"]]]},
        {"at": [[node_id(2), ["224.0.0.251:1"]]]},
        {"at": [[node_id(2), ["10.0.0.1:1"] * 9]]},
        {"at": [[7, []]]},
        {"ask": "x" * limits.PATHS_FRAME_BYTES},
    ],
)
def test_bent_frames_are_refused_and_counted(frame: dict[str, object]) -> None:
    mesh = Mesh()
    one, two = Both(mesh, 1), Both(mesh, 2)
    mesh.introduce(one.host, two.host)
    two.send({"type": "x-covey-paths", **frame})
    assert one.host.counts["frames.refused.x-covey-paths"] == 1
    assert one.host.names() == ["peer-2"]


def test_a_flood_of_questions_is_answered_at_its_pace() -> None:
    mesh = Mesh()
    one, two = Both(mesh, 1), Both(mesh, 2)
    mesh.introduce(one.host, two.host)
    before = one.host.counts["extensions.paths.sent"]
    for _ in range(50):
        two.send({"type": "x-covey-paths", "ask": [node_id(5)]})
    assert one.host.counts["extensions.paths.sent"] - before == limits.PATHS_BURST
    assert one.host.counts["paths.ignored.too_many"] == 50 - limits.PATHS_BURST


def test_identities_stay_what_sessions_prove_whatever_was_gossiped() -> None:
    mesh = Mesh()
    one, two = Both(mesh, 1), Both(mesh, 2)
    mesh.introduce(one.host, two.host)
    two.send({"type": "peer-info", "peers": [{"nodeId": node_id(3), "name": "the boss", "lastSeen": 1}]})
    three = Both(mesh, 3)
    mesh.introduce(one.host, three.host)
    views = {view.node_id: (view.name, view.fingerprint) for view in one.host.engine.peers()}
    assert views[node_id(3)] == ("peer-3", identity(3).fingerprint)


def test_a_peer_that_left_an_address_is_given_up_there_at_once() -> None:
    mesh = Mesh()
    here = Own((("127.0.0.1", 7000), ("10.0.0.2", 7000)), LAN)
    one, two = Both(mesh, 1), Both(mesh, 2, own=here, loopback=True)
    one.host.loopback = True
    mesh.introduce(one.host, two.host)
    assert one.host.names() == ["peer-2"]
    tell(two.host, Own(here.addresses[1:], LAN))
    assert one.host.counts["sessions.closed.peer_moved"] == 1, "virtual wires run between loopback addresses"
    tell(two.host, Own((), LAN))
    assert one.host.counts["sessions.closed.peer_moved"] == 1
