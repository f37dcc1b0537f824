"""The role of a machine: the order of the rules, and the reason that is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from covey.inference.roles import Facts, role_of

EVERYTHING = Facts(
    environment="solo",
    chosen="leader",
    node_role="peer",
    node_name="box",
    tunnel="a tunnel.yml",
    door="leader",
    connection="http://leader:8099",
    model="ollama",
)
ORDER = [
    ("environment", "environment", "solo"),
    ("chosen", "chosen", "leader"),
    ("node_role", "mesh-file", "peer"),
    ("tunnel", "tunnel", "leader"),
    ("door", "door", "leader"),
    ("connection", "connection", "peer"),
    ("model", "model", "solo"),
]


def test_m19_the_first_rule_that_holds_decides_and_is_named():
    facts = EVERYTHING
    for member, rule, role in ORDER:
        chosen = role_of(facts)
        assert (chosen.rule, chosen.role) == (rule, role)
        assert chosen.why
        facts = replace(facts, **{member: None})
    assert (role_of(facts).rule, role_of(facts).role) == ("default", "leader")


@pytest.mark.parametrize("member", ["environment", "chosen"])
def test_a_word_that_is_no_role_is_refused(member):
    with pytest.raises(ValueError, match="leader, peer, solo"):
        role_of(Facts(**{member: "boss"}))
