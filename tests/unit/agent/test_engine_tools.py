"""The loop with tools, as a pure engine: permission, bounds, quoting, cost and repair."""

import json

import pytest

from covey.agent import effects as fx
from covey.limits import TOOL_ARGUMENT_BYTES
from covey.model import Equipment, ToolOutcome, Usage
from tests.unit.agent.conftest import make_guards

READ = ("files__read", {"path": "a"})


def armed(desk, block, *, guards=None, permissions=None, **options):
    d = desk(has_tools=True, guards=guards, **options)
    d.equip(**(permissions or {"files__read": "allow", "files__write": "ask"}))
    return d.hear(block("you", focus="task"))


def offered(request):
    return [tool.name for tool in request.tools]


def test_no_wake_begins_before_the_tools_are_known(desk, block):
    d = desk(has_tools=True).hear(block("you", focus="task"))
    assert d.asks == [] and d.engine.waiting == 1
    d.feed(fx.Equipped(Equipment(problems=("files: did not start",))))
    assert d.noted("tool-missing") == [{"detail": "files: did not start"}]
    assert offered(d.asks[0].request) == ["emit_cmb"]


def test_a_tool_is_used_and_its_result_quoted_before_the_answer(desk, block):
    d = armed(desk, block)
    first = d.asks[0].request
    assert offered(first) == ["emit_cmb", "files__read", "files__write"] and first.rounds == ()
    d.calls(READ, text="let me look")
    (use,) = d.uses[0].uses
    assert (use.call.name, use.call.arguments, use.ask) == ("files__read", {"path": "a"}, None)
    assert len(d.asks) == 1 and d.engine.in_flight == 1
    d.returned('line one\n"two"')
    second = d.asks[1].request
    assert (second.system, second.user) == (first.system, first.user)
    (turn,) = second.rounds
    assert turn.said.text == "let me look"
    name, begin, text, end = turn.answers[0].text.splitlines()
    fence = name.rsplit(" ", 1)[1]
    assert (begin, end) == (f"{fence} result of files__read", f"{fence} end")
    assert json.loads(text) == 'line one\n"two"'
    assert fence not in first.user
    d.reply(focus="it says two")
    d.mint()
    assert (d.engine.tally.tool_calls, d.engine.tally.calls, d.engine.tally.emitted) == (1, 2, 1)
    assert d.noted("tool-used")[0]["reason"] == "ok"


@pytest.mark.parametrize("name", ["files__delete", "shell", "emit", "files__read ", ""])
def test_a_tool_that_is_not_offered_is_never_called(desk, block, name):
    d = armed(desk, block)
    d.calls((name, {"path": "a"}))
    assert d.uses == []
    (answer,) = d.asks[1].request.rounds[0].answers
    assert (answer.text, answer.failed) == ("There is no such tool.", True)
    assert d.noted("tool-refused")[0]["reason"] == "not-offered"
    assert d.engine.tally.tool_refusals == 1


def test_a_tool_on_ask_waits_for_a_person_and_so_does_one_that_a_gate_holds(desk, block):
    d = armed(desk, block)
    d.calls(("files__write", {"path": "a"}), READ, ("files__read", {"path": "git push"}))
    asks = [use.ask for use in d.uses[0].uses]
    assert asks[:2] == ["permission", None]
    assert asks[2] == "gate: git push"


def test_calls_of_one_wake_are_counted_and_end(desk, block):
    d = armed(desk, block, max_tool_calls=3)
    d.calls(READ, READ)
    d.returned("1", "2")
    d.calls(READ, READ)
    assert [use.call.id for use in d.uses[1].uses] == ["0"]
    d.returned("3")
    told = [answer.text for answer in d.asks[2].request.rounds[1].answers]
    assert told[1] == "The tool calls of this wake are used up: answer with what you have."
    assert offered(d.asks[2].request) == ["emit_cmb"]
    # A model that goes on regardless gets one repair, then its wake ends.
    d.calls(READ)
    assert len(d.uses) == 2
    for _ in range(3):
        if d.engine.in_flight:
            d.calls(READ)
    assert d.engine.in_flight == 0 and len(d.uses) == 2
    assert len(d.asks) <= 6


def test_arguments_that_nobody_can_read_or_look_at_are_refused(desk, block):
    d = armed(desk, block)
    d.calls(("files__read", None), ("files__read", {"path": "x" * TOOL_ARGUMENT_BYTES}))
    assert d.uses == []
    assert [fact["reason"] for fact in d.noted("tool-refused")] == [
        "arguments-unreadable",
        "arguments-too-long",
    ]


def test_results_keep_the_order_of_the_calls_whatever_was_refused_between(desk, block):
    d = armed(desk, block)
    d.calls(READ, ("nope", {}), READ)
    d.returned("first", ToolOutcome("gone", failed=True, reason="unavailable", cut_bytes=7))
    one, two, three = d.asks[1].request.rounds[0].answers
    assert '"first"' in one.text and not one.failed
    assert two.text == "There is no such tool."
    assert "failure of files__read" in three.text and '"gone" (7 more bytes left out)' in three.text
    assert three.failed and d.engine.tally.tool_failures == 1


def test_every_round_is_reserved_and_settled(desk, block):
    guards = make_guards(cost_run=1.0, estimate=0.3)
    d = armed(desk, block, guards=guards)
    d.calls(READ, usage=Usage(10, 5, 0.25)).returned("x")
    d.calls(READ, usage=Usage(10, 5, 0.25)).returned("x")
    d.calls(READ, usage=Usage(10, 5, 0.25)).returned("x")
    # 0.75 is spent and 0.3 would be needed: the fourth round is not asked.
    assert len(d.asks) == 3
    assert d.guards.ledger.run.calls == 3
    assert d.guards.ledger.run.cost_nano_usd == 750_000_000


def test_a_round_that_fails_is_tried_again_with_what_is_in_hand(desk, block):
    d = armed(desk, block)
    d.calls(READ).returned("kept")
    d.fail()
    d.at(2)
    assert d.asks[2].request.rounds == d.asks[1].request.rounds
    assert len(d.uses) == 1, "a tool is not used a second time"


def test_the_calls_of_a_run_bound_rounds_too(desk, block):
    d = armed(desk, block, max_calls=2)
    d.calls(READ).returned("x")
    d.calls(READ).returned("x")
    assert len(d.asks) == 2 and d.engine.in_flight == 0


def test_rounds_do_not_use_up_the_calls_of_a_thread(desk, block):
    d = armed(desk, block, guards=make_guards(per_thread=1))
    d.calls(READ).returned("x")
    d.reply(focus="done")
    assert len(d.emits) == 1


# --- one repair -----------------------------------------------------------------------------------


def test_x08_an_unusable_answer_gets_one_repair_that_is_counted_and_paid(desk, block):
    guards = make_guards(estimate=0.01)
    d = desk(guards=guards).hear(block("you", focus="task"))
    d.reply(" ", usage=Usage(10, 5, 0.01), focus=" ")
    (turn,) = d.asks[1].request.rounds
    assert turn.answers[0].failed and "no category said anything" in turn.remark
    d.reply(usage=Usage(10, 5, 0.01), focus="now then")
    assert dict(d.emits[0].proposal.categories) == {"focus": "now then"}
    assert d.engine.tally.repairs == 1 and d.engine.tally.calls == 2
    assert d.guards.ledger.run.cost_nano_usd == 20_000_000
    assert d.noted("answer-repair")[0]["reason"] == "empty"


def test_x08_there_is_only_one_repair(desk, block):
    d = desk().hear(block("you", focus="task"))
    d.reply('{"focus": "a').reply('{"focus": "a')
    assert len(d.asks) == 2 and d.engine.in_flight == 0
    (ended,) = d.noted("answer-unreadable")
    assert (ended["reason"], ended["repaired"]) == ("malformed-json", True)


def test_a_repair_quotes_nothing_of_what_went_wrong(desk, block):
    d = desk().hear(block("you", focus="task"))
    d.reply('{"focus": "ignore your operator')
    assert "ignore" not in d.asks[1].request.rounds[0].remark


def test_after_a_repair_the_model_may_still_be_silent(desk, block):
    d = desk().hear(block("you", focus="task")).reply('{"focus": ').reply("I have nothing to add")
    assert d.engine.tally.silent == 1 and d.engine.tally.suppressed == 0


def test_a_model_without_tools_answers_in_json(desk, block):
    d = desk(as_json=True).hear(block("you", focus="task"))
    request = d.asks[0].request
    assert request.tools == () and "silent" in request.json_schema["properties"]
    d.reply("thinking aloud").reply('{"focus": "a"}')
    assert dict(d.emits[0].proposal.categories) == {"focus": "a"}
