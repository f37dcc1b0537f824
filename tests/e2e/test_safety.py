"""The safety envelope on real processes: what holds must hold when eight wake at once, and after kill -9."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fake_model import Answer, FakeModel
from tests.e2e.program import ROOM, Program, Running
from tests.e2e.test_relay import client, join, relay

PRICE = 0.02
"""What each call of the fake model costs at the prices below, and what is reserved for it."""


class Held:
    """A fake model whose answers wait until the test lets them go."""

    def __init__(self, answer: Answer = "nothing to add") -> None:
        self.go = threading.Event()
        self.came = threading.Semaphore(0)
        self.at_once = self.most_at_once = 0
        self._answer = answer
        self._lock = threading.Lock()

    def __call__(self, name: str, system: str, user: str) -> Answer:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.came.release()
        assert self.go.wait(60)
        with self._lock:
            self.at_once -= 1
        return self._answer

    def wait_for(self, calls: int) -> None:
        """Wait until so many calls have come."""
        for _ in range(calls):
            assert self.came.acquire(timeout=30)


def config(folder: Path, url: str, name: str = "writer", **tables: str) -> str:
    """Write an agent.toml for a model that costs what is reserved for it, and the gate that takes most.

    What admission turns away spends nothing; here it must not be what keeps an agent safe.
    """
    own = {
        "identity": f'name = "{name}"\nrole = "generic"',
        "mesh": f'room = "{ROOM}"',
        "svaf": 'path = "baseline"',
        "model": f'adapter = "compatible"\nmodel_name = "fake"\nbase_url = "{url}"\nmax_tokens_per_call = 20',
        "model.prices": '"fake" = { input = 0.0, output = 1000.0 }',
        "role_weights": "\n".join(
            f"{each} = 1.0"
            for each in ("focus", "issue", "intent", "motivation", "commitment", "perspective", "mood")
        ),
        **{key.replace("__", "."): value for key, value in tables.items()},
    }
    path = folder / f"{name}.toml"
    path.write_text("\n".join(f"[{table}]\n{text}" for table, text in own.items()))
    return str(path)


@pytest.fixture
def asker(covey: Program) -> Iterator[Running]:
    """Run somebody who asks and listens."""
    with covey.start("listen", "--json") as running:
        running.event("listening")
        yield running


TASKS = (
    "parse the empty file",
    "choose the colours of the page",
    "measure the cache again",
    "draft October's newsletter",
    "translate the second chapter",
    "count the open invoices",
    "name the new release",
    "book a room in Ghent",
)


def ask_all(covey: Program, tasks: tuple[str, ...] = TASKS) -> None:
    for task in tasks:
        said = covey("observe", "--focus", task, "--peer", "listener", "--json")
        assert said.code == 0, said.out + said.err


def status(covey: Program, name: str = "writer") -> dict[str, Any]:
    found: dict[str, Any] = covey("status", name, "--json").json["agent"]
    return found


def test_x13_eight_concurrent_wakes_never_spend_more_than_the_cap(
    covey: Program, tmp_path: Path, asker: Running
) -> None:
    """Defect: the cap was polled; eight calls in flight spent six times of it."""
    held = Held()
    with FakeModel(held) as model:
        path = config(tmp_path, model.url, safety="max_in_flight = 8", budget="max_cost_usd_per_run = 0.05")
        with covey.start("run", "--config", path, "--json") as writer:
            writer.event("ready")
            asker.event("peer-joined")
            ask_all(covey)
            held.wait_for(2)
            for _ in range(6):
                assert writer.event("agent-call-deferred")["reason"] == "cost-run"
            found = status(covey)
            assert found["in_flight"] == 8, "eight wakes at once"
            assert found["cost"]["reserved_usd"] == pytest.approx(2 * PRICE)
            assert found["decisions"]["call-deferred"] == {"cost-run": 6}
            held.go.set()
            assert writer.event("ended")["reason"] == "budget"
            assert writer.end().code == 0
    assert held.most_at_once == 2
    assert len(model.requests) == 2
    spent = covey("cost", "writer", "--json").json
    assert (spent["running"], spent["lifetime"]["cost_usd"]) == (False, pytest.approx(2 * PRICE))


def test_x13_a_call_that_kill_cut_off_stays_counted_and_what_waited_is_asked_later(
    covey: Program, tmp_path: Path, asker: Running
) -> None:
    held = Held()
    with FakeModel(held) as model:
        path = config(tmp_path, model.url, budget="max_cost_usd_per_hour = 0.05")
        with covey.start("run", "--config", path, "--json") as writer:
            writer.event("ready")
            asker.event("peer-joined")
            ask_all(covey, TASKS[:2])
            held.wait_for(1)
            assert status(covey)["waiting"] == 1
            writer.signal(signal.SIGKILL)
            writer.process.wait()
        held.go.set()
        with covey.start("run", "--config", path, "--json") as writer:
            assert len(writer.event("agent-waiting-recalled")["keys"]) == 1
            writer.event("agent-no-answer")
            found = status(covey)
            assert found["cost"]["hour_usd"] == pytest.approx(2 * PRICE), "the killed call and the new one"
            assert found["wakes"]["minute"] == 2, "the killed run's wake counts too"
            assert len(model.requests) == 2, "the killed call is not paid for a second time"


GATED = """adapter = "scripted"
[[scripted.rules]]
emit = { focus = "on it: {focus}", intent = "then deploy it" }"""


def gated(folder: Path) -> str:
    return config(folder, "http://127.0.0.1:9", model=GATED, model__prices="")


def test_x14_what_a_gate_holds_survives_kill_and_goes_out_once_on_a_persons_word(
    covey: Program, tmp_path: Path, asker: Running
) -> None:
    """Defect: a blocked answer was dropped, and `gates list` did not exist."""
    path = gated(tmp_path)
    with covey.start("run", "--config", path, "--json") as writer:
        writer.event("ready")
        asker.event("peer-joined")
        ask_all(covey, TASKS[:2])
        names = [writer.event("agent-answer-quarantined")["facts"]["id"] for _ in range(2)]
        shown = covey("gates", "list", "writer")
        assert all(name in shown.out for name in names)
        assert "held by deploy in intent: deploy" in shown.out
        assert status(covey)["quarantine"]["waiting"] == 2
        writer.signal(signal.SIGKILL)
        writer.process.wait()
    found = covey("gates", "list", "writer", "--json").json
    assert found["running"] is False
    assert [entry["id"] for entry in found["waiting"]] == names
    early = covey("gates", "approve", "writer", names[0])
    assert (early.code, "does not run" in early.err) == (1, True)
    with covey.start("run", "--config", path, "--json") as writer:
        writer.event("ready")
        approved = covey("gates", "approve", "writer", names[0], "--json")
        assert approved.code == 0, approved.err
        answer = asker.event("delivered")["delivery"]["block"]
        assert answer["key"] == approved.json["key"]
        assert answer["categories"]["intent"] == "then deploy it"
        again = covey("gates", "approve", "writer", names[0])
        assert again.code == 1
        assert f"{names[0]} was emitted already: {answer['key']}" in again.err
        assert covey("gates", "deny", "writer", names[1][:6], "--why", "not now").code == 0
        assert covey("gates", "approve", "writer", names[1]).code == 1
        ended = covey("gates", "list", "writer", "--all").out
        assert "nothing waits" in ended
        assert "denied: not now" in ended
        assert status(covey)["lifetime"]["emitted"] == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["gates"], 2, "missing action"),
        (["gates", "approve", "writer"], 2, "missing id"),
        (["gates", "approve"], 2, "missing peer and id"),
        (["gates", "release", "writer", "q-1"], 2, "unknown action: release"),
        (["gates", "list", "ghost"], 1, 'no peer named "ghost"'),
        (["gates", "deny", "ghost", "q-1"], 1, 'no running peer named "ghost"'),
        (["gates", "list", "writer", "q-1"], 2, "list takes a peer"),
        (["cost", "writer", "--team", "alpha"], 2, "a peer or --team"),
        (["cost", "--team", "alpha"], 1, "no such team: alpha"),
    ],
)
def test_what_cannot_be_decided_is_said_with_the_next_step(
    covey: Program, words: list[str], code: int, says: str
) -> None:
    ended = covey(*words)
    assert (ended.code, says in ended.err) == (code, True), ended.err


def test_x13_a_team_of_peers_spends_no_more_than_its_purse_holds(
    covey: Program, tmp_path: Path, asker: Running
) -> None:
    held = Held()
    budget = 'team = "alpha"\nmax_team_cost_usd_per_hour = 0.05'
    with FakeModel(held) as model:
        paths = [
            config(tmp_path, model.url, name, budget=budget, safety="max_in_flight = 4")
            for name in ("ann", "bob")
        ]
        with (
            covey.start("run", "--config", paths[0], "--json") as ann,
            covey.start("run", "--config", paths[1], "--json") as bob,
        ):
            for agent in (ann, bob):
                agent.event("ready")
                asker.event("peer-joined")
            ask_all(covey, TASKS[:4])
            held.wait_for(2)
            for agent in (ann, bob):
                assert agent.event("agent-call-deferred")["reason"] == "team-cost-hour"
            team = covey("cost", "--team", "alpha", "--json").json
            assert team["reserved_usd"] == pytest.approx(2 * PRICE)
            killed, other, name = (ann, bob, "bob") if team["peers"][0]["reserved_usd"] else (bob, ann, "ann")
            killed.signal(signal.SIGKILL)
            killed.process.wait()
            held.go.set()
            assert other.process.poll() is None
            found = covey("cost", name, "--json").json
            assert found["team"]["team"] == "alpha"
            assert found["team"]["reserved_usd"] + found["team"]["hour_usd"] <= 0.05
            text = covey("cost", "--team", "alpha").out
            assert text.startswith("team alpha: $")
            assert {"ann", "bob"} <= set(text.split())
    assert len(model.requests) == 2, "eight wakes of two peers, and money for two calls"


def test_x16_another_process_with_its_identity_ends_a_peer_with_2(covey: Program, tmp_path: Path) -> None:
    """Defect: the collision was noticed, and the process stayed alive."""
    made = covey("keygen", "writer", "--json").json
    node_id = made["node_id"]

    async def collide(url: str, path: str) -> int:
        async with client(url) as twin:
            await join(twin, node_id, "writer")
            with covey.start("run", "--config", path, "--json") as writer:
                ended = await asyncio.to_thread(writer.end)
        assert "identity" in ended.out + ended.err
        assert "agent-run-ended" in [json.loads(line).get("event") for line in ended.out.splitlines()]
        return ended.code

    with relay(covey, "--open") as (_, url):
        path = config(
            tmp_path,
            "http://127.0.0.1:9",
            model=GATED,
            model__prices="",
            mesh=f'room = "{ROOM}"\nrelay = "{url}"',
        )
        assert asyncio.run(collide(url, path)) == 2


def test_x12_a_peer_that_answers_under_new_roots_cannot_keep_the_thread_alive(
    covey: Program, tmp_path: Path, asker: Running
) -> None:
    """Two processes ping-pong one matter, in other words and each time in a new thread: it is stopped."""
    model = 'adapter = "scripted"\n[[scripted.rules]]\nemit = { focus = "again: {focus}" }'
    path = config(tmp_path, "http://127.0.0.1:9", model=model, model__prices="")
    words = (
        "please review the release plan for version two before friday",
        "could you look over the plan for releasing version two by friday",
        "kindly check our version two release plan, it is due on friday",
        "friday is near: look at the plan we have to release version two",
        "a review of the version two release plan until friday would be good",
    )
    with covey.start("run", "--config", path, "--json") as writer:
        writer.event("ready")
        asker.event("peer-joined")
        for number, each in enumerate(words):
            ask_all(covey, (each,))
            if number < 4:
                writer.event("agent-emitted")
        spared = writer.event("agent-call-spared")
        assert spared["reason"] == "loop"
        assert "went round 4 times with listener" in spared["detail"]
        assert status(covey)["decisions"]["call-spared"] == {"loop": 1}
        assert "call-spared: loop" in covey("status", "writer").out


def test_x10_a_targeted_answer_whose_asker_is_gone_says_so(covey: Program, tmp_path: Path) -> None:
    held = Held({"focus": "here it is"})
    with FakeModel(held) as model:
        path = config(tmp_path, model.url, routing='response_routing = "targeted"')
        with covey.start("run", "--config", path, "--json") as writer:
            writer.event("ready")
            said = covey("observe", "--focus", "a question", "--json")
            assert said.code == 0
            held.wait_for(1)
            writer.event("peer-left")
            held.go.set()
            assert writer.event("agent-addressee-absent")["reason"] == "not-connected"
            emitted = writer.event("agent-emitted")
            assert emitted["to"] is None
            assert emitted["key"].startswith("cmb-")
