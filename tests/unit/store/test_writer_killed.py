"""What a writer's callback acknowledged survives `kill -9` of its process."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from covey import _core
from covey.store import open_store
from tests.unit.store.storekit import ANN, ME, says

KILLS = 8
ROOT = Path(__file__).parents[3]
WRITER = """
import sys
from threading import Semaphore
from covey.store import StoreWriter, open_store
from tests.unit.store.storekit import ME, NOW, at_once, batch_of, intake
path, first = sys.argv[1], int(sys.argv[2])
pipe = open(1, "wb", buffering=0)
def acknowledge(answers):
    pipe.write(b"".join(b"%d\\n" % answer.token for answer in answers))
writer, judge = StoreWriter(open_store(path, ME.node_id), at_once), intake()
room = Semaphore(50)
for token in range(first, first + 100_000):
    room.acquire()
    writer.submit(token, batch_of(3, f"block {token}", judge), NOW,
                  lambda answers: (acknowledge(answers), room.release(len(answers))))
"""

OWN = """
import json, sys
from threading import Semaphore
from covey import _core
from covey.store import StoreWriter, open_store
from tests.unit.store.storekit import ME, NOW, at_once
path, first = sys.argv[1], int(sys.argv[2])
pipe = open(1, "wb", buffering=0)
def acknowledge(answers):
    pipe.write(b"".join(b"%d\\n" % answer.token for answer in answers))
writer = StoreWriter(open_store(path, ME.node_id), at_once)
room = Semaphore(50)
for token in range(first, first + 100_000):
    room.acquire()
    lines = "\\n".join(json.dumps({"focus": f"own {token} {part}"}) for part in range(3)).encode()
    batch = _core.OwnBatch.sign(lines, ME, room="killed", created_ms=NOW)
    writer.put_batch(token, batch, NOW, lambda answers: (acknowledge(answers), room.release(len(answers))))
"""


def acknowledged(path, first: int, wait_for: int, program: str = WRITER) -> list[int]:
    """Kill a writer after so many acknowledgements; return all it gave."""
    command = [sys.executable, "-c", program, str(path), str(first)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    told = b"".join(process.stdout.readline() for _ in range(wait_for))
    process.kill()
    told += process.stdout.read()
    process.stdout.close()
    process.wait(30)
    whole = told[: told.rfind(b"\n") + 1]
    return [int(line) for line in whole.split()]


@pytest.mark.timeout(240)
def test_nothing_acknowledged_is_lost(tmp_path):
    path = tmp_path / "store.db"
    for kill in range(KILLS):
        first = kill * 100_000
        tokens = acknowledged(path, first, random.randint(1, 60))
        assert tokens == list(range(first, first + len(tokens)))
        store = open_store(path, ME.node_id)
        assert store.integrity() == []
        for token in tokens:
            held = [store.record(says(ANN, f"block {token} {part}").key) is not None for part in range(3)]
            assert held == [True] * 3, f"{token} was acknowledged"
        store.close()


@pytest.mark.timeout(240)
def test_of_own_batches_nothing_acknowledged_is_lost_and_none_is_kept_in_part(tmp_path):
    path = tmp_path / "store.db"
    for kill in range(KILLS // 2):
        first = kill * 100_000
        tokens = acknowledged(path, first, random.randint(1, 40), OWN)
        assert tokens == list(range(first, first + len(tokens)))
        store = open_store(path, ME.node_id)
        assert store.integrity() == []
        for token in range(first, first + len(tokens) + 60):
            keys = [_core.content_key({"focus": f"own {token} {part}"}) for part in range(3)]
            held = {store.record(key) is not None for key in keys}
            assert len(held) == 1, f"{token}: a batch is kept whole or not at all"
            assert token not in tokens or held == {True}, f"{token} was acknowledged"
        store.close()
