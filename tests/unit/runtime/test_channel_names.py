"""What somebody put where a channel is named is a name or none, and no error of whoever lists channels."""

from __future__ import annotations

import pytest

from covey import limits
from covey.runtime.channels import _quoted, _unquoted


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"NaN", b"7", b"null", b"[]", b'{"name":1}', b'"\\ud800"', b"[" * 100_000, b"1" * 5_000],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_name_is_none(data: bytes) -> None:
    assert _unquoted(data) == ""


def test_a_name_is_read_as_it_was_written_within_its_bound() -> None:
    assert _unquoted(_quoted("naïve ✓")) == "naïve ✓"
    assert _unquoted(_quoted("n" * 1_000)) == "n" * limits.CHANNEL_NAME_CHARS
