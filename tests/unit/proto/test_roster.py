from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from covey import limits
from covey.proto.effects import Dial, Hint, Now
from covey.proto.link import Link
from covey.proto.peers import Roster, dials, stays
from covey.proto.timers import Timers
from covey.proto.turn import Turn

LOW = "01900000-0000-7000-8000-000000000001"
HIGH = "01900000-0000-7000-8000-000000000002"
HERE = (("127.0.0.1", 4000),)


def turn(at: float = 0.0) -> Turn:
    return Turn(Now(1_700_000_000_000, at), b"entropy")


def roster(own: str = LOW, *, lan: bool = False, outbound_only: bool = False) -> tuple[Roster, Timers]:
    timers = Timers()
    return Roster(own, "default", lan=lan, outbound_only=outbound_only, timers=timers), timers


def hint(node_id: str = HIGH, room: str = "default", mmp: str = "2.0", addresses=HERE, source="mdns") -> Hint:  # type: ignore[no-untyped-def]  # a test's shorthand
    return Hint(source, node_id, room, mmp, addresses)


def counted(made: Turn) -> set[str]:
    return {effect.name for effect in made.effects() if hasattr(effect, "by")}


@given(st.uuids(), st.uuids())
def test_between_two_listeners_exactly_one_dials(one: object, other: object) -> None:
    a, b = str(one), str(other)
    if a != b:
        assert dials(a, b, always=False) != dials(b, a, always=False)
    assert dials(a, b, always=True)


def pair(kinds: list[bool]) -> tuple[list[Link], list[Link]]:
    """The same sessions as both sides see them: True where LOW is the client."""
    low = [Link(2 * i + 1, inbound=not client) for i, client in enumerate(kinds)]
    high = [Link(2 * i + 2, inbound=client) for i, client in enumerate(kinds)]
    return low, high


@given(st.lists(st.booleans(), min_size=1, max_size=4))
def test_the_session_whose_client_is_the_smaller_node_id_stays_on_both_sides(kinds: list[bool]) -> None:
    low, high = pair(kinds)
    chosen_low, chosen_high = stays(LOW, HIGH, low), stays(HIGH, LOW, high)
    assert chosen_low is not None
    assert chosen_high is not None
    assert chosen_low.inbound != chosen_high.inbound, "both chose a session of the same client"
    assert chosen_low.inbound == (True not in kinds)


@given(st.lists(st.booleans(), min_size=1, max_size=4))
def test_after_the_client_closed_its_own_duplicates_both_sides_agree(kinds: list[bool]) -> None:
    low, high = pair(kinds)
    # each side closes the duplicates it opened itself; the server side follows
    for own, peer, links in ((LOW, HIGH, low), (HIGH, LOW, high)):
        keep = stays(own, peer, links)
        for index, link in reversed(list(enumerate(links))):
            if link is not keep and not link.inbound:
                del low[index], high[index]
    chosen_low, chosen_high = stays(LOW, HIGH, low), stays(HIGH, LOW, high)
    assert chosen_low is not None
    assert chosen_high is not None
    assert low.index(chosen_low) == high.index(chosen_high)


def test_no_session_means_no_active_one() -> None:
    assert stays(LOW, HIGH, []) is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (hint(node_id=LOW), "self"),
        (hint(room="other"), "room"),
        (hint(room=""), "room"),
        (hint(mmp="1.1"), "version"),
        (hint(mmp=""), "version"),
        (hint(addresses=(("192.0.2.7", 4000),)), "address"),
    ],
)
def test_an_unfit_hint_is_counted_and_never_dialled(bad: Hint, reason: str) -> None:
    known, _ = roster()
    made = turn()
    assert known.hinted(bad, made) is None
    assert f"hints.ignored.{reason}" in counted(made)


def test_a_version_list_with_2_0_is_fit() -> None:
    known, _ = roster()
    assert known.hinted(hint(mmp="1.1, 2.0"), turn()) == HIGH


def test_with_lan_other_machines_are_dialled() -> None:
    known, _ = roster(lan=True)
    key = known.hinted(hint(addresses=(("192.0.2.7", 4000),)), turn())
    made = turn()
    assert key is not None
    assert known.dial(key, (), made) is not None
    assert Dial(1, "192.0.2.7", 4000, limits.CONNECT_SECONDS) in made.effects()


def test_the_larger_node_id_waits_to_be_dialled() -> None:
    known, _ = roster(own=HIGH)
    key = known.hinted(hint(node_id=LOW), turn())
    assert key == LOW
    assert known.dial(LOW, (), turn()) is None


def test_an_outbound_only_peer_dials_whoever_is_smaller() -> None:
    known, _ = roster(own=HIGH, outbound_only=True)
    known.hinted(hint(node_id=LOW), turn())
    assert known.dial(LOW, (), turn()) is not None


def test_a_static_address_is_dialled_once_at_a_time_and_again_with_growing_jittered_delays() -> None:
    known, timers = roster(own=HIGH)
    key = known.static("127.0.0.1", 4000)
    delays = []
    for attempt in range(12):
        link = known.dial(key, (), turn())
        assert link is not None, attempt
        assert known.dial(key, (), turn()) is None, "a second dial while one is under way"
        made = turn(100.0)
        known.ended(link, lived_seconds=0.0, turn=made)
        wanted = timers.wanted(("dial", key))
        assert wanted is not None
        delays.append(wanted - 100.0)
    assert delays == sorted(delays)
    assert limits.REDIAL_FIRST_SECONDS <= delays[0] <= limits.REDIAL_FIRST_SECONDS * 1.25
    assert limits.REDIAL_LAST_SECONDS <= delays[-1] <= limits.REDIAL_LAST_SECONDS * 1.25


def test_every_address_has_its_turn_before_a_failed_round_is_waited_out() -> None:
    """The one of three that led to a peer, missed twice as it came up, had its third turn after a minute."""
    known, timers = roster(lan=True)
    hosts = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
    key = known.hinted(hint(addresses=tuple((host, 4000) for host in hosts)), turn())
    assert key is not None
    now, dialled, waits = 100.0, [], []
    for _ in range(9):
        link = known.dial(key, (), turn(now))
        assert link is not None
        dialled.append(link.address.partition(":")[0])
        known.ended(link, lived_seconds=0.0, turn=turn(now))
        wanted = timers.wanted(("dial", key))
        assert wanted is not None
        waits.append(wanted - now)
        now = wanted
    assert dialled == [*hosts] * 3
    first, second, third = waits[:3], waits[3:6], waits[6:]
    soon = limits.REDIAL_FIRST_SECONDS * 1.25
    assert max(*first, *second[:2], *third[:2]) <= soon
    assert 2 * limits.REDIAL_FIRST_SECONDS <= second[2] <= 2 * soon
    assert 4 * limits.REDIAL_FIRST_SECONDS <= third[2] <= 4 * soon


def test_the_address_that_led_to_a_peer_is_the_first_to_be_dialled_again() -> None:
    known, _ = roster(lan=True)
    key = known.hinted(hint(addresses=(("10.0.0.1", 4000), ("10.0.0.2", 4000))), turn())
    assert key is not None
    lived = [0.0, limits.HEALTHY_SECONDS, 0.0]
    dialled = []
    for seconds in lived:
        link = known.dial(key, (), turn())
        assert link is not None
        dialled.append(link.address)
        known.ended(link, lived_seconds=seconds, turn=turn())
    assert dialled == ["10.0.0.1:4000", "10.0.0.2:4000", "10.0.0.2:4000"]


def test_a_connected_peer_is_not_dialled() -> None:
    known, _ = roster()
    known.hinted(hint(), turn())
    assert known.dial(HIGH, {HIGH}, turn()) is None


def test_a_peer_is_not_dialled_on_a_hint_while_its_static_address_is() -> None:
    known, _ = roster()
    static = known.dial(known.static("127.0.0.1", 4000), (), turn())
    assert static is not None
    known.proven(static, HIGH)
    known.hinted(hint(), turn())
    assert known.dial(HIGH, (), turn()) is None


def test_a_lost_peer_is_dialled_again_soon() -> None:
    known, timers = roster()
    known.hinted(hint(), turn())
    link = known.dial(HIGH, (), turn())
    assert link is not None
    known.ended(link, lived_seconds=60.0, turn=turn(100.0))
    wanted = timers.wanted(("dial", HIGH))
    assert wanted is not None
    assert wanted - 100.0 <= limits.REDIAL_FIRST_SECONDS * 1.25


def test_a_peer_that_restarted_is_dialled_soon_at_its_new_address() -> None:
    """After many failures it was dialled up to 30 s later, and at what an older source still said."""
    made, timers = roster()
    key = made.hinted(hint(source="mdns"), turn())
    assert key is not None
    for _ in range(9):
        link = made.dial(key, (), turn(100.0))
        assert link is not None
        made.ended(link, lived_seconds=0.0, turn=turn(100.0))
    late = timers.wanted(("dial", key))
    assert late is not None and late > 110.0
    assert made.hinted(hint(source="mdns"), turn(101.0)) == key
    assert timers.wanted(("dial", key)) == late, "the same word again changes nothing"
    assert made.hinted(hint(source="registry", addresses=(("127.0.0.1", 4001),)), turn(101.0)) == key
    soon = timers.wanted(("dial", key))
    assert soon is not None and 101.0 < soon <= 101.0 + 2 * limits.REDIAL_FIRST_SECONDS
    link = made.dial(key, (), turn(soon))
    assert link is not None and link.address == "127.0.0.1:4001"


def test_a_blocked_candidate_is_never_dialled_again() -> None:
    known, timers = roster()
    key = known.static("127.0.0.1", 4000)
    link = known.dial(key, (), turn())
    assert link is not None
    known.block(link, "identity conflict")
    known.ended(link, lived_seconds=0.0, turn=turn())
    assert timers.wanted(("dial", key)) is None
    assert known.dial(key, (), turn()) is None


def test_a_peer_nobody_vouches_for_is_forgotten() -> None:
    known, _ = roster()
    known.hinted(hint(source="mdns"), turn())
    known.hinted(hint(source="registry"), turn())
    known.vanished("mdns", HIGH)
    assert known.candidate(HIGH) is not None
    known.vanished("registry", HIGH)
    assert known.candidate(HIGH) is None
    known.vanished("registry", HIGH)


def test_hints_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CANDIDATES", 3)
    known, _ = roster()
    made = turn()
    for index in range(10):
        known.hinted(hint(node_id=f"01900000-0000-7000-8000-{index:012d}"), made)
    assert "hints.ignored.full" in counted(made)
