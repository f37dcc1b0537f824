"""The store as Python sees it: text ids, frozen rows, typed errors."""

import os

import pytest

from covey import _core
from tests.unit.store.storekit import ANN, BOB, ME, NOW, ROOM, batch_of, intake, judged, says


@pytest.fixture
def store(tmp_path):
    opened = _core.Store.open(tmp_path / "store.db", node_id=ME.node_id)
    yield opened
    opened.close()


def test_a_commit_reports_and_keeps_the_whole_record(store):
    record = says(ANN, "whole", parents=[says(BOB, "parent").key])
    batch = judged(intake(), record)
    report = store.commit([batch], NOW + 1)
    assert (report.stored, report.decisions, report.inbox, report.held) == (1, 1, [(0, 0, 1)], [])
    held = store.record(record.key)
    assert held.categories == record.categories
    assert list(held.categories) == list(_core.CATEGORIES)
    assert (held.assertion_id, held.node_id, held.author) == (record.assertion_id, ANN.node_id, ANN.name)
    assert (held.created_ms, held.stored_ms, held.room, held.to) == (NOW, NOW, ROOM, None)
    assert (held.parents, held.lifecycle, held.decision) == (record.parents, "observed", "aligned")
    assert held.own is False
    json = store.record_json(record.key)
    assert json == record.to_json()
    assert _core.verify(_core.Unverified.parse(json), ANN.public_key).key == record.key
    assert store.parents(record.key) == list(record.parents)
    assert store.children(record.parents[0]) == [record.key]


def test_rows_of_the_inbox_carry_the_record_and_the_evaluation(store):
    judge = intake(takes_all=False)
    directed = says(BOB, "for you alone", to=ME.node_id)
    batch = judged(judge, says(ANN, "first of all"), directed)
    store.commit([batch], NOW + 5)
    first, second = store.inbox(0, 10)
    assert (first.seq, first.ingested, first.directed) == (1, True, False)
    assert (second.seq, second.directed, second.ingested) == (2, True, batch[1].kind == "admitted")
    assert (second.record.key, second.record.to) == (directed.key, ME.node_id)
    assert (second.from_node_id, second.received_ms) == (ANN.node_id, NOW + 5)
    told, kept = batch[1].evaluation, second.evaluation
    assert (kept.decision, kept.total_drift) == (told.decision, told.total_drift)
    assert kept.explanation == told.explanation
    assert [(c.name, c.verdict, c.drift) for c in kept.categories] == [
        (c.name, c.verdict, c.drift) for c in told.categories
    ]
    store.inbox_ack(1)
    assert store.inbox_cursor() == 1


def test_refusals_are_decisions_with_a_reason(store):
    judge = intake()
    stranger = _core.Identity("01900000-0000-7000-8000-0000000000ff", "stranger", bytes(32))
    record = says(stranger, "who am I")
    store.commit([judged(judge, record)], NOW)
    (row,) = store.decisions(10, key=record.key)
    assert (row.kind, row.reason, row.evaluation) == ("refused", "author_unknown", None)
    assert (row.node_id, row.from_node_id, row.at_ms) == (stranger.node_id, ANN.node_id, NOW)
    assert stranger.node_id in row.detail


def test_several_own_records_share_a_transaction_all_or_none(store):
    one, two, foreign = says(ME, "one"), says(ME, "two"), says(ANN, "not mine")
    with pytest.raises(_core.CoreError) as refusal:
        store.put_own_many([(one, [], None), (foreign, [], None)], NOW)
    assert refusal.value.reason == "store_input"
    assert store.record(one.key) is None
    puts = [(one, [BOB.node_id], None), (two, (), None), (one, [], NOW)]
    assert store.put_own_many(puts, NOW) == [(True, [1]), (True, []), (False, [])]
    assert [row.key for row in store.outbox(10)] == [one.key]
    with pytest.raises(_core.CoreError):
        store.put_own_many([(says(ME, "three"), ["nobody"], None)], NOW)
    assert store.put_own_many([], NOW) == []


def test_own_records_wait_in_the_outbox(store):
    record = says(ME, "to both")
    assert store.put_own(record, NOW, [ANN.node_id, BOB.node_id]) is True
    assert store.put_own(record, NOW, [ANN.node_id]) is False
    (row,) = store.outbox(10, node_id=BOB.node_id)
    assert (row.key, row.assertion_id, row.node_id) == (record.key, record.assertion_id, BOB.node_id)
    assert (row.json, row.queued_ms) == (record.to_json(), NOW)
    said = (row.assertion_id, "delivered", None, False)
    (end,) = store.mail.settle(BOB.node_id, [said], NOW)
    assert (end.state, end.number, end.closed) == ("delivered", 1, False)
    assert store.mail.settle(BOB.node_id, [said], NOW) == []
    assert [row.node_id for row in store.outbox(10)] == [ANN.node_id]


def test_recall_says_when_it_is_behind_or_capped(store):
    store.commit([batch_of(3, "common")], NOW)
    found = store.recall("common", 2)
    assert (len(found.hits), found.capped, found.lag) == (2, False, 0)
    assert store.index() == 0


def test_restart_state_is_bytes_by_name(store):
    assert store.state_get("budget") is None
    store.state_put("budget", b"\x00\xff")
    assert store.state_get("budget") == b"\x00\xff"
    key = says(ANN, "wake").key
    assert not store.woken(key)
    store.state_put_many([("budget", b"2")], [key])
    assert store.woken(key) and store.state_get("budget") == b"2"
    assert store.bind(ANN.node_id, ANN.public_key, "ann", NOW) == "bound"
    assert store.bind(ANN.node_id, BOB.public_key, "ann", NOW) == "conflict"
    assert store.bindings() == [(ANN.node_id, ANN.public_key, "ann", NOW)]


def test_an_intake_is_filled_again(store):
    record = says(ANN, "known")
    store.bind(ANN.node_id, ANN.public_key, "ann", NOW)
    store.commit([judged(intake(), record)], NOW)
    fresh = _core.Intake(ME.node_id, ROOM, [1.0] * 7)
    assert store.load_into(fresh) == 1
    assert fresh.anchors() == [record.key]
    assert judged(fresh, record)[0].kind == "duplicate"


def test_figures_have_names(store):
    store.put_own(says(ME, "one"), NOW)
    figures = store.stats()
    assert (figures["records"], figures["own"], figures["recall_lag"]) == (1, 1, 1)
    assert all(isinstance(value, int) for value in figures.values())
    assert store.integrity() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.record("cmb-short"),
        lambda s: s.parents("nothing"),
        lambda s: s.decisions(1, key="cmb1-00"),
        lambda s: s.recent(1, author_node_id="ANN"),
        lambda s: s.put_own(says(ME, "x"), NOW, ["nobody"]),
        lambda s: s.mail.settle("nobody", [], NOW),
        lambda s: s.mail.finish("asrt-1", "executed"),
        lambda s: s.bind("nobody", bytes(32), "", NOW),
    ],
)
def test_what_is_no_id_is_refused(store, call):
    with pytest.raises(_core.CoreError) as refusal:
        call(store)
    assert refusal.value.reason == "invalid_id"
    assert store.stats()["records"] == 0


def test_a_refusal_names_file_and_reason(store, tmp_path):
    with pytest.raises(_core.CoreError) as refusal:
        _core.Store.open(tmp_path / "store.db", node_id=ME.node_id)
    assert refusal.value.reason == "store_locked"
    assert str(tmp_path / "store.db") in refusal.value.detail
    assert refusal.value.code is None
    store.close()
    with pytest.raises(_core.CoreError) as refusal:
        store.stats()
    assert refusal.value.reason == "store_closed"


def test_a_store_that_was_asked_before_its_index_was_merged_is_whole(store):
    for number in range(9):
        store.commit([batch_of(1, f"word{number}")], NOW)
        store.index()
    assert store.recall("word1", 1).hits
    while store.merge():
        pass
    assert store.integrity() == []


def test_a_store_named_from_where_the_process_was_is_kept_where_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = _core.Store.open("store.db", node_id=ME.node_id)
    try:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        for number in range(6):
            store.state_put("much", os.urandom(1) * (4_000_000 + number))
        store.memory.archive_idle(0)  # what has time waits for the thread that copies the log
        assert store.log_trouble() is None
        assert store.stats()["file_bytes"] > 4_000_000
    finally:
        store.close()
    assert store.log_trouble() is None
    assert list((tmp_path / "elsewhere").iterdir()) == []
