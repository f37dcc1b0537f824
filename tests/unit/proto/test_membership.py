"""Membership: who is there, in virtual time, with the real engine and real signatures."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from benches.members import Room
from covey import limits
from covey.proto.membership import frames, views
from covey.proto.membership.claims import Accusation, BadClaimError, Self, parse
from covey.proto.membership.gossip import Gossip
from covey.proto.membership.news import MemberJoined, MemberLeft, MemberSuspected
from covey.proto.membership.options import MembershipOptions


def story(node, about):
    """What one node told of another: words with incarnations, in order; suspicion is left out."""
    told = [news for _, news in node.news if news.node_id == about.node_id]
    return [
        ("join", news.incarnation) if isinstance(news, MemberJoined) else (news.reason, news.incarnation)
        for news in told
        if not isinstance(news, MemberSuspected)
    ]


def room_of(count, **options):
    room = Room(**options)
    nodes = room.everybody(count)
    room.run(5)
    return room, nodes


def test_everybody_joins_once_for_everybody():
    _, nodes = room_of(6)
    for node in nodes:
        assert {news.node_id for _, news in node.told(MemberJoined)} == {o.node_id for o in nodes} - {
            node.node_id
        }
        assert len(node.told(MemberJoined)) == 5


def test_members_without_a_session_are_known_through_others_and_watched_through_others():
    room = Room()
    a, b, c = (room.node(number) for number in (1, 2, 3))
    room.connect(a, b)
    room.connect(b, c)
    room.run(10)
    assert a.states()[c.node_id] == c.states()[a.node_id] == "alive"
    assert not a.told(MemberSuspected) and not c.told(MemberSuspected)
    c.alive = False
    room.run(30)
    assert story(a, c)[-1][0] == "failed"


def test_tables_that_are_the_same_cost_one_digest_and_not_themselves():
    room, nodes = room_of(30)
    room.run(120)
    before = sum(node.bytes_out for node in nodes)
    room.run(60)
    assert (sum(node.bytes_out for node in nodes) - before) / 30 / 60 < 200
    assert sum(node.counts["members.compared.same"] for node in nodes) > 50
    late = [node.counts["members.compared.other"] for node in nodes]
    room.run(30)
    assert [node.counts["members.compared.other"] for node in nodes] == late


def test_what_gossip_lost_on_either_side_is_exchanged_both_ways():
    room = Room()
    options = MembershipOptions(sync_period=1.0)
    a, b = room.node(1, options), room.node(2, options)
    room.connect(a, b)
    room.run(2)
    for number, knows in ((3, a), (4, b)):
        word = room.node(number).engine._own
        knows.turn(lambda turn, word=word, knows=knows: knows.engine._hear(word, turn))
        knows.engine._gossip = Gossip(4)
    for knows in (a, b):
        assert len(knows.states()) == 2, "each has met one that the other has not"
    room.run(1.1)
    assert a.states().keys() - {b.node_id} == b.states().keys() - {a.node_id}
    assert len(a.states()) == 3


def test_who_asks_for_everything_unasked_or_too_often_gets_nothing():
    room, (a, b) = room_of(2)
    room.run(60)
    before = b.frames_out
    peer = b.links[a.node_id]
    b.engine._tables._held.clear()
    b.turn(lambda turn: b.engine.heard(peer, "x-covey-member", frames.write("want"), turn))
    assert b.frames_out == before and b.counts["members.want.unasked"] == 1
    hold = frames.write("hold", digest="0" * 32)
    for _ in range(5):
        b.turn(lambda turn: b.engine.heard(peer, "x-covey-member", hold, turn))
    assert b.frames_out == before + 2, "all of its claims, and want: once"
    assert b.counts["members.compared.too_soon"] == 4


@pytest.mark.parametrize("digest", ["", "x", "0" * 31, 7, None, "A" * 32])
def test_a_hold_without_a_digest_is_refused(digest):
    raw = json.dumps({"type": "x-covey-member", "op": "hold", "digest": digest, "claims": []}).encode()
    with pytest.raises(BadClaimError, match="digest"):
        frames.read(raw)


def test_s16_a_killed_process_is_found_within_five_seconds_and_a_silent_one_within_thirty():
    room, nodes = room_of(10)
    nodes[0].kill()
    at = room.run(30, until=lambda: all(story(node, nodes[0])[-1][0] == "failed" for node in nodes[1:]))
    assert at - 5 < 5
    nodes[1].alive = False
    began = room.now
    at = room.run(60, until=lambda: all(story(node, nodes[1])[-1][0] == "failed" for node in nodes[2:]))
    assert at - began < 30


def test_s09_a_goodbye_is_heard_as_one_and_nobody_calls_it_a_failure():
    room, nodes = room_of(5)
    nodes[0].turn(lambda turn: nodes[0].engine.told(views.Leave(), turn))
    room.run(0.1)
    nodes[0].kill()
    room.run(30)
    for node in nodes[1:]:
        assert [word for word, _ in story(node, nodes[0])] == ["join", "left"]


def test_s09_a_stopped_process_that_goes_on_joins_again_in_a_later_incarnation():
    room, nodes = room_of(5)
    nodes[0].freeze()
    room.run(20)
    assert all(story(node, nodes[0])[-1][0] == "failed" for node in nodes[1:])
    nodes[0].thaw()
    room.run(20)
    for node in nodes[1:]:
        words = story(node, nodes[0])
        assert [word for word, _ in words] == ["join", "failed", "join"]
        assert words[2][1] > words[0][1]


def test_s16_whoever_was_stopped_itself_accuses_nobody():
    room, nodes = room_of(5)
    nodes[0].freeze()
    room.run(15)
    nodes[0].thaw()
    room.run(10)
    assert not nodes[0].told(MemberLeft)
    assert all(state == "alive" for state in nodes[0].states().values())
    assert nodes[0].counts["members.own_clock_late"] >= 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_s16_at_ten_percent_loss_nobody_alive_is_given_up(seed):
    room, nodes = room_of(10, loss=0.1, seed=seed)
    room.run(60)
    assert sum(len(node.told(MemberLeft)) for node in nodes) == 0


def test_a_later_life_whose_clock_went_back_goes_past_its_earlier_word():
    room, (a, b, *_) = room_of(3)
    first = a.engine.members.get(b.node_id).said.incarnation
    b.kill()
    room.run(30)
    again = room.node(2, life=-10_000_000)
    room.connect(a, again)
    room.run(10)
    assert a.states()[b.node_id] == "alive"
    assert a.engine.members.get(b.node_id).said.incarnation > first


def test_what_a_member_says_of_itself_reaches_everybody():
    room, nodes = room_of(4)
    nodes[0].turn(lambda turn: nodes[0].engine.told(views.Say('{"can":["translate"]}'), turn))
    room.run(10)
    for node in nodes[1:]:
        assert node.engine.members.get(nodes[0].node_id).said.meta == '{"can":["translate"]}'
        assert len(story(node, nodes[0])) == 1
    nodes[0].turn(lambda turn: nodes[0].engine.told(views.Say("x" * 2_000), turn))
    assert nodes[0].counts["members.meta.too_long"] == 1


def hear(node, sender, *claims, op="news", **more):
    frame = {"type": "x-covey-member", "op": op, "claims": list(claims), **more}
    node.hear(sender.node_id, json.dumps(frame).encode())


def test_a_liar_cannot_bury_a_member_that_answers():
    room, (liar, victim, *others) = room_of(5)
    for _ in range(30):
        now = others[0].engine.members.get(victim.node_id).said.incarnation
        for node in others:
            for accuser in others:
                hear(node, liar, ["dead", victim.node_id, now, accuser.node_id])
        room.run(1)
    assert all(story(node, victim)[-1][0] == "join" for node in others)


def test_a_liar_cannot_speak_for_another_nor_drive_its_incarnation():
    room, (liar, victim, other, *_) = room_of(4)
    said = other.engine.members.get(victim.node_id).said
    forged = Self(said.node_id, said.incarnation + 5, "mallory", "{}", liar.identity.public_key, bytes(64))
    replayed = Self(said.node_id, said.incarnation + 5, said.name, said.meta, said.public_key, said.signature)
    hear(other, liar, forged.wire())
    hear(other, liar, replayed.wire())
    assert other.counts["members.word.forged"] == 2
    hear(victim, liar, ["dead", victim.node_id, limits.JSON_INTEGER, liar.node_id])
    hear(victim, liar, replayed.wire())
    room.run(10)
    assert victim.counts["members.accused_unknown_incarnation"] == 1
    assert other.engine.members.get(victim.node_id).said.incarnation < said.incarnation + 5


def test_a_goodbye_counts_only_in_the_leavers_own_words():
    room, (liar, victim, other, *_) = room_of(4)
    said = other.engine.members.get(victim.node_id).said
    left = Self(
        said.node_id, said.incarnation, said.name, said.meta, said.public_key, said.signature, left=True
    )
    hear(other, liar, left.wire())
    assert other.states()[victim.node_id] == "alive"
    assert other.counts["members.word.forged"] == 1
    room.run(1)


def test_a_flood_of_asks_gets_nacks_and_no_memory():
    _, (asker, helper, target, *_) = room_of(4)
    for seq in range(2 * limits.MEMBER_ERRANDS):
        hear(helper, asker, op="ask", seq=seq, target=target.node_id)
    assert len(helper.engine._probes.errands) == limits.MEMBER_ERRANDS


def test_the_suspect_shows_how_much_of_its_time_is_over():
    room, nodes = room_of(5)
    nodes[0].alive = False
    room.run(30, until=lambda: bool(nodes[1].told(MemberSuspected)))
    room.run(0.5)
    shown = next(v for v in nodes[1].engine.view(room.now) if v.node_id == nodes[0].node_id)
    assert shown.state == "suspect" and 0 < shown.suspicion < 1 and shown.accusers >= 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
CLAIMS = st.lists(
    st.tuples(st.sampled_from(["alive", "left", "suspect", "dead", "x"]), JSON, JSON, JSON).map(list) | JSON,
    max_size=4,
)


@given(
    st.fixed_dictionaries(
        {
            "type": st.just("x-covey-member"),
            "op": st.sampled_from(["probe", "ack", "ask", "nack", "news"]) | JSON,
        },
        optional={"seq": JSON, "target": JSON, "claims": CLAIMS, "else": JSON},
    )
)
def test_a_frame_is_read_or_refused_with_its_reason(value):
    try:
        read = frames.read(json.dumps(value).encode())
    except BadClaimError as error:
        assert str(error)
    else:
        again = frames.write(read.op, read.claims, seq=read.seq, target=read.target)
        assert frames.read(again) == read


@given(st.binary(max_size=64))
def test_bytes_that_are_no_frame_are_refused(raw):
    with pytest.raises(BadClaimError):
        frames.read(raw)


def test_claims_come_back_as_they_were_written():
    node_id = "01900000-0000-7000-8000-000000000001"
    for claim in (
        Self(node_id, 7, "né", '{"a":1}', bytes(range(32)), bytes(range(64))),
        Self(node_id, 7, "né", "", bytes(32), bytes(64), left=True),
        Accusation("suspect", node_id, 0, node_id),
        Accusation("dead", node_id, limits.JSON_INTEGER, node_id),
    ):
        assert parse(claim.wire()) == claim


class Life(RuleBasedStateMachine):
    """Kills, restarts, stops, cuts and heals: each member's story alternates, and in the end all agree."""

    @initialize(seed=st.integers(0, 1_000))
    def begin(self, seed):
        self.room = Room(seed=seed, loss=0.02)
        self.lives = dict.fromkeys(range(1, 6), 0)
        self.nodes = {number: self.room.node(number, MembershipOptions()) for number in self.lives}
        self.watched = list(self.nodes.values())
        self.link()
        self.room.run(3)

    def link(self):
        up = [node for node in self.nodes.values() if node.alive]
        for index, one in enumerate(up):
            for other in up[:index]:
                if other.node_id not in one.links and not one.frozen and not other.frozen:
                    self.room.connect(one, other)

    @rule(number=st.integers(1, 5))
    def kill(self, number):
        if self.nodes[number].alive:
            self.nodes[number].kill()

    @rule(number=st.integers(1, 5))
    def restart(self, number):
        if not self.nodes[number].alive:
            self.lives[number] += 1
            self.nodes[number] = self.room.node(number, life=self.lives[number])
            self.watched.append(self.nodes[number])
            self.link()

    @rule(number=st.integers(1, 5))
    def stop_or_go_on(self, number):
        node = self.nodes[number]
        (node.thaw if node.frozen else node.freeze)()

    @rule(number=st.integers(1, 5))
    def cut_off(self, number):
        lonely = self.nodes[number].node_id
        self.room.cut = lambda a, b: (a == lonely) != (b == lonely)

    @rule()
    def heal(self):
        self.room.cut = lambda _a, _b: False
        self.link()

    @rule(seconds=st.floats(0.1, 15))
    def wait(self, seconds):
        self.room.run(seconds)

    @precondition(lambda self: hasattr(self, "room"))
    @invariant()
    def stories_alternate_and_incarnations_rise(self):
        for node in self.watched:
            for about in {news.node_id for _, news in node.news}:
                told = [n for _, n in node.news if n.node_id == about and not isinstance(n, MemberSuspected)]
                for before, after in pairwise(told):
                    assert isinstance(before, MemberJoined) != isinstance(after, MemberJoined)
                    if isinstance(after, MemberJoined):
                        assert after.incarnation > before.incarnation
                    else:
                        assert after.incarnation >= before.incarnation

    def teardown(self):
        if not hasattr(self, "room"):
            return
        for node in self.nodes.values():
            if node.frozen:
                node.thaw()
        self.room.loss = 0.0
        self.heal()
        self.room.run(60)
        up = {node.node_id for node in self.nodes.values() if node.alive}
        for node in self.nodes.values():
            if node.alive:
                here = {member.node_id for member in node.engine.members.here()}
                assert here == up - {node.node_id}


Life.TestCase.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)
TestLife = Life.TestCase


def test_s21_two_that_gave_each_other_up_meet_again_when_the_way_is_whole():
    room, nodes = room_of(5)
    lonely = nodes[3].node_id
    room.cut = lambda a, b: (a == lonely) != (b == lonely)
    for node in nodes[:3]:
        node.kill()
    room.run(30)
    assert nodes[3].states()[nodes[4].node_id] == nodes[4].states()[lonely] == "dead"
    room.cut = lambda _a, _b: False
    room.run(40)
    assert nodes[3].states()[nodes[4].node_id] == nodes[4].states()[lonely] == "alive"
