"""Others' tether attestations: what verifies is measured again, what does not counts as nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from covey import _core
from covey.cognition.attested import MEANINGS, attested
from covey.cognition.tether import compared
from covey.model import CAT7, Block
from tests.unit.proto.virtual import identity

ANN, BOB = identity(1, "ann"), identity(2, "bob")
RICH = {name: f"the release of the parser waits for its tests, says {name}" for name in CAT7}
NEAR = {**RICH, "focus": "the release of the parser waits for one test, says focus"}
FAR = {name: f"xylophone quartz {name[::-1]}" for name in CAT7}


def block(said, *parents, author=ANN):
    return Block(_core.content_key(said), "a", author.node_id, "n", 1, "r", None, tuple(parents), said)


ROOT = block(RICH, author=BOB)


def told(remix, *, by=ANN, of=None, root=None, measured=None):
    """An attestation as an integrator makes it: of what it says it measured."""
    tether = _core.Tether.of_texts(*compared(measured or remix.categories, ROOT.categories))
    made = tether.attest(by, of=of or remix.key, root=root or ROOT.key, at_ms=1)
    return bytes(made.to_json())


def weigh(remix, carried, *, held=(ROOT,), key=ANN.public_key, own=False):
    lookup = {each.key: each for each in held}.get
    return attested(remix, carried, key, lookup, own=own)


REMIX, AWAY = block(NEAR, ROOT.key), block(FAR, ROOT.key)


def test_an_honest_one_is_measured_again_where_its_root_is_held():
    found = weigh(REMIX, told(REMIX))
    assert (found.standing, found.root) == ("confirmed", ROOT.key)
    assert found.here == pytest.approx(found.drift, abs=1e-6)


def test_one_whose_root_is_not_held_is_its_authors_word():
    found = weigh(REMIX, told(REMIX), held=())
    assert (found.standing, found.here) == ("attested", None)


def test_one_that_lies_about_what_it_measured_is_contradicted():
    found = weigh(AWAY, told(AWAY, measured=NEAR))
    assert found.standing == "contradicted" and found.here > 0.5 > found.drift


def test_one_that_says_severed_and_keeps_its_parents_is_shown_so():
    assert weigh(AWAY, told(AWAY)).standing == "severed"


def test_one_about_a_root_that_is_none_of_its_own_is_astray():
    assert weigh(REMIX, told(REMIX, root="cmb-" + "0" * 64)).standing == "astray"
    assert weigh(REMIX, told(REMIX, root="cmb-" + "0" * 64), held=()).standing == "attested"


def test_one_of_an_author_whose_key_nobody_proved_here_proves_nothing():
    assert weigh(REMIX, told(REMIX), key=None).standing == "unknown"


def test_ones_own_need_not_be_proven_to_oneself():
    assert weigh(REMIX, told(REMIX), key=None, own=True).standing == "own"


@pytest.mark.parametrize(
    "carried",
    [
        told(REMIX, by=BOB),
        told(REMIX, of=ROOT.key),
        b"{}",
        b"not json",
        *(
            json.dumps({**json.loads(told(REMIX)), name: value}).encode()
            for name, value in (
                ("drift", 0.000001),
                ("verdict", "severed"),
                ("anchor", "cmb-" + "0" * 64),
                ("kernelId", "minilm-l6-v2-h192"),
                ("at", 2),
                ("sig", "A" * 86),
            )
        ),
    ],
)
def test_a_forged_one_is_shown_as_such_and_never_measured(carried):
    found = weigh(REMIX, carried)
    assert (found.standing, found.here) == ("forged", None) and found.detail


def test_a_block_of_another_author_does_not_borrow_an_attestation():
    assert weigh(replace(REMIX, node_id=BOB.node_id), told(REMIX)).standing == "forged"


def test_every_standing_has_its_words():
    assert all(words and words[0].islower() for words in MEANINGS.values())
