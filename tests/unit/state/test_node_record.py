"""A node is what its agents sign: a claim without a signature is no record, and no change is silent."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covey import core
from covey.errors import IdentityError
from covey.state import node_record as nodes

WHO = [
    core.Identity(f"018f47a0-7b21-7abc-8def-00000000000{number}", f"agent-{number}", bytes([number + 1]) * 32)
    for number in range(4)
]


def agent(who):
    return nodes.Agent(who.public_key, who.node_id, who.name)


def made(*who):
    return nodes.begin(map(agent, who), who, 1_000)


def test_a16_the_id_follows_from_the_agents_and_stays_when_they_change():
    chain = made(WHO[0], WHO[1])
    assert chain.node == nodes.node_id([WHO[1].public_key, WHO[0].public_key])
    assert chain.node != made(WHO[0]).node
    grown = nodes.change(chain, map(agent, WHO[:3]), WHO[:3], 2_000)
    shrunk = nodes.change(grown, [agent(WHO[2])], [WHO[2]], 3_000)
    assert [len(c.records) for c in (chain, grown, shrunk)] == [1, 2, 3]
    assert chain.node == grown.node == shrunk.node
    assert grown.holds(WHO[2].public_key) and not shrunk.holds(WHO[0].public_key)
    assert nodes.read(shrunk.to_json()) == shrunk


def test_a16_a_claim_on_an_agent_without_its_signature_is_refused():
    with pytest.raises(IdentityError) as raised:
        nodes.begin(map(agent, WHO[:2]), [WHO[0]], 1)
    assert raised.value.code == "unsigned_agent"
    chain = made(WHO[0])
    with pytest.raises(IdentityError) as raised:
        nodes.change(chain, [agent(WHO[0]), agent(WHO[1])], [WHO[0]], 2)
    assert raised.value.code == "unsigned_agent"
    with pytest.raises(IdentityError) as raised:
        nodes.change(chain, [agent(WHO[1])], [WHO[1]], 2)  # nobody of the record before agrees
    assert raised.value.code == "unsigned_agent"
    # Where an old agent signs, another may take its place.
    assert nodes.change(chain, [agent(WHO[1])], WHO[:2], 2).holds(WHO[1].public_key)


def test_a16_nothing_in_a_record_can_be_changed_left_out_or_put_elsewhere():
    chain = nodes.change(made(WHO[0], WHO[1]), map(agent, WHO[:3]), WHO[:3], 2)
    found = json.loads(chain.to_json())
    first, second = found["records"]
    other = json.loads(nodes.change(made(WHO[0], WHO[2]), map(agent, WHO[:3]), WHO[:3], 2).to_json())[
        "records"
    ]
    for records in (
        [],
        [second],
        [first, first],
        [first, other[1]],
        [second, first],
        [{**first, "body": first["body"].replace("agent-0", "agent-9")}, second],
        [{**first, "body": first["body"] + " "}],
        [{**first, "signatures": {}}],
        [{**first, "signatures": second["signatures"]}],
        [{**first, "body": "{}"}],
        [7],
    ):
        with pytest.raises(IdentityError):
            nodes.read(json.dumps({"version": 1, "records": records}).encode())


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0), st.integers(0, 20))
def test_any_bytes_are_a_chain_or_refused(put, at, drop):
    valid = made(WHO[0]).to_json()
    at %= len(valid)
    for data in (put, valid[:at] + put + valid[at + drop :]):
        try:
            found = nodes.read(data)
        except IdentityError:
            continue
        assert found.node == made(WHO[0]).node


def test_two_records_that_contradict_each_other_are_seen():
    chain = made(WHO[0], WHO[1])
    left = nodes.change(chain, [agent(WHO[0])], [WHO[0]], 2)
    right = nodes.change(chain, [agent(WHO[1])], [WHO[1]], 2)
    best, split = nodes.newest([chain, left])
    assert (best[chain.node], split) == (left, frozenset())
    assert nodes.newest([left, right])[1] == {chain.node}


def test_a_node_has_bounds():
    for agents in ([], [agent(WHO[0]), agent(WHO[0])]):
        with pytest.raises(IdentityError):
            nodes.begin(agents, [WHO[0]], 1)
