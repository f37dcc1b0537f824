"""Laws of the agent engine: whatever arrives in whatever order, it keeps its bounds and its books."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from covey.agent import effects as fx
from covey.agent.engine import AgentEngine
from covey.agent.guards import Guards
from covey.agent.options import EngineOptions
from covey.agent.prompt import Persona
from covey.errors import ModelError, ModelErrorKind
from covey.model import (
    Block,
    Delivery,
    Duplicate,
    EmissionRefused,
    Minted,
    ModelReply,
    ToolCall,
    Usage,
)
from covey.safety import (
    Breaker,
    CostGuard,
    CycleGuard,
    Gates,
    Ledger,
    LoopGuard,
    Quarantine,
    WakeBudget,
)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["hear", "again", "answer", "silent", "nonsense", "fail", "mint", "dup", "refuse", "tick"]
        ),
        st.integers(0, 7),
        st.booleans(),
    ),
    max_size=60,
)


@dataclass(frozen=True)
class At:
    wall_ms: int
    monotonic: float


class World:
    """Performs effects as the shell would, and keeps the facts that the laws are held against."""

    def __init__(self, max_calls, max_in_flight, idle, refuse_every=0):
        self.refuse_every, self.secures, self.state = refuse_every, 0, {}
        self.blocks, self.claimed, self.now = {}, set(), 100.0
        self.asked, self.calls, self.proposed, self.minted = {}, 0, {}, 0
        self.asked_keys, self.notes, self.ends = [], [], []
        self.engine = AgentEngine(
            Persona("me", "me", "writer", "r"),
            EngineOptions(max_calls=max_calls, max_in_flight=max_in_flight, idle_seconds=idle, max_waiting=4),
            memory=self,
            guards=Guards(
                wakes=WakeBudget(6, 100, 1_000),
                money=CostGuard(5.0, 5.0, 5.0),
                breaker=Breaker(),
                circles=CycleGuard("me", depth=5, max_hops=24, max_calls=100),
                loops=LoopGuard(0),
                gates=Gates("default"),
                quarantine=Quarantine(3_600.0),
                ledger=Ledger(),
                estimate=lambda _request: 0.01,
            ),
            peers=lambda: (),
            secret=b"k" * 32,
        )

    def secure(self, token):
        self.secures += 1
        if self.refuse_every and self.secures % self.refuse_every == 0:
            return fx.NotSecured(token, "team-cost-hour", "others hold it back", 2.0)
        return fx.Secured(token)

    def block(self, key):
        return self.blocks.get(key)

    def feedback_for_own(self, limit, room):
        return []

    def recent(self, limit, *, own=None, room=None):
        return [b for b in self.blocks.values() if own is None or (b.node_id == "me") == own][-limit:]

    def recall(self, query, limit):
        return []

    def feed(self, event):
        queue = [event]
        while queue:
            for effect in self.engine.handle(queue.pop(0), At(int(self.now * 1_000), self.now)):
                match effect:
                    case fx.Claim(token, keys):
                        fresh = tuple(key for key in keys if key not in self.claimed)
                        self.claimed.update(keys)
                        queue.append(fx.Claimed(token, fresh))
                    case fx.Save():
                        self.state = self.engine.state(At(int(self.now * 1_000), self.now))
                    case fx.Secure(token):
                        self.state = self.engine.state(At(int(self.now * 1_000), self.now))
                        queue.append(self.secure(token))
                    case fx.Ask(token, request):
                        self.calls += 1
                        self.asked[token] = request
                    case fx.Emit(token, proposal):
                        self.proposed[token] = proposal
                    case fx.Note():
                        self.notes.append(effect)
                    case fx.End():
                        self.ends.append(effect)
            assert len(self.asked) + len(self.proposed) <= self.engine.in_flight or self.ends

    def make(self, author, number, parents, closing=False):
        said = {"focus": f"{author} {number}"} | ({"commitment": "it stands"} if closing else {})
        key = f"cmb-{author}-{number}"
        return Block(key, "asrt-" + key, author, author, number, "r", None, tuple(parents), said)


def step(world, action, pick, flag):
    known = list(world.blocks)
    match action:
        case "hear":
            parents = [known[pick % len(known)]] if known and pick else []
            block = world.make(f"p{pick % 3}", len(known), parents, closing=flag)
            world.blocks[block.key] = block
            world.feed(fx.Heard(Delivery(block, None, True, False, pick != 5, block.node_id, 0)))
        case "again" if known:
            block = world.blocks[known[pick % len(known)]]
            world.feed(fx.Heard(Delivery(block, None, True, False, True, block.node_id, 0)))
        case "answer" | "silent" | "nonsense" if world.asked:
            token = next(iter(world.asked))
            del world.asked[token]
            said = {"focus": f"answer {world.calls}"} | ({"commitment": "it stands"} if flag else {})
            calls = {
                "answer": (ToolCall("1", "emit_cmb", said),),
                "nonsense": (ToolCall("1", "emit_cmb", {}),),
            }
            world.feed(
                fx.Replied(token, ModelReply("", calls.get(action, ()), Usage(1, 1, 0.001), "stop", "m"))
            )
        case "fail" if world.asked:
            token = next(iter(world.asked))
            del world.asked[token]
            world.feed(fx.CallFailed(token, ModelError("x", kind=ModelErrorKind.OVERLOADED, transient=flag)))
        case "mint" | "dup" | "refuse" if world.proposed:
            token = next(iter(world.proposed))
            proposal = world.proposed.pop(token)
            made = world.make(
                "me", 1_000 + world.minted, proposal.parents, "commitment" in proposal.categories
            )
            if action == "mint":
                world.minted += 1
                world.blocks[made.key] = made
            ends = {"mint": Minted(made, ()), "dup": Duplicate("cmb-x"), "refuse": EmissionRefused("r", "d")}
            world.feed(fx.Ended(token, ends[action]))
        case "tick":
            world.now += pick * 20.0
            world.feed(fx.Tick())


@settings(max_examples=150, deadline=None)
@given(
    STEPS,
    st.sampled_from([None, 1, 3]),
    st.integers(1, 3),
    st.sampled_from([None, 50.0]),
    st.sampled_from([0, 2, 3]),
)
def test_bounds_and_books_hold_whatever_happens(steps, max_calls, max_in_flight, idle, refuse_every):
    world = World(max_calls, max_in_flight, idle, refuse_every)
    for action, pick, flag in steps:
        step(world, action, pick, flag)
        tally = world.engine.tally
        assert world.engine.in_flight <= max_in_flight
        assert world.engine.waiting <= 4
        assert tally.calls == world.calls <= (max_calls or 10_000)
        assert tally.emitted == world.minted
        assert (
            tally.calls_failed + tally.silent + tally.emitted + tally.duplicates + tally.refused
            <= tally.calls
        )
    woke = [key for note in world.notes if note.event == "woke" for key in note.facts["keys"]]
    assert len(woke) == len(set(woke)), "one block wakes once"
    assert len(world.ends) <= 1
    if world.ends:
        assert world.engine.next_timer() is None
    reasons = [note for note in world.notes if note.event in ("wake-skipped", "wake-ended", "wake-deferred")]
    assert all(note.facts["reason"] for note in reasons), "every decision has a reason"


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_a_stop_always_ends_once_what_is_in_flight_has_its_end(steps):
    world = World(None, 1, None)
    for action, pick, flag in steps:
        step(world, action, pick, flag)
    world.feed(fx.Stop("asked"))
    for _ in range(3):
        step(world, "silent", 0, False)
        step(world, "refuse", 0, False)
    assert [end.reason for end in world.ends] == ["asked"]
    assert world.engine.in_flight == 0
