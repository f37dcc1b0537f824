"""Where stock peers say that they are: what is a hint and what is not; and nothing is ever written there."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from covey import limits
from covey.net.mdns import hint_of
from covey.net.stock import StockRegistry, service_type, service_types
from covey.proto.effects import Advert, Hint
from covey.system.clock import SystemClock

ONE = "01900000-0000-7000-8000-000000000001"
TWO = "01900000-0000-7000-8000-000000000002"
ADVERT = Advert(ONE, "covey", bytes(32), "default", "127.0.0.1", 4000, lan=False)


def entry(**changed: object) -> dict[str, object]:
    now_ms = SystemClock().now_ms()
    whole: dict[str, object] = {
        "nodeId": TWO,
        "name": "stock",
        "port": 4001,
        "pid": os.getpid(),
        "serviceType": "_sym._tcp",
        "ts": now_ms,
    }
    return {name: value for name, value in (whole | changed).items() if value is not ...}


def look(directory: Path, room: str = "default") -> list[Hint]:
    async def run() -> list[Hint]:
        hints: list[Hint] = []
        source = StockRegistry(directory, room, SystemClock())
        await source.start(ADVERT, hints.append, lambda node_id: None)
        await source.stop()
        return hints

    return asyncio.run(run())


@pytest.mark.parametrize("changed", [{}, {"serviceType": ...}, {"name": ...}])
def test_a_living_peers_entry_is_a_hint_of_its_wire(tmp_path: Path, changed: dict[str, object]) -> None:
    (tmp_path / f"{TWO}.json").write_text(json.dumps(entry(**changed)))
    (hint,) = look(tmp_path)
    assert (hint.node_id, hint.addresses, hint.stock) == (TWO, (("127.0.0.1", 4001),), True)
    assert (hint.room, hint.mmp, hint.source) == ("default", "", "stock-registry")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[" * 4_000,
        b"\xff",
        json.dumps(entry(nodeId=ONE)).encode(),
        json.dumps(entry(port=0)).encode(),
        json.dumps(entry(port="4001")).encode(),
        json.dumps(entry(pid=10**30)).encode(),
        json.dumps(entry(ts=...)).encode(),
        json.dumps(entry(ts=1)).encode(),
        json.dumps(entry(ts=10**15)).encode(),
        json.dumps(entry(serviceType="_other._tcp")).encode(),
        json.dumps(entry(name="x" * 5_000)).encode(),
    ],
)
def test_anything_else_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"{TWO}.json").write_bytes(content)
    assert look(tmp_path) == []


def test_an_entry_of_a_dead_process_is_none_and_is_left_where_it_is(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    path = tmp_path / f"{TWO}.json"
    path.write_text(json.dumps(entry(pid=int(ended.stdout))))
    assert look(tmp_path) == [] and path.exists()


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert look(tmp_path / "none") == [] and list(tmp_path.iterdir()) == []


def test_what_goes_is_told_and_what_moves_is_a_new_hint(tmp_path: Path) -> None:
    path = tmp_path / f"{TWO}.json"

    async def run() -> None:
        said: asyncio.Queue[Hint | str] = asyncio.Queue()
        path.write_text(json.dumps(entry()))
        source = StockRegistry(tmp_path, "default", SystemClock(), 0.01)
        await source.start(ADVERT, said.put_nowait, said.put_nowait)
        async with asyncio.timeout(20):
            await said.get()
            moved = path.with_suffix(".tmp")
            moved.write_text(json.dumps(entry(port=4002)))
            moved.replace(path)
            hint = await said.get()
            assert isinstance(hint, Hint) and hint.addresses == (("127.0.0.1", 4002),)
            path.unlink()
            assert await said.get() == TWO
        await source.stop()

    asyncio.run(run())


def test_a_room_has_the_service_type_that_stock_peers_give_it(tmp_path: Path) -> None:
    assert service_type("default") == "_sym._tcp"
    assert service_type("backend-team") == "_backend-team._tcp"
    longest = "a" * limits.STOCK_ROOM_CHARS
    assert service_types(longest) == {f"_{longest}._tcp.local.": longest}
    for room in ("a_b", "a.b", "-a", "a--b", longest + "a"):
        assert service_type(room) is None and service_types(room) == {} and look(tmp_path, room) == []
    (tmp_path / f"{TWO}.json").write_text(json.dumps(entry(serviceType="_backend-team._tcp")))
    assert [hint.room for hint in look(tmp_path, "backend-team")] == ["backend-team"]


def test_a_record_without_mmp_is_a_stock_peers_only_where_they_are_looked_for() -> None:
    said = {"node-id": TWO, "node-name": "stock", "public-key": "x", "hostname": "h.local"}
    at = [("192.0.2.1", 4001)]
    hint = hint_of(said, at, "default")
    assert hint is not None and (hint.stock, hint.room, hint.mmp) == (True, "default", "")
    plain = hint_of(said, at)
    assert plain is not None and not plain.stock
    core = hint_of({**said, "mmp": "2.0", "room": "default"}, at, "default")
    assert core is not None and not core.stock
