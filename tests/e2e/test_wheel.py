"""The wheel, as a user gets it: in an empty environment, with its dependencies, it runs the demo."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.tidy import tree
from tests.tidy.test_manifests import pins
from tools import check_wheels

WHEEL = os.environ.get("COVEY_WHEEL", "")
INSTALL_SECONDS = 300
DEMO_SECONDS = 120

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + DEMO_SECONDS)


@pytest.fixture(scope="module")
def wheel() -> Path:
    """Return the wheel under test; CI always names one."""
    if not WHEEL and not os.environ.get("CI"):
        pytest.skip("no wheel to test: make wheel, then COVEY_WHEEL=dist/<name>.whl make test")
    path = tree.ROOT / WHEEL
    assert path.is_file(), f"COVEY_WHEEL names no file: {WHEEL!r}"
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """Install the wheel and what it asks for, at the locked versions; return the environment's bin folder."""
    folder = tmp_path_factory.mktemp("wheel")
    constraints = folder / "locked.txt"
    locked = pins(tree.text("requirements/run.txt"))
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in locked.items()))
    subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True, timeout=60)
    programs = folder / "env" / "bin"
    pip = [str(programs / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-c", str(constraints), str(wheel)], check=True, timeout=INSTALL_SECONDS)
    return programs


@pytest.fixture
def bare(installed, tmp_path) -> dict[str, str]:
    """Return an environment that knows neither the checkout nor the user's home, keys or proxies."""
    return {"PATH": f"{installed}{os.pathsep}{os.defpath}", "HOME": str(tmp_path), "LANG": "C.UTF-8"}


def test_one_abi3_wheel_carries_types_and_licence(wheel):
    assert "-cp311-abi3-" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert {"covey/py.typed", "covey/_core.pyi", "covey/_core.abi3.so"} <= set(names)
    assert any(name.endswith("LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "benches/"))]


def test_the_wheel_is_small_and_lists_what_is_linked_into_it_sqlite_too(wheel):
    assert check_wheels.carried(wheel) == []


def test_the_wheel_needs_no_model_extra(installed, bare):
    missing = "import importlib.util as u; print([n for n in ('anthropic', 'openai') if u.find_spec(n)])"
    answer = subprocess.run(
        [installed / "python", "-c", missing],
        env=bare,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.stdout.strip() == "[]"


def test_the_demo_runs_from_the_wheel(installed, bare, tmp_path):
    answer = subprocess.run(
        [installed / "covey", "demo", "--adapter", "scripted", "--json"],
        cwd=tmp_path,
        env=bare,
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    result = json.loads(answer.stdout.splitlines()[-1])
    assert result["ok"] is True
    assert result["outcome"]["reason"] == "thread-closed"
    agents = {"writer", "reviewer", "test-writer"}
    assert {peer["name"] for peer in result["peers"] if peer["exit_code"] == 0} == agents
    held = [set(result["stores"][agent]["holds"]) for agent in agents]
    assert held == [{block["key"] for block in result["blocks"]}] * 3
    assert result["home"].startswith(str(tmp_path))
