"""The compact profile between engines: both offer it over TCP, and a relay carries JSON."""

from __future__ import annotations

import pytest

from covey.model import SendState
from covey.proto.link import COMPACT_TOKENS
from tests.unit.proto.virtual import End, Mesh
from tests.unit.proto.virtual_relay import RelayedMesh


class Watched(Mesh):
    """A mesh that keeps the first byte of every frame that one write begins with."""

    def __init__(self) -> None:
        super().__init__()
        self.firsts: list[int] = []

    def write(self, end: End, data: bytes) -> None:
        self.firsts.append(data[4])
        super().write(end, data)


@pytest.mark.parametrize(("ones", "twos"), [(True, True), (True, False), (False, True), (False, False)])
def test_blocks_arrive_alike_whoever_offers_it(ones: bool, twos: bool):
    mesh = Watched()
    one, two = mesh.host(1, compact=ones), mesh.host(2, compact=twos)
    mesh.introduce(one, two)
    mesh.firsts.clear()
    for number in range(3):
        one.emit(f"block {number}")
    two.emit("back", to=one.identity.node_id)
    assert sorted(two.heard()) == ["block 0", "block 1", "block 2"]
    assert one.heard() == ["back"]
    assert two.states_of("back")[-1] in {SendState.DELIVERED, SendState.EXECUTED}
    assert (0xC0 in mesh.firsts) == (ones and twos)
    assert 0xC1 not in mesh.firsts


def test_a_relay_carries_json_only():
    mesh = RelayedMesh(1)
    one, two = mesh.host(1), mesh.host(2)
    one.emit("over the relay")
    mesh.settle()
    assert two.heard() == ["over the relay"]
    (peer,) = one.engine._sessions.peers.values()
    assert not peer.extensions & set(COMPACT_TOKENS)
