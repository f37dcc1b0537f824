"""What memory holds is read by the kernel in use, behind everything else, and it says how far it is."""

from __future__ import annotations

import asyncio

import pytest

from covey import _core, limits
from covey.runtime.encoding import Encoding
from covey.store import open_store
from tests.unit.store.storekit import ANN, ME, NOW, ROOM, says

HELD = 300


class Clock:
    def now_ms(self):
        return NOW

    def monotonic(self):
        return 0.0


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    for name in ("ENCODING_FIRST_SECONDS", "ENCODING_BREATH_SECONDS", "ENCODING_EVERY_SECONDS"):
        monkeypatch.setattr(limits, name, 0.0)


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "store.db", ME.node_id)
    blocks = [says(ANN, f"parser{number} drops frame{number}") for number in range(HELD)]
    opened.memory.carry_in(blocks, NOW)
    yield opened
    opened.close()


def listening(kernel):
    encoder = None if kernel is None else _core.Encoder(kernel)
    return _core.Intake(ME.node_id, ROOM, [1.0] * 7, encoder=encoder)


def read_all(store, intake, until):
    """Run one peer's reading until its log says so of all that is held; return its figures and its log."""
    log, done = [], asyncio.Event()

    def note(_, event, facts):
        log.append((event, facts))
        if event == until and facts["read"] == HELD:
            done.set()

    encoding = Encoding(store, clock=Clock(), log=note)
    encoding.attach(intake)
    assert encoding.figures() is None

    async def run():
        encoding.start()
        await asyncio.wait_for(done.wait(), 60)
        await encoding.stop()

    asyncio.run(run())
    return encoding.figures(), log


def test_the_first_kernel_reads_without_a_word_and_another_says_what_it_does(store):
    first = listening("words-1")
    store.load_into(first)
    figures, log = read_all(store, first, "encoding")
    assert figures == {"kernel": "words-1", "read": HELD, "of": HELD, "trouble": None}
    assert [event for event, _ in log if event != "encoding"] == []
    assert store.memory.kernels() == {"words-1": HELD}

    other = listening("lexis-h1024")
    store.load_into(other)
    figures, log = read_all(store, other, "encoding-done")
    assert figures["kernel"] == "lexis-h1024" and figures["read"] == HELD
    steps = [facts["read"] for event, facts in log if event == "encoding"]
    assert steps == sorted(steps) and steps[-1] == HELD and len(steps) == 3, "slice by slice"
    told = dict(log)
    assert told["encoding-began"]["instead_of"] == ["words-1"]
    assert told["encoding-done"]["read"] == HELD
    assert store.memory.kernels() == {"lexis-h1024": HELD}


def test_the_baseline_reads_nothing_beside(store):
    intake = listening(None)
    store.load_into(intake)
    encoding = Encoding(store, clock=Clock(), log=lambda *_: None)
    encoding.attach(intake)

    async def run():
        encoding.start()
        await asyncio.wait_for(encoding._task, 60)

    asyncio.run(run())
    assert encoding.figures() is None and store.memory.kernels() == {}


def test_a_store_that_cannot_be_read_is_said_once_and_tried_again(store):
    intake = listening("words-1")
    store.load_into(intake)
    log = []
    encoding = Encoding(store, clock=Clock(), log=lambda level, event, facts: log.append((level, event)))
    encoding.attach(intake)
    looks, enough = [], asyncio.Event()
    store.close()

    async def run():
        loop = asyncio.get_running_loop()

        class Closed:
            """A closed store that was open when it was last looked at."""

            def encoding(self, _):
                looks.append(1)
                if len(looks) == 6:
                    loop.call_soon_threadsafe(enough.set)
                return "words-1", 0, HELD

            def __getattr__(self, name):
                return getattr(store.memory, name)

        encoding._native = type("Native", (), {"memory": Closed()})()
        encoding.start()
        await asyncio.wait_for(enough.wait(), 60)
        await encoding.stop()

    asyncio.run(run())
    assert log == [("warn", "encoding-failed")]
    assert encoding.figures()["trouble"] == "store_closed"
