"""Who gets a session: tofu, strict, open, and pinned keys (MMP 2.0 §3.4)."""

from __future__ import annotations

import pytest

from covey.proto import news as nw
from tests.unit.proto.virtual import Host, Mesh, identity, node_id


@pytest.fixture
def mesh() -> Mesh:
    return Mesh()


def meet(mesh: Mesh, **options: object) -> tuple[Host, Host]:
    """A peer that judges by these options, and a second one that comes to it."""
    one, two = mesh.host(1, **options), mesh.host(2)
    mesh.introduce(one, two)
    return one, two


def test_x21_tofu_lets_anyone_in(mesh: Mesh) -> None:
    one, two = meet(mesh)
    assert (one.names(), two.names()) == (["peer-2"], ["peer-1"])


@pytest.mark.parametrize(
    "known",
    [
        {"trusted": frozenset({identity(2).fingerprint})},
        {"pins": {node_id(2): identity(2).fingerprint}},
    ],
)
def test_x21_strict_lets_in_whose_key_it_knows(mesh: Mesh, known: dict[str, object]) -> None:
    one, two = meet(mesh, trust="strict", **known)
    assert (one.names(), two.names()) == (["peer-2"], ["peer-1"])


@pytest.mark.parametrize(
    "trusted", [frozenset(), frozenset({identity(3).fingerprint}), frozenset({node_id(2)})]
)
def test_x21_strict_turns_everybody_else_away_and_binds_nothing(mesh: Mesh, trusted: frozenset[str]) -> None:
    one, two = meet(mesh, trust="strict", trusted=trusted)
    mesh.advance(120)
    assert one.names() == two.names() == []
    assert one.counts["sessions.closed.not_trusted"] >= 1
    assert one.bound == {}
    assert one.told(nw.PeerJoined) == []
    assert one.counts["dials.started"] <= 1, "who is not wanted is not dialled again"


def test_strict_lets_in_a_node_id_whose_key_it_knows_from_before(mesh: Mesh) -> None:
    from covey.proto import effects as fx

    one = mesh.host(1, started=False, trust="strict", trusted=frozenset({node_id(2)}))
    one.feed(fx.Started(bindings=((node_id(2), identity(2).public_key),)))
    two = mesh.host(2)
    mesh.introduce(one, two)
    assert one.names() == ["peer-2"]


@pytest.mark.parametrize("mode", ["tofu", "strict", "open"])
def test_a_key_that_is_not_the_pinned_one_is_a_conflict_in_every_mode(mesh: Mesh, mode: str) -> None:
    one, _ = meet(mesh, trust=mode, pins={node_id(2): identity(9).fingerprint})
    mesh.advance(60)
    assert one.names() == []
    assert one.counts["sessions.closed.identity_conflict"] >= 1
    assert one.bound == {}, "the wrong key is not remembered"


@pytest.mark.parametrize(("options", "wakes"), [({}, False), ({"trust": "open"}, True)])
def test_only_open_lets_strangers_wake(mesh: Mesh, options: dict[str, object], wakes: bool) -> None:
    one, two = mesh.host(1, **options), mesh.host(2)
    one.loopback = False
    mesh.introduce(one, two)
    two.emit("hello from afar")
    assert [news.delivery.wakes for news in one.told(nw.Delivered)] == [wakes]


def test_who_is_pinned_is_trusted(mesh: Mesh) -> None:
    one, two = mesh.host(1, pins={node_id(2): identity(2).fingerprint}), mesh.host(2)
    one.loopback = False
    mesh.introduce(one, two)
    two.emit("hello from afar")
    assert [news.delivery.wakes for news in one.told(nw.Delivered)] == [True]
    assert one.engine.peers()[0].trusted
