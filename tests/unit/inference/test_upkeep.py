"""What an update would do: what is refused before anything is touched, and how each step is undone."""

from __future__ import annotations

from dataclasses import replace

from covey.inference.upkeep import Facts, plan, undoing

TREE = Facts("git", "/src", "aaaa", "bbbb", "main", behind=2)
PIP, CHECK = ("pip", "install"), ("covey", "--version")


def test_m31_a_dirty_tree_own_commits_and_a_branch_from_nowhere_are_refused():
    dirty = plan(replace(TREE, dirty=("a", "b", "c", "d", "e", "f", "g")), PIP, CHECK)
    assert dirty.steps == () and "a, b, c, d, e and 2 more" in dirty.refused
    assert "2 commits" in plan(replace(TREE, ahead=2), PIP, CHECK).refused
    assert "nowhere" in plan(replace(TREE, new=""), PIP, CHECK).refused


def test_m31_nothing_new_is_nothing_to_do():
    found = plan(replace(TREE, new="aaaa", behind=0), PIP, CHECK)
    assert (found.steps, found.refused) == ((), "")


def test_m31_a_checkout_goes_forward_only_and_back_tree_first():
    found = plan(TREE, PIP, CHECK)
    assert [step.command for step in found.steps] == [
        ("git", "-C", "/src", "merge", "--ff-only", "bbbb"),
        ("pip", "install", "/src"),
        ("covey", "--version"),
    ]
    assert undoing(found.steps[:2]) == [
        ("git", "-C", "/src", "reset", "--hard", "aaaa"),
        ("pip", "install", "/src"),
    ]


def test_m31_a_package_goes_back_to_its_version():
    found = plan(Facts("pip", "", "0.1.0"), PIP, CHECK)
    assert undoing(found.steps) == [("pip", "install", "covey==0.1.0")]
    assert found.steps[0].command == ("pip", "install", "--upgrade", "covey")
