"""How a demo ended, in words and in an exit code."""

import pytest

from covey.cli.demo import outcome as ends
from covey.cli.demo.scenario import AGENTS, OPERATOR
from covey.runtime.story import Story, Told, Verdict


@pytest.fixture
def story():
    return Story((OPERATOR, *AGENTS))


def said(story, author, receiver, outcome="admitted", decision="aligned", drift=0.1):
    told = Told("cmb-" + author, author, ("cmb-t",), {"focus": "x"})
    told.verdicts[receiver] = Verdict(outcome, decision, drift, None)
    story.blocks[told.key] = told


def test_a_closed_thread_is_done():
    assert ends.closed().exit_code == 0


def test_silence_is_done_only_when_a_block_reached_another_agent(story):
    assert ends.quiet(story).exit_code == 1
    said(story, "writer", "reviewer", "rejected", "rejected", 0.6)
    assert ends.quiet(story).exit_code == 1
    said(story, "reviewer", OPERATOR)
    assert ends.quiet(story).exit_code == 1
    said(story, "test-writer", "writer")
    found = ends.quiet(story)
    assert (found.reason, found.exit_code) == ("idle", 0)
    assert found.detail.endswith("still open: writer, reviewer, test-writer")


def test_used_up_calls_are_named_as_the_reason(story):
    story.actors["writer"].out_of_calls = story.actors["reviewer"].closed = True
    assert ends.quiet(story).reason == "budget"
    assert "still open: writer, test-writer" in ends.quiet(story).detail


def test_a_failed_model_is_never_done(story):
    said(story, "writer", "reviewer")
    story.actors["reviewer"].failure = "openai: no key"
    found = ends.quiet(story)
    assert (found.reason, found.exit_code) == ("model-failed", 1)
    assert "reviewer's model failed: openai: no key" in found.detail


def test_a_dead_agent_is_named_with_how_it_died_and_what_it_said(story):
    story.exited("reviewer", -9)
    found = ends.died(story, "reviewer", "covey run: no\x1b[0m luck")
    assert found.exit_code == 1
    assert found.detail == "reviewer ended early (killed by signal 9): covey run: no [0m luck"


def test_who_did_not_meet_whom_is_named(story):
    for name in (OPERATOR, "writer", "reviewer"):
        story.actors[name].peers.update("123")
    assert "test-writer sees 0 of 3" in ends.never_met(story, 30).detail
    assert "writer sees 3" not in ends.never_met(story, 30).detail


def test_refusals_say_by_whom_and_why(story):
    said(story, "writer", "reviewer", "rejected", "rejected", 0.61)
    said(story, "reviewer", "writer", "redundant", "redundant", 0.05)
    assert ends.refusal_lines(story) == [
        "cmb-writer by writer was not taken by reviewer: rejected 0.610, "
        "too far from what it knows (over 0.5)",
        "cmb-reviewer by reviewer was not taken by writer: redundant 0.050, too close to a block it holds",
    ]
