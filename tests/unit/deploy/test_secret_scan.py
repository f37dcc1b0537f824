"""The scan for secrets: each form is found, made-up keys are not, and history is read too."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.tidy import tree
from tools import secret_scan

SAMPLES = {
    "Anthropic key": "sk-ant-" + "api03-" + "a" * 90,
    "OpenAI key": "sk-" + "proj-" + "b" * 48,
    "GitHub token": "ghp" + "_" + "c" * 36,
    "GitLab token": "glpat" + "-" + "d" * 20,
    "AWS key id": "AKIA" + "E" * 16,
    "Google key": "AIza" + "f" * 35,
    "Hugging Face token": "hf" + "_" + "g" * 34,
    "Slack token": "xoxb" + "-" + "1" * 24,
    "package registry token": "pypi-" + "AgE" + "h" * 60,
    "private key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "web token": "eyJ" + "i" * 20 + ".eyJ" + "j" * 20 + "." + "k" * 20,
}


def test_there_is_a_sample_of_each_form() -> None:
    assert list(SAMPLES) == list(secret_scan.FORMS)


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("line", ["{}", 'key = "{}"', "https://x?k={}&y", "x" * 99_990 + " {} y"])
def test_a_secret_is_found_wherever_it_stands(kind: str, line: str) -> None:
    found = secret_scan.scan([("file:1", line.format(SAMPLES[kind]))])
    assert f"file:1: {kind}" in found
    assert SAMPLES[kind] not in "".join(found)


@pytest.mark.parametrize(
    "word", ["sk-test-0123456789abcdef", "sk-ant-...", "ghp_", "AKIA", "-----BEGIN PUBLIC KEY-----"]
)
def test_a_made_up_key_is_none(word: str) -> None:
    assert secret_scan.scan([("file:1", word)]) == []


def test_the_tree_has_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tree.ROOT)
    if not (tree.ROOT / ".git").exists():
        pytest.skip("no git checkout: what is tracked is not known")
    assert secret_scan.main([]) == 0, capsys.readouterr().out


def test_what_a_later_commit_took_out_is_still_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def git(*words: str) -> None:
        told = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *told, *words], check=True, capture_output=True, timeout=30)

    git("init", "-q")
    file = tmp_path / "notes.txt"
    for text in ("one\n", f"one\nkey {SAMPLES['GitHub token']}\n", "one\n"):
        file.write_text(text)
        git("add", "notes.txt")
        git("commit", "-q", "-m", "x")
    assert secret_scan.main([]) == 0
    assert secret_scan.main(["--history"]) == 1
    (found,) = secret_scan.scan(secret_scan.history())
    assert found.endswith(" notes.txt: GitHub token")
    assert secret_scan.main(["--other"]) == 2
