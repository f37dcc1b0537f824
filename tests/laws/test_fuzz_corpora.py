"""Any bytes into Python's decoders give a value or the documented error, in bounded memory and time.

Each target mutates its committed corpus (`tests/laws/fuzz/corpus/<name>`) for a moment, always the same way;
`COVEY_FUZZ_SECONDS` gives it longer, `COVEY_FUZZ_SEED` another way through. A finding is printed; it goes
into the corpus with its fix. The native core and the legacy wire have the same run in `cargo test`.
"""

from __future__ import annotations

import hashlib
import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

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
from covey.proto.relay import server as rs
from covey.proto.relay.frames import Auth
from covey.system import claims, trust
from covey.system.clock import SystemClock
from tests.laws.fuzz_mutate import Mutator

CORPORA: Final = Path(__file__).parent / "fuzz" / "corpus"
SECONDS: Final = float(os.environ.get("COVEY_FUZZ_SECONDS", "0.3"))
SEED: Final = int(os.environ.get("COVEY_FUZZ_SEED", "1"))
SLOWEST_SECONDS: Final = 5.0
MOST_BYTES: Final = 16 * 1_048_576
"""What one input of 64 KiB may hold at its worst: a tree of small objects is much larger than its text."""

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
    """The bytes of somebody who connects to a peer in a legacy room; it still meets the next one."""
    engine = NodeEngine(WHO, NodeOptions(legacy=True))
    engine.handle(fx.LinkOpened(1000, True, "192.0.2.1:1", False, entropy(64)), NOW)
    for at in range(0, len(data), 4_096):
        effects = engine.handle(fx.LinkData(1000, data[at : at + 4_096], entropy(32)), NOW)
        assert not any(isinstance(effect, fx.Write) and b'"mood"' in effect.data for effect in effects)
    engine.handle(fx.LinkOpened(1002, True, "192.0.2.2:1", False, entropy(64)), NOW)
    next_one = _core.LegacySession.client(
        _core.Identity(THIRD, "next", b"\x09" * 32), room="default", secret=entropy(32), entropy=entropy(32)
    )
    engine.handle(fx.LinkData(1002, next_one.take_output(), entropy(32)), NOW)
    assert "next" in [view.name for view in engine.peers()]


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
    "relay_client": relay_client,
    "relay_server": relay_server,
    "relayed_room": relayed_room,
    "stock_registry": stock_entry,
    "trust": trust_book,
}


def corpus(name: str) -> list[bytes]:
    files = sorted((CORPORA / name).iterdir())
    return [bytes.fromhex(f.read_text()) if f.suffix == ".hex" else f.read_bytes() for f in files]


def tried(name: str, data: bytes, folder: Path) -> None:
    """Run one input; what breaks is named with everything that repeats it."""
    tracemalloc.reset_peak()
    held, begun = tracemalloc.get_traced_memory()[0], time.monotonic()
    try:
        TARGETS[name](data, folder)
    except Exception as error:
        raise AssertionError(f"{name}: found by {len(data)} bytes: {data!r}") from error
    took, grew = time.monotonic() - begun, tracemalloc.get_traced_memory()[1] - held
    assert took < SLOWEST_SECONDS, f"{name}: {took:.1f} s for {len(data)} bytes: {data!r}"
    assert grew < MOST_BYTES, f"{name}: {grew} bytes for {len(data)}: {data!r}"


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_any_bytes_give_a_value_or_the_documented_error(name: str, tmp_path: Path) -> None:
    seeds, mutator = corpus(name), Mutator(SEED)
    tracemalloc.start()
    try:
        for seed in seeds:
            tried(name, seed, tmp_path)
        until, count = time.monotonic() + SECONDS, 0
        while time.monotonic() < until or count < 10:
            tried(name, mutator.next(seeds), tmp_path)
            count += 1
    finally:
        tracemalloc.stop()


def test_every_corpus_has_a_target_and_something_it_takes() -> None:
    assert sorted(folder.name for folder in CORPORA.iterdir()) == sorted(TARGETS)
    assert all(corpus(name) for name in TARGETS)
    whole = [seed for seed in corpus("config") if b"[identity]" in seed]
    assert whole and all(settings.parse(seed.decode()) for seed in whole)


def test_a_run_repeats_itself_and_what_breaks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = [b'{"type":"ping"}', b"[1,2]"]
    once, again, other = Mutator(7), Mutator(7), Mutator(8)
    first = [once.next(seeds) for _ in range(200)]
    assert first == [again.next(seeds) for _ in range(200)] != [other.next(seeds) for _ in range(200)]

    def broken(data: bytes, _: Path) -> None:
        assert len(data) < 3

    monkeypatch.setitem(TARGETS, "config", broken)
    tracemalloc.start()
    try:
        tried("config", b"ab", tmp_path)
        with pytest.raises(AssertionError, match="found by 3 bytes"):
            tried("config", b"abc", tmp_path)
    finally:
        tracemalloc.stop()
