"""When a peer may speak of others' blocks: something must be new, and machines end."""

from __future__ import annotations

import pytest

from covey.cognition.novelty import LINEAGE_SPENT, NOTHING_NEW, THREAD_SPENT, NoveltyGate
from covey.model import CAT7, Block, EmissionRefused, Proposal


def block(key="root", **said):
    texts = {name: said.get(name, "neutral") for name in CAT7}
    return Block(key, "", "n", "n", 1, "r", None, (), texts)


def remix(text="my own words", fresh=None, to=None):
    return Proposal({"focus": text}, ("root",), to, fresh=fresh)


PARENTS = [block(focus="The Parser  is slow", mood="tired")]


def judged(gate, proposal, roots=("root",)):
    found = gate.judge(proposal, PARENTS, roots)
    return found.reason if isinstance(found, EmissionRefused) else None


def test_a_remix_without_anything_new_is_refused_and_says_so():
    gate = NoveltyGate()
    refused = gate.judge(remix(), PARENTS, ["root"])
    assert refused.reason == NOTHING_NEW and "model" in refused.detail


def test_one_own_observation_is_good_for_one_remix():
    gate = NoveltyGate()
    assert judged(gate, Proposal({"focus": "seen"})) is None
    assert judged(gate, remix()) is None
    assert judged(gate, remix("again")) == NOTHING_NEW
    gate.undone(remix(), ["root"])
    assert judged(gate, remix("again")) is None


@pytest.mark.parametrize("fresh", ["model", "tool", "outcome", "person", "application"])
def test_a_models_output_and_a_tools_result_are_observations(fresh):
    assert judged(NoveltyGate(), remix(fresh=fresh)) is None


@pytest.mark.parametrize("fresh", [None, "model", "person"])
def test_words_that_only_repeat_are_refused_whatever_stands_behind_them(fresh):
    gate = NoveltyGate()
    gate.judge(Proposal({"focus": "seen"}), (), ())
    for text in ("The Parser  is slow", "the parser is SLOW"):
        assert judged(gate, remix(text, fresh)) == NOTHING_NEW
    assert judged(gate, Proposal({"focus": "tired", "mood": "tired"}, ("root",), fresh=fresh)) == NOTHING_NEW


def test_machines_end_in_a_thread_and_a_person_does_not():
    gate = NoveltyGate(per_root=2)
    assert [judged(gate, remix(str(n), "model")) for n in range(3)] == [None, None, THREAD_SPENT]
    assert judged(gate, remix("x", "tool")) == THREAD_SPENT
    assert judged(gate, remix("x", "model", to="bob")) == THREAD_SPENT
    assert judged(gate, remix("x", "model"), roots=("other", "root")) == THREAD_SPENT
    assert judged(gate, remix("x", "model"), roots=("other",)) is None
    assert judged(gate, remix("x", "person")) is None
    gate.undone(remix("1", "model"), ["root"])
    assert judged(gate, remix("x", "model")) is None


def test_machines_that_leave_their_subject_again_and_again_end_until_something_comes_from_outside():
    gate = NoveltyGate(cut_off=2)
    machine = remix("x", "model")
    assert [gate.cut_off(machine) is None for _ in range(3)] == [True, True, False]
    assert gate.cut_off(machine).reason == LINEAGE_SPENT
    assert gate.cut_off(remix("x", "person")) is None
    gate.judge(Proposal({"focus": "seen"}), (), ())
    assert gate.cut_off(machine) is None


def test_a_directed_answer_is_no_broadcast():
    assert judged(NoveltyGate(), remix("the parser is slow", to="bob")) is None
