"""The examples are programs that run; each says what it is for in its first lines."""

import json
import os
import subprocess
import sys

import pytest

from tests.tidy import tree

EXAMPLES = sorted(tree.named(under=("examples/",), suffix=".py"))
SAYS = {
    "examples/auction.py": ["bids:", "passed:", "winner:", "works:", "nobody:"],
    "examples/home_and_office.py": ["home:", "office:", "same:"],
    "examples/librarian/books.py": ["find:", "lend:"],
    "examples/pool.py": ["in", *["said:"] * 6, "paper:", "in", *["said:"] * 6, "paper:"],
    "examples/research_team.py": ["killed:", "lost:", "lineage:", "lineage:", "lineage:", "ended:"],
    "examples/sign_and_verify.py": ["signed:", "verified:", "refused:"],
    "examples/solve.py": ["idea:", "idea:", "chosen:", "remark:", "made:", "silent:", "holds:"],
    "examples/takeover.py": ["declared:", "killed:", "goes", "has:", "refused:", "given"],
    "examples/task.py": ["at", *["story:"] * 5, "result:", "asked", "nobody:"],
    "examples/two_peers.py": ["bob", "ann", "ann"],
    "examples/vote.py": ["decided:", "silent:", "counted"],
}
"""What each example's lines begin with, in order."""
HOME_AND_OFFICE = "examples/home_and_office.py"
RESEARCH_TEAM = "examples/research_team.py"
TAKEOVER = "examples/takeover.py"
OWN = {
    HOME_AND_OFFICE,
    RESEARCH_TEAM,
    TAKEOVER,
    "examples/auction.py",
    "examples/solve.py",
    "examples/task.py",
    "examples/vote.py",
}
"""Those with a test of their own below."""


def test_every_example_is_expected_to_say_something():
    assert sorted(SAYS) == EXAMPLES


def ran(name, tmp_path):
    environment = {
        **os.environ,
        "COVEY_HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    answer = subprocess.run(
        [sys.executable, tree.ROOT / name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize("name", sorted(SAYS.keys() - OWN))
def test_an_example_runs(name, tmp_path):
    said(name, ran(name, tmp_path))


def test_a05_home_and_office_end_with_the_same_document(tmp_path):
    answer = ran(HOME_AND_OFFICE, tmp_path)
    said(HOME_AND_OFFICE, answer)
    home, office, same = answer.splitlines()
    assert home.partition(": ")[2] == office.partition(": ")[2]
    assert {"goal", "deadline"} == json.loads(home.partition(": ")[2]).keys()
    assert same == "same: True"


def test_a06_a_team_ends_its_task_although_a_member_is_killed_midway(tmp_path):
    answer = ran(RESEARCH_TEAM, tmp_path)
    said(RESEARCH_TEAM, answer)
    killed, lost, *lineage, ended = (line.partition(": ")[2] for line in answer.splitlines())
    assert lost == f"{killed.partition(',')[0]} is gone, and took the task with it"
    steps = [line.split(": ")[:2] for line in lineage]
    assert [does for _, does in steps] == ["research", "implement", "review"]
    assert {"lead", "reviewer"} < {who for who, _ in steps} and killed.partition(",")[0] not in dict(steps)
    assert [line.endswith("on 1 of 1") for line in lineage] == [False, True, True]
    assert ended == "3 steps"


def test_a07_the_takeover_of_a_killed_node_is_an_example(tmp_path):
    answer = ran(TAKEOVER, tmp_path)
    said(TAKEOVER, answer)
    declared, _, goes_on, has, refused, back = answer.splitlines()
    assert declared == "declared: first, second; 2 of 3 decide"
    assert goes_on == "goes on: first, since epoch 2; lost: 0"
    assert has == "has: [('chapter', 'three')]"
    assert refused == "refused: fenced"
    assert back == "given back: [('chapter', 'four')]"


def test_s17_a_task_whose_worker_is_killed_is_an_example(tmp_path):
    answer = ran("examples/task.py", tmp_path)
    said("examples/task.py", answer)
    lines = answer.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("story:")] == [
        "submitted",
        "granted",
        "lost",
        "granted",
        "done",
    ]
    assert lines[6] == "result: guten Morgen, all (1 lost on the way)"


def test_s11_a_vote_is_an_example(tmp_path):
    answer = ran("examples/vote.py", tmp_path)
    said("examples/vote.py", answer)
    assert answer.splitlines() == [
        "decided:  yes, by 2 of 3",
        "silent:   1, and nobody waited for it",
        "counted again by bob: it holds",
    ]


def test_s12_an_auction_is_an_example(tmp_path):
    answer = ran("examples/auction.py", tmp_path)
    assert sorted(answer.splitlines()) == [
        "bids:    2",
        "nobody:  no-bids",
        "passed:  declined",
        "winner:  cid, confirmed",
        "works:   cid, at the summary",
    ]


def test_s15_solving_together_is_an_example(tmp_path):
    answer = ran("examples/solve.py", tmp_path)
    said("examples/solve.py", answer)
    assert "made:    bob: a test that sends one frame in two parts" in answer.splitlines()
    assert answer.splitlines()[-1] == "holds:   True, by bob's own check"


def test_m17_researcher_writer_and_reviewer_pass_the_same_messages_in_one_process_and_in_three(tmp_path):
    answer = ran("examples/pool.py", tmp_path)
    said("examples/pool.py", answer)
    lines = answer.splitlines()
    assert lines[0] == "in one process" and lines[8] == "in three processes"
    assert lines[1:8] == lines[9:]
    assert [line.rpartition(" ")[2] for line in lines[1:7]] == [
        "EXPERIMENT_DATA",
        "PAPER_DRAFT",
        "REVISION_REQUEST",
        "PAPER_DRAFT",
        "REVIEW_RESULT",
        "TASK_COMPLETE",
    ]
    assert lines[7] == "paper:   3 of 120 frames are lost, at the end of bursts"


def said(name, text):
    starts = [line.split()[0] for line in text.splitlines() if not line.startswith(" ")]
    assert starts == SAYS[name]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_says_what_it_is_for(name):
    assert "Run it:" in (tree.python(name).body[0].value.value)


CONFIGURATIONS = sorted(tree.named(under=("examples/",), suffix=".toml"))


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_an_example_configuration_passes_every_check(name, tmp_path):
    keys = dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "MISTRAL_API_KEY"), "not-a-key")
    environment = {**os.environ, "COVEY_HOME": str(tmp_path), **keys}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    answer = subprocess.run(
        [sys.executable, "-m", "covey", "dry-run", "--config", tree.ROOT / name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "PASS" in answer.stdout
