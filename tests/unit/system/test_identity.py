"""The identity file: whole or not there, private, never replaced by accident."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.errors import IdentityError, InvalidNameError
from covey.system import identity as ids
from covey.system.identity import PeerIdentity

SEED = bytes(range(32))
# RFC 8032's rule applied to SEED by two independent libraries: the key that belongs to it.
PUBLIC = bytes.fromhex("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8")


class Clock:
    def now_ms(self) -> int:
        return 1_767_225_600_123

    def monotonic(self) -> float:
        return 0.0


class Entropy:
    def bytes(self, count: int) -> bytes:
        return SEED[:count]


def example(name: str = "writer") -> PeerIdentity:
    return ids.generate(name, Clock(), Entropy())


def test_a_new_identity_is_a_uuid_of_version_7_and_the_key_of_its_seed() -> None:
    made = example()
    assert made.seed == SEED
    assert made.public_key == PUBLIC
    assert made.fingerprint == hashlib.sha256(PUBLIC).hexdigest()
    assert made.keyprint == made.fingerprint[:16]
    assert uuid.UUID(made.node_id).version == 7
    assert int(made.node_id.replace("-", "")[:12], 16) == 1_767_225_600_123


@given(now=st.integers(0, 2**48 - 1), random=st.binary(min_size=10, max_size=10))
def test_uuid7_keeps_time_and_randomness_and_is_a_uuid(now: int, random: bytes) -> None:
    made = uuid.UUID(ids.uuid7(now, random))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == now
    assert ids.uuid7(now, random) == str(made)


def test_it_comes_back_as_it_was_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    before = os.umask(0)
    try:
        ids.save(path, example())
    finally:
        os.umask(before)
    assert ids.load(path) == example()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["identity.json"], "nothing temporary stays behind"


def test_one_that_exists_is_not_replaced_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    ids.save(path, example())
    other = dataclasses.replace(example(), created_ms=1)
    with pytest.raises(IdentityError, match="identity exists") as caught:
        ids.save(path, other)
    assert caught.value.code == "identity_exists"
    assert ids.load(path) == example()
    ids.save(path, other, replace=True)
    assert ids.load(path) == other
    assert [each.name for each in tmp_path.iterdir()] == ["identity.json"]


def test_a_peer_without_an_identity_gets_one_and_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    first = ids.load_or_create(path, "writer", Clock(), Entropy())
    assert ids.load_or_create(path, "writer", Clock(), Entropy()) == first
    with pytest.raises(IdentityError, match='belongs to peer "writer", not "reviewer"'):
        ids.load_or_create(path, "reviewer", Clock(), Entropy())


def test_the_secret_is_in_no_repr() -> None:
    shown = repr(example())
    assert "seed" not in shown
    assert repr(SEED)[2:20] not in shown


def test_a_name_that_is_no_name_makes_no_identity() -> None:
    with pytest.raises(InvalidNameError):
        example("../escape")


def test_one_that_others_may_read_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    ids.save(path, example())
    path.chmod(0o644)
    with pytest.raises(IdentityError, match="can be read by others: mode 0644") as caught:
        ids.load(path)
    assert caught.value.hint == f"if nobody else has seen it: chmod 600 {path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_missing_one_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="no identity at") as caught:
        ids.load(tmp_path / "identity.json")
    assert caught.value.code == "identity_missing"
    assert "covey keygen" in str(caught.value.hint)


def test_a_pipe_or_a_folder_in_its_place_is_no_identity_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("pipe", "."):
        with pytest.raises(IdentityError, match="not a regular file"):
            ids.load(tmp_path / name)


def _without(member: str) -> Callable[[dict[str, Any]], object]:
    return lambda members: members.pop(member)


def _with(member: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda members: members.update({member: value})


@pytest.mark.parametrize(
    "damage",
    [
        *(_without(member) for member in ("version", "nodeId", "name", "createdMs", "publicKey", "seed")),
        _with("extra", 1),
        _with("version", 2),
        _with("nodeId", "0192F3A0-0000-7000-8000-000000000000"),
        _with("nodeId", "0192f3a0-0000-1000-8000-000000000000"),
        _with("createdMs", True),
        _with("createdMs", -1),
        _with("name", 7),
        _with("seed", "short"),
        _with("seed", "!" * 43),
        _with("seed", "A" * 42 + "B"),
        _with("publicKey", None),
    ],
)
def test_a_damaged_one_is_named_and_left_alone(
    tmp_path: Path, damage: Callable[[dict[str, Any]], object]
) -> None:
    path = tmp_path / "identity.json"
    ids.save(path, example())
    members = json.loads(path.read_text())
    damage(members)
    path.write_text(json.dumps(members))
    before = path.read_bytes()
    with pytest.raises(IdentityError, match="is damaged") as caught:
        ids.load(path)
    assert caught.value.code == "identity_damaged"
    assert path.read_bytes() == before


@given(raw=st.binary(max_size=200))
def test_any_bytes_give_an_identity_error_and_nothing_else(
    raw: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "identity.json"
    path.write_bytes(raw)
    path.chmod(0o600)
    with pytest.raises(IdentityError):
        ids.load(path)


def test_a_key_that_is_not_the_seeds_is_found_before_it_signs() -> None:
    assert bytes(ids.native(example()).public_key) == PUBLIC
    with pytest.raises(IdentityError, match="publicKey is not the key of seed"):
        ids.native(dataclasses.replace(example(), public_key=bytes(32)))
