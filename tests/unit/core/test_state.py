"""Shared state as Python sees it: replicas merge to the same bytes, and refuse what they must."""

import pytest

from covey import core

NOW_MS = 1_790_000_000_000
ANN = core.Identity("018f47a0-7b21-7abc-8def-00000000000a", "ann", b"a" * 32)
BOB = core.Identity("018f47a0-7b21-7abc-8def-00000000000b", "bob", b"b" * 32)
KEYS = {who.node_id: who.public_key for who in (ANN, BOB)}


def replica(who: core.Identity, scope: str = "room:default") -> core.StateMap:
    return core.StateMap(scope, who.node_id, seed=bytes(16))


def sync(teller: core.StateMap, listener: core.StateMap) -> None:
    for delta in teller.since(listener.seen):
        assert listener.merge(delta, keys=KEYS, now_ms=NOW_MS).refused == []


def test_replicas_converge_on_registers_counters_and_sets():
    ann, bob = replica(ANN), replica(BOB)
    writes = [("put", "x", b"1"), ("put_json", "j", b"[1]"), ("count", "n", 5), ("add", "s", b"one")]
    push = ann.commit(writes, now_ms=NOW_MS, identity=ANN)
    assert bob.merge(push, keys=KEYS, now_ms=NOW_MS).applied == 4
    assert bob.merge(push, keys=KEYS, now_ms=NOW_MS).duplicates == 4
    bob.commit([("delete", "x", None), ("count", "n", -2), ("remove", "s", b"one")], now_ms=0, identity=BOB)
    assert ann.standing_of(bob.digest()).behind == 3
    sync(bob, ann)
    assert ann.state_hash == bob.state_hash
    assert ann.standing_of(bob.digest()).behind == 0
    for state in (ann, bob):
        assert state.get("x") is None
        assert state.get("j") == ("json", b"[1]")
        assert (state.names(), state.counter("n"), state.elements("s")) == (["j"], 3, [])


def test_what_cannot_be_believed_is_reported_and_left_out():
    ann, bob = replica(ANN), replica(BOB)
    late = ann.commit([("put", "x", b"1")], now_ms=NOW_MS + 60_001, identity=ANN)
    (refused,) = bob.merge(late, keys=KEYS, now_ms=NOW_MS).refused
    assert refused[:3] == (ANN.node_id, 1, "future_timestamp")
    (refused,) = bob.merge(late, keys={}, now_ms=NOW_MS).refused
    assert refused[2] == "author_unknown"
    other = replica(ANN).commit([("put", "x", b"2")], now_ms=NOW_MS, identity=ANN)
    assert bob.merge(other, keys=KEYS, now_ms=NOW_MS).applied == 1
    (refused,) = bob.merge(late, keys=KEYS, now_ms=NOW_MS + 60_001).refused
    assert refused[2] == "equivocation"
    with pytest.raises(core.CoreError) as raised:
        bob.merge(late[:-1], keys=KEYS, now_ms=NOW_MS)
    assert raised.value.reason == "malformed_state"
    with pytest.raises(core.CoreError) as raised:
        bob.merge(late, keys=KEYS)
    assert raised.value.reason == "invalid_argument"
    with pytest.raises(core.CoreError) as raised:
        bob.commit([("put", "x", b"1")], now_ms=NOW_MS, identity=ANN)
    assert raised.value.reason == "invalid_argument"
    with pytest.raises(core.CoreError) as raised:
        bob.commit([("set", "x", b"1")], now_ms=NOW_MS, identity=BOB)
    assert raised.value.reason == "invalid_argument"


def test_a_snapshot_is_the_replica():
    ann = replica(ANN)
    ann.commit([("put", "x", b"1"), ("put", "y", b"2")], now_ms=NOW_MS, identity=ANN)
    ann.commit([("put", "x", b"3")], now_ms=NOW_MS, identity=ANN)
    copy = core.StateMap.restore(
        "room:default", BOB.node_id, ann.snapshot(), seed=bytes(16), keys=KEYS, now_ms=NOW_MS
    )
    assert (copy.state_hash, copy.seen, len(copy)) == (ann.state_hash, ann.seen, 2)
    assert ann.repair(copy.ranges()) == []
    with pytest.raises(core.CoreError):
        core.StateMap.restore("room:other", BOB.node_id, ann.snapshot(), seed=bytes(16))


def test_who_was_away_while_tombstones_went_must_reset_and_loses_nothing():
    ann, bob = replica(ANN), replica(BOB)
    ann.commit([("put", "x", b"1")], now_ms=NOW_MS, identity=ANN)
    sync(ann, bob)
    bob.commit([("put", "mine", b"kept")], now_ms=NOW_MS, identity=BOB)
    ann.commit([("delete", "x", None)], now_ms=NOW_MS, identity=ANN)
    assert ann.collect({BOB.node_id: bob.seen}) == 0
    assert (ann.tombstones, ann.collect({}), ann.tombstones) == (1, 1, 0)
    with pytest.raises(core.CoreError) as raised:
        ann.since(bob.seen)
    assert raised.value.reason == "state_reset"
    assert bob.standing_of(ann.digest()).reset
    push = bob.reset(ann.snapshot(), now_ms=NOW_MS, identity=BOB, keys=KEYS)
    assert ann.merge(push, keys=KEYS, now_ms=NOW_MS).refused == []
    assert (ann.get("mine"), ann.get("x"), ann.state_hash) == (("bytes", b"kept"), None, bob.state_hash)
    assert ann.floor == bob.floor


def test_a_budget_is_spent_by_whoever_has_the_rights_to_it():
    ann, bob = replica(ANN), replica(BOB)
    given = ("give", "tokens", (ANN.node_id, BOB.node_id, 4))
    ann.commit([("grant", "tokens", (ANN.node_id, 10)), given], now_ms=NOW_MS, identity=ANN)
    with pytest.raises(core.CoreError) as raised:
        bob.commit([("spend", "tokens", (ANN.node_id, 1))], now_ms=NOW_MS, identity=BOB)
    assert raised.value.reason == "over_budget"
    sync(ann, bob)
    bob.commit([("spend", "tokens", (ANN.node_id, 3))], now_ms=NOW_MS, identity=BOB)
    sync(bob, ann)
    assert ann.budget("tokens", ANN.node_id) == (10, 3, {ANN.node_id: 6, BOB.node_id: 1})
    assert ann.budgets() == [("tokens", ANN.node_id)]
    with pytest.raises(core.CoreError) as raised:
        bob.commit([("grant", "tokens", (ANN.node_id, 1))], now_ms=NOW_MS, identity=BOB)
    assert raised.value.reason == "not_authorised"


def test_an_author_is_its_key_and_keys_are_checked_once():
    keys = core.AuthorKeys()
    assert keys.add(ANN.public_key) == ANN.author == core.author_of(ANN.public_key)
    assert (ANN.author in keys, BOB.author in keys, len(keys), keys.authors) == (True, False, 1, [ANN.author])
    assert (keys.key(ANN.author), keys.key(BOB.author)) == (ANN.public_key, None)
    ann = core.StateMap("room:default", ANN.author, seed=bytes(16))
    bob = core.StateMap("room:default", BOB.author, seed=bytes(16))
    push = ann.commit([("put", "x", b"1")], now_ms=NOW_MS, identity=ANN)
    assert bob.merge(push, keys=keys, now_ms=NOW_MS).applied == 1
    (refused,) = ann.merge(
        bob.commit([("put", "x", b"2")], now_ms=NOW_MS, identity=BOB), keys=keys, now_ms=NOW_MS
    ).refused
    assert refused[2] == "author_unknown"
    with pytest.raises(core.CoreError) as raised:
        keys.add(bytes(32))
    assert raised.value.reason == "invalid_key"


def test_statements_hold_for_their_kind_and_their_maker():
    signature = ANN.sign_statement("covey-test-v1", b"body")
    core.verify_statement("covey-test-v1", b"body", signature, ANN.public_key)
    for kind, body, key in (
        ("covey-test-v2", b"body", ANN.public_key),
        ("covey-test-v1", b"", ANN.public_key),
        ("covey-test-v1", b"body", BOB.public_key),
    ):
        with pytest.raises(core.CoreError) as raised:
            core.verify_statement(kind, body, signature, key)
        assert raised.value.reason == "bad_signature"
    with pytest.raises(core.CoreError) as raised:
        ANN.sign_statement("No Token", b"")
    assert raised.value.reason == "invalid_argument"
