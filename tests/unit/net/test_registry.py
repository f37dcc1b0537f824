from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from covey.net.registry import RegistryDiscovery
from covey.proto.effects import Advert, Hint
from covey.system.clock import SystemClock

ONE = "01900000-0000-7000-8000-000000000001"
TWO = "01900000-0000-7000-8000-000000000002"


def advert(node_id: str, port: int = 4000) -> Advert:
    return Advert(node_id, "writer", bytes(32), "default", "127.0.0.1", port, lan=False)


class Heard:
    def __init__(self) -> None:
        self.hints: list[Hint] = []
        self.gone: list[str] = []
        self.changed = asyncio.Event()

    def found(self, hint: Hint) -> None:
        self.hints.append(hint)
        self.changed.set()

    def vanished(self, node_id: str) -> None:
        self.gone.append(node_id)
        self.changed.set()

    async def change(self) -> None:
        await asyncio.wait_for(self.changed.wait(), 10)
        self.changed.clear()


def test_two_peers_of_one_machine_find_each_other_and_notice_the_end(tmp_path: Path) -> None:
    async def run() -> None:
        first, second, heard = (
            RegistryDiscovery(tmp_path / "r", SystemClock(), 0.01),
            RegistryDiscovery(tmp_path / "r", SystemClock()),
            Heard(),
        )
        await first.start(advert(ONE), heard.found, heard.vanished)
        assert heard.hints == []
        await second.start(advert(TWO, 4001), lambda hint: None, lambda node_id: None)
        await heard.change()
        assert heard.hints == [Hint("registry", TWO, "default", "2.0", (("127.0.0.1", 4001),), "writer")]
        await second.stop()
        await heard.change()
        assert heard.gone == [TWO]
        await first.stop()
        assert list((tmp_path / "r").iterdir()) == []

    asyncio.run(run())


def test_directory_and_entry_are_private(tmp_path: Path) -> None:
    async def run() -> None:
        source = RegistryDiscovery(tmp_path / "r", SystemClock())
        await source.start(advert(ONE), lambda hint: None, lambda node_id: None)
        assert (tmp_path / "r").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "r" / f"{ONE}.json").stat().st_mode & 0o777 == 0o600
        await source.stop()

    asyncio.run(run())


def test_the_entry_of_a_dead_process_is_no_hint_and_is_removed(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    path = tmp_path / f"{TWO}.json"
    path.write_text(json.dumps(entry(pid=int(process.stdout))))
    assert look(tmp_path) == []
    assert not path.exists()


def entry(**changed: object) -> dict[str, object]:
    whole: dict[str, object] = {
        "node_id": TWO,
        "name": "reviewer",
        "room": "default",
        "mmp": "2.0",
        "host": "127.0.0.1",
        "port": 4001,
        "pid": os.getpid(),
        "ts": 1,
        "public_key": "00" * 32,
    }
    return whole | changed


def look(directory: Path) -> list[Hint]:
    async def run() -> list[Hint]:
        heard, source = Heard(), RegistryDiscovery(directory, SystemClock())
        await source.start(advert(ONE), heard.found, heard.vanished)
        await source.stop()
        return heard.hints

    return asyncio.run(run())


def test_a_good_entry_is_a_hint(tmp_path: Path) -> None:
    (tmp_path / f"{TWO}.json").write_text(json.dumps(entry()))
    assert [hint.node_id for hint in look(tmp_path)] == [TWO]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[" * 4000,
        b"\xff\xfe",
        json.dumps(entry(node_id=ONE)).encode(),
        json.dumps(entry(port="4001")).encode(),
        json.dumps(entry(port=0)).encode(),
        json.dumps(entry(port=True)).encode(),
        json.dumps(entry(pid=-1)).encode(),
        json.dumps(entry(pid=10**30)).encode(),
        json.dumps(entry(room=None)).encode(),
        json.dumps(entry(name="x" * 5000)).encode(),
    ],
)
def test_a_spoilt_entry_is_no_hint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"{TWO}.json").write_bytes(content)
    assert look(tmp_path) == []


def test_a_link_out_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(json.dumps(entry()))
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / f"{TWO}.json").symlink_to(tmp_path / "elsewhere")
    assert look(tmp_path / "r") == []
