"""`benches.scale` measures what it says, and its model says which bound is reached first."""

import asyncio
import json
import re
import subprocess
import sys

import pytest

from benches import scale, scale_model, scale_relay
from covey import limits
from covey.bench.local import BATCH
from tests.tidy import tree

US = r"[\d,.]+ µs"


def test_costs_are_fitted_and_what_is_no_line_stands_by_itself():
    command = [sys.executable, "-m", "benches.scale", "--quick"]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert (answer.returncode, answer.stderr) == (0, "")
    for said in (
        "speaking one block, by peers: ",
        "speaking one block, the engine alone, transport simulated: ",
        "native way in, judged by the baseline, by held blocks: ",
        "a relay's frame to all, a broadcast, by others in its channel: ",
    ):
        assert answer.stdout.count(said) == 1
    heard = rf"^hearing one block, durable, 0 of 600 beside a full memory of 4,096: {US}$"
    assert re.search(heard, answer.stdout, re.M)
    own = r"^native way in, judged by covey's own admission, by held blocks, no line$"
    assert re.search(
        own + "".join(rf"\n +{held}: measured +{US}$" for held in (5, 64, 1000, 4096)), answer.stdout, re.M
    )
    found = re.search(rf"^a relay's frame to one, in a channel of 8: ({US})$", answer.stdout, re.M)
    assert found is not None and float(found[1].removesuffix(" µs")) > 0.0
    rows = re.findall(r"^ +(\d+) members: it passes ([\d,]+) a second in all", answer.stdout, re.M)
    passed = {count for members, count in rows[: len(scale_model.ROOMS)]}
    assert len(passed) == 1, "one frame to one costs the same, however many there are"
    for kind in ("addressed frames as covey's peers send them", "broadcasts as foreign clients may send"):
        assert f"through one relay, {kind}, each " in answer.stdout


def test_most_of_what_a_hearer_hears_meets_a_full_memory():
    rules = (tree.ROOT / "rust/core/src/limits.rs").read_text()
    assert f"pub const MEMORY_WINDOW: usize = {scale.MOST_HELD:_};" in rules
    assert scale.FULL.held == (5, 64, 1_000, scale.MOST_HELD)
    assert scale.FULL.heard - scale.MOST_HELD > 0.75 * scale.FULL.heard


def test_the_way_in_is_judged_by_the_admission_that_is_named(monkeypatch: pytest.MonkeyPatch):
    judges: list[tuple[int, str]] = []

    class Arrival(scale.local.Arrival):
        def judge(self):
            judges.append((BATCH, self.kernel))
            return super().judge()

    monkeypatch.setattr(scale.local, "Arrival", Arrival)
    assert scale.judged(5, 2, baseline=False) > 0.0 and scale.judged(5, 1, baseline=True) > 0.0
    assert judges == [(BATCH, "words-1")] * 2 + [(BATCH, "ngram-h32")]


def test_a_line_goes_through_its_points():
    line = scale_model.fitted((1, 2, 4), (3.0, 5.0, 9.0))
    assert (line.fixed, line.each, line.at(10)) == pytest.approx((1.0, 2.0, 21.0))


def test_a_line_that_does_not_rise_predicts_nothing():
    falls, rows = scale_model.told("speaking", (1, 3, 6), (9e-4, 5e-4, 4e-4))
    assert not falls.tells and rows[0] == f"speaking: {scale_model.TOO_FEW}"
    assert rows[1:] == [f"  {n:>5}: measured {us:9.1f} µs" for n, us in ((1, 900.0), (3, 500.0), (6, 400.0))]
    rises = scale_model.Line(1e-4, 1e-6)
    rows = scale_model.full(falls, 1e-4, rises, 1e-4)
    assert rows[1] == f"     10 peers: {scale_model.TOO_FEW}"
    rows = scale_model.full(rises, 1e-4, falls, 1e-4)
    assert rows[1] == "     10 peers: one alone may speak 9,091 blocks a second; each of all 900.9"
    assert rows[-1] == f"   1000 members: {scale_model.TOO_FEW}"
    below_nothing = scale_model.Line(-1e-4, 1e-5)
    assert not below_nothing.tells, "with few peers it would say less than nothing"


def test_the_bound_of_a_relay_that_is_reached_first_is_said():
    send, passing, addressed = scale_model.Line(1e-4, 1e-6), scale_model.Line(2e-5, 1.5e-5), 1e-4
    rows = [row.strip() for row in scale_model.full(send, 1e-4, passing, addressed)]
    pace, rate = limits.RELAY_PACE_PER_SECOND, limits.RELAY_FRAMES_PER_SECOND
    assert (pace, rate) == (20.0, 100.0), "the figures below are of these"
    at = rows.index("through one relay, addressed frames as covey's peers send them, each peer 20 a second")
    few, _, _, many = rows[at + 1 : at + 5]
    assert few == (
        "10 members: it passes 10,000 a second in all, the pace of all is 200: "
        "the pace is reached first, each says at most 2.222 blocks a second to all others, "
        "1.111 with a receipt for each"
    )
    assert many == (
        "1000 members: it passes 10,000 a second in all, the pace of all is 20,000: "
        "its processor is reached first, each says at most 0.010 blocks a second to all others, "
        "0.005 with a receipt for each"
    )
    few, _, _, many = rows[at + 6 : at + 10]
    assert few.endswith("6,452 a second in all, the rate of all is 111: the rate is reached first")
    assert many.endswith("67 a second in all, the rate of all is 100: its processor is reached first")


class Wire:
    """A line of one client, whose frames a relay of three lines would hand on."""

    def __init__(self, room: dict[str, scale_relay.Client]) -> None:
        self.room = room
        self.said: list[dict[str, object]] = []

    async def send(self, message: str) -> None:
        said = json.loads(message)
        self.said.append(said)
        self.room[said["to"]].heard.put_nowait(None)

    def __aiter__(self):
        return self

    async def __anext__(self):
        raise StopAsyncIteration


def test_frames_to_one_are_wrapped_as_covey_wraps_them_and_reach_every_other():
    async def run() -> list[Wire]:
        room: dict[str, scale_relay.Client] = {}
        wires = [Wire(room) for _ in range(3)]
        for name, wire in zip("abc", wires, strict=True):
            room[name] = scale_relay.Client(name, wire)
        await asyncio.wait_for(scale_relay.say_to_each(list(room.values()), 4), 10)
        return wires

    first, second, third = asyncio.run(run())
    assert [said["to"] for said in first.said] == ["b", "c", "b", "c"]
    assert [said["to"] for said in second.said] == ["c", "a", "c", "a"]
    assert [said["to"] for said in third.said] == ["a", "b", "a", "b"]
    payload = json.loads(scale_relay.PAYLOAD)
    assert all(said.keys() == {"to", "payload"} and said["payload"] == payload for said in first.said)
    assert "to" not in json.loads(scale_relay.BROADCAST), "without an addressee it is everybody's"
