"""What stands between a proposal and the node: novelty, and the tether to the root."""

from __future__ import annotations

import json

import pytest

from covey import _core, limits
from covey.cognition.ask.values import SYNTHESIS_SCHEMA
from covey.model import CAT7, Block, Duplicate, EmissionRefused, Minted, Payload, Proposal
from covey.proto.ask.words import question_of
from covey.proto.options import NodeOptions
from covey.runtime.gatekeeper import Gatekeeper
from tests.unit.store.storekit import ANN, ME, NOW, ROOM

RICH = {name: f"the release of the parser waits for its tests, says {name}" for name in CAT7}
FAR = {name: f"xylophone quartz {name[::-1]}" for name in CAT7}


def block(key, said, *parents, at=1):
    texts = {name: said.get(name, "neutral") for name in CAT7}
    return Block(key, "a", ANN.node_id, "ann", at, ROOM, None, parents, texts)


ROOT = _core.content_key(RICH)


class Shelf:
    def __init__(self, *blocks):
        self.blocks = {each.key: each for each in blocks}

    def block(self, key):
        return self.blocks.get(key)


class Clock:
    def now_ms(self):
        return NOW


@pytest.fixture
def gate():
    log = []
    made = Gatekeeper(
        ME,
        NodeOptions(),
        Shelf(block(ROOT, RICH)),
        clock=Clock(),
        log=lambda level, event, facts: log.append((event, facts)),
    )
    made.said = log
    return made


def remix(said, fresh="model", parents=(ROOT,)):
    return Proposal(said, parents, fresh=fresh)


def test_a_root_passes_untouched(gate):
    proposal = Proposal({"focus": "seen"})
    assert gate.judge(proposal).proposal is proposal


def test_a_faithful_remix_keeps_its_parents_and_carries_a_signed_word(gate):
    said = {**RICH, "focus": "the parser's release waits for tests, still"}
    cleared = gate.judge(remix(said))
    assert cleared.proposal.parents == (ROOT,) and cleared.severed is None
    told = _core.TetherAttestation.parse(cleared.proposal.application.data)
    told.verify(ME.public_key)
    assert (told.root, told.verdict, told.by, told.at_ms) == (ROOT, "tethered", ME.node_id, NOW)
    assert told.of == _core.content_key(said)
    assert json.loads(cleared.proposal.application.data)["kernelId"] == told.kernel


def test_a_remix_that_left_its_subject_becomes_a_root_and_says_so(gate):
    cleared = gate.judge(remix(FAR))
    assert cleared.proposal.parents == () and cleared.severed == ROOT
    assert gate.said[0][0] == "lineage-severed" and gate.said[0][1]["drift"] > 0.5
    minted = gate.ended(cleared, Minted(block("cmb-x", FAR), ()))
    assert minted.severed == ROOT


def test_feedback_and_directed_answers_keep_what_they_name(gate):
    grounding = {**FAR, "intent": "ground", "commitment": "failed: it did not"}
    assert gate.judge(remix(grounding, "outcome")).proposal.parents == (ROOT,)
    directed = Proposal(FAR, (ROOT,), ANN.node_id, fresh="model")
    assert gate.judge(directed).proposal.parents == (ROOT,)


def test_what_cannot_be_measured_is_unverified_and_no_refusal(gate):
    assert gate.judge(remix(FAR, parents=("cmb-away",))).proposal.parents == ("cmb-away",)


def test_what_is_refused_says_why_and_what_came_to_nothing_is_given_back(gate):
    refused = gate.judge(remix({"focus": "words"}, None))
    assert isinstance(refused, EmissionRefused) and refused.reason == "no_new_domain_data"
    seen = gate.judge(Proposal({"focus": "seen"}))
    gate.ended(seen, Duplicate("cmb-x"))
    assert isinstance(gate.judge(remix({"focus": "words"}, None)), EmissionRefused)
    gate.ended(gate.judge(Proposal({"focus": "seen"})), Minted(block("cmb-y", {"focus": "seen"}), ()))
    assert not isinstance(gate.judge(remix({"focus": "words"}, None)), EmissionRefused)


def test_machines_that_wander_off_are_stopped(gate):
    judged = [gate.judge(remix(FAR)) for _ in range(40)]
    assert isinstance(judged[-1], EmissionRefused)
    assert sum(not isinstance(each, EmissionRefused) for each in judged) == 16


def test_a_question_is_no_observation_and_an_answer_is_held_to_its_citations_instead_of_one_root(gate):
    asked = Proposal(question_of("what drops?"))
    assert gate.judge(asked).proposal is asked
    gate.ended(gate.judge(asked), Duplicate("cmb-q"))
    assert gate.judge(remix(RICH | {"mood": "sure"}, fresh=None)).reason == "no_new_domain_data"
    said = {**FAR, "intent": "synthesize", "perspective": "synthesis"}
    answer = Proposal(
        said, (ROOT,), application=Payload("application/json", SYNTHESIS_SCHEMA, b"{}"), fresh="model"
    )
    assert gate.judge(answer).proposal is answer, "it is not cut off from what it cites"
    assert gate.judge(remix(said)).severed == ROOT, "saying so in words alone is not enough"


def test_one_outcome_of_a_block_is_reported_only_so_often_and_what_came_to_nothing_does_not_count(gate):
    def report(number, word):
        return remix({**FAR, "intent": "ground", "commitment": f"{word} run {number}"}, "outcome")

    for number in range(limits.GROUNDINGS_PER_TARGET):
        cleared = gate.judge(report(number, "verified:"))
        assert not isinstance(cleared, EmissionRefused)
    refused = gate.judge(report(99, "verified:"))
    assert isinstance(refused, EmissionRefused) and refused.reason == "grounding_pace"
    assert gate.said[-1] == ("report-refused", {"reason": "grounding_pace", "parents": [ROOT]})
    assert not isinstance(gate.judge(report(0, "failed:")), EmissionRefused)
    gate.ended(cleared, Duplicate(ROOT))
    assert not isinstance(gate.judge(report(99, "verified:")), EmissionRefused)
