"""X-14: gates look at every category, see through simple disguises, and are really off when they are off."""

from __future__ import annotations

import pytest

from covey.limits import GATE_TEXT_CHARS
from covey.model import CAT7
from covey.safety import GateHit, Gates, GatesHeld, GatesPassed


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("then git push", "git push"),
        ("run git -C . push origin", "git push"),
        ("GIT\u00a0 \tPUSH", "git push"),
        ("git\u200b pu\u200bsh", "git push"),
        ("ｇｉｔ ｐｕｓｈ", "git push"),
        ("force-push it", "git push"),
        ("commit to main", "commit to main"),
        ("I committed the fix to the master branch", "commit to main"),
        ("deploy", "deploy"),
        ("start the deployment", "deploy"),
        ("npm publish", "publish"),
        ("publish the new package", "publish"),
        ("rm -rf /", "rm -rf"),
        ("rm -fr build", "rm -rf"),
        ("rm -r -f build", "rm -rf"),
        ("rm --recursive --force x", "rm -rf"),
        ("read .env first", ".env file"),
        ("config/.env.local", ".env file"),
        ("rotate the secret", "secrets"),
        ("edit production config", "production config"),
        ("the prod configuration", "production config"),
        ("DROP TABLE users", "drop data"),
    ],
)
def test_a_gate_holds(text: str, gate: str) -> None:
    for category in CAT7:
        held = Gates().check({category: text})
        assert isinstance(held, GatesHeld), category
        assert gate in [hit.gate for hit in held.hits]
        assert {hit.category for hit in held.hits} == {category}


@pytest.mark.parametrize(
    "text",
    [
        "publish the blog post",
        "digit pushed",
        "the environment",
        "a.environ",
        "alarm -r",
        "rm file.txt",
        "commit to a plan",
        "secretary",
        "products config",
        "drop the idea",
        "",
    ],
)
def test_plain_work_passes(text: str) -> None:
    assert Gates().check({"focus": text}) == GatesPassed()


def test_every_hit_is_named() -> None:
    held = Gates().check({"mood": "secret", "focus": "git push, deploy"})
    assert isinstance(held, GatesHeld)
    assert [(hit.category, hit.gate) for hit in held.hits] == [
        ("focus", "git push"),
        ("focus", "deploy"),
        ("mood", "secrets"),
    ]
    assert held.hits[0] == GateHit("focus", "git push", "git push")


def test_none_means_none_and_shows() -> None:
    gates = Gates("none")
    assert gates.check({"focus": "rm -rf / && git push"}) == GatesPassed()
    assert gates.describe() == "none: nothing is held back"
    assert Gates().describe().endswith("gates (default)")


def test_own_patterns_hold_in_both_modes() -> None:
    for mode in ("default", "none"):
        held = Gates(mode, [r"\bacme\b"]).check({"issue": "ask ACME"})
        assert isinstance(held, GatesHeld)
        assert [hit.gate for hit in held.hits] == ["own pattern 1"]
    assert Gates("none", ["x"]).describe() == "1 gates (none)"


def test_what_is_too_long_to_check_is_held() -> None:
    assert Gates().check({"focus": "a " * (GATE_TEXT_CHARS // 2)}) == GatesPassed()
    held = Gates().check({"focus": "a" * (GATE_TEXT_CHARS + 1)})
    assert isinstance(held, GatesHeld)
    assert held.hits[0].gate == "too long to check"


def test_an_unknown_mode_is_a_bug() -> None:
    with pytest.raises(ValueError, match="gates: off"):
        Gates("off")
