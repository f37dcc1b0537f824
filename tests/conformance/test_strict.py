"""Signatures at the edges of strict Ed25519, made by the curve's equations; rust/core reads the same file."""

import json

import pytest

from covey import _core
from tests.conformance import strict

VECTORS = json.loads(strict.FILE.read_text(encoding="utf-8"))


def test_the_file_is_what_the_equations_say():
    assert strict.written() == strict.FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", VECTORS["cases"], ids=[f"{n}" for n in range(len(VECTORS["cases"]))])
def test_a_crafted_signature_holds_or_falls_by_the_one_rule(case):
    message, signature, key = (
        bytes.fromhex(case[name]) for name in ("messageHex", "signatureHex", "publicKeyHex")
    )
    if case["holds"]:
        _core.verify_signature(message, signature, key)
    else:
        with pytest.raises(_core.CoreError):
            _core.verify_signature(message, signature, key)
