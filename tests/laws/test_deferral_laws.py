"""Deferral never loses: whatever budget, breaker, purse or crash does, each block has one stated end."""

from hypothesis import given, settings
from hypothesis import strategies as st

from covey.agent import effects as fx
from covey.agent.waiting import unpack
from covey.model import Block, Delivery, ModelReply, Usage
from covey.safety import Moment
from tests.laws.test_engine_laws import World

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hear", "hear", "answer", "fail", "tick", "refuse", "allow", "crash", "restart"]),
        st.integers(0, 7),
        st.booleans(),
    ),
    max_size=50,
)


def heard(world, number):
    block = Block(
        f"cmb-{number}", f"asrt-{number}", "you", "you", number, "r", None, (), {"focus": f"w{number}"}
    )
    world.blocks[block.key] = block
    world.feed(fx.Heard(Delivery(block, None, True, False, True, "you", 0)))


def restarted(world, *, crash):
    """The same agent in a new process: what was kept last, and a store that knows what was claimed."""
    if not crash:
        world.feed(fx.Stop("asked"))
        while world.asked:
            answer(world)
    again = World(None, 2, None, world.refuse_every)
    again.blocks, again.claimed, again.now = world.blocks, world.claimed, world.now
    moment = Moment(world.now, int(world.now * 1000))
    kept = unpack(world.state["agent.waiting"], world.blocks.get, moment) if world.state else []
    again.notes, again.calls = world.notes, world.calls
    again.feed(fx.Recalled((), tuple(kept)))
    return again


def answer(world):
    token = next(iter(world.asked))
    del world.asked[token]
    world.feed(fx.Replied(token, ModelReply("-", (), Usage(1, 1, 0.001), "stop", "m")))


def play(world, steps):
    number = 0
    for action, pick, flag in steps:
        match action:
            case "hear":
                number += 1
                heard(world, number)
            case "answer" if world.asked:
                answer(world)
            case "tick":
                world.now += pick * 20.0
                world.feed(fx.Tick())
            case "refuse":
                world.refuse_every = 2
            case "allow":
                world.refuse_every = 0
            case "crash" | "restart" if flag:
                world = restarted(world, crash=action == "crash")
    return world


@settings(max_examples=120, deadline=None)
@given(STEPS)
def test_every_block_that_may_wake_is_asked_once_or_let_go_with_a_reason(steps):
    world = play(World(None, 2, None), steps)
    world.refuse_every = 0
    for _ in range(400):
        world.now += 61.0
        world.feed(fx.Tick())
        while world.asked:
            answer(world)
    asked = [key for note in world.notes if note.event == "model-call" for key in note.facts["keys"]]
    let_go = [note.facts["key"] for note in world.notes if note.event == "wake-skipped"]
    assert sorted({*asked, *let_go}) == sorted(world.blocks), "nothing is lost without a word"
    assert len(asked) == len(set(asked)), "and nothing is paid for twice"
    assert {note.facts["reason"] for note in world.notes if note.event == "wake-skipped"} <= {"queue-full"}
    assert world.engine.waiting == 0
