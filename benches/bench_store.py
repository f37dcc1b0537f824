"""Store what was judged: one transaction for a batch, durable when the call returns; and find it again."""

from itertools import count
from pathlib import Path

import pytest

from benches import samples
from covey import core
from covey._core import Intake, OutcomeBatch, RecordBatch, Store

BATCH = 256
NOW_MS = samples.CREATED_MS + 10_000


class Filling:
    """A store that grows by a batch each round, and an intake that admits everything it is given."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(str(folder / "store.db"), node_id=samples.OTHER_NODE_ID)
        # A gate that lets everything in, so that every record of a round is a row.
        self.intake = Intake(
            samples.OTHER_NODE_ID, samples.ROOM, [1.0] * 7, stable=2.0, guarded=2.0, redundancy=0.0
        )
        self.intake.bind(samples.NODE_ID, samples.IDENTITY.public_key)
        self.numbers = count()

    def judged(self, records: int = BATCH) -> OutcomeBatch:
        """Sign new blocks and judge them: what a commit is given."""
        made = [core.sign(samples.draft(next(self.numbers)), samples.IDENTITY) for _ in range(records)]
        return self.intake.evaluate(
            RecordBatch(made), session_node_id=samples.NODE_ID, now_ms=NOW_MS, entropy=bytes(range(32))
        )


@pytest.fixture
def filling(tmp_path):
    """Return a store to fill, closed afterwards."""
    filling = Filling(tmp_path)
    yield filling
    filling.store.close()


@pytest.mark.parametrize("records", [1, BATCH])
def test_commit(measure, filling, records):
    report = filling.store.commit([filling.judged(records)], NOW_MS)
    assert report.stored == records
    measure(
        f"store: one transaction of {records}",
        "covey",
        lambda outcomes: filling.store.commit([outcomes], NOW_MS),
        records=records,
        prepare=lambda: filling.judged(records),
    )


def test_recall(measure, filling):
    for _ in range(8):
        filling.store.commit([filling.judged()], NOW_MS)
    while filling.store.index():
        pass
    found = filling.store.recall("handshake starves", 10)
    assert len(found.hits) == 10
    measure("recall 10 of 2,048 blocks", "covey", lambda: filling.store.recall("handshake starves", 10))
