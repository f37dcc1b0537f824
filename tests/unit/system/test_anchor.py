"""The pinned anchor: whole, private, given up only by name."""

import stat

import pytest

from covey import _core
from covey.errors import IdentityError, StoreError
from covey.system import anchor as anchors
from covey.system.anchor import Anchor
from covey.system.identity import b64

NODE = "01997c00-0000-7000-8000-000000000001"
ONE, TWO = (b64(_core.SigningKey(bytes([n]) * 32).public_key) for n in (1, 2))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "anchor.json"


def test_an_anchor_comes_back_as_it_was_pinned_and_only_for_its_owner(path):
    assert anchors.load(path) is None
    anchor = Anchor.of((f"{TWO}:{NODE}", ONE), 2)
    anchors.save(path, anchor)
    assert anchors.load(path) == anchor == Anchor.of((ONE, f"{TWO}:{NODE}"), 2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    pin = anchor.native()
    assert (pin.threshold, len(pin.members)) == (2, 2)


def test_the_first_anchor_of_a_configuration_is_pinned_and_another_one_refused(path):
    first, other = Anchor.of((ONE,), 1), Anchor.of((TWO,), 1)
    assert anchors.settle(path, None, "w") == (None, False)
    assert anchors.settle(path, first, "w") == (first, True)
    assert anchors.settle(path, first, "w") == (first, False)
    assert anchors.settle(path, None, "w") == (first, False), "what was pinned stays"
    with pytest.raises(IdentityError) as refused:
        anchors.settle(path, other, "w")
    assert "--replace" in (refused.value.hint or "")
    assert anchors.load(path) == first


@pytest.mark.parametrize(
    ("members", "threshold"),
    [
        ((), 1),
        ((ONE, ONE), 1),
        ((ONE, f"{ONE}:{NODE}"), 1),
        ((ONE,), 2),
        ((ONE,), 0),
        (("x",), 1),
        ((f"{ONE}:x",), 1),
    ],
)
def test_what_is_no_anchor_is_refused(members, threshold):
    with pytest.raises(ValueError, match=r"key|threshold"):
        Anchor.of(members, threshold)


def test_a_text_of_the_right_form_that_is_no_key_is_an_error():
    with pytest.raises(IdentityError):
        Anchor.of(("A" * 43,), 1).native()


@pytest.mark.parametrize(
    "content",
    ["", "{}", '{"version": 2, "threshold": 1, "members": []}', "[" * 9_000, "x" * 20_000, '{"version": 1}'],
)
def test_a_damaged_file_is_an_error_and_never_an_unpinned_peer(path, content):
    path.write_text(content)
    with pytest.raises(StoreError, match="damaged"):
        anchors.load(path)
