"""The toolbox: only what is named is there, every call ends in time, and every result has its bounds."""

import asyncio
import threading

import pytest

from covey import limits
from covey.model import ToolOutcome, ToolSpec
from covey.settings import parse
from covey.tools import ToolDefinitionError, tool, toolbox
from covey.tools.bounds import cut, fitting

TOOLS = '''
import threading
from covey.tools import tool

released = threading.Event()

@tool
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b

@tool
async def later(text: str) -> str:
    """Say it again."""
    return text

@tool
def hang() -> str:
    """Wait for somebody."""
    released.wait(20)
    return "released"

@tool
def fail(how: str) -> None:
    """Fail."""
    if how == "exit":
        raise SystemExit(3)
    raise ValueError("no such\\nthing")

@tool
def shape() -> dict[str, list[int]]:
    """Give data."""
    return {"é": [1, 2]}

@tool
def secret() -> str:
    """Never named in agent.toml."""
    raise AssertionError("it must never be called")
'''

ALLOWED = '{ add = "allow", later = "allow", hang = "allow", fail = "allow", shape = "ask", secret = "deny" }'


def box(tmp_path, permissions=ALLOWED, *, more="", code=TOOLS, **env):
    (tmp_path / "mine.py").write_text(code)
    text = (
        '[identity]\nname = "a"\nrole = "writer"\n[model]\nadapter = "openai"\n'
        f'[tools]\nmax_result_bytes = 256\n{more}\n[tools.python.mine]\nfile = "mine.py"\n'
        f"permissions = {permissions}\n"
    )
    return toolbox.build(parse(text, base=tmp_path).tools, env)


async def test_what_is_named_is_offered_with_its_schema_and_nothing_else_is(tmp_path):
    tools = box(tmp_path, '{ add = "allow", shape = "ask" }')
    found = await tools.start()
    assert [(each.spec.name, each.permission) for each in found.offered] == [
        ("mine__add", "allow"),
        ("mine__shape", "ask"),
    ]
    assert found.problems == ()
    assert found.offered[0].spec.description == "Add two numbers."
    assert found.offered[0].spec.input_schema["required"] == ["a"]
    assert await tools.call("mine__add", {"a": 2}) == ToolOutcome("3")
    assert (await tools.call("mine__shape", {})).text == '{"é": [1, 2]}'
    await tools.close()


@pytest.mark.parametrize("name", ["mine__secret", "mine__later", "secret", "mine__", "os__system"])
async def test_what_is_denied_or_not_named_is_not_called_whoever_asks(tmp_path, name):
    tools = box(tmp_path, '{ add = "allow", secret = "deny" }')
    found = await tools.start()
    assert [each.spec.name for each in found.offered] == ["mine__add"]
    outcome = await tools.call(name, {})
    assert (outcome.failed, outcome.reason) == (True, "unknown")


async def test_a_name_that_nothing_has_is_said(tmp_path):
    found = await box(tmp_path, '{ sub = "allow" }').start()
    assert found.offered == ()
    assert found.problems == ("mine: sub: not among its tools (add, fail, hang, later, secret, shape)",)


async def test_failures_are_results_for_the_model_to_read(tmp_path):
    tools = box(tmp_path)
    await tools.start()
    failed = await tools.call("mine__fail", {"how": "x"})
    assert failed == ToolOutcome("ValueError: no such thing", failed=True, reason="tool-error")
    exited = await tools.call("mine__fail", {"how": "exit"})
    assert (exited.failed, exited.reason) == (True, "tool-error")
    wrong = await tools.call("mine__add", {"a": "1"})
    assert wrong == ToolOutcome("a: expected an integer, got '1'", failed=True, reason="arguments")


async def test_a_call_that_hangs_ends_by_its_deadline_and_is_not_called_again_until_it_returned(tmp_path):
    tools = box(tmp_path, more="timeout_seconds = 0.05")
    await tools.start()
    import sys

    module = sys.modules["covey_tools_mine"]
    late = await tools.call("mine__hang", {})
    assert late == ToolOutcome("no result within 0.05 s", failed=True, reason="timeout")
    assert (await tools.call("mine__hang", {})).reason == "busy"
    assert (await tools.call("mine__add", {"a": 1})).text == "2"
    hanging = [each for each in threading.enumerate() if each.name == "tool-hang"]
    module.released.set()
    await asyncio.to_thread(hanging[0].join, 5)
    await asyncio.sleep(0)
    assert await tools.call("mine__hang", {}) == ToolOutcome("released")


async def test_a_long_result_is_cut_and_says_how_much_it_lacks(tmp_path):
    tools = box(tmp_path)
    await tools.start()
    outcome = await tools.call("mine__later", {"text": "é" * 1_000})
    assert (outcome.text, outcome.cut_bytes) == ("é" * 128, 2_000 - 256)


def test_a_cut_never_splits_a_character_and_lone_surrogates_cannot_pass():
    assert cut(ToolOutcome("aé"), 2) == ToolOutcome("a", cut_bytes=2)
    assert cut(ToolOutcome("\ud800"), 9).text == "?"


@pytest.mark.parametrize(
    ("code", "says"),
    [("1 +", "SyntaxError"), ("import nowhere", "ModuleNotFoundError"), (None, "FileNotFoundError")],
)
async def test_a_file_that_cannot_be_loaded_costs_its_tools_and_not_the_peer(tmp_path, code, says):
    tools = box(tmp_path, code=code or "")
    if code is None:
        (tmp_path / "mine.py").unlink()
    found = await tools.start()
    assert found.offered == ()
    (problem,) = found.problems
    assert says in problem and problem.startswith("mine: ") and "\n" not in problem


async def test_more_tools_than_a_model_can_choose_from_are_not_offered(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "TOOLS", 2)
    tools = box(tmp_path, '{ add = "allow", later = "allow" }')
    monkeypatch.setattr(limits, "TOOLS", 1)
    found = await tools.start()
    assert [each.spec.name for each in found.offered] == ["mine__add"]
    assert found.problems == ("mine__later: more than 1 tools",)
    assert (await tools.call("mine__later", {"text": "x"})).reason == "unknown"


async def test_a_source_that_is_never_ready_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "TOOL_START_SECONDS", 0.05)

    class Slow:
        name = "mine"

        async def start(self):
            await asyncio.Event().wait()

    tools = box(tmp_path)
    tools._sources = (Slow(),)
    assert (await tools.start()).problems == ("mine: not ready within 0.05 s",)


def test_a_tools_own_words_are_bounded_and_printable():
    spec = fitting("x", "a\x1b[2J\nb" + "c" * 5_000, {"type": "object"})
    assert spec.description.startswith("a [2J bc") and len(spec.description) == limits.TOOL_DESCRIPTION_CHARS
    for schema, says in (
        ({"type": "object", "x": "y" * 9_000}, "bytes, at most"),
        ({"type": "string"}, "no object"),
        ({"type": object()}, "not JSON"),
    ):
        with pytest.raises(ValueError, match=says):
            fitting("x", "d", schema)
    assert fitting("x", "", {"type": "object"}) == ToolSpec("x", "x", {"type": "object"})


async def test_a_program_hands_functions_over_as_they_are():
    def plain(a: int) -> int:
        """Double it."""
        return 2 * a

    @tool(name="marked")
    async def other() -> str:
        """Say hello."""
        return "hello"

    tools = toolbox.of_functions([plain, other], ask=["marked"])
    found = await tools.start()
    assert {each.spec.name: each.permission for each in found.offered} == {
        "own__plain": "allow",
        "own__marked": "ask",
    }
    assert (await tools.call("own__plain", {"a": 4})).text == "8"
    assert (await tools.call("own__marked", {})).text == "hello"
    with pytest.raises(ToolDefinitionError, match="a tool's name"):
        toolbox.of_functions([lambda a: a])
