"""The writer thread: durable before answered, in order, grouped under load, bounded, flushed at the end."""

import gc
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest

from covey import limits
from covey.errors import StoreError
from covey.store import Failed, StoreWriter, Written, open_store
from tests.unit.store.storekit import ANN, ME, NOW, Answers, at_once, batch_of, intake, judged, says

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "store.db", ME.node_id)
    yield opened
    opened.close()


@pytest.fixture
def gate():
    """Something that holds the writer busy until it is opened."""
    opened = threading.Event()
    yield opened
    opened.set()


def busy(writer: StoreWriter, gate: threading.Event, answers: Answers) -> None:
    """Return once the writer is held at the gate."""
    reached = threading.Event()

    def wait(_store):
        reached.set()
        assert gate.wait(30)

    writer.call(0, wait, answers)
    assert reached.wait(30)


def test_an_answer_comes_after_the_disk_has_it(store):
    writer, answers, seen = StoreWriter(store, at_once), Answers(), []

    def note(told):
        seen.append(store.stats()["records"])
        answers(told)

    writer.submit(7, batch_of(3, "block"), NOW, note)
    assert answers.until(1) == [Written(7)]
    assert seen == [3]
    writer.close()


def test_what_comes_while_busy_shares_one_transaction(store, gate):
    writer, answers = StoreWriter(store, at_once), Answers()
    busy(writer, gate, answers)
    judge = intake()
    for token in range(1, 21):
        writer.submit(token, batch_of(10, f"load {token}", judge), NOW, answers)
    gate.set()
    assert [answer.token for answer in answers.until(21)] == list(range(21))
    assert writer.status()["transactions"] == 2
    assert writer.status()["log_trouble"] is None
    assert answers.calls == 2
    assert store.stats()["records"] == 200
    writer.close()


def test_a_group_is_bounded(store, gate):
    writer, answers = StoreWriter(store, at_once, group_rows=25), Answers()
    busy(writer, gate, answers)
    for token in range(1, 6):
        writer.submit(token, batch_of(10, f"load {token}"), NOW, answers)
    gate.set()
    assert len(answers.until(6)) == 6
    assert writer.status()["transactions"] == 4  # the gate, then 20 + 20 + 10 rows
    writer.close()


def test_what_was_held_long_ago_is_told_by_position(store, gate):
    record = says(ANN, "old")
    store.commit([judged(intake(), record)], NOW)
    writer, answers = StoreWriter(store, at_once), Answers()
    busy(writer, gate, answers)
    writer.submit(1, batch_of(2, "new"), NOW, answers)
    writer.submit(2, judged(intake(), says(ANN, "newer"), record), NOW, answers)
    gate.set()
    assert answers.until(3)[1:] == [Written(1), Written(2, frozenset({1}))]
    writer.close()


def test_own_records_that_wait_together_share_a_transaction(store, gate):
    writer, answers = StoreWriter(store, at_once), Answers()
    busy(writer, gate, answers)
    own = says(ME, "own")
    for token, record in enumerate([own, says(ME, "more"), own], start=1):
        writer.put(token, record, (), NOW, answers)
    before = writer.status()["transactions"]
    gate.set()
    assert answers.until(4)[1:] == [
        Written(token, value=(fresh, [])) for token, fresh in ((1, True), (2, True), (3, False))
    ]
    assert writer.status()["transactions"] == before + 1
    writer.close()


def test_one_bad_own_record_does_not_take_its_neighbours_with_it(store, gate):
    writer, answers = StoreWriter(store, at_once), Answers()
    busy(writer, gate, answers)
    for token, record in enumerate([says(ME, "good"), says(ANN, "not mine"), says(ME, "also good")], start=1):
        writer.put(token, record, (), NOW, answers)
    gate.set()
    first, second, third = answers.until(4)[1:]
    assert (first, third) == (Written(1, value=(True, [])), Written(3, value=(True, [])))
    assert (second.token, second.reason) == (2, "store_input")
    writer.close()


def test_operations_keep_their_place_and_return_values(store):
    writer, answers = StoreWriter(store, at_once), Answers()
    own = says(ME, "own")
    writer.call(1, lambda s: s.put_own(own, NOW), answers)
    writer.call(2, lambda s: s.put_own(own, NOW), answers)
    writer.call(3, lambda s: s.record("no key"), answers)
    writer.call(4, lambda _: 1 // 0, answers)
    first, second, third, fourth = answers.until(4)
    assert (first, second) == (Written(1, value=True), Written(2, value=False))
    assert (third.token, third.reason) == (3, "invalid_id")
    assert (fourth.token, fourth.reason) == (4, "store_operation")
    assert "ZeroDivisionError" in fourth.detail
    writer.close()


def test_a_full_queue_refuses_and_takes_nothing(store, gate):
    writer, answers = StoreWriter(store, at_once, queue_rows=20), Answers()
    busy(writer, gate, answers)
    writer.submit(1, batch_of(15, "fits"), NOW, answers)
    with pytest.raises(StoreError) as refusal:
        writer.submit(2, batch_of(15, "does not"), NOW, answers)
    assert refusal.value.code == "store_busy"
    gate.set()
    assert [answer.token for answer in answers.until(2)] == [0, 1]
    writer.submit(3, batch_of(15, "fits again"), NOW, answers)
    assert answers.until(3)[-1] == Written(3)
    writer.close()
    assert store.stats()["records"] == 30


def test_close_flushes_and_then_refuses(store, gate):
    writer, answers = StoreWriter(store, at_once), Answers()
    busy(writer, gate, answers)
    for token in range(1, 4):
        writer.submit(token, batch_of(5, f"late {token}"), NOW, answers)
    gate.set()
    writer.close()
    writer.close()
    assert len(answers.all) == 4
    assert store.stats()["records"] == 15
    with pytest.raises(StoreError) as refusal:
        writer.submit(9, batch_of(1, "too late"), NOW, answers)
    assert refusal.value.code == "store_closed"


def indexed(store) -> None:
    """Wait until the index has what is stored."""
    asked, deadline = threading.Event(), time.monotonic() + 30
    while store.stats()["recall_lag"]:
        assert time.monotonic() < deadline, "the index does not follow"
        asked.wait(0.005)


def test_an_idle_writer_fills_the_recall_index_and_what_an_earlier_run_left(store):
    judge = intake()
    for part in range(3):
        store.commit([batch_of(200, f"before {part}", judge)], NOW)
    assert store.stats()["recall_lag"] == 600
    writer, answers = StoreWriter(store, at_once), Answers()
    indexed(store)
    for token in range(8):
        writer.submit(token, batch_of(1, f"piece {token}", judge), NOW, answers)
        answers.until(token + 1)
    indexed(store)
    writer.close()
    assert len(store.recall("piece", 100).hits) == 8
    assert [writer.status()[f"{part}_trouble"] for part in ("index", "merge", "log", "writer")] == [None] * 4


def test_what_waits_to_be_indexed_in_a_stream_is_found_all_the_same(store, monkeypatch):
    monkeypatch.setattr(limits, "INDEX_REST_SECONDS", 60.0)
    writer, answers, judge = StoreWriter(store, at_once), Answers(), intake()
    writer.submit(0, batch_of(1, "after a rest", judge), NOW, answers)
    answers.until(1)
    indexed(store)
    few = limits.INDEX_BUSY_ROWS - 1
    for token in range(1, few + 1):
        writer.submit(token, batch_of(1, f"in a stream {token}", judge), NOW, answers)
        answers.until(token + 1)
    assert store.stats()["recall_lag"] == few, "no rest came between them"
    found = store.recall("stream", 10)
    assert (len(found.hits), found.lag) == (10, 0), "a recall adds as many as may wait here"
    writer.close()


def test_an_index_far_behind_holds_up_the_commits(store, gate, monkeypatch):
    monkeypatch.setattr(limits, "INDEX_LAG_ROWS", 50)
    writer, answers = StoreWriter(store, at_once, group_rows=40), Answers()
    busy(writer, gate, answers)
    judge, lags = intake(), []
    for token in range(1, 11):
        note = lambda told: (lags.append(store.stats()["recall_lag"]), answers(told))  # noqa: E731 - one of each
        writer.submit(token, batch_of(40, f"load {token}", judge), NOW, note)
    gate.set()
    answers.until(11)
    assert max(lags) <= 50 + 2 * 40, "it stays behind by what is allowed, a group and the one being written"
    writer.close()


def test_an_operation_that_ends_the_thread_answers_whoever_waits_and_says_why(store, gate):
    class Panic(BaseException):
        """As a panic of the native core is."""

    def break_down(_store):
        raise Panic("out of bounds")

    told, heard = [], threading.Event()

    def complain(word, why):
        told.append((word, why))
        heard.set()

    writer, answers = StoreWriter(store, at_once, complain=complain), Answers()
    busy(writer, gate, answers)
    writer.submit(1, batch_of(2, "one"), NOW, answers)
    writer.call(2, break_down, answers)
    writer.submit(3, batch_of(2, "two"), NOW, answers)
    gate.set()
    assert heard.wait(30)
    writer.close()
    assert told == [("writer_trouble", "Panic: out of bounds")]
    assert writer.status()["writer_trouble"] == "Panic: out of bounds"
    assert writer.status()["waiting_rows"] == 0
    why = "Panic: out of bounds"
    assert answers.all[1:] == [Written(1), Failed(2, "store_closed", why), Failed(3, "store_closed", why)]
    with pytest.raises(StoreError, match=r"its writer ended: Panic: out of bounds") as refused:
        writer.submit(4, batch_of(2, "two"), NOW, answers)
    assert (refused.value.code, "start the peer again" in refused.value.hint) == ("store_closed", True)


def test_without_a_way_to_deliver_a_byte_says_that_there_are_answers(store):
    writer, answers = StoreWriter(store, None), Answers()
    judge = intake()
    for token in range(3):
        writer.submit(token, batch_of(1, f"block {token}", judge), NOW, answers)
        assert select.select([writer.fileno()], [], [], 30)[0]
        assert answers.all[token:] == [], "nobody but the caller hands them out"
        writer.take()
        assert answers.all[token:] == [Written(token)]
        assert select.select([writer.fileno()], [], [], 0)[0] == [], "the byte is gone"
    writer.submit(3, batch_of(1, "last", judge), NOW, answers)
    writer.close()
    assert writer.status()["undelivered"] == 1
    writer.take()
    assert answers.all[3:] == [Written(3)]


def test_with_a_way_to_deliver_there_is_no_descriptor(store):
    writer = StoreWriter(store, at_once)
    with pytest.raises(OSError, match="has no pipe"):
        writer.fileno()
    writer.close()


def test_a_callback_that_raises_takes_nothing_from_the_others(store):
    writer, answers = StoreWriter(store, None), Answers()

    def broken(_answers):
        raise ValueError("whose fault it is")

    judge = intake()
    writer.submit(1, batch_of(1, "one", judge), NOW, broken)
    writer.submit(2, batch_of(1, "two", judge), NOW, answers)
    writer.close()
    with pytest.raises(ValueError, match="whose fault it is"):
        writer.take()
    assert answers.all == [Written(2)]


def test_a_writer_that_nobody_closed_does_not_hold_up_the_end_of_its_process(tmp_path):
    program = """
import sys, threading, time
from covey.store import StoreWriter, open_store
from tests.unit.store.storekit import ME, NOW, at_once, batch_of
writer = StoreWriter(open_store(sys.argv[1], ME.node_id), at_once)
writer.submit(1, batch_of(3, "kept"), NOW, lambda answers: print("kept", flush=True))
at_work = threading.Event()
def last(_store):
    at_work.set()
    for _ in range(100_000):
        time.monotonic()
for token in range(2, 200):
    writer.call(token, last, lambda answers: None)
at_work.wait(30)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "store.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "kept\n", "")
    store = open_store(tmp_path / "store.db", ME.node_id)
    assert store.stats()["records"] == 3
    store.close()


def test_answers_nobody_takes_are_counted_and_stay_stored(store):
    def gone(_work):
        raise RuntimeError("Event loop is closed")

    writer = StoreWriter(store, gone)
    writer.submit(1, batch_of(2, "stored"), NOW, Answers())
    writer.close()
    assert writer.status()["undelivered"] == 1
    assert store.stats()["records"] == 2


def test_answers_that_could_not_be_delivered_go_out_with_the_next(store):
    tried = threading.Event()

    def later(work):
        if not tried.is_set():
            tried.set()
            raise RuntimeError("not now")
        work()

    writer, answers, judge = StoreWriter(store, later), Answers(), intake()
    writer.submit(1, batch_of(1, "one", judge), NOW, answers)
    assert tried.wait(30)
    writer.submit(2, batch_of(1, "two", judge), NOW, answers)
    assert answers.until(2) == [Written(1), Written(2)]
    writer.close()


def test_what_a_callback_raises_on_the_writers_thread_is_heard_of(store, monkeypatch):
    heard = []
    monkeypatch.setattr(sys, "unraisablehook", lambda said: heard.append(str(said.exc_value)))

    def broken(_answers):
        raise ValueError("whose fault it is")

    writer = StoreWriter(store, at_once)
    writer.submit(1, batch_of(1, "one"), NOW, broken)
    writer.close()
    assert heard == ["whose fault it is"]


def test_who_complains_in_vain_hides_nothing_of_the_callbacks(store):
    def broken(_answers):
        raise ValueError("whose fault it is")

    def complain(_word, _why):
        raise OSError("no log")

    class End(BaseException):
        """Ends the thread, which is complained of."""

    def end(_store):
        raise End

    writer = StoreWriter(store, None, complain=complain)
    writer.call(1, end, broken)
    writer.close()
    with pytest.raises(ValueError, match="whose fault it is"):
        writer.take()


def test_answers_that_nobody_takes_keep_nobody_alive(store):
    class Owner:
        def __init__(self):
            self.writer = StoreWriter(store, None)

        def hear(self, _answers):
            """Whoever hears holds the writer."""

    owner = Owner()
    owner.writer.submit(1, batch_of(1, "one"), NOW, owner.hear)
    owner.writer.call(2, lambda _store: owner, owner.hear)
    owner.writer.close()
    assert owner.writer.status()["undelivered"] == 2
    alive = weakref.ref(owner)
    owner = None
    gc.collect()
    assert alive() is None


def test_a_signal_is_heeded_while_closing_waits(store, gate):
    writer, answers = StoreWriter(store, at_once), Answers()
    busy(writer, gate, answers)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.1, signal.raise_signal, (signal.SIGINT,)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            writer.close()
    finally:
        signal.signal(signal.SIGINT, before)
    gate.set()
    writer.close()
    assert answers.all == [Written(0)]


def ended(program: str, path: Path) -> tuple[int, str, str]:
    """Run a program that has a store there; return how it ended, and what it said."""
    # Python 3.12 and later warn of every fork beside threads: that is what one of these programs is for.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    return done.returncode, done.stdout, done.stderr


def test_an_operation_that_never_returns_does_not_keep_its_process(tmp_path):
    program = """
import sys, threading
from covey.store import StoreWriter, open_store
from tests.unit.store.storekit import ME, at_once
writer, at_work = StoreWriter(open_store(sys.argv[1], ME.node_id), at_once), threading.Event()
writer.call(1, lambda _store: (at_work.set(), threading.Event().wait()), print)
at_work.wait(30)
"""
    assert ended(program, tmp_path / "store.db") == (0, "", "")


def test_no_operation_runs_while_the_interpreter_ends_not_even_of_a_writer_nobody_holds(tmp_path):
    program = """
import atexit, sys, threading, time
ran, at_work = [], threading.Event()
def look():
    before = len(ran)
    at_work.wait(0.3)
    print(len(ran) - before)
atexit.register(look)
from covey.store import StoreWriter, open_store
from tests.unit.store.storekit import ME
writer = StoreWriter(open_store(sys.argv[1], ME.node_id), None)
def work(_store):
    ran.append(time.sleep(0.002))
for token in range(5_000):
    writer.call(token, work, print)
writer.call(5_000, lambda _store: at_work.set(), print)
del writer
"""
    assert ended(program, tmp_path / "store.db") == (0, "0\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no process")
def test_a_fork_closes_a_writer_whose_thread_it_does_not_have(tmp_path):
    program = """
import os, sys
from covey.store import StoreWriter, open_store
from tests.unit.store.storekit import ME, at_once
writer = StoreWriter(open_store(sys.argv[1], ME.node_id), at_once)
child = os.fork()
writer.close()
print(os.waitpid(child, 0)[1] if child else "closed", flush=True)
if not child:
    os._exit(0)
"""
    assert ended(program, tmp_path / "store.db") == (0, "closed\n0\n", "")
