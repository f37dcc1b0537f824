"""What an agent lets others have: nothing by default, else exactly what a rule names; never its diary."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benches.state_world import World
from covey.errors import UsageError
from covey.proto.state import wants
from covey.proto.state.scopes import ANYBODY, agent_scope
from covey.runtime.syndication import _rule as asked_rule
from covey.state.diary import Diary, DiaryText
from covey.state.syndication import DiaryFacts, Kept, Policy, Rule, changes, checked, desired, flushes
from covey.system import identity as ids
from covey.system.clock import SystemClock
from covey.system.diary_seal import DiarySeal
from covey.system.entropy import SystemEntropy

FACTS = DiaryFacts(3, 1_000, 9_000)
DIARY = "canary-of-the-diary"


class Pages:
    """A diary's store in memory."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, bytes]] = []

    def diary_add(self, at_ms: int, sealed: bytes) -> int:
        self.rows.append((at_ms, sealed))
        return len(self.rows)

    def diary_page(self, after, from_ms, to_ms, limit):
        return [(number, *row) for number, row in enumerate(self.rows, 1) if number > after][:limit]

    def diary_facts(self):
        times = [at_ms for at_ms, _ in self.rows]
        return len(times), min(times, default=None), max(times, default=None)


class Agent:
    """One member of a world, with entries of its own and a policy over them."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.author = world.members[number].identity.author
        self.kept: dict[tuple[str, str], Kept] = {}
        self.policy = Policy()
        who = ids.generate("ann", SystemClock(), SystemEntropy())
        self.diary = Diary(Pages(), DiarySeal(who, SystemEntropy()))

    def keep(self, label: str, name: str, value: object) -> None:
        self.kept[label, name] = checked(label, name, value)

    def forget(self, label: str, name: str) -> None:
        del self.kept[label, name]

    def apply(self, policy: Policy) -> None:
        """Mute what is no longer allowed, make the scopes hold what they should, then speak of them."""
        sync = self.world.members[self.number].sync
        still = policy.scopes(self.author) & self.policy.scopes(self.author)
        self._tell(wants.Serve(still))
        self.policy = policy
        facts = self.diary.facts() if self.diary.facts().entries else FACTS
        for scope, should in desired(self.author, policy, self.kept.values(), facts).items():
            held = sync.held(scope)
            names = [] if held is None else held.map.names()
            holds = {name: held.map.get(name)[1] for name in names}
            for piece in flushes(changes(holds, should)):
                self._tell(wants.Write(0, scope, tuple(piece)))
        self.world.run(0.01)
        self._tell(wants.Serve(policy.scopes(self.author)))

    def _tell(self, what: object) -> None:
        member = self.world.members[self.number]
        self.world._turn(member, lambda turn: member.sync.told(what, turn))


def room(size: int) -> tuple[World, list[Agent]]:
    world = World(size, 1)
    world.mesh(size - 1)
    world.run(1.0)
    return world, [Agent(world, number) for number in range(size)]


def reads(world: World, at: int, owner: Agent, to: str, label: str) -> dict[str, object] | None:
    """Return what a member holds of an agent's class; None where it never heard of it."""
    held = world.members[at].sync.held(agent_scope(owner.author, to, label).name)
    if held is None:
        return None
    return {name: json.loads(held.map.get(name)[1]) for name in held.map.names()}


def heard(world: World) -> list[tuple[int, bytes]]:
    """Return, as it grows, to whom each frame went and everything readable in it."""
    frames: list[tuple[int, bytes]] = []

    def tap(_from: int, to: int, frame: bytes) -> bytes:
        said = json.loads(frame)
        packed = (said[name] for name in ("delta", "data", "digest") if name in said)
        texts = [frame, *(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)) for value in packed)]
        frames.append((to, b"\n".join(texts)))
        return frame

    world.tamper = tap
    return frames


def test_a19_by_default_nothing_leaves_and_a_rule_lets_exactly_its_class_leave():
    world, (ann, bob, _) = room(3)
    frames = heard(world)
    ann.keep("session", "task", {"step": 4})
    ann.keep("memory:long-term", "secret", "canary-long-term")
    ann.apply(Policy())
    world.run(30.0)
    assert not any(b"agent:" in frame for _, frame in frames)
    ann.apply(Policy().allow(Rule("session", bob.author)))
    world.run(5.0)
    assert reads(world, 1, ann, bob.author, "session") == {"task": {"step": 4}}
    assert reads(world, 2, ann, bob.author, "session") is None
    assert {to for to, frame in frames if b":session" in frame} == {0, 1}, "between the two, and nobody else"
    assert not any(b"canary" in frame or b"secret" in frame for _, frame in frames)


def test_a20_turning_a_layer_off_stops_new_sends_and_retract_deletes_what_was_sent():
    world, (ann, bob) = room(2)
    ann.keep("memory:working", "one", 1)
    allowed = Policy().allow(Rule("memory:working", bob.author))
    ann.apply(allowed)
    world.run(5.0)
    assert reads(world, 1, ann, bob.author, "memory:working") == {"one": 1}
    ann.apply(allowed.deny("memory:working", bob.author))
    frames = heard(world)
    ann.keep("memory:working", "two", 2)
    ann.apply(ann.policy)
    world.run(60.0)
    assert reads(world, 1, ann, bob.author, "memory:working") == {"one": 1}, "what was sent stays"
    assert not any(to == 1 and b"memory:working" in frame for to, frame in frames)
    ann.apply(ann.policy.retract("memory:working", bob.author))
    world.run(30.0)
    assert reads(world, 1, ann, bob.author, "memory:working") == {}
    ann.apply(ann.policy.allow(Rule("memory:working", bob.author, prefix="t")))
    world.run(30.0)
    assert reads(world, 1, ann, bob.author, "memory:working") == {"two": 2}


def test_a21_facts_of_the_ontology_travel_by_themselves_with_their_evidence():
    world, (ann, bob) = room(2)
    fact = {"value": "blue", "evidence": ["cmb-1"]}
    ann.keep("ontology", "sky/colour", fact)
    ann.keep("memory:working", "m", 1)
    ann.apply(Policy().allow(Rule("ontology", ANYBODY)))
    world.run(5.0)
    assert reads(world, 1, ann, ANYBODY, "ontology") == {"sky/colour": fact}
    ann.forget("ontology", "sky/colour")
    ann.apply(ann.policy)
    world.run(5.0)
    assert reads(world, 1, ann, ANYBODY, "ontology") == {}
    with pytest.raises(UsageError):
        checked("ontology", "sky/colour", "blue")
    assert bob.kept == {}


def test_a22_of_the_diary_its_facts_travel_and_nothing_else():
    world, (ann, bob) = room(2)
    ann.apply(Policy().allow(Rule("diary", bob.author)))
    world.run(5.0)
    assert reads(world, 1, ann, bob.author, "diary") == {"entries": 3, "first_ms": 1_000, "last_ms": 9_000}
    with pytest.raises(UsageError):
        checked("diary", "today", "dear diary")


def test_a23_the_state_of_a_session_is_a_class_of_its_own():
    world, (ann, bob) = room(2)
    ann.keep("session", "cursor", 17)
    ann.keep("memory:session", "cursor", 99)
    ann.apply(Policy().allow(Rule("session", bob.author)))
    world.run(5.0)
    assert reads(world, 1, ann, bob.author, "session") == {"cursor": 17}
    assert reads(world, 1, ann, bob.author, "memory:session") is None


def test_a24_two_agents_with_opposite_policies_do_not_leak_into_each_other():
    world, (open_one, closed_one, reader) = room(3)
    frames = heard(world)
    for agent, canary in ((open_one, "canary-of-the-open"), (closed_one, "canary-of-the-closed")):
        agent.keep("session", "x", canary)
    open_one.apply(Policy().allow(Rule("session", reader.author)))
    closed_one.apply(Policy())
    world.run(30.0)
    assert reads(world, 2, open_one, reader.author, "session") == {"x": "canary-of-the-open"}
    assert any(b"canary-of-the-open" in frame for _, frame in frames)
    assert not any(b"canary-of-the-closed" in frame for _, frame in frames)
    assert not any(closed_one.author.encode() in frame and b"agent:" in frame for _, frame in frames)


def test_for_the_whole_room_is_passed_on_and_for_one_is_not():
    world = World(3, 2)
    world.link(0, 1)
    world.link(1, 2)
    world.run(1.0)
    ann = Agent(world, 0)
    ann.keep("session", "x", 1)
    last = world.members[2].identity.author
    ann.apply(Policy().allow(Rule("session", ANYBODY)).allow(Rule("session", last)))
    world.run(30.0)
    assert reads(world, 2, ann, ANYBODY, "session") == {"x": 1}, "over the one between"
    assert reads(world, 1, ann, last, "session") is None
    assert reads(world, 2, ann, last, "session") is None, "they never met"


def test_nobody_else_writes_what_an_agent_shares():
    world, (ann, _bob) = room(2)
    ann.keep("session", "x", 1)
    ann.apply(Policy().allow(Rule("session", ANYBODY)))
    world.run(5.0)
    scope = agent_scope(ann.author, ANYBODY, "session").name
    world.write(1, ("put", "x", b"2"), scope=scope)
    assert world.members[1].wrote[-1].reason == "state_scope"


LABELS = st.sampled_from(["memory:working", "memory:long-term", "ontology", "session", "diary"])
PREFIXES = st.sampled_from(["", "a"])


@settings(max_examples=40, deadline=None)
@given(
    allowed=st.lists(
        st.tuples(LABELS, st.sampled_from([1, 2, None]), st.sampled_from(["", "a"])), max_size=5
    ),
    kept=st.lists(st.tuples(LABELS, st.sampled_from(["a1", "b1"])), max_size=6, unique=True),
)
def test_a22_whatever_the_policy_only_what_it_names_is_in_any_frame(allowed, kept):
    world, (ann, *others) = room(3)
    frames = heard(world)
    for at_ms in (5, 7):
        ann.diary.write(DiaryText(f"{DIARY} {at_ms}"), at_ms)
    canaries: dict[tuple[str, str], bytes] = {}
    for label, name in kept:
        if label != "diary":
            canary = f"canary/{label}/{name}"
            ann.keep(label, name, {"value": canary, "evidence": []})
            canaries[label, name] = canary.encode()
    policy = Policy()
    for label, to, prefix in allowed:
        policy = policy.allow(Rule(label, ANYBODY if to is None else others[to - 1].author, prefix))
    ann.apply(policy)
    world.run(8.0)
    assert not any(DIARY.encode() in frame for _, frame in frames)
    assert [each.text.reveal() for each in ann.diary.search(DIARY)] == [f"{DIARY} 5", f"{DIARY} 7"]
    for number, other in enumerate(others, 1):
        for (label, name), canary in canaries.items():
            may = any(
                rule.label == label and rule.to in (ANYBODY, other.author) and name.startswith(rule.prefix)
                for rule in policy.rules
            )
            assert any(to == number and canary in frame for to, frame in frames) == may


def test_filters_cut_members_out_before_anything_is_written():
    policy = Policy().allow(Rule("session", ANYBODY, without=("key",)))
    kept = [checked("session", "x", {"key": 1, "deep": [{"key": 2, "kept": 3}]})]
    (found,) = desired("00000000-0000-0000-0000-000000000001", policy, kept, FACTS).values()
    assert json.loads(found["x"]) == {"deep": [{"kept": 3}]}


def test_a_policy_is_read_back_and_its_bounds_hold():
    policy = Policy().allow(Rule("session", ANYBODY, "p", ("a", "b"))).retract("diary", ANYBODY)
    assert Policy.read(policy.to_json()) == policy
    for label, to in (("nonsense", ANYBODY), ("memory:", ANYBODY), ("session", "ann"), ("memory:A", ANYBODY)):
        with pytest.raises(UsageError):
            Rule(label, to)
    for data in (b"", b"{}", b'{"rules": [{"label": "session"}]}', b'{"rules": 1}'):
        with pytest.raises(UsageError):
            Policy.read(data)
    with pytest.raises(UsageError):
        full = Policy()
        for number in range(65):
            full = full.allow(Rule(f"memory:m{number}", ANYBODY))


def _policy_with(**changed: object) -> bytes:
    rule = {"label": "session", "to": "*", "prefix": "", "without": [], "retracted": False, **changed}
    return json.dumps({"version": 1, "rules": [rule]}).encode()


@pytest.mark.parametrize(
    "changed",
    [
        {"label": ["session"]},
        {"label": None},
        {"to": 1},
        {"prefix": []},
        {"prefix": "p" * 513},
        {"without": "key"},
        {"without": {"key": 1}},
        {"without": [1]},
        {"without": ["k" * 513]},
        {"without": ["k"] * 33},
        {"retracted": ""},
        {"retracted": 0},
        {"retracted": None},
        {"more": 1},
    ],
    ids=str,
)
def test_a_kept_rule_of_another_shape_is_refused_not_guessed_at(changed: dict[str, object]):
    assert Policy.read(_policy_with()) == Policy((Rule("session", "*"),))
    with pytest.raises(UsageError):
        Policy.read(_policy_with(**changed))


def test_a_kept_policy_says_each_thing_once_and_nothing_unknown():
    rule = json.loads(_policy_with())["rules"][0]
    less = {name: value for name, value in rule.items() if name != "retracted"}
    for rules in ([rule, rule], [less], [rule, None], [{**rule, "label": f"memory:m{n}"} for n in range(65)]):
        with pytest.raises(UsageError, match="policy: not readable"):
            Policy.read(json.dumps({"version": 1, "rules": rules}).encode())
    for data in (
        b'{"version": 2, "rules": []}',
        b'{"version": 1, "rules": [], "n": 1}',
        b'{"version": 1, "rules": [], "rules": []}',
        b'{"rules": []}',
        b"[" * 100_000,
        b"null",
    ):
        with pytest.raises(UsageError, match="policy: not readable"):
            Policy.read(data)


def test_half_a_character_in_a_filter_is_a_text_with_a_size():
    assert Rule("session", ANYBODY, "\ud800", ("\udfff",)).prefix == "\ud800"
    with pytest.raises(UsageError, match="filter"):
        Rule("session", ANYBODY, "\ud800" * 200)


def test_writes_are_cut_so_that_each_piece_fits_a_flush():
    writes = [("put_json", f"n{number}", bytes(100_000)) for number in range(7)]
    pieces = flushes(writes)
    assert [len(piece) for piece in pieces] == [2, 2, 2, 1]
    assert len(flushes([("delete", str(number), None) for number in range(2_500)])) == 3
    assert flushes([]) == []


@pytest.mark.parametrize(
    "asked",
    [{"prefix": ["p"]}, {"prefix": 1}, {"without": "key"}, {"without": {"key": 1}}, {"without": [1]}],
    ids=str,
)
def test_a_filter_that_is_asked_for_in_another_shape_is_refused(asked: dict[str, object]):
    assert asked_rule("session", "*", {"without": ["key"]}) == Rule("session", "*", "", ("key",))
    with pytest.raises(UsageError, match="filter: "):
        asked_rule("session", "*", asked)
