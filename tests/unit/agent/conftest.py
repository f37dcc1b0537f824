"""Blocks and a memory for the tests of the agent's pure rooms."""

import hashlib
import json
from dataclasses import dataclass

import pytest

from covey.agent import effects as fx
from covey.agent.engine import AgentEngine
from covey.agent.guards import Guards
from covey.agent.options import EngineOptions
from covey.agent.prompt import Persona
from covey.errors import ModelError, ModelErrorKind
from covey.model import (
    CAT7,
    NEUTRAL,
    Block,
    Delivery,
    Equipment,
    Minted,
    ModelReply,
    OfferedTool,
    PeerView,
    ToolCall,
    ToolOutcome,
    ToolSpec,
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


class Shelf:
    """A Memory over a list, newest first, for one owner."""

    def __init__(self, own_node_id="me", blocks=()):
        self.own = own_node_id
        self.blocks = list(blocks)

    def block(self, key):
        return next((block for block in self.blocks if block.key == key), None)

    def feedback_for_own(self, limit, room):
        return []

    def recent(self, limit, *, own=None, room=None):
        found = [
            block
            for block in sorted(self.blocks, key=lambda block: -block.created_ms)
            if (own is None or (block.node_id == self.own) == own) and (room is None or block.room == room)
        ]
        return found[:limit]

    def recall(self, query, limit):
        return [block for block in self.blocks if query in str(block.categories)][:limit]


def make_block(author="ann", *, parents=(), at=0, room="r", node_id=None, to=None, **said):
    categories = {name: said.get(name, NEUTRAL) for name in CAT7}
    digest = hashlib.sha256(repr((author, sorted(categories.items()))).encode()).hexdigest()
    parents = tuple(parent if isinstance(parent, str) else parent.key for parent in parents)
    return Block(
        f"cmb-{digest}", f"asrt-{digest}", node_id or author, author, at, room, to, parents, categories
    )


@pytest.fixture(scope="session")
def block():
    """Make a block: `block("ann", focus="…", parents=[other])`; the author's label is its nodeId too."""
    return make_block


@pytest.fixture(scope="session")
def shelf():
    """Make a Memory: `shelf("me", [blocks])`."""
    return Shelf


@dataclass(frozen=True)
class At:
    """A moment on both clocks, as the engines read it."""

    wall_ms: int
    monotonic: float


def make_guards(
    *,
    per_minute=10,
    cost_run=5.0,
    estimate=0.0,
    depth=5,
    gates="default",
    breaker=None,
    per_thread=12,
    rounds=4,
    hold_seconds=3_600.0,
    era="",
):
    return Guards(
        wakes=WakeBudget(per_minute, 1_000, 10_000),
        money=CostGuard(cost_run, 100.0, 1_000.0),
        breaker=breaker or Breaker(),
        circles=CycleGuard("me", depth=depth, max_hops=24, max_calls=per_thread),
        loops=LoopGuard(rounds),
        gates=Gates(gates),
        quarantine=Quarantine(hold_seconds),
        ledger=Ledger(),
        estimate=lambda _request: estimate,
        era=era,
    )


class Desktop:
    """Drives an engine by hand: claims everything once, keeps notes and requests, mints what is emitted."""

    def __init__(
        self, *, blocks=(), guards=None, peers=(), own="me", has_tools=False, as_json=False, **options
    ):
        self.memory = Shelf(own, blocks)
        self.guards = guards or make_guards()
        self.engine = AgentEngine(
            Persona(own, own, "reviewer", "r", has_tools=has_tools, as_json=as_json),
            EngineOptions(awaits_tools=has_tools, **options),
            memory=self.memory,
            guards=self.guards,
            peers=lambda: [PeerView(p, p, "", "", "open", True) for p in peers],
            secret=b"k" * 32,
        )
        self.own = own
        self.now = 1_000.0
        self.claimed = set()
        self.refusing = None
        """What NotSecured says in place of Secured: (reason, retry_in_s)."""
        self.asks, self.emits, self.notes, self.saves, self.ends = [], [], [], [], []
        self.uses = []
        self.secures, self.books, self.decided, self.kept_before_call = [], [], {}, {}

    @property
    def moment(self):
        return At(int(self.now * 1000), self.now)

    def feed(self, event):
        queue = [event]
        while queue:
            for effect in self.engine.handle(queue.pop(0), self.moment):
                queue += self._perform(effect)
        return self

    def _perform(self, effect):
        match effect:
            case fx.Claim(token, keys):
                fresh = tuple(key for key in keys if key not in self.claimed)
                self.claimed.update(keys)
                return [fx.Claimed(token, fresh)]
            case fx.Ask():
                self.asks.append(effect)
            case fx.Emit():
                self.emits.append(effect)
            case fx.Use():
                self.uses.append(effect)
            case fx.Note():
                self.notes.append(effect)
            case fx.Secure(token):
                self.secures.append(effect)
                self.kept_before_call = self.engine.state(self.moment)
                self.saves.append(self.kept_before_call)
                if self.refusing is not None:
                    reason, retry_in_s = self.refusing
                    return [fx.NotSecured(token, reason, "not now", retry_in_s)]
                return [fx.Secured(token)]
            case fx.Book():
                self.books.append(effect)
            case fx.Decided(ref, result):
                self.decided[ref] = dict(result)
            case fx.Save():
                self.saves.append(self.engine.state(self.moment))
            case fx.End():
                self.ends.append(effect)
        return []

    def hear(self, block, *, wakes=True, directed=False):
        self.memory.blocks.append(block)
        return self.feed(fx.Heard(Delivery(block, None, True, directed, wakes, block.node_id, 0)))

    def reply(self, text="", *, usage=Usage(10, 5, 0.0), **categories):  # noqa: B008 - a frozen value
        calls = (ToolCall("1", "emit_cmb", categories),) if categories else ()
        return self.feed(fx.Replied(self.asks[-1].token, ModelReply(text, calls, usage, "stop", "m")))

    def equip(self, **permissions):
        """Say which tools there are: `equip(files__read="allow")`."""
        specs = [
            OfferedTool(ToolSpec(name, f"do {name}", {"type": "object"}), permission, "files")
            for name, permission in permissions.items()
        ]
        return self.feed(fx.Equipped(Equipment(tuple(specs))))

    def calls(self, *calls, text="", usage=Usage(10, 5, 0.0), stop="tool_use"):  # noqa: B008 - a frozen value
        """Let the model call tools: `calls(("files__read", {"path": "a"}))`."""
        made = tuple(
            ToolCall(str(number), name, arguments, json.dumps(arguments))
            for number, (name, arguments) in enumerate(calls)
        )
        return self.feed(fx.Replied(self.asks[-1].token, ModelReply(text, made, usage, stop, "m")))

    def returned(self, *outcomes):
        """Let the tools return texts, or outcomes."""
        made = tuple(each if isinstance(each, ToolOutcome) else ToolOutcome(each) for each in outcomes)
        return self.feed(fx.Used(self.uses[-1].token, made))

    def fail(self, *, transient=True, kind=ModelErrorKind.OVERLOADED, retry_after=None):
        error = ModelError("no answer", kind=kind, transient=transient, retry_after_s=retry_after)
        return self.feed(fx.CallFailed(self.asks[-1].token, error))

    def mint(self, sends=()):
        emit = self.emits[-1]
        said = dict(emit.proposal.categories)
        block = make_block(self.own, parents=emit.proposal.parents, at=int(self.now * 1000), **said)
        self.memory.blocks.append(block)
        self.feed(fx.Ended(emit.token, Minted(block, tuple(sends))))
        return block

    def at(self, seconds):
        self.now += seconds
        return self.feed(fx.Tick())

    def noted(self, event):
        return [note.facts for note in self.notes if note.event == event]


@pytest.fixture
def desk():
    """Make a driver: `desk(max_calls=3, guards=…)`."""
    return Desktop


@pytest.fixture
def guards():
    """Make the safety rooms: `guards(per_minute=1)`."""
    return make_guards
