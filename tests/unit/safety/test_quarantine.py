"""The quarantine's own edges: what it keeps over a restart, what it refuses, what it forgets."""

from __future__ import annotations

import json

import pytest

from covey.errors import StoreError
from covey.limits import QUARANTINE_DECIDED, STATE_BYTES
from covey.model import Proposal
from covey.safety import GateHit, Held, Moment, Quarantine, Refusal
from covey.safety.quarantine import listed

HIT = GateHit("intent", "deploy", "deploy")


def hold(quarantine: Quarantine, text: str = "deploy it", at: float = 0.0) -> Held:
    entry = quarantine.hold(Proposal({"intent": text}, ("cmb-1",)), [HIT], Moment(at, int(at * 1000)))
    assert isinstance(entry, Held)
    return entry


def test_x14_an_entry_comes_back_from_a_restart_as_it_was() -> None:
    before, after = Quarantine(100.0), Quarantine(100.0)
    entry = hold(before, "größer → weiter\n", at=5.0)
    denied = hold(before, "deploy that")
    before.deny(denied.id, "no")
    raw = before.export(Moment(10.0, 10_000, "era"))
    after.restore(raw, Moment(15.0, 99_000_000, "era"))
    assert after.waiting() == [entry]
    assert [(each.id, each.state, each.outcome) for each in after.decided()] == [(denied.id, "denied", "no")]
    assert after.next_expiry() == pytest.approx(105.0), (
        "ten of its seconds have passed, whatever the wall says"
    )
    assert listed(raw)["waiting"] == [entry.as_dict()]
    assert listed(None) == {"waiting": [], "decided": []}


def test_x14_two_equal_answers_are_two_entries() -> None:
    quarantine = Quarantine(100.0)
    names = set()
    for _ in range(3):
        names.add(hold(quarantine).id)
        quarantine.deny(next(iter(quarantine.waiting())).id)
    assert len(names) == 3


def test_x14_it_keeps_less_than_a_state_may_have() -> None:
    quarantine = Quarantine(100.0)
    kept = 0
    while True:
        text = f"{kept} " + "\u2603" * 16_000
        entry = quarantine.hold(Proposal({"focus": text}), [HIT], Moment(0.0, kept))
        if isinstance(entry, Refusal):
            assert entry.reason == "too-large"
            break
        kept += 1
    assert kept > 3
    assert len(quarantine.export(Moment(0.0, 0))) < STATE_BYTES


def test_x14_decisions_are_forgotten_in_the_end_the_oldest_first() -> None:
    quarantine = Quarantine(100.0)
    for number in range(QUARANTINE_DECIDED + 1):
        quarantine.deny(hold(quarantine, f"deploy {number}", at=float(number)).id)
    assert len(quarantine.decided()) == QUARANTINE_DECIDED


@pytest.mark.parametrize(
    "bend",
    [
        {"held": None},
        {"held": [1]},
        {"held": [{}]},
        {"held": [{"id": "q-1", "said": []}]},
        {"decided": "x"},
    ],
)
def test_a_bent_document_is_an_error_and_changes_nothing(bend: dict[str, object]) -> None:
    quarantine = Quarantine(100.0)
    entry = hold(quarantine)
    good = json.loads(quarantine.export(Moment(0.0, 0)))
    with pytest.raises(StoreError):
        quarantine.restore(json.dumps({**good, **bend}).encode(), Moment(0.0, 0))
    assert quarantine.waiting() == [entry]
