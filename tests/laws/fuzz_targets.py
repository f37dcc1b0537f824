"""Python's decoders as fuzz targets: each takes any bytes and gives a value or the documented error.

Shared by the mutational run (`test_fuzz_corpora`) and by the guided one (`fuzz_guided`); further targets,
of a peer's frames and of files, stand in `fuzz_rooms`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from covey import _core, limits, settings
from covey.conform.own import Own
from covey.conform.serve import answer_line
from covey.errors import ConfigError, StoreError
from covey.net import registry
from covey.net.ipc import codec
from covey.net.stock import StockRegistry
from covey.proto import effects as fx
from covey.proto.node import NodeEngine
from covey.proto.options import NodeOptions, RelayOptions
from covey.proto.relay import client as rc
from covey.proto.relay import events
from covey.proto.relay import server as rs
from covey.proto.relay.cluster import Cluster
from covey.proto.relay.clustered import ClusteredRelay
from covey.proto.relay.frames import Auth
from covey.system import claims, trust
from covey.system.clock import SystemClock

CORPORA: Final = Path(__file__).parent / "fuzz" / "corpus"
NODE: Final = "01900000-0000-7000-8000-000000000001"
OTHER: Final = "01900000-0000-7000-8000-000000000002"
THIRD: Final = "01900000-0000-7000-8000-000000000003"
NOW: Final = fx.Now(1_786_700_000_000, 10.0)
WHO: Final = _core.Identity(NODE, "covey", b"\x07" * 32)


def entropy(size: int) -> bytes:
    return hashlib.shake_256(b"fuzz").digest(size)


def config(data: bytes, _: Path) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    try:
        settings.parse(text, file="agent.toml")
    except ConfigError as error:
        assert error.problems and all(problem.expected for problem in error.problems)


def config_file(data: bytes, folder: Path) -> None:
    path = folder / "agent.toml"
    path.write_bytes(data)
    try:
        settings.load(path)
    except ConfigError as error:
        assert error.message


def ipc_line(data: bytes, _: Path) -> None:
    decoder = codec.LineDecoder()
    for line in decoder.feed(data + b"\n"):
        asked = codec.parse_request(line)
        assert asked is None or isinstance(asked, codec.Request | codec.BadRequest)
        if isinstance(asked, codec.BadRequest):
            assert asked.code and asked.message


def ipc_frame(data: bytes, _: Path) -> None:
    decoder = codec.FrameDecoder()
    try:
        for message in decoder.feed(data):
            assert isinstance(message, dict)
    except codec.FrameError as error:
        assert str(error)


def relay_client(data: bytes, _: Path) -> None:
    """Every line is a message of a relay's; the client goes on, and keeps no more than its bounds."""
    client = rc.RelayClient(Auth(NODE, "covey"), "relay")
    client.handle(rc.Begin(), 1.0)
    client.handle(rc.Up(), 1.0)
    for line in data.split(b"\n"):
        effects = client.handle(rc.Heard(line), 2.0)
        assert len(effects) <= 2 * limits.RELAY_PEERS + 4
        assert len(client.present) <= limits.RELAY_PEERS and NODE not in client.present
    assert client.state in ("joining", "joined")


def relay_server(data: bytes, _: Path) -> None:
    """Every line is a message of a client's; a second client is served afterwards."""
    server = rs.RelayServer(rs.Access(open=True))
    server.handle(rs.Opened(1, "a"), 1.0)
    for line in data.split(b"\n"):
        server.handle(rs.Heard(1, line), 2.0)
    server.handle(rs.Opened(2, "b"), 3.0)
    auth = b'{"type":"relay-auth","nodeId":"%s","name":"b"}' % OTHER.encode()
    said = server.handle(rs.Heard(2, auth), 3.0)
    assert any(isinstance(effect, rs.Say) and effect.conn == 2 for effect in said)


def legacy_room(data: bytes, _: Path) -> None:
    """The bytes of somebody who connects to a peer in a legacy room; it still meets the next one.

    Unless those bytes claimed the next one's nodeId: who comes first has it, by the rule of claims.
    """
    claimed = set()
    engine = NodeEngine(WHO, NodeOptions(legacy=True))
    engine.handle(fx.LinkOpened(1000, True, "192.0.2.1:1", False, entropy(64)), NOW)
    for at in range(0, len(data), 4_096):
        effects = engine.handle(fx.LinkData(1000, data[at : at + 4_096], entropy(32)), NOW)
        assert not any(isinstance(effect, fx.Write) and b'"mood"' in effect.data for effect in effects)
        claimed |= {effect.node_id for effect in effects if isinstance(effect, fx.Claimed)}
    engine.handle(fx.LinkOpened(1002, True, "192.0.2.2:1", False, entropy(64)), NOW)
    next_one = _core.LegacySession.client(
        _core.Identity(THIRD, "next", b"\x09" * 32), room="default", secret=entropy(32), entropy=entropy(32)
    )
    engine.handle(fx.LinkData(1002, next_one.take_output(), entropy(32)), NOW)
    assert THIRD in claimed or "next" in [view.name for view in engine.peers()]


def relayed_room(data: bytes, _: Path) -> None:
    """Every line is a frame that a relay says somebody sent, in a legacy room."""
    engine = NodeEngine(WHO, NodeOptions(legacy=True, relays=(RelayOptions("wss://relay.example"),)))

    def said(what: rc.ForNode) -> None:
        engine.handle(fx.Relayed(0, what, entropy(32)), NOW)

    said(rc.Reachable(True))
    said(rc.Presence(OTHER, "other", online=True))
    for line in data.split(b"\n"):
        try:
            kind, session = _core.peek_frame(line)
        except _core.CoreError:
            continue  # as the client does, which hands nothing of it on
        said(rc.Arrived(OTHER, kind, session, line))
    assert len(engine.peers()) <= 1


def registry_entry(data: bytes, folder: Path) -> None:
    path = folder / f"{OTHER}.json"
    path.write_bytes(data)
    found = registry._read(path, (1, len(data)))
    assert found is None or found.hint.node_id == OTHER


def stock_entry(data: bytes, folder: Path) -> None:
    (folder / f"{OTHER}.json").write_bytes(data)
    found = StockRegistry(folder, "default", SystemClock())._present(NODE)
    assert all(hint.stock and hint.node_id == OTHER for hint in found.values())


def claim_book(data: bytes, folder: Path) -> None:
    path = folder / "claims.json"
    path.write_bytes(data)
    try:
        book = claims.load(path)
    except StoreError:
        return
    assert len(book.entries) <= limits.CLAIMS


def trust_book(data: bytes, folder: Path) -> None:
    path = folder / "trust.json"
    path.write_bytes(data)
    try:
        book = trust.load(path)
    except StoreError:
        return
    assert len(book.entries) <= limits.TRUST_ENTRIES


def adapter(data: bytes, _: Path) -> None:
    own = Own()
    for line in data.split(b"\n"):
        answer = answer_line(own, line)
        assert answer.endswith(b"\n") and answer.count(b"\n") == 1


def relay_backplane(data: bytes, _: Path) -> None:
    """The bytes are a message of the backplane; the relay serves its own client afterwards, in its bounds."""
    server = ClusteredRelay(rs.Access(open=True), Cluster("0" * 16, "fuzz"))
    server.handle(events.Linked(True), 1.0)
    for line in data.split(b"\n"):
        server.handle(events.Carried(line), 2.0)
    server.handle(events.Carried(data), 2.0)
    assert server.gauges()["cluster_relays"] <= limits.CLUSTER_RELAYS
    server.handle(rs.Opened(2, "b"), 3.0)
    auth = b'{"type":"relay-auth","nodeId":"%s","name":"b"}' % OTHER.encode()
    server.handle(rs.Heard(2, auth), 3.0)
    assert server.gauges()["strangers"] in (0, 1), "it has its place, or another relay is asked about it"
    server.handle(rs.Tick(), 3.0 + limits.CLUSTER_PROBE_SECONDS)
    assert server.gauges()["strangers"] == 0


Property = Callable[[bytes, Path], None]
TARGETS: Final[dict[str, Property]] = {
    "adapter": adapter,
    "claims": claim_book,
    "config": config,
    "config_file": config_file,
    "ipc_frame": ipc_frame,
    "ipc_line": ipc_line,
    "legacy_room": legacy_room,
    "registry": registry_entry,
    "relay_backplane": relay_backplane,
    "relay_client": relay_client,
    "relay_server": relay_server,
    "relayed_room": relayed_room,
    "stock_registry": stock_entry,
    "trust": trust_book,
}


def corpus(name: str) -> list[bytes]:
    """Return the committed inputs of a target."""
    files = sorted((CORPORA / name).iterdir())
    return [bytes.fromhex(f.read_text()) if f.suffix == ".hex" else f.read_bytes() for f in files]
