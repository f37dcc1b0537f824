"""Laws of a wake with tools: whatever a model asks for, it ends within bounds, and the books balance."""

from hypothesis import given, settings
from hypothesis import strategies as st

from covey.model import ToolOutcome, Usage
from tests.unit.agent.conftest import Desktop, make_block, make_guards

NAMES = st.sampled_from(["files__read", "files__write", "shell", "emit", "", "emit_cmb"])
ARGUMENTS = st.one_of(
    st.none(), st.just({"path": "a"}), st.just({"path": "git push"}), st.just({"focus": "done"}), st.just({})
)
CALLS = st.lists(st.tuples(NAMES, ARGUMENTS), min_size=1, max_size=5)
REPLIES = st.one_of(CALLS, st.sampled_from(["nothing to say", '{"focus": "a', '{"focus": "a"}', "", "fail"]))
OUTCOMES = st.builds(ToolOutcome, st.text(max_size=30), st.booleans(), st.just("ok"), st.integers(0, 9))


def play(desk, data, most_calls):
    """Let a model do as it likes until nothing is in hand; return how often it was asked."""
    asked = 0
    while desk.engine.in_flight and not desk.emits:
        asked += 1
        assert asked <= 3 * (most_calls + 4), "a wake that does not end"
        reply = data.draw(REPLIES)
        asks, uses = len(desk.asks), len(desk.uses)
        if reply == "fail":
            desk.fail(transient=data.draw(st.booleans()))
            while len(desk.asks) == asks and desk.engine.in_flight:
                desk.at(31)
            continue
        if isinstance(reply, str):
            desk.reply(reply, usage=Usage(10, 5, 0.01))
        else:
            desk.calls(*reply, usage=Usage(10, 5, 0.01))
        if len(desk.uses) > uses:
            made = desk.uses[-1].uses
            desk.returned(*(data.draw(OUTCOMES) for _ in made))
    return asked


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 4))
def test_a_wake_with_tools_ends_within_its_calls_and_its_books_balance(data, most_calls):
    guards = make_guards(estimate=0.05, cost_run=100.0)
    desk = Desktop(guards=guards, has_tools=True, max_tool_calls=most_calls)
    desk.equip(files__read="allow", files__write="ask").hear(make_block("you", focus="task"))
    play(desk, data, most_calls)
    uses = [use for effect in desk.uses for use in effect.uses]
    assert len(uses) <= most_calls
    assert {use.call.name for use in uses} <= {"files__read", "files__write"}
    assert all(use.ask for use in uses if use.call.name == "files__write")
    assert all(use.ask for use in uses if use.call.arguments == {"path": "git push"})
    assert desk.engine.tally.repairs <= 1 and len(desk.emits) <= 1
    assert desk.engine.tally.tool_calls == len(uses)
    spent = desk.guards.status(type("Now", (), {"wall_ms": 0, "monotonic": desk.now}))["cost"]
    assert spent["reserved_usd"] == 0.0
    for request in (effect.request for effect in desk.asks):
        for turn in request.rounds:
            assert [answer.call_id for answer in turn.answers] == [call.id for call in turn.said.tool_calls]
