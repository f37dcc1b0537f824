"""Accounts: no agent moves more than it holds, whoever is cut off; every movement has an entry that holds."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from covey import core, limits
from covey.errors import UsageError
from covey.runtime.ledger import Ledger
from covey.runtime.state import StateError
from covey.state import ledger
from covey.state.ledger import Entry, Head, LedgerError, Totals, Unit
from covey.state.ledger_book import Account, Book, Caps

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
SCOPE = "room:den"
WHO = [
    core.Identity(f"018f47a0-7b21-7abc-8def-{n:012d}", f"agent-{n}", bytes([n + 1]) * 32) for n in range(3)
]
KEYS = {who.author: who.public_key for who in WHO}
ANN, BOB, EVE = (who.author for who in WHO)
TOKENS = Unit("tokens", ANN)


class Clock:
    """Wall time that a test sets."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def now_ms(self) -> int:
        return self.ms


class Kept:
    """What a store keeps by name."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def state_get(self, name):
        return self.values.get(name)

    def state_put(self, name, value):
        self.values[name] = value


class Room:
    """One agent's view of the room's shared state, as the shell of shared state shows it."""

    def __init__(self, number: int, clock: Clock) -> None:
        self.room = SCOPE
        self.identity = WHO[number]
        self.author = self.identity.author
        self.state = core.StateMap(SCOPE, self.author, seed=bytes(16))
        self.clock = clock
        self.fails = ""
        self.deltas: list[bytes] = []

    def map(self):
        return self.state

    def present(self):
        return [(who.node_id, who.name, who.author) for who in WHO if who is not self.identity]

    async def write(self, writes, scope=None):
        if self.fails:
            raise StateError("state: not now", code=self.fails)
        try:
            self.deltas.append(self.state.commit(writes, now_ms=self.clock.ms, identity=self.identity))
        except core.CoreError as error:
            raise StateError(f"state: {error.detail}", code=error.reason) from error

    def hear(self, other: "Room") -> None:
        for delta in other.state.since(self.state.seen):
            assert self.state.merge(delta, keys=KEYS, now_ms=self.clock.ms).refused == []


class Agent:
    """An agent with its ledger."""

    def __init__(self, number: int, clock: Clock) -> None:
        self.room, self.kept = Room(number, clock), Kept()
        self.ledger = Ledger(WHO[number], self.room, self.kept, clock)

    def do(self, op: str, **arguments):
        return asyncio.run(self.ledger.answer({"op": op, **arguments}))

    def holds(self, author: str) -> int:
        return ledger.statement(self.room.state, TOKENS)["balances"].get(author, 0)


@pytest.fixture
def agents():
    clock = Clock()
    made = [Agent(number, clock) for number in range(3)]
    made[0].do("grant", unit="tokens", amount=100)
    for other in made[1:]:
        other.room.hear(made[0].room)
    return made


def problems(agent: Agent) -> list[str]:
    return [each["what"] for each in agent.do("audit")["problems"]]


def test_a28_a_payment_moves_both_sides_is_signed_and_read_by_everybody(agents):
    ann, bob, eve = agents
    paid = ann.do("pay", to="agent-1", amount=30, unit="tokens", memo="two reviews")
    assert paid["postings"] == [[ANN, -30], [BOB, 30]]
    bob.room.hear(ann.room)
    bob.do("spend", amount=5, unit="tokens", memo="a model's call")
    eve.room.hear(bob.room)
    assert [eve.holds(who) for who in (ANN, BOB, EVE)] == [70, 25, 0]
    found = eve.do("journal")
    assert [(each["verb"], each["amount"], each["memo"]) for each in found["entries"]] == [
        ("grant", 100, ""),
        ("pay", 30, "two reviews"),
        ("spend", 5, "a model's call"),
    ]
    assert all(sum(amount for _, amount in each["postings"]) == 0 for each in found["entries"])
    audit = eve.do("audit")
    (unit,) = audit["units"]
    assert (unit["balanced"], unit["entries"], audit["problems"]) == (True, 3, [])


def test_a28_nobody_pays_what_it_does_not_hold_and_nothing_is_written(agents):
    ann, bob, _ = agents
    for agent, amount in ((ann, 101), (bob, 1)):
        with pytest.raises(StateError) as raised:
            agent.do("pay", to="agent-2", amount=amount, unit="tokens")
        assert raised.value.code == "over_budget"
    assert problems(ann) == problems(bob) == []
    ann.do("pay", to="agent-2", amount=100, unit="tokens")
    assert len(ann.do("journal")["entries"]) == 2
    with pytest.raises(StateError):
        bob.do("grant", unit="tokens", amount=1) and bob.do(
            "spend", amount=1, unit="tokens", issuer="agent-0"
        )


STEP = st.one_of(
    st.tuples(st.just("pay"), st.integers(0, 2), st.integers(0, 2), st.integers(1, 60)),
    st.tuples(st.just("spend"), st.integers(0, 2), st.just(0), st.integers(1, 60)),
    st.tuples(st.just("hear"), st.integers(0, 2), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("grant"), st.just(0), st.just(0), st.integers(1, 40)),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEP, max_size=25))
def test_a28_whoever_is_cut_off_from_whom_the_sum_of_all_accounts_stays_what_was_issued(steps):
    clock = Clock()
    agents = [Agent(number, clock) for number in range(3)]
    agents[0].do("grant", unit="tokens", amount=100)
    issued, spent, made = 100, 0, 1
    for op, one, other, amount in steps:
        try:
            if op == "hear":
                agents[one].room.hear(agents[other].room)
            elif op == "pay":
                agents[one].do("pay", to=WHO[other].author, amount=amount, unit="tokens")
                made += 1
            else:
                agents[one].do(op, unit="tokens", amount=amount)
                made, spent = made + 1, spent + (amount if op == "spend" else 0)
                issued += amount if op == "grant" else 0
        except StateError as refused:
            assert refused.code == "over_budget"
        except UsageError:
            pass  # it pays itself, or has not heard of this unit yet
    for _ in range(2):
        for one in agents:
            for other in agents:
                one.room.hear(other.room)
    for agent in agents:
        found = agent.do("audit")
        (unit,) = found["units"]
        assert (unit["granted"], unit["spent"], unit["entries"]) == (issued, spent, made)
        assert sum(unit["balances"].values()) == issued - spent
        assert min(unit["balances"].values()) >= 0 and unit["overspent"] == []
        assert found["problems"] == []


def test_a28_caps_hold_for_one_movement_and_for_a_day_and_survive_a_restart(agents):
    ann, clock = agents[0], agents[0].room.clock
    ann.do("cap", unit="tokens", each=20, day=50)
    with pytest.raises(LedgerError, match="cap of one movement: 21 of 20"):
        ann.do("pay", to="agent-1", amount=21, unit="tokens")
    for _ in range(2):
        ann.do("pay", to="agent-1", amount=20, unit="tokens")
    again = Ledger(WHO[0], ann.room, ann.kept, clock)
    with pytest.raises(LedgerError, match="cap of a day: 40 went out, 11 more are not within 50"):
        asyncio.run(again.spend(11, "tokens"))
    clock.ms -= 2 * DAY_MS  # a clock that is set back frees nothing
    with pytest.raises(LedgerError):
        asyncio.run(again.spend(11, "tokens"))
    clock.ms += 4 * DAY_MS
    asyncio.run(again.spend(11, "tokens"))
    (account,) = ann.do("accounts")["accounts"]
    assert (account["caps"], account["out_today"]) == ({"each": 20, "day": 50}, 11)
    ann.do("grant", unit="tokens", amount=1_000)  # what comes in has no cap


def test_what_a_crash_cuts_off_counts_against_the_cap_and_the_row_says_what_stands(agents):
    ann = agents[0]
    ann.do("cap", unit="tokens", each=None, day=50)
    ann.room.fails = "unknown"  # the book is written, the movement perhaps not
    with pytest.raises(StateError):
        ann.do("pay", to="agent-1", amount=40, unit="tokens")
    ann.room.fails = ""
    with pytest.raises(LedgerError, match="40 went out"):
        ann.do("pay", to="agent-1", amount=11, unit="tokens")
    ann.do("pay", to="agent-1", amount=10, unit="tokens")
    assert (ann.holds(ANN), problems(ann)) == (90, []), "no hole in the journal where nothing was moved"
    ann.room.fails = "state_busy"  # surely not made: nothing counts
    ann.do("cap", unit="tokens", each=None, day=60)
    with pytest.raises(StateError):
        ann.do("pay", to="agent-1", amount=10, unit="tokens")
    ann.room.fails = ""
    ann.do("pay", to="agent-1", amount=10, unit="tokens")


def test_an_entry_that_somebody_else_changes_or_deletes_is_named_and_moves_nothing(agents):
    ann, bob, _ = agents
    for amount in (1, 2, 3):
        ann.do("pay", to="agent-1", amount=amount, unit="tokens")
    bob.room.hear(ann.room)
    held = json.loads(bob.room.state.get(TOKENS.place(ANN, 3))[1])
    held["body"] = held["body"].replace('"amount":2', '"amount":9')
    forged = [("put_json", TOKENS.place(ANN, 3), json.dumps(held).encode())]
    asyncio.run(bob.room.write(forged))
    assert sorted(problems(bob)) == ["forged", "missing"]
    asyncio.run(bob.room.write([("delete", TOKENS.place(ANN, 4), None)]))
    assert sorted(problems(bob)) == ["forged", "unrecorded"]
    assert (bob.holds(ANN), bob.holds(BOB)) == (94, 6)
    moved = [("put_json", TOKENS.place(BOB, 1), bob.room.state.get(TOKENS.place(ANN, 2))[1])]
    asyncio.run(bob.room.write(moved))
    assert problems(bob).count("forged") == 2, "another's entry in an own place"
    assert bob.do("journal")["wrong"] == 2


def test_a_journal_keeps_the_newest_entries_and_still_adds_up(agents, monkeypatch):
    monkeypatch.setattr(limits, "LEDGER_ENTRIES", 3)
    ann = agents[0]
    for _ in range(6):
        ann.do("spend", amount=1, unit="tokens")
    assert [each["number"] for each in ann.do("journal")["entries"]] == [5, 6, 7]
    assert problems(ann) == []


def test_a_lost_book_is_taken_up_from_the_journal(agents):
    ann = agents[0]
    ann.do("pay", to="agent-1", amount=1, unit="tokens")
    ann.kept.values.clear()
    ann.do("pay", to="agent-1", amount=2, unit="tokens")
    assert problems(ann) == []
    ann.kept.values["ledger"] = b"{}"
    with pytest.raises(LedgerError, match="not readable"):
        ann.do("pay", to="agent-1", amount=2, unit="tokens")


def test_units_of_two_issuers_are_told_apart(agents):
    ann, bob, _ = agents
    bob.do("grant", unit="tokens", amount=7)
    with pytest.raises(UsageError, match="2 agents issued"):
        bob.do("spend", unit="tokens", amount=1)
    bob.do("spend", unit="tokens", amount=1, issuer="agent-1")
    assert [each["granted"] for each in bob.do("accounts")["accounts"]].count(7) == 1
    with pytest.raises(UsageError, match="nobody here issued"):
        ann.do("spend", unit="gold", amount=1)
    with pytest.raises(UsageError, match="no such agent"):
        ann.do("pay", to="nobody", unit="tokens", amount=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": -1},
        {"amount": True},
        {"amount": 2**53},
        {"memo": "a\nb"},
        {"memo": "x" * 257},
    ],
)
def test_what_is_no_movement_is_refused_before_anything_is_written(agents, wrong):
    ann = agents[0]
    with pytest.raises(UsageError):
        ann.do("pay", **{"to": "agent-1", "amount": 1, "unit": "tokens", **wrong})
    assert ann.room.state.seen.count(ANN) == 2


def test_a_book_comes_back_as_it_was_written():
    account = Account(Caps(1, None), Head(3, "ab", Totals(1, 2, 3)), Head(4), {5: 6})
    book = Book({TOKENS: account})
    assert Book.read(book.to_json()) == book
    assert Book.read(None) == Book()
    with pytest.raises(UsageError):
        Caps(-1, None)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_entry_or_a_documented_refusal(data):
    for value in (data, json.dumps({"body": data.decode("latin-1"), "key": "", "signature": ""}).encode()):
        with pytest.raises(LedgerError):
            ledger.read("ledger/x", value, SCOPE)
    made = ledger.make(WHO[0], SCOPE, TOKENS, Head(), "grant", "", 1, NOW_MS, "")
    assert isinstance(ledger.read(TOKENS.place(ANN, 1), made.to_json(), SCOPE), Entry)
    with pytest.raises(LedgerError):
        ledger.read(TOKENS.place(ANN, 1), made.to_json(), "room:other")
