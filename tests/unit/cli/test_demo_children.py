"""The demo's processes, with a stand-in for `covey run`: heard line by line, and always reaped."""

import asyncio
import os
import signal

from covey.cli.demo import children
from covey.cli.demo.children import Child

TALK = """
import json, sys
print(json.dumps({"event": "ready", "argv": sys.argv[1:]}), flush=True)
print("not json", flush=True)
print(json.dumps([1]), flush=True)
print(json.dumps({"ok": False, "error": {"message": "no luck"}}), flush=True)
print("covey run: no luck", file=sys.stderr)
sys.exit(3)
"""

STAY = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in sys.argv[-2] else lambda *_: sys.exit(0))
print('{"event": "ready"}', flush=True)
while True:
    time.sleep(60)
"""


def stand_in(folder, text):
    package = folder / "covey"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(text)
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)}


async def start(folder, text, name="writer"):
    events, ends, ready = [], [], asyncio.Event()

    def on_event(who, event):
        events.append((who, event))
        ready.set()

    config = folder / f"{name}.toml"
    child = await Child.start(
        name, config, stand_in(folder, text), on_event, lambda who, code: ends.append((who, code))
    )
    await asyncio.wait_for(ready.wait(), 20)
    return child, events, ends


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_what_it_prints_becomes_events_and_its_end_comes_last(tmp_path):
    async def work():
        child, events, ends = await start(tmp_path, TALK)
        await child.gone()
        return child, events, ends

    child, events, ends = asyncio.run(work())
    assert [event["event"] for _, event in events] == ["ready", "error"]
    assert events[0][1]["argv"] == ["run", "--config", str(tmp_path / "writer.toml"), "--json"]
    assert list(child.complaints) == ["covey run: no luck"]
    assert ends == [("writer", 3)] and not child.running


def test_stop_asks_first_and_leaves_nothing_behind(tmp_path):
    async def work():
        child, _, ends = await start(tmp_path, STAY)
        await child.stop()
        await child.stop()
        return child, ends

    child, ends = asyncio.run(work())
    assert ends == [("writer", 0)] and gone(child.pid)


def test_a_stubborn_process_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "_PATIENCE_SECONDS", 0.05)

    async def work():
        child, _, ends = await start(tmp_path, STAY, "stubborn")
        await child.stop()
        return child, ends

    child, ends = asyncio.run(work())
    assert ends == [("stubborn", -signal.SIGKILL)] and gone(child.pid)


def test_a_process_that_is_killed_from_outside_is_noticed(tmp_path):
    async def work():
        child, _, ends = await start(tmp_path, STAY)
        os.kill(child.pid, signal.SIGKILL)
        await asyncio.wait_for(child.gone(), 20)
        return ends

    assert asyncio.run(work()) == [("writer", -signal.SIGKILL)]


def test_it_is_out_of_reach_of_the_terminals_ctrl_c(tmp_path):
    async def work():
        child, _, _ = await start(tmp_path, STAY)
        group = os.getpgid(child.pid)
        await child.stop()
        return group

    assert asyncio.run(work()) != os.getpgid(0)


def test_a_line_past_the_bound_is_left_out_and_the_rest_is_heard(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "_LINE_BYTES", 1_000)
    text = """
print('{"event": "ready"}', flush=True)
print("x" * 1_000_000, flush=True)
print('{"event": "later"}', flush=True)
"""

    async def work():
        child, events, ends = await start(tmp_path, text)
        await asyncio.wait_for(child.gone(), 20)
        return child, events, ends

    child, events, ends = asyncio.run(work())
    assert [event["event"] for _, event in events] == ["ready", "later"] and ends == [("writer", 0)]
    assert "unreadable output" in child.complaints[0]
