"""The writer thread: durable before answered, in order, grouped under load, bounded, flushed at the end."""

import threading

import pytest

from covey import limits
from covey.errors import StoreError
from covey.store import Failed, StoreWriter, Written, open_store
from tests.unit.store.storekit import ANN, ME, NOW, Answers, at_once, batch_of, intake, judged, says


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


def test_a_failure_is_told_per_token_and_spares_its_neighbours(store, gate):
    writer, answers = StoreWriter(store, at_once), Answers()
    busy(writer, gate, answers)
    good = batch_of(1, "good")
    writer.submit(1, good, NOW, answers)
    writer.submit(2, good, 1 << 70, answers)  # no time that a store could keep
    gate.set()
    _, first, second = answers.until(3)
    assert first == Written(1)
    assert isinstance(second, Failed)
    assert second.token == 2
    assert store.stats()["records"] == 1
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


class Watched:
    """A store whose calls of `index` a test can wait for, or make fail."""

    def __init__(self, store, *, fails=False):
        self._store = store
        self._fails = fails
        self.indexed = threading.Event()
        self.asked = []
        self.merged = threading.Event()
        self.merges = []

    def __getattr__(self, name):
        return getattr(self._store, name)

    def index(self, most=512):
        if self._fails:
            return self._store.record("not a key")
        self.asked.append(most)
        left = self._store.index(most)
        if not left and self._store.stats()["records"]:
            self.indexed.set()
        return left

    def merge(self):
        self.merges.append(self._store.merge())
        if not self.merges[-1]:
            self.merged.set()
        return self.merges[-1]


def test_pieces_of_the_index_are_merged_between_commits_until_nothing_is_left(store):
    watched, answers = Watched(store), Answers()
    writer = StoreWriter(watched, at_once)
    judge = intake()
    assert watched.merged.wait(30), "what an earlier run left is looked for"
    for token in range(8):
        watched.indexed.clear()
        watched.merged.clear()
        writer.submit(token, batch_of(1, f"piece {token}", judge), NOW, answers)
        assert watched.indexed.wait(30)
        assert watched.merged.wait(30), "each time until nothing is left to merge"
    writer.close()
    assert watched.merges[-1] is False
    assert True in watched.merges, "eight pieces were worth it"
    assert len(store.recall("piece", 100).hits) == 8
    assert writer.status()["index_trouble"] is None


def test_in_bulk_nothing_is_merged_before_a_rest(store, monkeypatch):
    monkeypatch.setattr(limits, "INDEX_REST_SECONDS", 60.0)
    monkeypatch.setattr(limits, "INDEX_SLICE_ROWS", 10)
    monkeypatch.setattr(limits, "INDEX_BURST_ROWS", 10)
    watched, answers = Watched(store), Answers()
    writer = StoreWriter(watched, at_once)
    judge = intake()
    assert watched.merged.wait(30)
    watched.merged.clear()
    writer.submit(0, batch_of(1, "after a rest", judge), NOW, answers)
    assert watched.merged.wait(30)
    watched.indexed.clear()
    before = len(watched.merges)
    for token in range(1, 12):
        writer.submit(token, batch_of(10, f"in bulk {token}", judge), NOW, answers)
    assert answers.until(12)
    assert watched.indexed.wait(30)
    assert len(watched.merges) == before
    watched.merged.clear()
    writer.submit(12, batch_of(1, "one by itself", judge), NOW, answers)
    assert watched.merged.wait(30)
    writer.close()


def test_an_idle_writer_fills_the_recall_index(store):
    watched, answers = Watched(store), Answers()
    writer = StoreWriter(watched, at_once)
    judge = intake()
    for token in range(4):
        writer.submit(token, batch_of(200, f"word {token}", judge), NOW, answers)
    assert watched.indexed.wait(30)
    writer.close()
    restarted = Watched(store)
    writer = StoreWriter(restarted, at_once)
    assert restarted.indexed.wait(30)
    assert store.stats()["recall_lag"] == 0
    writer.close()


def in_a_stream(store, monkeypatch, count):
    """Store one block after a rest, and then so many that no rest comes between them."""
    monkeypatch.setattr(limits, "INDEX_REST_SECONDS", 60.0)
    watched, answers = Watched(store), Answers()
    writer = StoreWriter(watched, at_once)
    judge = intake()
    writer.submit(0, batch_of(1, "after a rest", judge), NOW, answers)
    assert watched.indexed.wait(30), "a lone row is found at once"
    watched.indexed.clear()
    before = len(watched.asked)
    for token in range(1, count + 1):
        writer.submit(token, batch_of(1, f"in a stream {token}", judge), NOW, answers)
        answers.until(token + 1)
    assert (store.stats()["recall_lag"], len(watched.asked)) == (count, before)
    return watched, answers, writer, judge


def test_rows_of_commits_that_follow_one_another_are_indexed_together(store, monkeypatch):
    few = limits.INDEX_BUSY_ROWS - 1
    watched, answers, writer, judge = in_a_stream(store, monkeypatch, few)
    before = len(watched.asked)
    writer.submit(99, batch_of(1, "one more", judge), NOW, answers)
    assert watched.indexed.wait(30), "so many are indexed between two commits"
    assert watched.asked[before:] == [limits.INDEX_BUSY_ROWS], "at once, in one slice"
    writer.close()


def test_what_waits_to_be_indexed_in_a_stream_is_found_all_the_same(store, monkeypatch):
    few = limits.INDEX_BUSY_ROWS - 1
    _, _, writer, _ = in_a_stream(store, monkeypatch, few)
    found = store.recall("stream", 10)
    assert (len(found.hits), found.lag) == (10, 0), "a recall adds as many as may wait here"
    writer.close()


def test_blocks_in_bulk_are_indexed_by_the_slice(store, monkeypatch):
    monkeypatch.setattr(limits, "INDEX_REST_SECONDS", 60.0)
    monkeypatch.setattr(limits, "INDEX_SLICE_ROWS", 100)
    monkeypatch.setattr(limits, "INDEX_BUSY_ROWS", 20)
    monkeypatch.setattr(limits, "INDEX_BURST_ROWS", 10)
    watched, answers = Watched(store), Answers()
    writer = StoreWriter(watched, at_once)
    judge = intake()
    writer.submit(0, batch_of(1, "after a rest", judge), NOW, answers)
    assert watched.indexed.wait(30)
    watched.indexed.clear()
    before = len(watched.asked)
    writer.submit(1, batch_of(60, "in bulk", judge), NOW, answers)
    answers.until(2)
    writer.submit(2, batch_of(39, "more of it", judge), NOW, answers)
    answers.until(3)
    assert (store.stats()["recall_lag"], len(watched.asked)) == (99, before), "not by the few"
    writer.submit(3, batch_of(20, "and more", judge), NOW, answers)
    answers.until(4)
    writer.submit(4, batch_of(1, "one by itself", judge), NOW, answers)
    assert watched.indexed.wait(30)
    assert watched.asked[before:] == [100, 20], "a whole slice, and what is left once it comes one by one"
    writer.close()


def test_rows_that_nothing_follows_are_indexed_after_a_moment(store):
    watched, answers = Watched(store), Answers()
    writer = StoreWriter(watched, at_once)
    writer.submit(1, batch_of(1, "alone"), NOW, answers)
    assert watched.indexed.wait(30)
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


def test_an_index_that_cannot_grow_does_not_stop_the_writer(store, monkeypatch):
    monkeypatch.setattr(limits, "INDEX_REST_SECONDS", 0.0)
    writer, answers = StoreWriter(Watched(store, fails=True), at_once), Answers()
    for token in (1, 2):
        writer.submit(token, batch_of(2, f"stored {token}"), NOW, answers)
        answers.until(token)
    writer.close()
    assert "invalid_id" in writer.status()["index_trouble"]
    assert store.stats()["records"] == 4


def test_pieces_that_cannot_be_merged_stop_nothing_and_are_told_of_once(store):
    class Torn(Watched):
        def merge(self):
            return self._store.record("not a key")

    told, heard = [], threading.Event()

    def complain(word, why):
        told.append((word, why))
        heard.set()

    watched = Torn(store)
    writer, answers = StoreWriter(watched, at_once, complain=complain), Answers()
    judge = intake()
    for token in (1, 2):
        watched.indexed.clear()
        writer.submit(token, batch_of(2, f"stored {token}", judge), NOW, answers)
        assert watched.indexed.wait(30)
    assert heard.wait(30)
    writer.close()
    assert [word for word, _ in told] == ["merge_trouble"]
    assert "invalid_id" in writer.status()["merge_trouble"]
    assert writer.status()["index_trouble"] is None
    assert store.stats()["records"] == 4


@pytest.mark.parametrize("where", ["commit", "index"])
def test_a_writer_that_ends_by_itself_answers_whoever_waits_and_says_why(store, where):
    class Panic(BaseException):
        """As a panic of the native core is."""

    class Torn(Watched):
        def commit(self, *arguments):
            if where == "commit":
                raise Panic("out of bounds")
            return self._store.commit(*arguments)

        def index(self, most):
            if self._store.stats()["records"]:
                raise Panic("out of bounds")
            return self._store.index(most)

    told, heard = [], threading.Event()

    def complain(word, why):
        told.append((word, why))
        heard.set()

    writer, answers = StoreWriter(Torn(store), at_once, complain=complain), Answers()
    writer.submit(1, batch_of(2, "one"), NOW, answers)
    assert heard.wait(30)
    writer.close()
    assert told == [("writer_trouble", "Panic: out of bounds")]
    assert writer.status()["writer_trouble"] == "Panic: out of bounds"
    assert writer.status()["waiting_rows"] == 0
    if where == "commit":
        assert answers.all == [Failed(1, "store_closed", "Panic: out of bounds")]
    else:
        assert answers.all == [Written(1)]
    with pytest.raises(StoreError, match=r"its writer ended: Panic: out of bounds") as refused:
        writer.submit(2, batch_of(2, "two"), NOW, answers)
    assert (refused.value.code, "start the peer again" in refused.value.hint) == ("store_closed", True)


def test_what_was_kept_before_a_writer_ended_is_answered_as_kept(store, gate):
    class Panic(BaseException):
        """As a panic of the native core is."""

    class Torn(Watched):
        tries = 0

        def commit(self, batches, *arguments):
            if len(batches) > 1:
                raise ValueError("one of them is bad")
            self.tries += 1
            if self.tries == 2:
                raise Panic("out of bounds")
            return self._store.commit(batches, *arguments)

    writer, answers = StoreWriter(Torn(store), at_once), Answers()
    busy(writer, gate, answers)
    judge = intake()
    for token in (1, 2, 3):
        writer.submit(token, batch_of(2, f"block {token}", judge), NOW, answers)
    gate.set()
    _, first, second, third = answers.until(4)
    writer.close()
    assert first == Written(1)
    assert [second.reason, third.reason] == ["store_closed"] * 2
    assert store.stats()["records"] == 2


def test_answers_nobody_takes_are_counted_and_stay_stored(store):
    def gone(_work):
        raise RuntimeError("Event loop is closed")

    writer = StoreWriter(store, gone)
    writer.submit(1, batch_of(2, "stored"), NOW, Answers())
    writer.close()
    assert writer.status()["undelivered"] == 1
    assert store.stats()["records"] == 2
