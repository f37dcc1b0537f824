"""What `peers` shows: every path with its round trip, what stands behind a key, since when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.proto.link import RoundTrip
from tests.unit.proto.virtual import START_MS, Mesh, identity


def test_a_new_session_is_measured_at_once_and_shown_with_its_path() -> None:
    mesh = Mesh()
    one, two = mesh.pair()
    (view,) = one.engine.peers()
    (path,) = view.paths
    assert (view.identity, view.path, path.path) == ("proven", "test", "test")
    assert path.rtt_ms == 0.0, "virtual wires take no time"
    assert path.carries and not path.inbound
    assert view.since_ms == path.since_ms == START_MS + 1_000_000
    assert two.engine.peers()[0].paths[0].inbound


def test_a_session_that_is_never_silent_is_measured_again() -> None:
    mesh = Mesh()
    one, two = mesh.pair()
    before = one.counts["frames.control.pong"]
    for number in range(int(limits.RTT_SECONDS) + int(limits.PING_SECONDS)):
        two.emit(f"word {number}")
        mesh.advance(1.0)
    assert one.counts["frames.control.pong"] == before + 1


def test_a_pinned_key_is_shown_as_pinned() -> None:
    mesh = Mesh()
    pins = {identity(2).node_id: identity(2).fingerprint}
    one, two = mesh.host(1, pins=pins), mesh.host(2)
    mesh.introduce(one, two)
    assert [view.identity for view in one.engine.peers() + two.engine.peers()] == ["pinned", "proven"]


def static(mesh: Mesh, key: str) -> tuple[object, ...]:
    two = mesh.host(2)
    where = ("127.0.0.1", two.port)
    one = mesh.host(1, addresses=(where,), address_keys={where: key})
    mesh.settle()
    return one, two


def test_at_a_pinned_address_the_named_key_is_met_and_shown_as_pinned() -> None:
    mesh = Mesh()
    one, _ = static(mesh, identity(2).fingerprint)
    assert [(view.name, view.identity) for view in one.engine.peers()] == [("peer-2", "pinned")]


def test_at_a_pinned_address_another_key_is_refused_counted_and_said_once() -> None:
    mesh = Mesh()
    one, two = static(mesh, identity(9).fingerprint)
    mesh.advance(300.0)
    assert one.names() == two.names() == []
    assert one.counts["sessions.closed.unexpected_key"] > 3, "it is dialled again: the right one may come"
    said = [log.facts for log in one.logs if log.event == "address-misproved"]
    assert [(each["expected"], each["proved"]) for each in said] == [
        (identity(9).fingerprint, identity(2).fingerprint)
    ]
    assert one.bound == {}, "no key is learnt from it"


@given(st.lists(st.floats(0, 20), min_size=1, max_size=30))
def test_a_smoothed_round_trip_stays_within_what_was_measured(samples: list[float]) -> None:
    now, way = 0.0, RoundTrip()
    for sample in samples:
        way.asked(now)
        assert not way.stale(now, 0.0)
        way.answered(now + sample)
        now += sample + 1.0
    assert way.smoothed_seconds is not None
    assert min(samples) - 1e-6 <= way.smoothed_seconds <= max(samples) + 1e-6
    measured = way.measured_at
    way.answered(now + 5.0)
    assert way.measured_at == measured, "a pong that nobody asked for measures nothing"


def test_a_ping_that_is_never_answered_does_not_spoil_the_next() -> None:
    way = RoundTrip()
    way.asked(0.0)
    way.asked(limits.FAILOVER_SECONDS + 1.0)
    way.answered(limits.FAILOVER_SECONDS + 1.5)
    assert way.smoothed_seconds == 0.5
