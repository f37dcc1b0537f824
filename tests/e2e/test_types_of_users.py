"""A user's own type checker passes a program written on covey, and says what is wrong with a wrong one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "python"
GOOD = """
import covey
from covey import Agent, Block, Delivery, Peer

async def main() -> None:
    async with Peer("ann", room="lab", agent=Agent("scripted")) as peer:

        @peer.on_block
        async def heard(block: Block) -> None:
            said = await peer.reply(block, focus="yes")
            if isinstance(said.result, covey.Minted):
                print(said.result.block.key)

        @peer.on_delivery
        async def judged(delivery: Delivery) -> None:
            print(delivery.directed, delivery.block.categories["focus"])

        answers: list[Block] = await peer.ask("who is there?", wait_seconds=1)
        await peer.state.set("seen", len(answers))
        for other in peer.peers():
            print(other.name.upper())
"""
WRONG = """
from covey import Peer

async def main() -> None:
    async with Peer(name=7) as peer:
        await peer.observe(colour="red")
        peer.nothing()
"""


def checked(words: list[str], tmp_path: Path, source: str) -> subprocess.CompletedProcess[str]:
    program = tmp_path / "program.py"
    program.write_text(source)
    # as installed: a checker finds the package through its py.typed, not through this project's settings
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "MYPYPATH": str(PACKAGE),
        "PYTHONPATH": str(PACKAGE),
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",  # not a word on newer versions: the lock names one
    }
    return subprocess.run(
        [*words, str(program)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_x28_a_users_program_is_clean_under_strict_mypy(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull]
    good = checked(words, tmp_path, GOOD)
    assert (good.returncode, good.stdout.strip()) == (0, "Success: no issues found in 1 source file")
    wrong = checked(words, tmp_path, WRONG)
    assert wrong.returncode == 1
    errors = [line for line in wrong.stdout.splitlines() if ": error: " in line]
    kinds = [re.search(r"\[([a-z-]+)\]$", line) for line in errors]
    assert [kind and kind[1] for kind in kinds] == ["arg-type", "call-arg", "attr-defined"], wrong.stdout


@pytest.mark.skipif(not find_spec("pyright"), reason="pyright is not installed: see requirements/test.in")
def test_a_users_program_is_clean_under_pyright(tmp_path: Path) -> None:
    (tmp_path / "pyrightconfig.json").write_text(f'{{"strict": ["."], "extraPaths": ["{PACKAGE}"]}}')
    words = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]
    good = checked(words, tmp_path, GOOD)
    assert (good.returncode, good.stdout.strip()) == (0, "0 errors, 0 warnings, 0 informations"), good.stderr
    wrong = checked(words, tmp_path, WRONG)
    assert wrong.returncode == 1
    kinds = re.findall(r" - error: [^(]*(?:\n[^(]*)?\((report\w+)\)", wrong.stdout)
    wanted = {"reportArgumentType", "reportCallIssue", "reportAttributeAccessIssue"}
    assert wanted <= set(kinds), wrong.stdout
