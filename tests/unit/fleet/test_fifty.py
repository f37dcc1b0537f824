"""Fifty nodes in virtual time, of which a third is killed at once: who is left agrees on who is left."""

from benches.members import Room
from covey.fleet import capabilities as caps
from covey.fleet.capabilities import Offer, Standing
from covey.proto.membership import views
from covey.proto.membership.news import MemberLeft


def able(room, node):
    """Who one node would hand work to, by nodeId."""
    standings = [
        Standing(each.node_id, each.name, each.state in ("alive", "suspect"), each.suspicion, each.meta)
        for each in node.engine.view(room.now)
    ]
    offers = [offer for each in caps.living(standings) for offer in caps.read(each, heeded=True)[0]]
    return {offer.node_id for offer in caps.chosen(offers, "work")}


def seconds(room, true):
    """Let virtual seconds pass until something is so; return how many."""
    for waited in range(60):
        if true():
            return waited
        room.run(1.0)
    raise AssertionError("never")


def test_s08_s16_fifty_nodes_that_lose_a_third_at_once_find_all_of_it_and_nobody_else():
    room = Room(loss=0.05, seed=7)
    nodes = room.everybody(50)
    room.run(1.0)
    for number, node in enumerate(nodes):
        line = caps.written([Offer(f"agent-{number}", ("work",))])
        node.turn(lambda turn, node=node, line=line: node.engine.told(views.Say(line), turn))
    everybody = {node.node_id for node in nodes}
    waited = seconds(room, lambda: all(able(room, n) == everybody - {n.node_id} for n in nodes))
    assert waited <= 15, "what a lost frame did not bring, gossip does"

    killed, left = nodes[::3], [node for node in nodes if node not in nodes[::3]]
    for node in killed:
        node.kill()
    gone = {node.node_id for node in killed}
    remain = everybody - gone

    def agreed():
        return all({n for n, state in node.states().items() if state == "dead"} == gone for node in left)

    assert seconds(room, agreed) <= 30, "the worst case that S-16 allows"
    for node in left:
        assert able(room, node) == remain - {node.node_id}
        told = [news.node_id for _, news in node.told(MemberLeft)]
        assert sorted(told) == sorted(gone), "each once, and nobody alive"
