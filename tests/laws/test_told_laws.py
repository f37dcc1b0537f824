"""What peers tell of each other, bent in any way: hints within the rules or a counted refusal."""

from __future__ import annotations

import ipaddress
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from covey import core
from covey.errors import StoreError
from covey.proto import inviting
from covey.proto.delivery import Outlet
from covey.proto.effects import Now
from covey.proto.gossip import Gossip
from covey.proto.inviting import Given, Inviting, Restored, Welcome
from covey.proto.link import Peer
from covey.proto.paths import Found, Own, Paths
from covey.proto.turn import Turn
from covey.system.invites import InviteFile
from tests.laws.test_decoder_laws import DEEP, NODE, bent

OTHER = "018f47a0-7b21-7abc-8def-333333333333"
ID = "ab" * 16
LAN = "10.0.0.0/24"
PATHS = (
    {"type": "x-covey-paths", "at": [[NODE, ["10.0.0.2:7000", "[fd00::2]:7000"]]]},
    {"type": "x-covey-paths", "at": [[OTHER, ["10.0.0.3:7000", "127.0.0.1:22"]], [NODE, []]]},
    {"type": "x-covey-paths", "ask": [OTHER, NODE]},
)
INFO = ({"type": "peer-info", "peers": [{"nodeId": OTHER, "name": "b", "lastSeen": 1}]},)
INVITE = ({"type": "x-covey-invite", "id": ID}, {"type": "x-covey-invite", "answer": "welcome"})
KEPT = (
    {
        "version": 1,
        "given": [{"digest": "ab" * 32, "expiresMs": 1, "once": True, "guests": ["cd" * 32]}],
        "taken": [{"id": ID, "nodeId": NODE, "fingerprint": "ab" * 32, "expiresMs": 1}],
    },
)


class Host:
    """What an extension may do, kept; everybody speaks everything."""

    def __init__(self, peer: Peer) -> None:
        self.there = {peer.node_id: peer}
        self.wants: list[Any] = []
        self.trusted: list[str] = []

    def peers(self) -> list[Peer]:
        return list(self.there.values())

    def peer(self, node_id: str) -> Peer | None:
        return self.there.get(node_id)

    def speaks(self, peer: Peer) -> bool:
        return True

    def send(self, node_id: str, frame: bytes, turn: Turn) -> bool:
        assert len(json.dumps(json.loads(frame))) < 1_048_576
        return True

    def want(self, what: object, turn: Turn) -> None:
        self.wants.append(what)

    def trust(self, node_id: str, fingerprint: str) -> None:
        self.trusted.append(fingerprint)

    def timer(self, whom: str, deadline: float) -> None: ...

    def moved(self, node_id: str, hosts: object, turn: Turn) -> None: ...


def told(extension: Any, kind: str, frame: bytes, *before: object) -> Host:
    peer = Peer(NODE, "a", bytes(32), "cd" * 32, Outlet())
    host, turn = Host(peer), Turn(Now(1_700_000_000_000, 1.0), bytes(32))
    extension.attach(host)
    for what in before:
        extension.told(what, turn)
    extension.heard(peer, kind, frame, turn)
    assert peer.node_id in host.there and len(host.there) == 1, "nobody came by being told of"
    return host


@settings(max_examples=300)
@given(bent(*PATHS))
@example(DEEP)
def test_whatever_is_told_only_addresses_of_our_networks_become_hints(frame: bytes) -> None:
    for want in told(Paths(OTHER, "default"), "x-covey-paths", frame, Own((), (LAN,))).wants:
        assert isinstance(want, Found)
        assert want.hint.node_id == NODE, "nobody was asked about others"
        for host, port in want.hint.addresses:
            assert ipaddress.ip_address(host) in ipaddress.ip_network(LAN) and 0 < port < 65_536


@settings(max_examples=300)
@given(bent(*INFO))
@example(DEEP)
def test_whatever_is_gossiped_nothing_is_wanted_of_it(frame: bytes) -> None:
    gossip = Gossip(NODE)
    assert told(gossip, "peer-info", frame).wants == []
    assert all(each.teller == NODE and len(each.node_id) == 36 for each in gossip.heard_of())


@settings(max_examples=300)
@given(bent(*INVITE))
@example(DEEP)
def test_whatever_is_shown_only_the_id_of_an_open_invite_is_welcome(frame: bytes) -> None:
    given_one = Given(inviting.digest_of(ID), 1_900_000_000_000, once=True)
    host = told(Inviting(), "x-covey-invite", frame, Restored((given_one,)))
    assert host.trusted == [], "nobody is trusted before it is durable"
    if host.wants:
        (welcome,) = host.wants
        assert isinstance(welcome, Welcome)
        assert json.loads(frame)["id"] == ID


@settings(max_examples=300)
@given(bent(*KEPT))
@example(DEEP)
def test_a_file_of_invites_is_read_or_refused(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "invites.json"
        file.write_bytes(raw)
        try:
            kept = InviteFile(file, file).load()
        except StoreError as error:
            assert "damaged" in error.message
        else:
            assert all(len(each.digest) == 64 for each in kept.given)


@settings(max_examples=200)
@given(st.text(max_size=200) | st.text(alphabet="covey:invite.1ABab_- \n<>", max_size=120))
def test_any_line_is_an_invite_or_says_why_not(line: str) -> None:
    from covey import _core

    try:
        _core.Invite.parse(line)
    except core.CoreError as error:
        assert error.reason in ("malformed_invite", "invite_damaged", "invite_version", "too_large")
