"""Authority between peers: what one takes reaches the others, in any order; nothing forged does."""

import itertools
import json

import pytest

from covey import _core, limits
from covey.proto.authority.rights import ruling
from covey.runtime.unanchored import Unanchored
from tests.unit.proto.statements import ANCHOR, PIN, grant, meet, revoke, ruled
from tests.unit.proto.virtual import Mesh, identity

ADMIN, GUEST, STRANGER = identity(2), identity(3), identity(9)


def settled(*nodes):
    nodes[0].mesh.advance(3)
    return [(node.authority.root, node.authority.count) for node in nodes]


def say(node, to, frame):
    """Seal any frame of the four for a peer."""
    node.extension._host.send(to.host.identity.node_id, json.dumps(frame).encode(), _Turn(node))
    node.host.engine._sessions.flush(_Turn(node))


class _Turn:
    """Just enough of a turn to send with, by hand."""

    def __init__(self, node):
        self.now = node.mesh.now()
        self._host = node.host

    def count(self, name, by=1):
        self._host.counts[name] += by

    def add(self, effect):
        self._host._do(effect)

    def log(self, *_, **__):
        pass


def test_a_grant_reaches_whom_it_never_met_and_whoever_comes_later():
    mesh = Mesh()
    one, two, three = ruled(mesh, 1, 2, 3)
    mesh.introduce(one.host, two.host)
    admin = grant(ADMIN, "admin")
    assert one.take(admin).standing == "in-force"
    assert two.take(grant(GUEST, "validator", source=admin.id, signer=ADMIN)).problem
    mesh.advance(2)
    assert two.authority.get(admin.id) is not None
    guest = grant(GUEST, "validator", source=admin.id, signer=ADMIN)
    assert two.take(guest).standing == "in-force"
    mesh.introduce(two.host, three.host)
    assert len(set(settled(one, two, three))) == 1
    assert three.authority.roles(GUEST.node_id, GUEST.public_key) == [("validator", None)]
    assert set(three.disk) == {admin.id, guest.id}
    assert three.host.counts["authority.pulls"] == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_revoke_wins_in_any_order_of_arrival(order):
    mesh = Mesh()
    one, two = ruled(mesh, 4, 5)
    meet(one, two)
    admin = grant(ADMIN, "admin")
    guest = grant(GUEST, "validator", source=admin.id, signer=ADMIN)
    told = [admin, guest, revoke(admin)]
    for position in order:
        say(one, two, {"type": "authority-statement", "statement": json.loads(told[position].to_json())})
        mesh.advance(0.5)
    # A statement whose grant was missing waits, or is asked for and not had; the source brings it again.
    say(one, two, {"type": "authority-statement", "statement": json.loads(guest.to_json())})
    mesh.advance(3)
    assert two.authority.standing(admin.id) == "removed"
    assert two.authority.reach(ADMIN.node_id, ADMIN.public_key) == "none"
    assert two.authority.reach(GUEST.node_id, GUEST.public_key) == "none"


def test_a_forged_statement_is_refused_counted_and_goes_no_further():
    mesh = Mesh()
    liar, two, three = ruled(mesh, 4, 5, 6)
    meet(liar, two, three)
    forged = grant(STRANGER, "admin", signer=STRANGER)
    for n in range(limits.AUTHORITY_FAILURES + 4):
        forged = grant(STRANGER, "admin", signer=STRANGER, n=n)
        say(liar, two, {"type": "authority-statement", "statement": json.loads(forged.to_json())})
    mesh.advance(2)
    assert two.host.counts["authority.refused.bad_signature"] == limits.AUTHORITY_FAILURES
    assert two.host.counts["authority.muted"] == 4
    assert [log.event for log in two.host.logs].count("statement-refused") == 1, "one line for many"
    assert (len(two.authority), len(three.authority), two.disk) == (0, 0, {})
    assert three.host.counts["authority.refused.bad_signature"] == 0
    # An honest one of the same peer is heard again once that is forgotten.
    mesh.advance(limits.AUTHORITY_MUTE_SECONDS)
    say(liar, two, {"type": "authority-statement", "statement": json.loads(grant(ADMIN, "admin").to_json())})
    assert len(set(settled(two, three))) == 1
    assert three.authority.count == 1


def test_a_missing_link_is_asked_for_by_its_id():
    mesh = Mesh()
    one, two = ruled(mesh, 4, 5)
    meet(one, two)
    admin = grant(ADMIN, "admin")
    guest = grant(GUEST, "issuer", source=admin.id, signer=ADMIN)
    one.authority.offer(admin)  # held there, and not told: two asks for it
    say(one, two, {"type": "authority-statement", "statement": json.loads(guest.to_json())})
    mesh.settle()
    assert two.authority.count == 2
    assert two.host.counts["authority.pending"] == 1
    orphan = grant(GUEST, "issuer", source="auth-" + "0" * 64, signer=ADMIN)
    say(one, two, {"type": "authority-statement", "statement": json.loads(orphan.to_json())})
    mesh.advance(limits.AUTHORITY_PENDING_SECONDS + 1)
    assert two.host.counts["authority.dropped.unlinked"] == 1


def test_a_flood_costs_what_its_lane_pays_and_no_more():
    mesh = Mesh()
    flood, two = ruled(mesh, 4, 5)
    meet(flood, two)
    frames = []
    for n in range(300):
        one = _core.Statement.grant(
            "anchor",
            node_id=STRANGER.node_id,
            public_key=STRANGER.public_key,
            role="issuer",
            nonce=n.to_bytes(16, "big"),
        ).sign(ANCHOR)
        frames.append({"type": "authority-statement", "statement": json.loads(one.to_json())})
    for frame in frames:
        say(flood, two, frame)
    mesh.settle()
    held = two.host.counts["authority.held"]
    cost = two.authority.price(grant(GUEST, "admin"))
    assert held <= limits.AUTHORITY_CHECKS_BURST // cost
    assert two.host.counts["authority.over_budget"] == 300 - held > 0


def test_many_statements_come_page_by_page_and_both_sides_rest():
    mesh = Mesh()
    one, two = ruled(mesh, 4, 5)
    for n in range(150):
        told = _core.Statement.grant(
            "anchor",
            node_id=GUEST.node_id,
            public_key=GUEST.public_key,
            role="participant",
            nonce=n.to_bytes(16, "big"),
        ).sign(ANCHOR)
        one.authority.offer(told)
    one.take(grant(ADMIN, "admin", n=255))
    mesh.advance(1)
    mesh.introduce(one.host, two.host)
    mesh.advance(20)
    assert (two.authority.count, two.authority.root) == (151, one.authority.root)
    assert one.host.counts["authority.served"] >= 3
    before = dict(two.host.counts)
    mesh.advance(300)
    sent = "extensions.authority.sent"
    assert two.host.counts[sent] == before[sent], "equal roots have nothing to say"


def test_questions_have_a_pace_and_a_queue():
    mesh = Mesh()
    one, two = ruled(mesh, 4, 5)
    meet(one, two)
    for n in range(limits.AUTHORITY_ANSWERS_BURST + limits.AUTHORITY_QUESTIONS + 5):
        say(one, two, {"type": "authority-fetch", "reqId": str(n), "after": ""})
    mesh.settle()
    assert two.host.counts["authority.served"] <= limits.AUTHORITY_ANSWERS_BURST + 1
    assert two.host.counts["authority.dropped.questions_full"] >= 4
    mesh.advance(limits.AUTHORITY_QUESTIONS)
    assert two.host.counts["authority.served"] >= limits.AUTHORITY_QUESTIONS
    assert one.host.counts["authority.unasked"] > 0, "nobody is believed who answers what was not asked"


def test_a_tampered_row_of_the_disk_is_refused_and_logged():
    mesh = Mesh()
    admin, guest = grant(ADMIN, "admin"), grant(STRANGER, "participant", n=1)
    bent = json.loads(guest.to_json()) | {"role": "admin"}
    disk = {admin.id: admin.to_json(), guest.id: json.dumps(bent).encode()}
    (one,) = ruled(mesh, 4, disk=disk)
    assert (one.authority.count, one.authority.reach(STRANGER.node_id, STRANGER.public_key)) == (1, "none")
    assert one.host.counts["authority.restore_refused.schema"] == 1
    refused = [log for log in one.host.logs if log.event == "stored-statement-refused"]
    assert [log.facts["id"] for log in refused] == [guest.id]
    assert set(one.disk) == set(disk), "another pin may find it again"


def test_under_another_pin_nothing_counts_and_nothing_is_forgotten():
    mesh = Mesh()
    admin = grant(ADMIN, "admin")
    other = _core.AnchorPin(1, [(STRANGER.public_key, None)])
    (one,) = ruled(mesh, 4, pin=other, disk={admin.id: admin.to_json()})
    assert one.authority.count == 0
    (again,) = ruled(mesh, 5, disk=one.disk)
    assert again.authority.count == 1


def test_peers_with_different_anchors_agree_on_nothing_and_do_not_argue():
    mesh = Mesh()
    (one,) = ruled(mesh, 4)
    (two,) = ruled(mesh, 5, pin=_core.AnchorPin(1, [(STRANGER.public_key, None)]))
    one.take(grant(ADMIN, "admin"))
    two.take(grant(ADMIN, "validator", signer=STRANGER))
    meet(one, two)
    mesh.advance(600)
    assert (one.authority.count, two.authority.count) == (1, 1)
    assert one.authority.roles(ADMIN.node_id, ADMIN.public_key) == [("admin", None)]
    assert one.host.counts["authority.pulls"] < 20, "a root that stays apart is looked at less and less"


def test_what_the_operator_signs_is_durable_before_it_is_answered():
    mesh = Mesh()
    (anchor,) = ruled(mesh, 1)
    anchor.full = True
    wish = {"node_id": ADMIN.node_id, "public_key": ADMIN.public_key, "role": "admin"}
    assert "not kept" in anchor.sign("grant", **wish).problem
    anchor.full = False
    told = anchor.sign("grant", **wish)
    assert (told.standing, told.problem) == ("in-force", "")
    assert anchor.disk[told.id] == told.statement
    ended = anchor.sign("revoke", targets=(told.id,))
    assert ended.standing == "in-force"
    assert anchor.authority.standing(told.id) == "removed"


def test_nobody_signs_beyond_what_it_holds():
    mesh = Mesh()
    admin, guest = ruled(mesh, 2, 3)
    wish = {"node_id": STRANGER.node_id, "public_key": STRANGER.public_key}
    assert "no authority in force" in guest.sign("grant", role="participant", **wish).problem
    root = grant(ADMIN, "admin")
    issuer = grant(GUEST, "issuer", source=root.id, signer=ADMIN, scope="lab:one")
    for node in (admin, guest):
        node.take(root)
        node.take(issuer)
    assert "no authority in force" in guest.sign("grant", role="validator", **wish).problem
    assert "no authority in force" in guest.sign("grant", role="participant", **wish).problem, (
        "wider than its scope"
    )
    inside = guest.sign("grant", role="participant", scope="lab:one/two", **wish)
    assert inside.standing == "in-force"
    assert "no authority" in guest.sign("revoke", targets=(root.id,)).problem
    assert guest.sign("revoke", targets=(inside.id,)).standing == "in-force"
    assert "one of the pinned anchor's" in guest.sign("endorse", targets=(root.id,), as_anchor=True).problem
    assert (
        "none" in guest.sign("grant", role="king", **wish).problem
        or guest.sign("grant", role="king", **wish).problem
    )


def test_an_anchor_of_several_says_nothing_alone():
    mesh = Mesh()
    pin = _core.AnchorPin(2, [(ANCHOR.public_key, None), (ADMIN.public_key, None), (GUEST.public_key, None)])
    one, two = ruled(mesh, 1, 2, pin=pin)
    wish = {"node_id": STRANGER.node_id, "public_key": STRANGER.public_key, "role": "validator"}
    half = one.sign("grant", as_anchor=True, **wish)
    assert (half.standing, one.authority.count) == ("incomplete", 0)
    whole = _core.Statement.parse(half.statement).sign(ADMIN)
    assert two.take(whole).standing == "in-force"


def test_retired_frames_are_ignored_and_never_sent():
    mesh = Mesh()
    one, two = ruled(mesh, 1, 2)
    meet(one, two)
    before = two.authority.root
    for kind in ("role-grant", "role-revoke"):
        session = next(iter(one.host.engine._sessions.links.values())).speaking
        with pytest.raises(_core.CoreError):
            session.send_control(json.dumps({"type": kind}).encode())
    one.take(grant(ADMIN, "admin"))
    mesh.advance(2)
    assert two.authority.root != before
    sent = {name for name in two.host.counts if name.startswith("frames.control.")}
    assert not any("role-" in name for name in sent)


def test_who_may_move_a_block_is_one_function():
    told = {
        (move, reach): ruling(move, reach, anchored=True).allowed
        for move in ("validate", "dismiss", "canonise")
        for reach in ("none", "validated", "canonical")
    }
    assert [pair for pair, allowed in told.items() if allowed] == [
        ("validate", "validated"),
        ("validate", "canonical"),
        ("dismiss", "validated"),
        ("dismiss", "canonical"),
        ("canonise", "canonical"),
    ]
    assert not ruling("validate", "canonical", anchored=False).allowed
    assert "no anchor is pinned" in Unanchored().may("validate", ADMIN.node_id).reason
    assert (
        "canonise needs authority that reaches canonical"
        in ruling("canonise", "validated", anchored=True).reason
    )


def test_authority_is_judged_under_the_key_a_node_is_bound_to():
    mesh = Mesh()
    one, two = ruled(mesh, 1, 2)
    one.take(grant(ADMIN, "validator"))
    assert one.extension.reach(ADMIN.node_id) == "none", "a node that never proved its key"
    meet(one, two)
    assert one.extension.reach(ADMIN.node_id) == "validated"
    assert one.extension.reach(ANCHOR.node_id) == "canonical"
    assert (one.extension.role(), two.extension.role()) == ("anchor", "validator")
    assert PIN.threshold == 1
