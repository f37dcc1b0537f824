"""The demo's scripted texts: admitted by every receiver, in every order, far from being a repeat."""

from itertools import permutations

import pytest

from covey import _core
from covey.cli.demo.scenario import AGENTS, DEFAULT_TASK, OPERATOR, ModelChoice, Run, agent_toml
from covey.settings import parse

MARGIN = 0.04
SLOWEST_SECONDS = 60.0
"""Older than any block of the demo can be when it is judged."""

NODE_IDS = tuple(f"0190aaaa-0000-7000-8000-00000000000{number}" for number in range(3))
SCRIPTED = ModelChoice("scripted", "rules", None, "asked for")
RUN = Run("demo-1", NODE_IDS, SCRIPTED, 12, 60.0)
SETTINGS = {name: parse(agent_toml(name, RUN), file=f"{name}.toml") for name in AGENTS}


def texts():
    """The five blocks by a letter, read from the very rules that the demo runs."""

    def says(name, rule):
        templates = SETTINGS[name].scripted.rules[rule].emit.templates()
        return {category: "".join(template.pieces) for category, template in templates.items()}

    return {
        "T": (OPERATOR, {"focus": DEFAULT_TASK}),
        "W": ("writer", says("writer", 0)),
        "R": ("reviewer", says("reviewer", 0)),
        "X": ("test-writer", says("test-writer", 0)),
        "F": ("writer", says("writer", 1)),
    }


BLOCKS = texts()
WEIGHTS = {name: SETTINGS[name].role_weights.as_tuple() for name in AGENTS} | {OPERATOR: (1.0,) * 7}
CAUSED_BY = {"W": "T", "R": "W", "X": "R", "F": "X"}


def orders(receiver):
    """Every order in which a receiver can hold the five blocks.

    A sender's own blocks keep their order, and a receiver's own block comes after what it answers and before
    what answers it. Everything else may arrive in any order: each sender has a connection of its own.
    """
    follows = {"T": "WRXF", "W": "RXF", "R": "XF", "X": "F", "F": ""}
    for order in permutations(BLOCKS):
        at = {letter: place for place, letter in enumerate(order)}
        own = [letter for letter in order if BLOCKS[letter][0] == receiver]
        if (
            at["W"] < at["F"]
            and all(at[CAUSED_BY[letter]] < at[letter] for letter in own if letter in CAUSED_BY)
            and all(at[letter] < at[later] for letter in own for later in follows[letter])
        ):
            yield order


def judged(receiver):
    """Every (block, anchors held before it) that a receiver may have to judge."""
    return {
        (letter, order[:place])
        for order in orders(receiver)
        for place, letter in enumerate(order)
        if BLOCKS[letter][0] != receiver
    }


@pytest.mark.parametrize("receiver", [*AGENTS, OPERATOR])
@pytest.mark.parametrize("age_seconds", [0.0, SLOWEST_SECONDS])
def test_every_block_is_admitted_everywhere_and_far_from_being_a_repeat(receiver, age_seconds):
    """By the usual path and encoder. A memory so young turns nothing away, so only repeats can be refused."""
    cases = judged(receiver)
    assert {letter for letter, _ in cases} == {each for each in BLOCKS if BLOCKS[each][0] != receiver}
    assert len(cases) >= 6
    encoder = _core.Encoder()
    traces = {letter: encoder.traces(said) for letter, (_, said) in BLOCKS.items()}
    for letter, held in sorted(cases):
        answers = CAUSED_BY.get(letter, "?") in held
        found = encoder.judge(
            traces[letter],
            [(traces[each], 1.0) for each in reversed(held)],
            {"weights": WEIGHTS[receiver]},
            age_seconds=age_seconds,
            answers=answers,
        )
        where = (
            f"{receiver} judges {letter} holding {''.join(held)}: {found.decision} {found.max_nearest_drift}"
        )
        assert found.accepted, where
        if held:
            assert found.max_nearest_drift >= (0.25 if answers else 0.50) + MARGIN, where


def test_the_two_closing_rules_of_the_writer_say_the_same():
    assert SETTINGS["writer"].scripted.rules[1].emit == SETTINGS["writer"].scripted.rules[2].emit


def test_every_agents_closing_block_carries_a_commitment_and_the_draft_does_not():
    assert "commitment" not in BLOCKS["W"][1]
    assert all("commitment" in BLOCKS[letter][1] for letter in "RXF")


def test_the_calls_of_all_agents_together_stay_within_the_bound():
    assert sum(settings.run.max_calls for settings in SETTINGS.values()) <= 12
    tight = parse(agent_toml("writer", Run("r", NODE_IDS, SCRIPTED, 5, 60.0)))
    assert tight.run.max_calls == tight.safety.max_calls_per_thread == 1


def test_what_the_demo_fills_in_is_read_back_as_it_was_given():
    strange = 'a"b\\c\n\x7f\u2028é😀'
    model = ModelChoice("compatible", strange, "http://127.0.0.1:8080/v1", "asked for")
    settings = parse(agent_toml("reviewer", Run("demo-x", NODE_IDS, model, 12, 90.0)))
    assert settings.model.model_name == strange
    assert settings.model.base_url == "http://127.0.0.1:8080/v1"
    assert settings.mesh.room == "demo-x" and settings.run.participants == NODE_IDS
    assert settings.run.idle_seconds == 90.0
    assert settings.prompt.system.startswith("You review drafts.")
