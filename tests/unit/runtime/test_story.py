"""The story is a fold over what peers said of themselves; nothing in it is inferred."""

from io import StringIO

import pytest
from rich.console import Console

from covey.runtime.console import LiveView, cost, tree_lines
from covey.runtime.story import Story, line

A, B = "cmb-" + "a" * 64, "cmb-" + "b" * 64


def emitted(key, *, parents=(), sends=(), **said):
    block = {"key": key, "parents": list(parents), "categories": {"mood": "neutral", **said}}
    sent = [{"node_id": name, "name": name, "state": "accepted", "reason": None} for name in sends]
    return {"event": "emitted", "block": block, "sends": sent}


def judged(key, outcome="admitted", decision="aligned", drift=0.1, reason=None, author="ann"):
    judgement = None if decision is None else {"decision": decision, "total_drift": drift}
    return {
        "event": "judged",
        "key": key,
        "outcome": outcome,
        "reason": reason,
        "author": author,
        "judgement": judgement,
    }


def settled(key, name, state="delivered"):
    return {"event": "send-settled", "key": key, "send": {"name": name, "state": state}}


@pytest.fixture
def story():
    return Story(("ann", "bob"))


def test_a_block_exists_when_its_authors_mesh_said_so(story):
    story.take("ann", {"event": "agent-emitted", "closing": False})
    assert story.blocks == {} and story.actors["ann"].emitted == 0
    said = story.take("ann", emitted(A, focus="hello"))
    assert story.blocks[A].author == "ann" and story.blocks[A].said == {"focus": "hello"}
    assert story.actors["ann"].emitted == 1
    assert said == "ann emits cmb-aaaaaaaaaa: hello"


def test_a_verdict_that_comes_before_the_authors_own_word_is_kept(story):
    story.take("bob", judged(A, "rejected", "rejected", 0.61))
    story.take("ann", emitted(A, focus="hello"))
    verdict = story.blocks[A].verdicts["bob"]
    assert not verdict.taken and verdict.words() == "rejected 0.610"
    assert [(told.key, who) for told, who, _ in story.refusals()] == [(A, "bob")]


def test_a_second_hearing_does_not_replace_the_verdict(story):
    story.take("ann", emitted(A, focus="hello"))
    story.take("bob", judged(A))
    story.take("bob", judged(A, "duplicate", None))
    assert story.blocks[A].verdicts["bob"].outcome == "admitted"


def test_a_block_closes_when_it_answers_and_commits(story):
    story.take("ann", emitted(A, focus="task", commitment="I will"))
    story.take("bob", emitted(B, parents=[A], focus="done", commitment="it stands"))
    assert not story.blocks[A].closing and story.blocks[B].closing
    assert not story.everybody_closed(["ann", "bob"]) and story.everybody_closed(["bob"])


def test_everybody_meets_when_each_is_ready_and_sees_all_others(story):
    story.take("ann", {"event": "ready", "node_id": "1", "peers": [{"node_id": "2"}]})
    story.take("bob", {"event": "peer-joined", "peer": {"node_id": "1", "name": "ann"}})
    assert not story.everybody_meets()
    story.take("bob", {"event": "ready", "node_id": "2", "model": "m", "peers": []})
    assert story.everybody_meets()
    story.take("bob", {"event": "peer-left", "node_id": "1"})
    assert not story.everybody_meets()


def test_it_is_busy_while_somebody_thinks_or_a_block_is_on_its_way(story):
    assert not story.anybody_busy()
    story.take("ann", {"event": "agent-woke", "keys": [A], "authors": ["bob"], "answers_own": False})
    assert story.anybody_busy()
    story.take("ann", {"event": "agent-resting"})
    assert not story.anybody_busy()
    story.take("ann", emitted(A, sends=["bob"], focus="x"))
    assert story.anybody_busy()
    story.take("ann", settled(A, "bob"))
    assert not story.anybody_busy()


def test_calls_and_cost_are_counted_from_what_happened(story):
    reply = {"event": "agent-model-replied", "input_tokens": 10, "output_tokens": 2}
    for cost_usd in (0.25, None):
        story.take("ann", {"event": "agent-model-call"})
        story.take("ann", {**reply, "cost_usd": cost_usd})
    ann = story.actors["ann"]
    assert (story.calls, ann.input_tokens, ann.cost_usd, ann.unpriced_calls) == (2, 20, 0.25, 1)
    assert cost(ann) == "$0.2500 + 1 calls of unknown price"
    assert cost(story.actors["bob"]) == "-"


def test_a_lasting_model_failure_is_a_failure_and_a_passing_one_is_not(story):
    failed = {"event": "agent-model-failed", "message": "no key", "hint": "export it", "retry_in_seconds": 1}
    assert "again in 1 s" in story.take("ann", {**failed, "final": False})
    assert story.actors["ann"].failure is None
    assert story.take("ann", {**failed, "final": True}) == "ann's model failed: no key; export it"
    assert story.actors["ann"].failure == "no key"


def test_an_end_with_a_reason_is_no_death(story):
    story.take("ann", {"event": "agent-run-ended", "reason": "thread-closed"})
    assert story.exited("ann", 0) == "ann ended: thread-closed" and story.actors["ann"].state == "ended"
    assert story.exited("bob", -9) == "bob died: exit code -9" and story.actors["bob"].state == "died"


def test_trouble_is_told_and_used_up_calls_are_noticed(story):
    event = {"event": "agent-call-spared", "level": "warn", "reason": "thread-calls-used", "detail": "used"}
    assert story.take("ann", event) == "ann call spared: thread-calls-used, used"
    assert story.actors["ann"].out_of_calls
    assert story.take("ann", {"event": "agent-answer-part-ignored", "level": "info"}) is None
    assert story.take("ann", {"event": "unheard-of"}) is None


def test_peer_text_becomes_a_harmless_line():
    assert line("a\x1b[2J\nb\u202ec") == "a [2J b c"
    assert line("x" * 500) == "x" * 119 + "…"


def test_the_tree_shows_who_answers_whom_and_who_closed(story):
    story.take("ann", emitted(A, focus="task"))
    story.take("bob", emitted(B, parents=[A], focus="answer\x1b[31m", commitment="done"))
    assert list(tree_lines(story)) == [
        "cmb-aaaaaaaaaa ann",
        "│  focus: task",
        "└─ cmb-bbbbbbbbbb bob closes its part",
        "      focus: answer [31m",
        "      commitment: done",
    ]


def test_a_ring_of_parents_is_drawn_without_end(story):
    story.take("ann", emitted(A, parents=[B], focus="a"))
    story.take("bob", emitted(B, parents=[A], focus="b"))
    assert list(tree_lines(story)) == []


def test_the_live_view_draws_peers_blocks_verdicts_and_lines(story):
    out = StringIO()
    with LiveView(story, "room r", Console(file=out, width=120, force_terminal=True)) as view:
        story.take("ann", emitted(A, focus="task"))
        story.take("bob", judged(A, "rejected", "rejected", 0.61))
        view.say("[bold]not markup[/bold]")
    shown = out.getvalue()
    assert "room r" in shown and "rejected 0.610" in shown and "[bold]not markup[/bold]" in shown
