"""Encode a text, and the whole way in (verify, judge, remember) with 5, 64 and 1,000 anchors."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from nacl.signing import VerifyKey

from benches import judging, reference, samples
from benches.next_step import install
from covey import core
from covey._core import Intake, OutcomeBatch, RecordBatch
from covey.model import CAT7

BATCH = 256
NOW_MS = samples.CREATED_MS + 10_000
TEXT = samples.categories(3)["issue"]
PUBLIC = samples.IDENTITY.public_key
WINDOWS = (5, 64, 1000)


def signed(number: int) -> bytes:
    """Return one signed block as it stands on the wire."""
    return core.sign(samples.draft(number), samples.IDENTITY).to_json()


@pytest.fixture(scope="module")
def incoming() -> list[bytes]:
    """Return the blocks that arrive: none of them is among the anchors."""
    return [signed(5_000 + number) for number in range(BATCH)]


def test_encode_core(measure):
    assert core.encode(TEXT) == judging.encode(TEXT)
    measure("encode: one category text", "covey", lambda: core.encode(TEXT))


def test_encode_python(measure):
    measure("encode: one category text", "pure Python", lambda: judging.encode(TEXT))


class Warm:
    """An intake that holds `window` anchors and hears the same new blocks every round."""

    def __init__(self, window: int, incoming: list[bytes]) -> None:
        self.intake = Intake(samples.OTHER_NODE_ID, samples.ROOM, [1.0] * 7, window=window)
        self.intake.bind(samples.NODE_ID, PUBLIC)
        for number in range(window):
            own = core.sign(samples.draft(number), samples.IDENTITY)
            self.intake.admit_own(own, NOW_MS)
        assert len(self.intake.anchors()) == window
        self.incoming = incoming
        self.heard: OutcomeBatch | None = None

    def prepare(self) -> list[bytes]:
        """Take the last round back, so that every round hears new blocks."""
        if self.heard is not None:
            self.intake.rollback(self.heard)
        return self.incoming

    def evaluate(self, wires: list[bytes]) -> OutcomeBatch:
        """Read, verify and judge one batch."""
        batch = RecordBatch([core.Unverified.parse(wire) for wire in wires])
        self.heard = self.intake.evaluate(
            batch, session_node_id=samples.NODE_ID, now_ms=NOW_MS, entropy=bytes(range(32))
        )
        return self.heard


@pytest.mark.parametrize("window", WINDOWS)
def test_intake_core(measure, incoming, window):
    warm = Warm(window, incoming)
    outcomes = warm.evaluate(warm.prepare())
    assert sum(outcomes.counts.values()) == BATCH
    assert outcomes.counts["refused"] == outcomes.counts["duplicate"] == 0
    what = f"intake with {window:,} anchors: JSON to verdict"
    measure(what, "covey", warm.evaluate, records=BATCH, prepare=warm.prepare)


@pytest.mark.parametrize("window", WINDOWS)
def test_intake_python(measure, incoming, window):
    key = VerifyKey(PUBLIC)
    anchors = [judging.vectors(samples.categories(number)) for number in range(window)]
    texts = samples.categories(5_000)
    ours = core.evaluate(texts, [samples.categories(number) for number in range(window)])
    assert judging.field_drift(judging.vectors(texts), anchors) == pytest.approx(ours.field_drift, abs=1e-9)

    def work(_: None) -> None:
        reference.verify(incoming[0], key)
        judging.field_drift(judging.vectors(texts), anchors)

    what = f"intake with {window:,} anchors: JSON to verdict"
    measure(what, "pure Python + PyNaCl", work, prepare=lambda: None, rounds=10)


def drift_by_matrices(np: Any, texts: Mapping[str, str], window: int) -> Callable[[], float]:
    """Return `judging.field_drift` in NumPy: what is held is in matrices that were made before."""
    held = [judging.vectors(samples.categories(number)) for number in range(window)]
    rows = np.array([[anchor[name] for anchor in held] for name in CAT7])
    said = np.array([judging.encode(texts[name]) for name in CAT7])
    lengths, length = np.linalg.norm(rows, axis=2), np.linalg.norm(said, axis=1)

    def drift() -> float:
        near = np.maximum(np.matmul(rows, said[:, :, None])[:, :, 0] / (lengths * length[:, None]), 0.0)
        fused = np.matmul(near[:, None, :], rows)[:, 0, :] / near.sum(axis=1)[:, None]
        cosines = (fused * said).sum(axis=1) / (np.linalg.norm(fused, axis=1) * length)
        return float((1.0 - cosines).mean())

    return drift


@pytest.mark.parametrize("window", WINDOWS)
def test_intake_numpy(measure, incoming, window):
    np = pytest.importorskip("numpy", reason=f"NumPy is not installed; {install('bench')}")
    key, texts = VerifyKey(PUBLIC), samples.categories(5_000)
    drift = drift_by_matrices(np, texts, window)
    ours = core.evaluate(texts, [samples.categories(number) for number in range(window)])
    assert drift() == pytest.approx(ours.field_drift, abs=1e-9)

    def work() -> None:
        reference.verify(incoming[0], key)
        drift()

    what = f"intake with {window:,} anchors: JSON to verdict"
    measure(what, "NumPy + PyNaCl, encoded before", work)
