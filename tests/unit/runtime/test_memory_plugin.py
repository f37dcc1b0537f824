"""The shell of memory over a real store: words are acted upon once, and for who may."""

from __future__ import annotations

import json

import pytest

from covey import _core, limits
from covey.cognition import terms
from covey.errors import IpcError
from covey.memory import recents
from covey.model import Ruling
from covey.proto.remembering import Look, Moved
from covey.runtime.encoding import Encoding
from covey.runtime.memory import MemoryPlugin
from covey.runtime.memory_book import DAY_MS, Importer, Keeping, archive, keep, page, purge, stats
from covey.store import open_store
from covey.store.memory import block_of, feedback_as
from tests.unit.store.storekit import ANN, BOB, ME, NOW, ROOM, intake, judged, says

OLD = NOW + 100 * DAY_MS


class Clock:
    def now_ms(self):
        return NOW

    def monotonic(self):
        return 0.0


class AtOnce:
    """The writer, without its thread."""

    def __init__(self, store):
        self.store, self.broken, self.runs = store, "", 0

    def run(self, operation, done):
        self.runs += 1
        if self.broken:
            done(None, self.broken)
        else:
            done(operation(self.store), "")


class Ann:
    def may(self, move, node_id):
        return Ruling(node_id == ANN.node_id, "only ann may")

    def validators(self):
        return (ANN.node_id,)


class Judge:
    """What is told to the one who judges newcomers."""

    def __init__(self):
        self.heeded, self.weighed = [], []

    def heed(self, node_ids):
        self.heeded.append(node_ids)

    def weigh(self, key, weight):
        self.weighed.append((key, weight))


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "store.db", ME.node_id)
    yield opened
    opened.close()


@pytest.fixture
def shell(store):
    tasks, said, log = AtOnce(store), [], []
    plugin = MemoryPlugin(
        ME,
        tasks,
        store,
        Ann(),
        Keeping(),
        clock=Clock(),
        log=lambda level, event, facts: log.append((level, event, facts)),
        as_feedback=feedback_as,
        encoding=Encoding(store, clock=Clock(), log=lambda *_: None),
    )
    plugin._tell = said.append
    return plugin, tasks, said, log


def word(who, verb, target):
    draft = _core.Draft(
        {"focus": f"{who.name} judges", "commitment": f"{verb} {target}: because"},
        node_id=who.node_id,
        author=who.name,
        created_ms=NOW,
        room=ROOM,
        parents=(target,),
    )
    return _core.sign(draft, who)


def test_a_judgement_moves_its_block_once_and_only_for_who_may(store, shell):
    plugin, _, said, log = shell
    block = says(BOB, "the claim")
    store.commit([judged(intake(), block, word(BOB, "Validated", block.key))], NOW)
    plugin.perform(Look())
    assert store.record(block.key).lifecycle == "remixed"
    assert said == [Moved("unauthorised")] and log[0][2]["reason"] == "only ann may"
    store.commit([judged(intake(), word(ANN, "Validated", block.key))], NOW)
    plugin.perform(Look())
    plugin.perform(Look())
    assert store.record(block.key).lifecycle == "validated"
    assert said == [Moved("unauthorised"), Moved("moved")]
    assert [step[3:5] for step in store.memory.steps(10)] == [("validated", ANN.node_id)]


def test_the_judge_of_newcomers_hears_who_teaches_and_where_a_block_stands(store, shell):
    plugin, judge = shell[0], Judge()
    plugin.attach(judge)
    block, other = says(BOB, "the claim"), says(BOB, "another")
    store.commit([judged(intake(), block, other, word(BOB, "Validated", other.key))], NOW)
    plugin.perform(Look())
    assert (judge.heeded, judge.weighed) == ([(ANN.node_id,)], [])
    store.commit([judged(intake(), word(ANN, "Validated", block.key))], NOW)
    store.commit([judged(intake(), word(ANN, "Dismissed", other.key))], NOW)
    plugin.perform(Look())
    assert judge.heeded == [(ANN.node_id,)], "said once, until it changes"
    assert judge.weighed == [(block.key, 2.0), (other.key, 0.5)]


def test_what_could_not_be_read_is_looked_at_again(store, shell):
    plugin, tasks, said, _ = shell
    block = says(BOB, "the claim")
    store.commit([judged(intake(), block, word(ANN, "Dismissed", block.key))], NOW)
    tasks.broken = "store_io: disk"
    plugin.perform(Look())
    assert said == []
    tasks.broken = ""
    plugin.perform(Look())
    assert said == [Moved("moved")] and store.record(block.key).lifecycle == "dismissed"


async def test_the_operator_is_answered_or_told_what_is_wrong(store, shell):
    plugin = shell[0]
    store.put_own(says(ME, "mine"), NOW)
    found = await plugin.handle({"action": "stats"})
    assert (found["records"], found["own"], found["lifecycle"]) == (1, 1, {"observed": 1})
    for wrong in (
        {},
        {"action": "burn"},
        {"action": "stats", "days": 1},
        {"action": "purge", "days": -1},
        {"action": "purge", "days": True},
        {"action": "purge", "days": 1, "dry_run": "yes"},
        {"action": "page", "after": -1},
        {"action": "purge"},
    ):
        with pytest.raises(IpcError):
            await plugin.handle(wrong)


def test_old_blocks_go_and_what_they_are_needed_for_stays(store):
    root, alone = says(ME, "root"), says(ME, "alone")
    store.put_own(root, NOW)
    store.put_own(alone, NOW)
    store.put_own(says(ME, "new", parents=[root.key]), OLD)
    assert purge(store, 30, OLD, dry_run=True) == {
        "older_than_days": 30,
        "forgettable": 1,
        "forgotten": 0,
        "kept": 2,
        "dry_run": True,
    }
    assert store.record(alone.key) is not None
    assert archive(store, 30, OLD, dry_run=True)["idle"] == 1
    assert keep(store, Keeping(30.0, 30.0), OLD) == {"archived": 1, "forgotten": 1}
    assert store.record(alone.key) is None and store.record(root.key).lifecycle == "remixed"
    assert keep(store, Keeping(None, None), OLD + 1000 * DAY_MS) == {"archived": 0, "forgotten": 0}
    assert stats(store, Keeping(), OLD)["records"] == 2


def test_what_was_purged_stays_in_no_cache_of_texts(store):
    secret, kept = says(ME, "the password is swordfish"), says(ME, "what came later")
    store.put_own(secret, NOW)
    store.put_own(kept, OLD)
    recents.forget()
    terms.forget()
    blocks = [block_of(record) for record in store.recent(10)]

    def cached() -> tuple[int, int]:
        return recents._kept.cache_info().currsize, terms._terms.cache_info().currsize

    assert recents.words(blocks) >= {"swordfish"} and terms.terms("the password is swordfish") >= {
        "swordfish"
    }
    purge(store, 30, OLD, dry_run=True)
    keep(store, Keeping(365.0, None), OLD)
    assert cached() == (2, 1), "nothing was forgotten"
    assert keep(store, Keeping(30.0, None), OLD)["forgotten"] == 1
    assert cached() == (0, 0)


def test_a_purge_that_breaks_off_has_forgotten_the_texts_of_what_went(store, monkeypatch):
    class Breaking:
        over = False

        def __len__(self):
            return 2

        def forget(self):
            if terms._terms.cache_info().currsize == 2:
                raise _core.CoreError("disk")
            terms.terms("what is read while it forgets")
            return 1

    terms.forget()
    terms.terms("the password is swordfish")

    class Shelf:
        def forgettable(self, before, most):
            return Breaking()

    class Store:
        memory = Shelf()

        def stats(self):
            return {"records": 3}

    with pytest.raises(_core.CoreError):
        purge(Store(), 30, OLD, dry_run=False)
    assert terms._terms.cache_info().currsize == 0


def test_a_pass_goes_in_calls_and_a_commit_comes_between_them(store):
    store.memory.carry_in([says(ME, f"old {number}") for number in range(130)], NOW)
    old = store.memory.forgettable(NOW + 1)
    assert (len(old), old.over, repr(old)) == (130, False, "Forgetting(130 blocks)")
    gone = old.forget()
    assert 0 < gone < 130
    store.put_own(says(ME, "new"), NOW)
    while not old.over:
        gone += old.forget()
    assert (gone, store.stats()["records"]) == (130, 1)
    assert old.forget() == 0, "nothing is left"


def test_a_purge_goes_on_behind_a_pass_that_was_full(store, monkeypatch):
    monkeypatch.setattr(limits, "FORGET_PASS", 50)
    store.memory.carry_in([says(ME, f"old {number}") for number in range(130)], NOW)
    found = purge(store, 30, OLD, dry_run=True)
    assert (found["forgettable"], found["forgotten"], found["kept"]) == (130, 0, 0)
    done = purge(store, 30, OLD, dry_run=False)
    assert (done["forgettable"], done["forgotten"], done["kept"]) == (130, 130, 0)
    assert store.stats()["records"] == 0


def test_memory_comes_back_as_it_was_signed_and_from_nobody_unknown(store, tmp_path):
    parent = says(ANN, "parent “quoted” \u2028 text")
    store.commit([judged(intake(), parent, says(BOB, "child", parents=[parent.key]))], NOW)
    store.put_own(says(ME, "mine"), NOW)
    blocks = page(store, 0)["blocks"]
    assert [block["lifecycle"] for block in blocks] == ["remixed", "observed", "observed"]
    lines = [json.dumps(block).encode() for block in blocks]
    forged = json.loads(lines[0])
    forged["record"]["metadata"]["createdTimestamp"] += 1
    other = open_store(tmp_path / "other.db", ME.node_id)
    try:
        other.bind(ANN.node_id, ANN.public_key, "ann", NOW)
        importer = Importer(other, (ME.node_id, ME.public_key), NOW)
        for number, line in enumerate([json.dumps(forged).encode(), *lines, b"{", b"[]", b'{"record": 1}']):
            importer.line(number, line)
        taken = importer.finish()
        assert (taken.stored, taken.held, taken.refused, taken.strangers) == (2, 0, 5, 1)
        keys = [b'{"node_id": "%s", "key": "%s"}' % (BOB.node_id.encode(), BOB.public_key.hex().encode())]
        believing = Importer(other, (ME.node_id, ME.public_key), NOW, accept_keys=True)
        for number, line in enumerate([*keys, *lines]):
            believing.line(number, line)
        taken = believing.finish()
        assert (taken.stored, taken.held, taken.refused) == (1, 2, 0)
        assert [page(other, 0)["blocks"][at]["record"] for at in range(3)].count(blocks[0]["record"]) == 1
    finally:
        other.close()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"record": {"meta', "line 3: not JSON: Unterminated string"),
        (b'{"record": "\xff"}', "line 3: not UTF-8"),
        (b"[" * 100_000, "line 3: nested too deep"),
        (b"[]", "line 3: expected an object"),
        (b'{"key": "00"}', "line 3: node_id: missing"),
    ],
)
def test_a_line_that_is_not_taken_is_named_in_words(store, line, said):
    importer = Importer(store, (ME.node_id, ME.public_key), NOW)
    importer.line(3, line)
    assert importer.taken.refused == 1
    assert importer.taken.first_problem.startswith(said)
