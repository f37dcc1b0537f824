"""The verbs of the mesh over real processes: listen, observe, send, recall, trace, peers, status, stop."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from covey.limits import IPC_LINE_BYTES
from covey.net.ipc.client import IpcClient
from covey.system.home import Home
from tests.e2e.program import ROOM, Program, Running


@pytest.fixture
def listener(covey: Program) -> Iterator[Running]:
    """Run `covey listen` until the test ends; it listens already."""
    with covey.start("listen", "--json") as running:
        running.event("listening")
        yield running


def home_of(covey: Program) -> Home:
    return Home.resolve(covey.env)


def test_x23_two_terminals_and_nothing_configured(covey: Program) -> None:
    with covey.start("listen", "--json", "--count", "1") as listener:
        listener.event("listening")
        said = covey("observe", "--focus", "hello", "--mood", "glad", "--json")
        heard = listener.event("delivered")["delivery"]
        ended = listener.end()
    assert (said.code, said.err) == (0, "")
    assert said.json["ok"] is True
    assert [(send["name"], send["state"]) for send in said.json["sends"]] == [("listener", "delivered")]
    block = said.json["block"]
    assert heard["block"]["key"] == block["key"]
    assert heard["block"]["author"] == "observer"
    assert heard["block"]["categories"]["focus"] == "hello"
    assert heard["judgement"]["decision"] == "aligned"
    assert len(heard["judgement"]["categories"]) == 7
    assert ended.code == 0
    for peer in ("observer", "listener"):
        found = covey("recall", peer, "hello", "--json").json["blocks"]
        assert [each["key"] for each in found] == [block["key"]]
        assert found[0]["said"] == {"focus": "hello", "mood": "glad"}


def test_what_two_people_see(covey: Program) -> None:
    with covey.start("listen", "--count", "1") as listener:
        assert listener.process.stderr is not None
        assert listener.process.stderr.readline().startswith(f"listening as listener in room {ROOM}, port ")
        said = covey("observe", "--focus", "hello").out.splitlines()
        heard = listener.end().out
    assert said[0].startswith("observed as cmb-")
    assert said[1:] == ["  delivered by listener", "taken"]
    assert "aligned  observer  drift 0.00  cmb-" in heard
    assert "  focus        hello" in heard


def test_a_stranger_that_talks_nonsense_is_logged_and_hurts_nobody(covey: Program) -> None:
    with covey.start("listen", "--json", "--count", "1") as listener:
        port = listener.event("listening")["port"]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert stranger.recv(100) == b""
        assert covey("observe", "--focus", "hello").code == 0
        assert listener.end().code == 0
    logged = [json.loads(line) for line in home_of(covey).log_path("listener").read_text().splitlines()]
    said = [(line["level"], line["data"]["reason"]) for line in logged if line["evt"] == "session-closed"]
    assert ("warn", "frame_too_large") in said


def test_nobody_there_keeps_the_block_and_says_so(covey: Program) -> None:
    ended = covey("observe", "--focus", "is anybody there", "--wait", "0.2")
    assert ended.code == 1
    assert f'covey observe: nobody was there: no peer in room "{ROOM}" within 0.2 s' in ended.err
    assert "covey recall observer" in ended.err
    as_json = covey("observe", "--focus", "nor now", "--wait", "0.2", "--json")
    assert as_json.code == 1
    assert as_json.json["ok"] is False
    assert as_json.json["error"]["code"] == "nobody"
    kept = covey("recall", "observer", "--json").json["blocks"]
    assert [block["said"]["focus"] for block in kept] == ["nor now", "is anybody there"]


def test_what_was_said_to_nobody_is_heard_by_who_comes_later(covey: Program) -> None:
    assert covey("observe", "--focus", "said to nobody", "--wait", "0.2").code == 1
    with covey.start("listen", "--json") as listener:
        listener.event("listening")
        assert covey("observe", "--focus", "said to somebody at last").code == 0
        keys = {block["key"] for block in covey("recall", "listener", "--json").json["blocks"]}
    own = {block["key"] for block in covey("recall", "observer", "--json").json["blocks"]}
    assert own <= keys


def test_another_room_is_somewhere_else(covey: Program, listener: Running) -> None:
    ended = covey("observe", "--focus", "hello", "--room", "elsewhere", "--wait", "0.5")
    assert ended.code == 1
    assert 'no peer in room "elsewhere"' in ended.err
    assert "covey listen --room elsewhere" in ended.err


def test_a_running_peer_is_not_asked_for_another_room(covey: Program, listener: Running) -> None:
    for words in (
        ["listen", "--room", "other"],
        ["observe", "--focus", "x", "--peer", "listener", "--room", "other"],
    ):
        ended = covey(*words)
        assert ended.code == 2
        assert f'peer "listener" is running in room "{ROOM}", not in "other"' in ended.err


def test_a_running_peer_that_is_alone_says_so(covey: Program, listener: Running) -> None:
    ended = covey("observe", "--focus", "x", "--peer", "listener")
    assert ended.code == 1
    assert f'nobody was there: no peer in room "{ROOM}" is connected to listener' in ended.err


def test_a_subscriber_may_ask_for_msgpack(covey: Program, listener: Running) -> None:
    with IpcClient(home_of(covey).socket_path("listener")) as client:
        heard = client.subscribe(["delivered"], form="msgpack")
        said = covey("observe", "--focus", "hello", "--json").json
        event = next(heard)
    assert event["event"] == "delivered"
    assert event["delivery"]["block"]["key"] == said["block"]["key"]
    assert event["delivery"]["judgement"]["decision"] == "aligned"


def test_the_same_block_again_is_named_and_not_sent(covey: Program, listener: Running) -> None:
    first = covey("observe", "--focus", "hello", "--json").json
    again = covey("observe", "--focus", "hello", "--json")
    assert again.code == 1
    assert again.json["error"]["code"] == "duplicate"
    assert first["block"]["key"] in again.json["error"]["message"]


def test_many_commands_of_one_name_follow_each_other(covey: Program, listener: Running) -> None:
    topics = ("ships and harbours", "bread and yeast", "glaciers melting", "violins", "tax forms")
    with ThreadPoolExecutor(len(topics)) as pool:
        ended = list(pool.map(lambda topic: covey("observe", "--focus", topic, "--json"), topics))
    # Whether a listener wants all five is its own affair; that each was said is what counts here.
    assert [each.json.get("result") for each in ended] == ["minted"] * len(topics), [
        each.err for each in ended
    ]


def test_a_static_address_reaches_another_home(covey: Program, tmp_path: Path) -> None:
    other = Program(tmp_path / "other")
    with covey.start("listen", "--json") as listener:
        port = listener.event("listening")["port"]
        said = other("observe", "--focus", "hello", "--dial", f"127.0.0.1:{port}", "--json")
        assert said.code == 0
        assert listener.event("delivered")["delivery"]["block"]["key"] == said.json["block"]["key"]


def test_a_directed_block_reaches_one_peer_and_names_the_unknown(covey: Program) -> None:
    with ExitStack() as stack:
        peers = {}
        for name in ("ann", "bob"):
            peers[name] = stack.enter_context(covey.start("listen", name, "--json"))
            peers[name].event("listening")
        said = covey("send", "--to", "bob", "--focus", "only for bob", "--json")
        heard = peers["bob"].event("delivered")["delivery"]
        nobody = covey("send", "--to", "zoe", "--focus", "x", "--peer", "ann")
        covey("stop", "ann")
        others = [line for line in peers["ann"].end().out.splitlines() if "only for bob" in line]
    assert said.code == 0
    assert [send["name"] for send in said.json["sends"]] == ["bob"]
    assert (heard["directed"], heard["block"]["to"]) == (True, said.json["block"]["to"])
    assert others == []
    assert nobody.code == 1
    assert 'no connected peer named "zoe"' in nobody.err
    assert "connected: bob" in nobody.err


def test_a_running_peer_speaks_and_lists_its_peers(covey: Program) -> None:
    with ExitStack() as stack:
        ann = stack.enter_context(covey.start("listen", "ann", "--json"))
        ann.event("listening")
        bob = stack.enter_context(covey.start("listen", "bob", "--json"))
        assert ann.event("peer-joined")["peer"]["name"] == "bob"
        assert bob.event("peer-joined")["peer"]["name"] == "ann"
        said = covey("observe", "--focus", "through ann", "--peer", "ann", "--json").json
        assert bob.event("delivered")["delivery"]["block"]["author"] == "ann"
        assert said["block"]["author"] == "ann"
        assert [peer["name"] for peer in covey("peers", "ann", "--json").json["peers"]] == ["bob"]
        table = covey("peers", "ann").out.splitlines()
        heads = ["name", "state", "path", "rtt", "identity", "trusted", "since", "fingerprint", "node", "id"]
        assert table[0].split() == heads
        assert table[1].startswith("bob ")
        ambiguous = covey("peers")
        assert (ambiguous.code, "which peer? 2 run on this machine: ann, bob" in ambiguous.err) == (2, True)
        assert covey("recall", "bob", "through", "--json").json["blocks"][0]["key"] == said["block"]["key"]


def test_status_shows_a_peer_or_lists_them(covey: Program, listener: Running) -> None:
    found = covey("status", "listener", "--json").json
    assert found["pid"] == listener.process.pid
    assert found["node"]["room"] == ROOM
    assert found["agent"] is None
    assert not any(found["messages"].values()), "nothing was sent to an agent here yet"
    shown = covey("status", "listener").out
    for row in ("peer:", "room:", "node id:", "listening:", "uptime:", "agent:"):
        assert any(line.startswith(row) for line in shown.splitlines()), row
    covey("keygen", "sleeper")
    assert covey("status").out.splitlines() == ["listener  running", "sleeper   stopped"]
    assert covey("cost", "listener").err == ('covey cost: peer "listener" has no agent, so nothing costs\n')


def test_a_ghost_is_answered_with_where_one_looked_and_who_runs(covey: Program) -> None:
    path = covey.home / "run" / "ghost.sock"
    alone = covey("status", "ghost")
    assert alone.code == 1
    assert alone.err.splitlines() == [
        f'covey status: no running peer named "ghost": looked at {path}',
        "  no peer runs on this machine",
        "  start one: covey run --config <agent.toml>, or covey listen",
    ]
    assert not covey.home.exists(), "asking leaves nothing behind"
    with covey.start("listen", "--json") as listener:
        listener.event("listening")
        for command in ("status", "stop", "peers"):
            ended = covey(command, "ghost")
            assert ended.code == 1
            assert ended.err.endswith("\n  running on this machine: listener\n"), command
    for command in ("recall", "cost"):  # what a stopped peer's store answers too
        unknown = covey(command, "ghost")
        assert unknown.code == 1
        assert f"looked at {path} and {covey.home / 'peers' / 'ghost' / 'store.db'}" in unknown.err
        assert "peers of this machine: listener" in unknown.err


def test_a_trace_is_a_tree_from_the_peer_and_from_its_store(covey: Program) -> None:
    with covey.start("listen", "ann", "--json") as ann:
        ann.event("listening")

        def say(focus: str, *parents: str) -> str:
            answers = [word for parent in parents for word in ("--parent", parent)]
            ended = covey("observe", "--focus", focus, *answers, "--peer", "ann", "--wait", "0", "--json")
            key: str = ended.json["block"]["key"]
            return key

        task = say("the task")
        left, right = say("one way", task), say("another way", task)
        end = say("both together", left, right)
        asked = covey("trace", "ann", end)
        missing = covey("trace", "ann", "cmb-" + "0" * 64)
        covey("stop", "ann")
    offline = covey("trace", "ann", end)
    assert asked.out == offline.out
    lines = asked.out.splitlines()
    assert lines[0] == f"root: {end}"
    assert lines[1] == f'[{end[:16]}] by ann | focus="both together"'
    assert lines[-1].startswith(f"still about its root {task[:16]}: drift ")
    assert sorted(lines[2:-1]) == sorted(
        [
            f'  [{left[:16]}] by ann | focus="one way"',
            f'    [{task[:16]}] by ann | focus="the task"',
            f'  [{right[:16]}] by ann | focus="another way"',
            f"    [{task[:16]}] by ann (shown above)",
        ]
    )
    assert (missing.code, "no such block here" in missing.err) == (1, True)
    drawn = covey("trace", "ann", end, "--mermaid").out.splitlines()
    assert drawn[0] == "flowchart BT"
    assert drawn[1] == f'  n0["ann  {end[:16]}<br/>focus: both together"]'
    assert sum("-->" in line for line in drawn) == 4
    assert covey("trace", "ann", end, "--dot").out.startswith("digraph lineage {\n")
    both = covey("trace", "ann", end, "--dot", "--json")
    assert (both.code, both.json["error"]["message"]) == (2, "one form at a time: --dot, --mermaid or --json")
    assert "(older ancestors are not shown" in covey("trace", "ann", end, "--depth", "1").out


def test_a_second_listener_of_one_name_listens_through_the_first(covey: Program, listener: Running) -> None:
    with covey.start("listen", "--json") as second:
        assert second.event("listening")["attached"] is True
        covey("observe", "--focus", "hello")
        assert second.event("delivered")["delivery"]["block"]["author"] == "observer"
        second.signal(signal.SIGINT)
        assert second.end().code == 0
    listener.event("delivered")
    assert covey("status", "listener").code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_peer_in_good_order(
    covey: Program, listener: Running, number: signal.Signals
) -> None:
    covey("observe", "--focus", "hello")
    listener.event("delivered")
    listener.signal(number)
    ended = listener.end()
    assert (ended.code, ended.err) == (0, "")
    assert not home_of(covey).socket_path("listener").exists()
    assert covey("status").out.splitlines()[0] == "listener  stopped"
    assert len(covey("recall", "listener", "--json").json["blocks"]) == 1


def test_stop_waits_for_the_end(covey: Program, listener: Running) -> None:
    ended = covey("stop", "listener", "--json")
    assert (ended.code, ended.json) == (0, {"peer": "listener", "accepted": True, "stopped": True})
    assert listener.end().code == 0
    assert "no running peer" in covey("stop", "listener").err


def test_a_killed_peer_is_not_running_and_starts_again(covey: Program) -> None:
    with covey.start("listen", "--json") as first:
        first.event("listening")
        covey("observe", "--focus", "hello")
        first.event("delivered")
        first.signal(signal.SIGKILL)
        first.process.wait(10)
    assert home_of(covey).socket_path("listener").exists(), "a killed process cannot tidy up"
    assert covey("status", "listener").code == 1
    with covey.start("listen", "--json") as second:
        second.event("listening")
        blocks = covey("recall", "listener", "--json").json["blocks"]
    assert [block["said"]["focus"] for block in blocks] == ["hello"]


def test_a_second_process_of_one_peer_is_refused(covey: Program, listener: Running) -> None:
    home_of(covey).socket_path("listener").unlink()  # so that the second one does not listen through it
    ended = covey("listen")
    assert ended.code == 2
    assert f'peer "listener" is already running (process {listener.process.pid})' in ended.err
    offline = covey("recall", "listener")
    assert (offline.code, "already running" in offline.err) == (2, True)


def test_a_running_peer_survives_any_bytes_on_its_socket(covey: Program, listener: Running) -> None:
    path = home_of(covey).socket_path("listener")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    garbage = [
        b"null\n",
        b"\xff\x00\n",
        b"[" * 100_000 + b"\n",
        b'{"cmd":',
        b"x" * (IPC_LINE_BYTES + 2) + b"\n",
    ]
    for sent in garbage:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(path))
            connection.sendall(sent)
            if sent.endswith(b"\n"):
                assert b'"ok":false' in connection.recv(65536)
    wrong = [
        ("observe", {"categories": {"focus": 7}}),
        ("observe", {"categories": ["focus"]}),
        ("observe", {"categories": {"colour": "red"}}),
        ("observe", {"categories": {"focus": "x"}, "parents": [None]}),
        ("observe", {"categories": {"focus": "x"}, "wait_seconds": -1}),
        ("observe", {"categories": {"focus": "x"}, "wait_seconds": True}),
        ("observe", {"categories": {"focus": "x"}, "extra": 1}),
        ("send", {"categories": {"focus": "x"}}),
        ("recall", {"query": 1}),
        ("recall", {"limit": 10**9}),
        ("trace", {}),
        ("status", {"x": 1}),
        ("__init__", {}),
    ]
    with IpcClient(path) as client:
        for cmd, arguments in wrong:
            with pytest.raises(Exception) as caught:
                client.request(cmd, arguments)
            assert getattr(caught.value, "code", "") in ("invalid_argument", "unknown_cmd"), cmd
        assert client.request("status")["pid"] == listener.process.pid
        assert client.request("recall", {"query": '"; DROP TABLE x; -- AND NOT ('})["blocks"] == []


def test_a_home_with_a_very_long_path_works_too(tmp_path: Path) -> None:
    covey = Program(tmp_path / ("d" * 80) / ("e" * 80), XDG_RUNTIME_DIR=str(tmp_path))
    with covey.start("listen", "--json") as listener:
        listener.event("listening")
        assert covey("observe", "--focus", "hello").code == 0
        assert covey("status", "listener", "--json").json["pid"] == listener.process.pid
        path = home_of(covey).socket_path("listener")
        assert len(os.fsencode(path)) <= 108
        assert (stat.S_IMODE(path.parent.stat().st_mode), stat.S_IMODE(path.stat().st_mode)) == (0o700, 0o600)
        assert covey("stop", "listener").code == 0
        assert not path.exists()


@pytest.mark.parametrize("command", [["recall", "observer"], ["observe", "--focus", "x"]])
def test_a_damaged_store_is_named_and_left_alone(covey: Program, command: list[str]) -> None:
    covey("observe", "--focus", "hello", "--wait", "0")
    path = home_of(covey).store_path("observer")
    path.write_bytes(b"this is no database, and it is long enough to be read as one" * 100)
    before = path.read_bytes()
    ended = covey(*command)
    assert ended.code == 1
    assert str(path) in ended.err
    assert path.read_bytes() == before


def test_a_store_of_another_node_is_refused(covey: Program) -> None:
    covey("observe", "--focus", "hello", "--wait", "0")
    home_of(covey).identity_path("observer").unlink()
    covey("keygen", "observer")
    ended = covey("observe", "--focus", "again", "--wait", "0")
    assert ended.code == 1
    assert str(home_of(covey).store_path("observer")) in ended.err


def test_what_a_peer_says_does_not_steer_the_terminal(covey: Program) -> None:
    with covey.start("listen", "--count", "1") as listener:
        assert listener.process.stderr is not None
        listener.process.stderr.readline()
        covey("observe", "--focus", "a\x1b[2J\x1b]0;owned\x07\nb\N{RIGHT-TO-LEFT OVERRIDE}c")
        heard = listener.end().out
    assert "a\\x1b[2J\\x1b]0;owned\\x07\\nb\\u202ec" in heard
    assert "\x1b" not in heard


def test_a_listener_that_nobody_reads_any_more_ends(covey: Program) -> None:
    with covey.start("listen") as listener:
        assert listener.process.stderr is not None
        assert listener.process.stdout is not None
        listener.process.stderr.readline()
        listener.process.stdout.close()
        covey("observe", "--focus", "hello")
        assert listener.process.wait(20) == 0
        assert listener.process.stderr.read() == ""
        listener.process.stdout = None


@pytest.mark.parametrize(
    ("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_are_for_terminals_that_want_them(
    covey: Program, env: dict[str, str], coloured: bool
) -> None:
    ours, theirs = pty.openpty()
    covey("observe", "--focus", "hello", "--wait", "0")
    words = covey.words(["recall", "observer"])
    subprocess.run(words, env={**covey.env, "TERM": "xterm", **env}, stdout=theirs, check=True, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 65536)
    os.close(ours)
    assert (b"\x1b[1m" in shown) == coloured
    assert b"hello" in shown


def test_a_terminal_hears_that_its_relay_cannot_be_reached(covey: Program) -> None:
    with covey.start("listen", "--relay", "ws://127.0.0.1:9") as listener:
        assert listener.process.stderr is not None
        heard = [listener.process.stderr.readline() for _ in range(2)]
        assert any(line.startswith("no relay (127.0.0.1:9): ") for line in heard), heard


def test_a_mood_reaches_who_is_there_and_is_kept_by_nobody(covey: Program, listener: Running) -> None:
    with covey.start("listen", "--name", "writer", "--json") as writer:
        writer.event("peer-joined")
        told = covey("mood", "writer", "tired", "--context", "the third review", "--json")
        heard = listener.event("mood-heard")
        people = covey("mood", "listener", "glad")
    assert (told.code, told.err) == (0, "")
    assert [(each["name"], each["state"]) for each in told.json["told"]] == [("listener", "sent")]
    assert (heard["from_name"], heard["mood"], heard["context"]) == ("writer", "tired", "the third review")
    assert (people.code, people.out) == (0, "told writer\n")
    assert covey("recall", "listener", "--json").json["blocks"] == []


def test_a_mood_said_wrongly_or_to_nobody_is_answered_in_one_line(covey: Program, listener: Running) -> None:
    nobody = covey("mood", "listener", "glad")
    assert nobody.code == 1
    assert "nobody was told: listener has no session" in nobody.err
    empty = covey("mood", "listener", " ")
    assert (empty.code, "a mood is not empty" in empty.err) == (2, True)
    long = covey("mood", "listener", "m" * 1_025)
    assert (long.code, "longer than 1,024 characters" in long.err) == (2, True)
    away = covey("mood", "listner", "glad")
    assert (away.code, "did you mean listener?" in away.err) == (1, True)
