"""A sealed identity: only its passphrase opens it, nothing in it can be exchanged, and no file stalls us."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey import limits
from covey.errors import IdentityError, UsageError
from covey.system import identity as ids
from covey.system import sealing
from covey.system.entropy import SystemEntropy
from covey.system.identity import PeerIdentity, SealedIdentity
from covey.system.sealing import Cost, Passphrase

CHEAP = Cost(limits.SEAL_OPERATIONS_LEAST, limits.SEAL_MEMORY_LEAST)
"""About ten milliseconds: what is tested is the box, not the price of a guess."""
SEED = bytes(range(32))
PUBLIC = bytes.fromhex("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8")
RIGHT = Passphrase.of("correct horse battery", "a test")
WRONG = Passphrase.of("correct horse batterx", "a test")


def example() -> PeerIdentity:
    return PeerIdentity("0192f3a0-0000-7000-8000-000000000000", "writer", 1_767_225_600_123, PUBLIC, SEED)


def sealed() -> SealedIdentity:
    return ids.seal(example(), RIGHT, CHEAP, SystemEntropy())


@pytest.fixture(scope="module")
def box() -> SealedIdentity:
    return sealed()


def test_it_comes_back_from_its_file_and_only_its_passphrase_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    ids.save(path, sealed())
    found = ids.load(path)
    assert isinstance(found, SealedIdentity)
    assert (found.fingerprint, found.node_id) == (example().fingerprint, example().node_id)
    assert ids.unseal(found, RIGHT) == example()
    with pytest.raises(IdentityError, match='wrong passphrase for peer "writer"') as caught:
        ids.unseal(found, WRONG)
    assert caught.value.code == "passphrase_wrong"


def test_neither_file_nor_repr_holds_the_secret(box: SealedIdentity, tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    ids.save(path, box)
    raw = path.read_bytes()
    for spelt in (SEED, sealing.b64(SEED).encode(), SEED.hex().encode(), RIGHT.secret):
        assert spelt not in raw
    assert sealing.b64(PUBLIC).encode() in raw, "the public half stays readable"
    assert "horse" not in repr(RIGHT) + repr(box)


def test_two_seals_of_one_seed_have_nothing_in_common(box: SealedIdentity) -> None:
    other = sealed().box
    assert other.salt != box.box.salt
    assert other.nonce != box.box.nonce
    assert other.sealed != box.box.sealed


def test_a_sealed_file_opens_with_libsodium_alone(box: SealedIdentity) -> None:
    """The format is its own documentation: argon2id, then XChaCha20-Poly1305 with the members beside it."""
    from nacl import bindings

    key = bindings.crypto_pwhash_alg(
        32, b"correct horse battery", box.box.salt, 1, 8_388_608, bindings.crypto_pwhash_ALG_ARGON2ID13
    )
    about = (
        '{"cipher":"xchacha20poly1305-ietf","createdMs":1767225600123,"kdf":"argon2id13",'
        '"memoryBytes":8388608,"name":"writer","nodeId":"0192f3a0-0000-7000-8000-000000000000",'
        f'"operations":1,"publicKey":"{sealing.b64(PUBLIC)}","version":2}}'
    ).encode()
    opened = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(box.box.sealed, about, box.box.nonce, key)
    assert opened == SEED


@settings(max_examples=25, deadline=None)
@given(
    seed=st.binary(min_size=32, max_size=32),
    about=st.binary(max_size=64),
    other=st.binary(max_size=64),
    secrets=st.lists(st.binary(min_size=1, max_size=64), min_size=2, max_size=2),
)
def test_what_was_sealed_opens_beside_the_same_bytes_and_nowhere_else(
    seed: bytes, about: bytes, other: bytes, secrets: list[bytes]
) -> None:
    right, wrong = map(Passphrase, secrets)
    made = sealing.seal(seed, about, right, CHEAP, SystemEntropy())
    assert sealing.unseal(sealing.Box.of(made.members()), about, right) == seed
    assert (sealing.unseal(made, other, right) is None) == (other != about)
    assert (sealing.unseal(made, about, wrong) is None) == (wrong != right)


def _flip(text: str) -> str:
    return ("B" if text[0] == "A" else "A") + text[1:]


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.update(name="reviewer"),
        lambda file: file.update(nodeId="0192f3a0-0000-7000-8000-000000000001"),
        lambda file: file.update(createdMs=1),
        lambda file: file.update(publicKey=_flip(file["publicKey"])),
        lambda file: file["sealed"].update(operations=2),
        lambda file: file["sealed"].update(memoryBytes=16_777_216),
        lambda file: file["sealed"].update(salt=_flip(file["sealed"]["salt"])),
        lambda file: file["sealed"].update(nonce=_flip(file["sealed"]["nonce"])),
        lambda file: file["sealed"].update(box=_flip(file["sealed"]["box"])),
    ],
)
def test_any_member_that_was_exchanged_keeps_it_shut(
    box: SealedIdentity, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    path = tmp_path / "identity.json"
    ids.save(path, box)
    members = json.loads(path.read_text())
    change(members)
    path.write_text(json.dumps(members))
    before = path.read_bytes()
    found = ids.load(path)
    assert isinstance(found, SealedIdentity)
    with pytest.raises(IdentityError, match="wrong passphrase"):
        ids.unseal(found, RIGHT)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("operations", 0),
        ("operations", limits.SEAL_OPERATIONS_MOST + 1),
        ("operations", 2**63),
        ("operations", True),
        ("operations", 1.0),
        ("memoryBytes", limits.SEAL_MEMORY_LEAST - 1),
        ("memoryBytes", limits.SEAL_MEMORY_MOST + 1),
        ("memoryBytes", 2**70),
        ("memoryBytes", "8388608"),
        ("kdf", "argon2i13"),
        ("kdf", None),
        ("cipher", "none"),
        ("salt", ""),
        ("salt", "A" * 21 + "B"),
        ("nonce", "é" * 32),
        ("nonce", "A" * 31),
        ("box", "A" * 63),
        ("box", ["A"] * 64),
        ("extra", 1),
    ],
)
def test_what_is_out_of_bounds_is_refused_before_anything_is_derived(
    box: SealedIdentity, tmp_path: Path, member: str, value: object
) -> None:
    path = tmp_path / "identity.json"
    ids.save(path, box)
    members = json.loads(path.read_text())
    members["sealed"][member] = value
    path.write_text(json.dumps(members))
    with pytest.raises(IdentityError, match="is damaged") as caught:
        ids.load(path)
    assert caught.value.code == "identity_damaged"


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.update(version=1),
        lambda file: file.update(version=3),
        lambda file: file.update(version=2.0),
        lambda file: file.update(seed=sealing.b64(SEED)),
        lambda file: file.update(sealed=None),
        lambda file: file["sealed"].pop("salt"),
    ],
)
def test_a_version_has_its_own_members_and_no_others(
    box: SealedIdentity, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    path = tmp_path / "identity.json"
    ids.save(path, box)
    members = json.loads(path.read_text())
    change(members)
    path.write_text(json.dumps(members))
    with pytest.raises(IdentityError, match="is damaged"):
        ids.load(path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(value=_JSON, member=st.sampled_from(["operations", "memoryBytes", "salt", "nonce", "box", "kdf"]))
def test_any_box_is_read_or_refused_with_a_reason(box: SealedIdentity, value: object, member: str) -> None:
    members = {**box.box.members(), member: value}
    try:
        found = sealing.Box.of(members)
    except ValueError as error:
        assert str(error)
    else:
        assert found.members() == members


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_is_full_leaves_the_old_file_and_nothing_beside_it(
    box: SealedIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "identity.json"
    ids.save(path, box)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _full)
        with pytest.raises(IdentityError, match=r"cannot write identity .*No space left"):
            ids.save(path, example(), replace=True)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["identity.json"]


def test_what_a_dead_process_left_in_the_clear_goes_when_the_key_is_sealed(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    left = tmp_path / ".identity.json.4711"
    ids.save(path, example())
    left.write_bytes(path.read_bytes())
    ids.save(path, sealed(), replace=True)
    assert [each.name for each in tmp_path.iterdir()] == ["identity.json"]


def test_a_machine_without_the_memory_says_how_much_it_takes(
    box: SealedIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nacl import exceptions
    from nacl.pwhash import argon2id

    def fail(*_: object) -> bytes:
        raise exceptions.RuntimeError("Unexpected failure in key derivation")

    monkeypatch.setattr(argon2id, "kdf", fail)
    with pytest.raises(IdentityError, match="not 8 MiB of memory free") as caught:
        ids.unseal(box, RIGHT)
    assert "--cost interactive" in str(caught.value.hint)


def test_a_passphrase_is_the_same_however_its_letters_are_composed() -> None:
    assert Passphrase.of("gar\u00e7on", "a test") == Passphrase.of("garc\u0327on", "a test")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty"),
        ("x" * (limits.PASSPHRASE_BYTES + 1), "more than 1024 bytes"),
        ("two\nlines", "one line"),
        ("line\n", "one line"),
        ("nul\0", "one line"),
        ("\udcff", "not valid UTF-8"),
    ],
)
def test_what_cannot_be_a_passphrase_is_named_by_its_source_and_never_shown(
    text: str, complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        Passphrase.of(text, "the source")
    assert "from the source" in caught.value.message
    assert not text or text not in caught.value.message
