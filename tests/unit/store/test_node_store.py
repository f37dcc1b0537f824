"""The BlockStore port over a real store and a real loop: answers on the loop, in order, nothing lost."""

import asyncio
import contextlib
import gc
import sqlite3
import threading
import weakref

import pytest

from covey import _core
from covey.errors import StoreError
from covey.model import SendState
from covey.proto import mail
from covey.proto.effects import Done
from covey.store import NodeStore, open_store
from covey.system.clock import SystemClock
from tests.unit.store.storekit import ANN, BOB, ME, NOW, ROOM, batch_of, intake, judged, says


class Node:
    """What a node does with its store's answers."""

    def __init__(self, path, **options):
        self.native = open_store(path, ME.node_id)
        self.troubles = []
        self.troubled = asyncio.Event()
        self.store = NodeStore(self.native, ME, SystemClock(), self.trouble, **options)
        self.answers = []
        self.threads = set()

    def trouble(self, reason, _detail):
        self.threads.add(threading.current_thread())
        self.troubles.append(reason)
        self.troubled.set()

    def stored(self, done):
        self.threads.add(threading.current_thread())
        self.answers.extend(done)

    def failed(self, token, reason):
        self.threads.add(threading.current_thread())
        self.answers.append((token, reason))

    def run(self, play):
        async def main():
            self.store.start(self.stored, self.failed)
            result = await play(self.store)
            await self.store.drain()
            return result

        try:
            return asyncio.run(main())
        finally:
            self.store.close()
            assert self.threads <= {threading.main_thread()}


async def outbox(store, node_id):
    future = asyncio.get_running_loop().create_future()
    store.mail(mail.LoadOutbox(node_id), future.set_result)
    return await future


def keys(loaded):
    return [record.key for record, _, _ in loaded.records]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def test_answers_come_on_the_loop_in_order(path):
    node, own = Node(path), says(ME, "own")

    async def play(store):
        store.commit(1, batch_of(2, "first"), NOW)
        store.put_own(2, own, NOW, [ANN.node_id])
        store.put_own(3, own, NOW, [ANN.node_id])
        store.commit(4, batch_of(2, "second"), NOW)

    node.run(play)
    assert node.answers == [Done(1), Done(2, number=1), Done(3, fresh=False), Done(4)]


def test_a_failure_is_told_with_its_token(path):
    node = Node(path)

    async def play(store):
        store.put_own(1, says(ANN, "not mine"), NOW, [])
        store.put_own(2, says(ME, "mine"), NOW, [])

    node.run(play)
    (token, reason), done = node.answers
    assert (token, done) == (1, Done(2))
    assert reason.startswith("store_input: ")


def test_what_was_held_before_is_told(path):
    node, record = Node(path), says(ANN, "old")
    node.native.commit([judged(intake(), record)], NOW)

    async def play(store):
        store.commit(1, judged(intake(), says(ANN, "new"), record), NOW)

    node.run(play)
    assert node.answers == [Done(1, held=frozenset({1}))]


def test_the_outbox_gives_verified_records_until_they_are_done(path):
    node = Node(path)
    records = [says(ME, f"for bob {number}", to=BOB.node_id) for number in range(3)]

    async def play(store):
        for token, record in enumerate(records):
            store.put_own(token, record, NOW, [BOB.node_id])
        before = await outbox(store, BOB.node_id)
        said = ((records[0].assertion_id, SendState.DELIVERED, None, False),)
        store.mail(mail.SettleSends(BOB.node_id, said), lambda _: None)
        return before, await outbox(store, BOB.node_id)

    before, after = node.run(play)
    assert keys(before) == [record.key for record in records]
    assert keys(after) == keys(before)[1:]
    assert after.unfinished == (records[0].assertion_id,)
    assert node.troubles == []


def test_an_outbox_that_cannot_be_read_is_said_and_trouble(path):
    node = Node(path)

    async def play(store):
        return await outbox(store, "nobody")

    answer = node.run(play)
    assert answer.wish == mail.LoadOutbox("nobody")
    assert answer.reason.startswith("invalid_id: ")
    assert node.troubles == ["invalid_id"]


def test_a_binding_conflict_is_trouble(path):
    node = Node(path)

    async def play(store):
        store.bind(ANN.node_id, ANN.public_key, "ann", NOW)
        store.bind(ANN.node_id, ANN.public_key, "ann", NOW)
        store.bind(ANN.node_id, BOB.public_key, "thief", NOW)
        store.bind("nobody", BOB.public_key, "nobody", NOW)

    node.run(play)
    assert node.troubles == ["identity_conflict", "invalid_id"]
    assert node.store.status()["trouble.identity_conflict"] == 1


def test_a_restarted_node_gets_back_what_it_knew(path):
    node = Node(path)
    own = [says(ME, f"own {number}") for number in range(7)]
    directed = says(ME, "directed", to=ANN.node_id)

    async def play(store):
        store.bind(ANN.node_id, ANN.public_key, "ann", NOW)
        for token, record in enumerate([*own, directed]):
            store.put_own(token, record, NOW, [])

    node.run(play)
    again = Node(path)
    fresh = _core.Intake(ME.node_id, ROOM, [1.0] * 7)
    recent, bindings = again.store.restore(fresh)
    assert [record.key for record in recent] == [record.key for record in own[2:]]
    assert bindings == [(ANN.node_id, ANN.public_key)]
    assert fresh.anchors()[0] == directed.key
    again.store.close()


def test_records_that_do_not_verify_stay_on_the_disk(path):
    """Another key signed what the file says is ours: it is trouble, and nothing to send."""
    node = Node(path)
    impostor = _core.Identity(ME.node_id, "impostor", bytes(31) + b"\x07")
    node.native.put_own(says(impostor, "forged"), NOW, [BOB.node_id])
    recent, _ = node.store.restore(_core.Intake(ME.node_id, ROOM, [1.0] * 7))
    assert recent == []
    assert node.troubles == []

    async def play(store):
        return await outbox(store, BOB.node_id)

    loaded = node.run(play)
    assert (loaded.records, len(loaded.unreadable)) == ((), 1)
    assert node.troubles == ["bad_signature", "bad_signature"]


def test_a_store_that_cannot_be_read_is_said_before_the_node_starts(path):
    node = Node(path)
    node.native.close()
    with pytest.raises(StoreError) as refusal:
        node.store.restore(_core.Intake(ME.node_id, ROOM, [1.0] * 7))
    assert refusal.value.code == "store_closed"


def test_a_full_queue_fails_the_token_on_a_later_turn(path):
    node = Node(path, queue_rows=1)
    held = threading.Event()

    async def play(store):
        store._later(lambda _: held.wait(30), lambda _: None)
        store.commit(1, batch_of(5, "does not fit"), NOW)
        store.bind(ANN.node_id, ANN.public_key, "ann", NOW)
        assert (node.answers, node.troubles) == ([], [])
        await asyncio.sleep(0)
        held.set()
        await store.drain()
        store.commit(2, batch_of(5, "fits an empty queue"), NOW)

    node.run(play)
    (token, reason), done = node.answers
    assert (token, done, node.troubles) == (1, Done(2), ["store_busy"])
    assert reason.startswith("store_busy: ")


def test_drain_returns_when_everything_is_answered(path):
    node = Node(path)

    async def play(store):
        for token in range(50):
            store.commit(token, batch_of(3, f"batch {token}"), NOW)
        await store.drain()
        return len(node.answers)

    assert node.run(play) == 50


def test_writing_before_the_start_is_an_error(path):
    node = Node(path)
    with pytest.raises(StoreError):
        node.store.commit(1, batch_of(1, "early"), NOW)
    node.store.close()


async def held(store, key):
    future = asyncio.get_running_loop().create_future()
    store.record(key, future.set_result)
    return await future


def test_held_records_are_read_back_under_their_authors_keys(path):
    node, own, heard = Node(path), says(ME, "mine"), says(ANN, "heard")

    async def play(store):
        store.put_own(1, own, NOW, [])
        store.commit(2, judged(intake(), heard), NOW)
        unbound = await held(store, heard.key)
        store.bind(ANN.node_id, ANN.public_key, "ann", NOW)
        missing = asyncio.get_running_loop().create_future()
        ghost = f"cmb-{'0' * 64}"
        store.missing([own.key, ghost, heard.key], missing.set_result)
        found = [await held(store, key) for key in (own.key, heard.key, ghost)]
        return unbound, found, await missing

    unbound, found, missing = node.run(play)
    assert unbound is None, "nobody's key is known for it yet"
    assert [None if record is None else record.to_json() for record in found] == [
        own.to_json(),
        heard.to_json(),
        None,
    ]
    assert missing == [f"cmb-{'0' * 64}"]
    assert node.troubles == []


def test_a_record_under_another_key_is_trouble_and_is_not_handed_out(path):
    node, heard = Node(path), says(ANN, "heard")

    async def play(store):
        store.commit(1, judged(intake(), heard), NOW)
        store.bind(ANN.node_id, BOB.public_key, "ann", NOW)
        found = asyncio.get_running_loop().create_future()
        store.record(heard.key, found.set_result)
        while store.status()["waiting_rows"]:
            pass  # the loop stands still: all is read before it hears that the key is bound
        return await found

    assert node.run(play) is None
    assert node.troubles == ["bad_signature"]


def test_what_fails_beside_the_commits_is_told_once(tmp_path):
    node = Node(tmp_path / "store.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as other:
        other.execute("DROP TABLE recall_idx")

    async def play(store):
        for token in range(4):
            store.commit(token, batch_of(2, f"said {token}"), NOW)
            await store.drain()
        await asyncio.wait_for(node.troubled.wait(), 30)
        for token in range(4, 8):
            store.commit(token, batch_of(2, f"said {token}"), NOW)
            await store.drain()
        return node.native.stats()["records"]

    assert node.run(play) == 16
    assert node.troubles == ["index_trouble"]
    assert "malformed" in node.store.status()["index_trouble"]
    assert node.store.status()["trouble.index_trouble"] == 1


def test_what_is_not_taken_is_not_waited_for(path):
    node = Node(path)

    async def play(store):
        with pytest.raises(OverflowError):
            store.put_own(1, says(ME, "before time"), -1, ())
        with pytest.raises(TypeError):
            store.commit(2, None, NOW)
        await asyncio.wait_for(store.drain(), 30)

    node.run(play)
    assert node.answers == []


def test_a_store_whose_loop_ended_first_is_freed(path):
    node = Node(path)

    async def main():
        node.store.start(node.stored, node.failed)
        node.store.commit(1, batch_of(1, "block"), NOW)

    asyncio.run(main())
    node.store.close()
    alive = weakref.ref(node.store)
    node = None
    gc.collect()
    assert alive() is None
