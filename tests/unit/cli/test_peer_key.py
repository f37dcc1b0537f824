"""Which identity a peer signs with: the kept one, or the opened one of a seal; never a stale one."""

from __future__ import annotations

import dataclasses

import pytest

from covey.cli.peer import _able_to_sign
from covey.errors import UsageError
from covey.system.identity import PeerIdentity, SealedIdentity
from covey.system.sealing import INTERACTIVE, Box

CLEAR = PeerIdentity("0192f3a0-0000-7000-8000-000000000000", "writer", 1, bytes(32), bytes(range(32)))
BOX = Box(INTERACTIVE, bytes(16), bytes(24), bytes(48))
SEALED = SealedIdentity(CLEAR.node_id, CLEAR.name, CLEAR.created_ms, CLEAR.public_key, BOX)


def test_a_key_in_the_clear_signs_whatever_was_opened_before() -> None:
    assert _able_to_sign(CLEAR, None) is CLEAR
    assert _able_to_sign(CLEAR, dataclasses.replace(CLEAR, seed=bytes(32))) is CLEAR


def test_an_opened_key_signs_for_its_sealed_one() -> None:
    assert _able_to_sign(SEALED, CLEAR) is CLEAR


@pytest.mark.parametrize(
    "opened",
    [
        None,
        dataclasses.replace(CLEAR, public_key=bytes([1]) * 32),
        dataclasses.replace(CLEAR, node_id="0192f3a0-0000-7000-8000-000000000001"),
    ],
)
def test_a_key_that_was_sealed_or_replaced_meanwhile_does_not_sign(opened: PeerIdentity | None) -> None:
    with pytest.raises(UsageError, match="needs a passphrase") as caught:
        _able_to_sign(SEALED, opened)
    assert caught.value.exit_code == 2
