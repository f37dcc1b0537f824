"""MCP servers as sources of tools, by the official SDK on both sides: processes, and an address."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from covey import limits
from covey.model import ToolOutcome
from covey.settings import McpServerSettings
from covey.tools.mcp_server import McpServer

pytest.importorskip("mcp", reason="the optional MCP library")
SERVER = str(Path(__file__).parent / "server.py")
ENV = {"FOR_ME": "passed", "ANTHROPIC_API_KEY": "sk-secret", "TOKEN": "let-me-in"}


def stdio(*words, **more):
    return McpServer("files", McpServerSettings(command=(sys.executable, SERVER, *words), **more), ENV)


@pytest.fixture(scope="module")
def address():
    """Serve streamable HTTP to whoever shows the token."""
    environment = {**os.environ, "TOKEN": ENV["TOKEN"]}
    process = subprocess.Popen(
        [sys.executable, SERVER, "http"], stdout=subprocess.PIPE, env=environment, text=True
    )
    assert process.stdout is not None
    yield f"http://127.0.0.1:{int(process.stdout.readline())}/mcp"
    process.kill()
    process.wait()
    process.stdout.close()


async def test_a_process_serves_tools_gets_no_keys_and_ends_with_the_peer(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    server = stdio(pass_env=("FOR_ME", "NOT_THERE"))
    specs = {spec.name: spec for spec in await server.start()}
    assert set(specs) == {"echo", "environment", "fail", "die", "hang"}
    assert specs["echo"].description == "Say it again."
    assert specs["echo"].input_schema["required"] == ["text"]
    assert await server.call("echo", {"text": "naïve ✓"}, 20) == ToolOutcome("naïve ✓")
    seen = (await server.call("environment", {}, 20)).text
    assert "FOR_ME=passed" in seen and "PATH" in seen
    assert "ANTHROPIC_API_KEY" not in seen and "TOKEN" not in seen
    failed = await server.call("fail", {}, 20)
    assert (failed.failed, failed.reason) == (True, "tool-error")
    assert "executing tool fail" in failed.text
    wrong = await server.call("echo", {"text": ["x"]}, 20)
    assert (wrong.failed, wrong.reason) == (True, "tool-error")
    late = await server.call("hang", {}, 0.1)
    assert late == ToolOutcome("no result within 0.1 s", failed=True, reason="timeout")
    assert await server.call("echo", {"text": "still there"}, 20) == ToolOutcome("still there")
    await server.close()
    monkeypatch.setattr(limits, "TOOL_RESTART_SECONDS", 0.0)
    gone = await server.call("echo", {"text": "x"}, 20)
    assert (gone.failed, gone.reason) == (True, "unavailable") and "closed" in gone.text


async def test_a_process_that_dies_is_started_again_but_not_at_once(monkeypatch):
    monkeypatch.setattr(limits, "TOOL_RESTART_SECONDS", 3_600.0)
    server = stdio()
    await server.start()
    died = await server.call("die", {}, 20)
    assert (died.failed, died.reason) == (True, "unavailable")
    assert "is gone" in died.text
    again = await server.call("echo", {"text": "x"}, 20)
    assert again.reason == "unavailable" and "started again" in again.text
    monkeypatch.setattr(limits, "TOOL_RESTART_SECONDS", 0.0)
    assert await server.call("echo", {"text": "x"}, 20) == ToolOutcome("x")
    await server.close()


@pytest.mark.parametrize(
    ("words", "says"), [(("broken",), "no licence found buy one"), (None, "No such file")]
)
async def test_a_process_that_does_not_start_says_its_last_words(words, says):
    if words is None:
        server = McpServer("files", McpServerSettings(command=("/nowhere/server",)), ENV)
    else:
        server = stdio(*words)
    with pytest.raises(Exception, match=r".") as caught:
        await asyncio.wait_for(server.start(), 20)
    assert says in str(caught.value) and "\n" not in str(caught.value)
    await server.close()


async def test_an_address_serves_whoever_shows_its_token(address):
    server = McpServer("search", McpServerSettings(url=address, token_env="TOKEN"), ENV)
    assert "echo" in {spec.name for spec in await server.start()}
    assert await server.call("echo", {"text": "over http"}, 20) == ToolOutcome("over http")
    await server.close()


@pytest.mark.parametrize(
    ("token_env", "says"), [(None, "401"), ("WRONG", "401"), ("UNSET", "UNSET is not set")]
)
async def test_without_the_right_token_an_address_is_a_problem_and_no_token_is_shown(
    address, token_env, says
):
    server = McpServer(
        "search", McpServerSettings(url=address, token_env=token_env), {"WRONG": "wr0ng-token"}
    )
    with pytest.raises(Exception, match=r".") as caught:
        await asyncio.wait_for(server.start(), 20)
    assert says in str(caught.value) and "wr0ng-token" not in str(caught.value)
    await server.close()


async def test_without_the_library_the_next_step_is_named(monkeypatch):
    monkeypatch.setattr("covey.tools.mcp_server.find_spec", lambda name: None)
    with pytest.raises(Exception, match=r"pip install 'covey\[mcp\]'"):
        await stdio().start()


async def test_a_start_that_is_given_up_ends_the_process_at_once(tmp_path):
    here = tmp_path / "here"
    os.mkfifo(here)
    silent = f"import sys; open({str(here)!r}, 'w').close(); sys.stdin.read()"
    server = McpServer("files", McpServerSettings(command=(sys.executable, "-c", silent)), ENV)
    starting = asyncio.ensure_future(server.start())
    await asyncio.to_thread(here.read_bytes)  # until the process has opened its end
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(starting, limits.TOOL_STOP_SECONDS / 2)
    await asyncio.wait_for(server.close(), 1)
