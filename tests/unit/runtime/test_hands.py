"""The shell of tools: order, a person's word and its deadline, and an outcome for every call."""

import asyncio

import pytest

from covey.agent import effects as fx
from covey.model import Equipment, OfferedTool, ToolCall, ToolOutcome, ToolSpec
from covey.runtime.hands import HandsShell


class Tools:
    def __init__(self, *, broken=False):
        self.made, self.broken, self.closed = [], broken, False

    async def start(self):
        if self.broken:
            raise KeyError("started")
        spec = ToolSpec("files__read", "d", {"type": "object"})
        return Equipment((OfferedTool(spec, "allow", "files"),), ("files: write: not there",))

    async def call(self, name, arguments):
        self.made.append((name, arguments))
        if self.broken:
            raise KeyError("called")
        return ToolOutcome(f"did {name}")

    async def close(self):
        self.closed = True
        if self.broken:
            raise KeyError("closed")


class Clock:
    def now_ms(self):
        return 1_000


class Told(list):
    """What was told, and a way to wait until so many calls wait for a person."""

    def __init__(self):
        self._came = asyncio.Event()

    def take(self, level, event, facts):
        self.append((event, facts))
        self._came.set()

    async def asks(self, count=1):
        while len([event for event, _ in self if event == "tool-asks"]) < count:
            self._came.clear()
            await asyncio.wait_for(self._came.wait(), 5)


def shell(tools, *, seconds=20.0):
    told = Told()
    return HandsShell(tools, seconds, Clock(), told.take), told


def use(name, ask=None, **arguments):
    return fx.ToolUse(ToolCall("1", name, arguments), ask)


async def test_calls_are_made_in_order_and_each_ends_in_an_outcome():
    tools = Tools()
    hands, _ = shell(tools)
    outcomes = await hands.use((use("a", x=1), use("b")))
    assert [outcome.text for outcome in outcomes] == ["did a", "did b"]
    assert tools.made == [("a", {"x": 1}), ("b", {})]


async def test_a_call_on_ask_is_made_when_a_person_says_yes_and_only_then():
    tools = Tools()
    hands, told = shell(tools)
    made = asyncio.ensure_future(hands.use((use("write", "permission", path="a"), use("read"))))
    await told.asks()
    (waiting,) = hands.waiting()
    assert tools.made == []
    assert waiting == {
        "id": "t-1",
        "tool": "write",
        "arguments": '{"path": "a"}',
        "arguments_cut": 0,
        "why": "permission",
        "since_ms": 1_000,
        "until_ms": 21_000,
    }
    assert hands.decide("t-9", approve=True) is None and hands.decide("", approve=True) is None
    assert hands.decide("t-1", approve=True) == {"result": "allowed", "id": "t-1", "tool": "write"}
    assert [outcome.text for outcome in await made] == ["did write", "did read"]
    assert [event for event, _ in told] == ["tool-asks", "tool-decided"]
    assert hands.waiting() == []


async def test_a_no_is_a_refusal_the_model_reads_and_the_next_call_goes_on():
    tools = Tools()
    hands, told = shell(tools)
    made = asyncio.ensure_future(hands.use((use("write", "gate: git push"), use("read"))))
    await told.asks()
    hands.decide("t", approve=False)
    first, second = await made
    assert (first.failed, first.reason, first.text) == (True, "denied", "A person refused this call.")
    assert second.text == "did read" and tools.made == [("read", {})]
    assert told[1][1]["approved"] is False


async def test_nobody_answering_is_a_no():
    tools = Tools()
    hands, _ = shell(tools, seconds=0.01)
    (outcome,) = await hands.use((use("write", "permission"),))
    assert (outcome.reason, outcome.text) == ("denied", "Nobody allowed this call within 0.01 s.")
    assert tools.made == [] and hands.waiting() == []


@pytest.mark.parametrize("first", [True, False])
async def test_a_stopping_peer_lets_nothing_through(first):
    tools = Tools()
    hands, told = shell(tools)
    if first:
        hands.give_up()
    made = asyncio.ensure_future(hands.use((use("write", "permission"),)))
    if not first:
        await told.asks()
        await hands.close()
    (outcome,) = await made
    assert outcome.reason == "denied" and tools.made == []


async def test_calls_that_wait_are_bounded(monkeypatch):
    monkeypatch.setattr("covey.limits.TOOL_ASKS", 1)
    hands, told = shell(Tools())
    first = asyncio.ensure_future(hands.use((use("a", "permission"),)))
    await told.asks()
    (second,) = await hands.use((use("b", "permission"),))
    assert "too many calls wait" in second.text
    hands.decide("t-1", approve=False)
    await first


async def test_an_id_that_two_begin_with_decides_nothing():
    hands, told = shell(Tools())
    made = [asyncio.ensure_future(hands.use((use(name, "permission"),))) for name in "ab"]
    await told.asks(2)
    assert hands.decide("t-", approve=True)["reason"] == "ambiguous"
    hands.give_up()
    assert {outcome.reason for each in await asyncio.gather(*made) for outcome in each} == {"denied"}


async def test_a_bug_in_a_tool_source_costs_the_tool_and_not_the_peer():
    hands, told = shell(Tools(broken=True))
    assert (await hands.start()).problems == ("KeyError: 'started'",)
    (outcome,) = await hands.use((use("a"),))
    assert (outcome.failed, outcome.reason) == (True, "tool-error")
    await hands.close()
    assert told[-1][0] == "tools-not-closed"


async def test_status_shows_what_is_there_what_is_missing_and_what_waits():
    hands, _ = shell(Tools())
    await hands.start()
    assert hands.status() == {
        "offered": {"files__read": "allow"},
        "missing": ["files: write: not there"],
        "waiting": 0,
    }
