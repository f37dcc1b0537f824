"""The agent's shell on a real event loop, with a mesh, a model and a store that answer as told."""

import asyncio
import hashlib

import pytest

from covey.agent.setup import engine_options, guards, persona
from covey.errors import ModelError, ModelErrorKind, StoreError
from covey.model import (
    CAT7,
    NEUTRAL,
    Block,
    Delivery,
    Minted,
    ModelReply,
    PeerSend,
    SendState,
    ToolCall,
    Usage,
)
from covey.proto.news import Delivered, SendSettled
from covey.runtime.agent import AgentRuntime
from covey.settings import parse

ME, ANN, YOU = ("0190aaaa-0000-7000-8000-00000000000" + digit for digit in "123")


def block(node_id, *, parents=(), at=0, to=None, **said):
    categories = {name: said.get(name, NEUTRAL) for name in CAT7}
    digest = hashlib.sha256(repr((node_id, sorted(categories.items()))).encode()).hexdigest()
    above = tuple(parent if isinstance(parent, str) else parent.key for parent in parents)
    author = {ME: "me", ANN: "ann", YOU: "you"}[node_id]
    return Block(f"cmb-{digest}", f"asrt-{digest}", node_id, author, at, "r", to, above, categories)


class Mesh:
    """Mints what it is given; its listeners hear what the test tells."""

    def __init__(self, sends=()):
        self.listeners, self.minted, self.sends = [], [], tuple(sends)
        self.ends = []

    def subscribe(self, listener):
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def peers(self):
        return []

    async def emit(self, proposal):
        made = block(ME, at=9, parents=proposal.parents, **proposal.categories)
        self.minted.append(proposal)
        return Minted(made, self.sends)

    def ended(self, assertion_id, how, why=None):
        self.ends.append((assertion_id, how, why))

    def tell(self, news):
        for listener in tuple(self.listeners):
            listener(news)

    def deliver(self, made, *, wakes=True):
        self.tell(Delivered(Delivery(made, None, True, False, wakes, made.node_id, 0)))


class Store:
    """Memory and wake store over dicts."""

    def __init__(self):
        self.blocks, self.states, self.marked, self.broken = [], {}, set(), False
        self.left = []
        self.full = False

    def block(self, key):
        return next((made for made in self.blocks if made.key == key), None)

    def feedback_for_own(self, limit, room):
        return []

    def recent(self, limit, *, own=None, room=None):
        return [made for made in self.blocks if own is None or (made.node_id == ME) == own][:limit]

    def recall(self, query, limit):
        return []

    def woken(self, key):
        if self.broken:
            raise StoreError("store: disk is full")
        return key in self.marked

    def unfinished(self, since_ms, limit):
        return [delivery for delivery in self.left if delivery.received_ms >= since_ms][:limit]

    def state_get(self, name):
        return self.states.get(name)

    def state_put(self, values, woken=()):
        if self.full:
            raise StoreError("store: no space left")
        self.states.update(values)
        self.marked.update(woken)


class Brain:
    """A model that answers when it is let."""

    label = "test/brain"

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests, self.closed = [], False
        self.gate = asyncio.Event()
        self.gate.set()
        self.warmed = asyncio.Event()

    async def warm(self):
        self.warmed.set()

    async def call(self, request):
        self.requests.append(request)
        await self.gate.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        calls = (ToolCall("1", "emit_cmb", answer),) if answer else ()
        return ModelReply("", calls, Usage(1, 1, 0.0), "stop", "brain")

    async def close(self):
        self.closed = True


class Ticker:
    def now_ms(self):
        return 1_000

    def monotonic(self):
        return asyncio.get_running_loop().time()


class Dice:
    def bytes(self, count):
        return b"d" * count


SETTINGS = """
[identity]
name = "me"
role = "writer"
[mesh]
room = "r"
[model]
adapter = "openai"
"""


def build(mesh, brain, store=None, extra=""):
    settings = parse(SETTINGS + extra, file="agent.toml")
    store = store or Store()
    return AgentRuntime(
        mesh,
        brain,
        persona=persona(settings, ME),
        options=engine_options(settings, ME),
        guards=guards(settings, ME, lambda _request: 0.0),
        memory=store,
        store=store,
        clock=Ticker(),
        entropy=Dice(),
    )


class Notes:
    """Collects notes and lets a test wait for one."""

    def __init__(self, agent):
        self.all, self._came = [], asyncio.Event()
        agent.subscribe(self._take)

    def _take(self, note):
        self.all.append(note)
        self._came.set()

    def of(self, event):
        return [note.facts for note in self.all if note.event == event]

    async def wait_for(self, event, count=1):
        while len(self.of(event)) < count:
            self._came.clear()
            await asyncio.wait_for(self._came.wait(), 5)
        return self.of(event)[count - 1]


async def test_a_delivery_becomes_a_block_on_the_mesh():
    mesh, brain = Mesh(), Brain({"focus": "answer"})
    agent = build(mesh, brain)
    notes = Notes(agent)
    agent.attach()
    await agent.start()
    task = block(YOU, focus="task")
    mesh.deliver(task)
    await notes.wait_for("emitted")
    assert [proposal.parents for proposal in mesh.minted] == [(task.key,)]
    assert agent.status()["run"]["emitted"] == agent.status()["heard"] == 1
    await agent.close()
    assert brain.closed and mesh.listeners == []


async def test_what_is_heard_before_the_agent_has_read_its_state_wakes_it_too():
    mesh, brain = Mesh(), Brain({"focus": "answer"})
    agent = build(mesh, brain)
    notes = Notes(agent)
    agent.attach()
    task = block(YOU, focus="task")
    mesh.deliver(task)
    assert notes.all == []
    await agent.start()
    assert (await notes.wait_for("woke"))["keys"] == [task.key]
    await agent.close()


async def test_x17_a_wake_is_remembered_across_a_restart():
    store, task = Store(), block(YOU, focus="task")
    for run in range(2):
        mesh, brain = Mesh(), Brain({})
        agent = build(mesh, brain, store)
        notes = Notes(agent)
        agent.attach()
        await agent.start()
        mesh.deliver(task)
        await notes.wait_for("no-answer" if run == 0 else "wake-skipped")
        assert len(brain.requests) == 1 - run
        await agent.close()


async def test_x11_budgets_and_books_survive_a_restart():
    store = Store()
    for run in range(2):
        mesh, brain = Mesh(), Brain({})
        agent = build(mesh, brain, store)
        notes = Notes(agent)
        agent.attach()
        await agent.start()
        assert agent.status()["lifetime"]["runs"] == run + 1
        assert agent.status()["wakes"]["minute"] == run
        mesh.deliver(block(YOU, focus=f"task {run}"))
        await notes.wait_for("no-answer")
        await agent.close()


async def test_an_unreadable_saved_budget_stops_the_start_and_is_not_forgotten():
    store = Store()
    store.states["safety.wakes"] = b"{"
    agent = build(Mesh(), Brain(), store)
    with pytest.raises(StoreError, match="wake-budget"):
        await agent.start()
    await agent.close()
    assert store.states == {"safety.wakes": b"{"}


async def test_a_store_that_cannot_mark_a_wake_stops_it_before_the_model_is_paid():
    mesh, brain, store = Mesh(), Brain(), Store()
    store.broken = True
    agent = build(mesh, brain, store)
    notes = Notes(agent)
    agent.attach()
    await agent.start()
    mesh.deliver(block(YOU, focus="task"))
    assert (await notes.wait_for("wake-ended"))["reason"] == "claim-failed"
    assert brain.requests == []
    await agent.close()


async def test_one_write_secures_a_wake_before_its_call_and_the_books_follow_the_answer():
    """What the disk costs a wake: this write, and the block's own; the books come when the answer is out."""
    mesh, brain, store = Mesh(), Brain({"focus": "an answer"}), Store()
    agent = build(mesh, brain, store)
    notes, order = Notes(agent), []
    put, call, emit = store.state_put, brain.call, mesh.emit

    def state_put(values, woken=()):
        order.append(("write", len(woken)))
        put(values, woken)

    async def asked(request):
        order.append(("call", len(store.marked)))
        return await call(request)

    async def emitted(proposal):
        order.append(("emit", 0))
        return await emit(proposal)

    agent.attach()
    await agent.start()
    await asyncio.wait_for(brain.warmed.wait(), 30)
    store.state_put, brain.call, mesh.emit = state_put, asked, emitted
    mesh.deliver(block(YOU, focus="task"))
    await notes.wait_for("emitted")
    assert order[:3] == [("write", 1), ("call", 1), ("emit", 0)]
    await agent.close()
    assert [what for what, _ in order[3:]].count("write") >= 1


async def test_a_bug_in_an_adapter_costs_the_wake_and_not_the_peer():
    mesh, brain = Mesh(), Brain(KeyError("choices"), {"focus": "fine"})
    agent = build(mesh, brain)
    notes = Notes(agent)
    agent.attach()
    await agent.start()
    mesh.deliver(block(YOU, focus="one"))
    failed = await notes.wait_for("model-failed")
    assert failed["kind"] == "protocol" and "KeyError" in failed["message"] and failed["final"]
    mesh.deliver(block(YOU, focus="two"))
    assert (await notes.wait_for("wake-deferred"))["reason"] == "breaker"
    await agent.close()


async def test_a_model_that_cannot_be_loaded_is_said_early():
    brain = Brain()

    async def warm():
        raise ModelError("no sdk", kind=ModelErrorKind.UNAVAILABLE, transient=False, hint="pip install it")

    brain.warm = warm
    agent = build(Mesh(), brain)
    notes = Notes(agent)
    agent.attach()
    await agent.start()
    assert await notes.wait_for("model-not-ready") == {"message": "no sdk", "hint": "pip install it"}
    await agent.close()


async def test_the_run_ends_when_all_closed_and_every_peer_said_what_became_of_the_last_block():
    sent = PeerSend(ANN, "ann", SendState.ACCEPTED)
    mesh, brain = Mesh([sent]), Brain({"focus": "mine", "commitment": "it stands"})
    agent = build(mesh, brain, extra=f'[run]\nparticipants = ["{ANN}"]\n')
    notes = Notes(agent)
    agent.attach()
    await agent.start()
    task = block(YOU, focus="task", at=1)
    mesh.deliver(block(ANN, focus="hers", commitment="it stands", parents=[task], at=2), wakes=False)
    mesh.deliver(task)
    waiting = asyncio.ensure_future(agent.finished())
    made = await notes.wait_for("emitted")
    await asyncio.sleep(0)
    assert not waiting.done()
    mesh.tell(SendSettled(made["key"], "asrt", PeerSend(ANN, "ann", SendState.DELIVERED)))
    end = await asyncio.wait_for(waiting, 5)
    assert end.reason == "thread-closed"
    await agent.close()


async def test_a_receipt_that_comes_before_the_emissions_own_answer_is_not_waited_for():
    sent = PeerSend(ANN, "ann", SendState.ACCEPTED)
    mesh, brain = Mesh([sent]), Brain({"focus": "mine"})
    emit = mesh.emit

    async def emit_and_settle(proposal):
        result = await emit(proposal)
        mesh.tell(SendSettled(result.block.key, "asrt", PeerSend(ANN, "ann", SendState.DELIVERED)))
        return result

    mesh.emit = emit_and_settle
    agent = build(mesh, brain)
    notes = Notes(agent)
    agent.attach()
    await agent.start()
    mesh.deliver(block(YOU, focus="task"))
    await notes.wait_for("emitted")
    agent.stop("asked")
    assert (await asyncio.wait_for(agent.finished(), 1)).reason == "asked"
    await agent.close()


async def test_x18_stop_waits_for_the_call_in_flight_and_emits_its_answer():
    mesh, brain = Mesh(), Brain({"focus": "answer"})
    brain.gate.clear()
    agent = build(mesh, brain)
    notes = Notes(agent)
    agent.attach()
    await agent.start()
    mesh.deliver(block(YOU, focus="task"))
    await notes.wait_for("model-call")
    agent.stop("sigterm")
    waiting = asyncio.ensure_future(agent.finished())
    brain.gate.set()
    assert (await asyncio.wait_for(waiting, 5)).reason == "sigterm"
    assert len(mesh.minted) == 1
    await agent.close()


async def test_x18_stop_has_a_deadline(monkeypatch):
    from covey import limits

    monkeypatch.setattr(limits, "AGENT_DRAIN_SECONDS", 0.01)
    mesh, brain = Mesh(), Brain({"focus": "answer"})
    brain.gate.clear()
    agent = build(mesh, brain)
    notes = Notes(agent)
    agent.attach()
    await agent.start()
    mesh.deliver(block(YOU, focus="task"))
    await notes.wait_for("model-call")
    agent.stop("sigterm")
    end = await asyncio.wait_for(agent.finished(), 5)
    assert end.reason == "sigterm" and "in time" in end.detail
    assert notes.of("drain-cut-off")[0]["in_flight"] == 1
    await agent.close()


def heard(made, *, at=1_000, wakes=True, expires_ms=None):
    return Delivery(made, None, True, made.to is not None, wakes, made.node_id, at, 1, expires_ms)


async def run_over(store, *answers, tell=(), until="resting"):
    """Run an agent over a store until it rests; return its notes and what it said of blocks for it."""
    mesh, brain = Mesh(), Brain(*answers)
    agent = build(mesh, brain, store)
    notes = Notes(agent)
    agent.attach()
    await agent.start()
    for news in tell:
        mesh.tell(news)
    await notes.wait_for(until)
    await agent.close()
    return notes, mesh.ends, brain


async def test_how_a_block_for_this_peer_ended_is_said_with_the_reason():
    asked, open_one = block(YOU, focus="do it", to=ME), block(YOU, focus="by the way")
    _, ends, _ = await run_over(Store(), {"focus": "done"}, tell=[Delivered(heard(asked))])
    ((assertion, how, why),) = ends
    assert (assertion, how) == (asked.assertion_id, "executed")
    assert why.startswith("replied: cmb-")
    _, ends, _ = await run_over(Store(), {}, tell=[Delivered(heard(asked))])
    assert ends == [(asked.assertion_id, "executed", "not answered: the model had nothing to say")]
    stranger = Delivered(heard(asked, wakes=False))
    _, ends, _ = await run_over(Store(), tell=[stranger], until="wake-skipped")
    assert ends == [(asked.assertion_id, "executed", "not answered: stranger")]
    late = Delivered(heard(asked, expires_ms=999))
    _, ends, brain = await run_over(Store(), tell=[late], until="wake-skipped")
    assert (ends, brain.requests) == ([(asked.assertion_id, "expired", "not answered: expired")], [])
    broken = ModelError("no", kind=ModelErrorKind.AUTH, transient=False)
    _, ends, _ = await run_over(Store(), broken, tell=[Delivered(heard(asked))])
    assert ends == [(asked.assertion_id, "unexecuted", "not answered: model-failed")]
    _, ends, _ = await run_over(Store(), {}, tell=[Delivered(heard(open_one))])
    assert ends == [], "nobody asked this peer alone"


async def test_what_was_stored_and_not_claimed_wakes_the_agent_after_a_restart():
    store, asked, open_one = Store(), block(YOU, focus="do it", to=ME), block(YOU, focus="hear this")
    await run_over(store, {}, tell=[Delivered(heard(block(YOU, focus="earlier")))])
    store.left = [heard(asked), heard(open_one, at=1_001), heard(block(ANN, focus="long ago"), at=1)]
    notes, ends, brain = await run_over(store, {"focus": "done"}, {"focus": "and this"})
    woken = [key for facts in notes.of("woke") for key in facts["keys"]]
    assert (woken, len(brain.requests)) == ([asked.key, open_one.key], 2)
    assert [(assertion, how) for assertion, how, _ in ends] == [(asked.assertion_id, "executed")]


async def test_a_wake_that_was_cut_off_is_not_paid_twice_and_is_said_to_have_been():
    store, asked = Store(), block(YOU, focus="do it", to=ME)
    await run_over(store, {}, tell=[Delivered(heard(block(YOU, focus="earlier")))])
    store.marked.add(asked.key)
    store.left = [heard(asked)]
    _, ends, brain = await run_over(store, until="wake-skipped")
    assert brain.requests == []
    assert ends == [(asked.assertion_id, "unexecuted", "not answered: interrupted")]


async def test_a_first_run_wakes_on_nothing_that_came_before_it():
    store = Store()
    store.left = [heard(block(YOU, focus="yesterday", to=ME), at=999)]
    agent = build(Mesh(), Brain(), store)
    notes = Notes(agent)
    await agent.start()
    assert notes.of("taken-up") == []
    await agent.close()


async def test_x13_nothing_is_spent_while_the_disk_keeps_nothing():
    mesh, brain, store = Mesh(), Brain({"focus": "late"}), Store()
    agent = build(mesh, brain, store)
    notes = Notes(agent)
    agent.attach()
    await agent.start()
    store.full = True
    mesh.deliver(block(YOU, focus="task"))
    assert (await notes.wait_for("call-deferred"))["reason"] == "state-not-saved"
    assert brain.requests == []
    assert agent.status()["cost"]["reserved_usd"] == 0.0
    store.full = False
    agent.stop("asked")
    assert (await asyncio.wait_for(agent.finished(), 5)).reason == "asked"
    await agent.close()
    assert len(store.states["agent.waiting"]) > 100, "the deferred block is found by the next run"
