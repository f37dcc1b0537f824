"""An agent's node is killed; one of its two standbys goes on, and what the dead one writes later is refused.

Run it: .venv/bin/python examples/takeover.py
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile

COVEY = [sys.executable, "-m", "covey"]


def covey(*words: str) -> dict[str, object]:
    """Run one command to its end; return what it says, or why not."""
    done = subprocess.run([*COVEY, *words, "--json"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


def peer(name: str, room: str, stack: contextlib.ExitStack) -> subprocess.Popen[str]:
    """Start a peer, and wait until it listens."""
    words = [*COVEY, "listen", "--room", room, name, "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    stack.callback(process.wait)
    stack.callback(process.kill)
    until(process, "listening")
    return process


def until(process: subprocess.Popen[str], event: str) -> None:
    """Read what a peer says up to an event."""
    for line in process.stdout:
        if json.loads(line)["event"] == event:
            return


def agent(name: str) -> dict[str, object]:
    """Return what a peer says of the agent's continuity."""
    return next(iter(covey("continuity", "status", name)["agents"]), {})


def main() -> int:
    """Start three peers, kill the one whose agent it is, look who goes on, let it come back."""
    with tempfile.TemporaryDirectory() as home, contextlib.ExitStack() as stack:
        os.environ["COVEY_HOME"] = home
        room = f"example-{secrets.token_hex(4)}"
        peers = {name: peer(name, room, stack) for name in ("writer", "first", "second")}
        until(peers["writer"], "peer-joined")
        until(peers["writer"], "peer-joined")
        for name in ("first", "second"):  # nobody takes an agent without having agreed
            covey("agent", "allow", name, "--from", "writer")
        standbys = ("--standby", "first", "--standby", "second")
        plan = covey("continuity", "declare", "writer", *standbys, "--class", "session")
        print(f"declared: {', '.join(plan['standbys'])}; {plan['majority']} of {plan['voters']} decide")

        covey("syndicate", "keep", "writer", "session", "chapter", '"three"')
        while (state := agent("writer"))["acknowledged"] != state["mark"] or state["mark"][1] == 0:
            pass
        peers["writer"].send_signal(signal.SIGKILL)
        print("killed: writer")
        while not (state := agent("first")).get("here"):
            pass
        print(
            f"goes on: first, since epoch {state['epoch']}; lost: {state['taken']['announced_and_missing']}"
        )
        label = f"as:{state['agent']}:session"
        entries = covey("syndicate", "entries", "first")["entries"]
        print(f"has: {[(each['name'], each['value']) for each in entries if each['class'] == label]}")

        covey("syndicate", "keep", "first", label, "chapter", '"four"')
        peer("writer", room, stack)  # it comes back, and hears that another holds its agent
        while agent("writer").get("holder") != "first":
            pass
        late = covey("syndicate", "keep", "writer", "session", "chapter", '"late"')
        print(f"refused: {late['error']['code']}")
        covey("continuity", "handback", "first", "writer")
        entries = covey("syndicate", "entries", "writer")["entries"]
        print(f"given back: {[(each['name'], each['value']) for each in entries]}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
